/* token_command.c - sagactl token new. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "lib/base/memory.h"
#include "lib/security/role.h"
#include "lib/security/token.h"

static bool check_roles(const char *text)
{
	bool is_right = *text != 0;

	for (const char *at = text; *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");
		enum role role;

		if (!role_parse(at, len, &role)) {
			(void)fprintf(stderr,
				      "sagactl: there is no role '%.*s'; there are viewer, starter, operator, "
				      "schema-reader, schema-writer and admin\n",
				      (int)len, at);
			is_right = false;
		}
		at += len;
	}
	return is_right;
}

/* The token alone goes to standard output, so that it can be sent into a file that nobody else sees. */
static enum exit_code token_new_run(struct session *session_, char **arguments, int count)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	char hash_text[TOKEN_HASH_TEXT_LEN + 1];
	char token[TOKEN_TEXT_LEN + 1];

	(void)session_;
	(void)count;
	if (!check_roles(arguments[1]) || !*arguments[0] || strpbrk(arguments[0], " \t#")) {
		(void)fprintf(stderr, "sagactl: expected a name of one word and roles separated by commas\n");
		return EXIT_USAGE;
	}
	token_new(token);
	token_hash(token, strlen(token), hash);
	token_hash_format(hash, hash_text);
	(void)printf("%s\n", token);
	(void)fprintf(stderr, "For the servers' access file:\ntoken  %s  %s  %s\n", arguments[0], arguments[1],
		      hash_text);
	return EXIT_DONE;
}

const struct command token_new_command = {
	.name = "token new",
	.arguments = "NAME ROLE,…",
	.arguments_min = 2,
	.arguments_max = 2,
	.summary = "Makes a bearer token, and the line of the access file that knows it.",
	.notes = "The token goes to standard output and cannot be shown again; the line for the access file goes to "
		 "standard\n"
		 "error. Roles: viewer, starter, operator, schema-reader, schema-writer, admin.\n",
	.examples = "# for a pipeline that starts sagas; nobody else may read the file\n"
		    "sagactl token new ci starter > ci.token\n",
	.run = token_new_run,
};
