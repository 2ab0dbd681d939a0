/* completion_command.c - sagactl completion: the scripts that let a shell ask completion.h. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

/* bash breaks words at '=' and ':', so the line is taken apart here, and what stands before the last of these in the word
 * is taken off the candidates again. */
static const char BASH[] =
	"# bash completion of sagactl\n"
	"_sagactl() {\n"
	"	local line word kept candidate\n"
	"	local -a words=()\n"
	"	COMPREPLY=()\n"
	"	read -ra words <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
	"	[[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=('')\n"
	"	word=${words[${#words[@]}-1]}\n"
	"	kept=${word%\"${word##*[=:]}\"}\n"
	"	while IFS= read -r line; do\n"
	"		if [[ $line == :file ]]; then\n"
	"			compopt -o filenames 2>/dev/null\n"
	"			while IFS= read -r candidate; do COMPREPLY+=(\"$candidate\"); done < <(compgen -f -- "
	"\"${word#\"$kept\"}\")\n"
	"		else\n"
	"			candidate=${line%%$'\\t'*}\n"
	"			COMPREPLY+=(\"${candidate#\"$kept\"}\")\n"
	"		fi\n"
	"	done < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _sagactl sagactl\n";

static const char ZSH[] = "#compdef sagactl\n"
			  "# zsh completion of sagactl\n"
			  "_sagactl() {\n"
			  "	local line name description\n"
			  "	local -a candidates\n"
			  "	while IFS= read -r line; do\n"
			  "		if [[ $line == :file ]]; then\n"
			  "			_files\n"
			  "			return\n"
			  "		fi\n"
			  "		name=${line%%$'\\t'*}\n"
			  "		description=${line#*$'\\t'}\n"
			  "		candidates+=(\"${name//:/\\\\:}${description:+:$description}\")\n"
			  "	done < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
			  "	(( ${#candidates} )) && _describe sagactl candidates\n"
			  "}\n"
			  "if [[ $funcstack[1] == _sagactl ]]; then\n"
			  "	_sagactl \"$@\"\n"
			  "else\n"
			  "	compdef _sagactl sagactl\n"
			  "fi\n";

static const char FISH[] = "# fish completion of sagactl\n"
			   "function __sagactl_complete\n"
			   "	set -l words (commandline -opc)\n"
			   "	set -l current (commandline -ct)\n"
			   "	set -l lines ($words[1] __complete $words[2..-1] \"$current\" 2>/dev/null)\n"
			   "	if test \"$lines[1]\" = :file\n"
			   "		__fish_complete_path $current\n"
			   "	else\n"
			   "		printf '%s\\n' $lines\n"
			   "	end\n"
			   "end\n"
			   "complete -c sagactl -f -a '(__sagactl_complete)'\n";

static const struct {
	const char *shell;
	const char *script;
} scripts[] = {{"bash", BASH}, {"zsh", ZSH}, {"fish", FISH}};

static enum exit_code run_completion(struct session *session_, char **arguments, int count)
{
	(void)session_;
	(void)count;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		if (strcmp(scripts[i].shell, arguments[0]) == 0) {
			(void)printf("%s", scripts[i].script);
			return EXIT_DONE;
		}
	}
	(void)fprintf(stderr, "sagactl: no completion for '%s'; there is one for bash, zsh and fish\n", arguments[0]);
	return EXIT_USAGE;
}

const struct command completion_command = {
	.name = "completion",
	.arguments = "bash|zsh|fish",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "print the script with which a shell completes sagactl's commands, flags and values",
	.notes = "The script asks sagactl for each completion, so it need not be renewed with a new version. Names of "
		 "definitions\n"
		 "and sagas are asked of the coordinator.\n",
	.examples = "# for this shell alone\n"
		    "source <(sagactl completion bash)\n"
		    "sagactl completion bash > ~/.local/share/bash-completion/completions/sagactl\n"
		    "sagactl completion zsh > ~/.zfunc/_sagactl\n"
		    "sagactl completion fish > ~/.config/fish/completions/sagactl.fish\n",
	.run = run_completion,
};
