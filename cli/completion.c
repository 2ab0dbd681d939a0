/* completion.c - see completion.h. */
#include "cli/completion.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/completion_names.h"
#include "lib/base/bytes.h"
#include "lib/base/memory.h"

static const char FILES[] = ":file\n";

/* What lib/options adds to every table. */
static const struct option added_options[] = {
	{.flag = "config", .value_name = "FILE", .help = "Read options from this file, too."},
	{.flag = "help", .type = OPTION_BOOL, .help = "Show this and exit."},
	{.flag = "version", .type = OPTION_BOOL, .help = "Show the version and exit."},
};

/* Where the walk along the words before the cursor has arrived. */
struct place {
	const struct command *command; /* NULL: not named yet */
	const char *group;             /* the first word of commands with two; NULL: none */
	const struct option *waiting;  /* the flag whose value comes next; NULL: none */
	int arguments;                 /* of the command, so far */
};

static void offer(const char *prefix, const char *candidate, size_t len, const char *description)
{
	if (strncmp(candidate, prefix, strlen(prefix)) == 0 && strlen(prefix) <= len)
		(void)printf("%.*s\t%s\n", (int)len, candidate, description);
}

/* ---- the words before ---- */

/* The flag that is typed: of a secret that of its file. */
static void name_flag(const struct option *option, char ret_flag[64])
{
	(void)snprintf(ret_flag, 64, "--%s%s", option->flag, option->is_secret ? "-file" : "");
}

static const struct option *find_option(const struct option *options, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		char flag[64];

		name_flag(&options[i], flag);
		if ((options[i].letter && word[1] == options[i].letter && !word[2]) || strcmp(word, flag) == 0)
			return &options[i];
	}
	return NULL;
}

static const struct option *option_of(const struct place *place, const char *word)
{
	const struct option *option = find_option(session_options, session_option_count, word);

	if (!option && place->command)
		option = find_option(place->command->options, place->command->option_count, word);
	return option ? option : find_option(added_options, ARRAY_LEN(added_options), word);
}

static bool is_first_word(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < command_count; i++) {
		if (strncmp(command_table[i]->name, word, len) == 0 && command_table[i]->name[len] == ' ')
			return true;
	}
	return false;
}

static void pass_word(struct place *place, char *word)
{
	int words;

	if (place->command) {
		place->arguments++;
	} else if (place->group) {
		place->command = command_find((char *const[]){(char *)place->group, word}, 2, &words);
	} else {
		place->command = command_find(&word, 1, &words);
		place->group = !place->command && is_first_word(word) ? word : NULL;
	}
}

static void pass(struct place *place, char *word)
{
	if (place->waiting) {
		if (place->waiting->place == &session.address)
			session.address = word;
		place->waiting = NULL;
	} else if (word[0] == '-' && word[1]) {
		const struct option *option = option_of(place, word);

		place->waiting = option && option->type != OPTION_BOOL ? option : NULL;
	} else {
		pass_word(place, word);
	}
}

/* ---- what can be there ---- */

static void offer_words(const char *prefix, const char *words, const char *separators)
{
	for (const char *at = words; *at; at += strspn(at, separators)) {
		size_t len = strcspn(at, separators);

		offer(prefix, at, len, "");
		at += len;
	}
}

static void offer_value(const struct option *option, const char *prefix)
{
	const char *name = option->value_name ? option->value_name : "";

	if (option->choices)
		offer_words(prefix, option->choices, " ");
	else if (option->type == OPTION_BOOL)
		offer_words(prefix, "true false", " ");
	else if (strcmp(name, "DEFINITION") == 0)
		completion_names_offer_definitions(prefix, offer);
	else if (strstr(name, "FILE") || option->is_secret)
		(void)printf("%s", FILES);
}

/* `--output=js`: candidates are whole words, as shells want them. */
static void offer_attached_value(const struct place *place, const char *word)
{
	_cleanup_(freep)
	char *flag = xstrndup(word, strcspn(word, "="));
	const struct option *option = option_of(place, flag);

	for (const char *at = option && option->choices ? option->choices : ""; *at; at += strspn(at, " ")) {
		_cleanup_(buffer_release)
		struct buffer candidate = {0};
		size_t len = strcspn(at, " ");

		buffer_append_format(&candidate, "%s=%.*s", flag, (int)len, at);
		offer(word, buffer_text(&candidate), candidate.len, "");
		at += len;
	}
}

static void offer_options(const struct option *options, size_t count, const char *prefix)
{
	for (size_t i = 0; i < count; i++) {
		char flag[64];

		name_flag(&options[i], flag);
		offer(prefix, flag, strlen(flag), options[i].help);
	}
}

static void offer_flags(const struct place *place, const char *prefix)
{
	if (strchr(prefix, '=')) {
		offer_attached_value(place, prefix);
		return;
	}
	if (place->command)
		offer_options(place->command->options, place->command->option_count, prefix);
	offer_options(session_options, session_option_count, prefix);
	offer_options(added_options, ARRAY_LEN(added_options), prefix);
}

/* The first words once each, or the second words of a group. */
static void offer_commands(const struct place *place, const char *prefix)
{
	const char *last = "";
	size_t last_len = 0;

	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = command_table[i];
		size_t len = strcspn(command->name, " ");
		bool is_repeated = len == last_len && strncmp(command->name, last, len) == 0;

		if (place->group && strlen(place->group) == len && strncmp(command->name, place->group, len) == 0)
			offer(prefix, command->name + len + 1, strlen(command->name + len + 1), command->summary);
		else if (!place->group && !is_repeated)
			offer(prefix, command->name, len, command->name[len] ? "" : command->summary);
		last = command->name;
		last_len = len;
	}
}

static void offer_argument(const struct place *place, const char *prefix)
{
	const char *name = place->command->arguments;

	if (!name || place->arguments >= place->command->arguments_max)
		return;
	if (strchr(name, '|'))
		offer_words(prefix, name, "|[]");
	else if (strstr(name, "SAGA_ID"))
		completion_names_offer_sagas(prefix, offer);
	else if (strstr(name, "DEFINITION"))
		completion_names_offer_definitions(prefix, offer);
	else if (strstr(name, "FILE"))
		(void)printf("%s", FILES);
}

int completion_print(char *const *words, int count)
{
	const struct program program = {
		.name = "sagactl", .options = session_options, .option_count = session_option_count};
	struct place place = {0};
	const char *last = count > 0 ? words[count - 1] : "";

	if (options_parse(&program, 1, (char *[]){(char *)"sagactl", NULL}, NULL) != OPTIONS_RUN)
		return EXIT_ENVIRONMENT;
	for (int i = 0; i + 1 < count; i++)
		pass(&place, words[i]);
	if (place.waiting)
		offer_value(place.waiting, last);
	else if (last[0] == '-')
		offer_flags(&place, last);
	else if (place.command)
		offer_argument(&place, last);
	else
		offer_commands(&place, last);
	session_release(&session);
	return EXIT_DONE;
}
