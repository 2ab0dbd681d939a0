/* options_test.c - where values come from, and that every mistake is named at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/memory.h"
#include "lib/options/options.h"

static const char *text;
static const char *secret;
static int64_t number;
static int64_t duration_ms;
static bool is_loud;
static struct option_list list;

static const struct option table[] = {
	{.flag = "text",
	 .environment = "OT_TEXT OT_TEXT_OLD",
	 .default_text = "red",
	 .choices = "red green blue",
	 .help = "A colour.",
	 .place = &text,
	 .letter = 't'},
	{.flag = "number",
	 .environment = "OT_NUMBER",
	 .type = OPTION_INT,
	 .default_text = "4000",
	 .min = 1,
	 .max = 65535,
	 .value_name = "PORT",
	 .help = "A port.",
	 .place = &number},
	{.flag = "wait",
	 .environment = "OT_WAIT",
	 .type = OPTION_DURATION_MS,
	 .help = "A wait.",
	 .place = &duration_ms},
	{.flag = "loud", .type = OPTION_BOOL, .help = "Speak up.", .place = &is_loud},
	{.flag = "item", .environment = "OT_ITEM", .type = OPTION_LIST, .help = "Items.", .place = &list},
	{.flag = "secret", .environment = "OT_SECRET", .is_secret = true, .help = "A secret.", .place = &secret},
};

static struct program program = {
	.name = "probe",
	.summary = "tries options",
	.arguments = "THING…",
	.examples = "Examples:\n  probe --loud\n",
	.options = table,
	.option_count = ARRAY_LEN(table),
};

struct outcome {
	enum options_result result;
	int first;
	int argc;
	char *argv[16];
	char said[4096]; /* on either stream */
};

static int capture_start(int stream)
{
	int kept = dup(stream);
	int file = memfd_create("captured", 0);

	assert_true(kept >= 0 && file >= 0 && dup2(file, stream) >= 0 && close(file) == 0);
	return kept;
}

static void capture_end(int stream, int kept, char *said, size_t size)
{
	ssize_t len = pread(stream, said, size - 1, 0);

	assert_true(len >= 0 && dup2(kept, stream) >= 0 && close(kept) == 0);
	said[len] = 0;
}

/* `words` is split at blanks. */
static void parse(struct outcome *outcome, const char *words)
{
	static char storage[512];
	char *rest = storage;
	int out;
	int err;

	(void)snprintf(storage, sizeof(storage), "probe %s", words);
	*outcome = (struct outcome){0};
	text = secret = NULL;
	number = duration_ms = 0;
	is_loud = false;
	list = (struct option_list){0};
	for (char *word; (word = strsep(&rest, " "));) {
		if (*word)
			outcome->argv[outcome->argc++] = word;
	}
	(void)fflush(stdout);
	out = capture_start(STDOUT_FILENO);
	err = capture_start(STDERR_FILENO);
	outcome->result = options_parse(&program, outcome->argc, outcome->argv, &outcome->first);
	(void)fflush(stdout);
	capture_end(STDERR_FILENO, err, outcome->said, sizeof(outcome->said) / 2);
	capture_end(STDOUT_FILENO, out, outcome->said + strlen(outcome->said), sizeof(outcome->said) / 2);
}

static void free_list(bool owns_items)
{
	for (size_t i = 0; owns_items && i < list.count; i++)
		free((char *)list.items[i]);
	free(list.items);
	list = (struct option_list){0};
}

static void flags_go_over_environment_over_defaults(void **state)
{
	struct outcome outcome;

	(void)state;
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(text, "red");
	assert_int_equal(number, 4000);
	assert_null(secret);

	(void)setenv("OT_TEXT", "", 1); /* empty is not set */
	(void)setenv("OT_TEXT_OLD", "green", 1);
	(void)setenv("OT_NUMBER", "99999", 1); /* wrong, but overridden */
	(void)setenv("OT_SECRET", "s3", 1);
	(void)setenv("OT_ITEM", "a, b,,c", 1);
	parse(&outcome, "--number=7 --wait 3s --loud");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(text, "green");
	assert_string_equal(secret, "s3");
	assert_int_equal(number, 7);
	assert_int_equal(duration_ms, 3000);
	assert_true(is_loud);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.items[2], "c");
	free_list(true);

	parse(&outcome, "--number 7 -t blue --item=x,y --item z --loud=false");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(text, "blue");
	assert_false(is_loud);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0], "x,y");
	free_list(false);
}

static void arguments_are_put_behind_the_flags(void **state)
{
	struct outcome outcome;

	(void)state;
	parse(&outcome, "one --text blue two --loud -- --text");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_int_equal(outcome.argc - outcome.first, 3);
	assert_string_equal(outcome.argv[outcome.first], "one");
	assert_string_equal(outcome.argv[outcome.first + 1], "two");
	assert_string_equal(outcome.argv[outcome.first + 2], "--text");
}

static void a_program_with_commands_leaves_their_flags_alone(void **state)
{
	struct outcome outcome;

	(void)state;
	program.has_commands = true;
	parse(&outcome, "--text blue get --unknown 1");
	program.has_commands = false;
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(text, "blue");
	assert_string_equal(outcome.argv[outcome.first], "get");
	assert_string_equal(outcome.argv[outcome.first + 1], "--unknown");
}

static void all_mistakes_are_named_at_once(void **state)
{
	struct outcome outcome;

	(void)state;
	parse(&outcome, "--nubmer 1 --text purple --wait 3 --secret=x --loud=perhaps --item");
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	assert_non_null(strstr(outcome.said, "probe: unknown flag --nubmer; did you mean --number?\n"));
	assert_non_null(strstr(outcome.said, "--text 'purple': must be one of: red green blue"));
	assert_non_null(strstr(outcome.said, "--wait '3': must be a duration"));
	assert_non_null(strstr(outcome.said, "unknown flag --secret\n"));
	assert_non_null(strstr(outcome.said, "--loud 'perhaps': must be true or false"));
	assert_non_null(strstr(outcome.said, "--item needs a value"));
}

static void numbers_and_durations_have_bounds(void **state)
{
	static const char *const wrong[] = {"--number 0",
					    "--number 65536",
					    "--number 1x",
					    "--number 99999999999999999999",
					    "--wait -1s",
					    "--wait 1.5s",
					    "--wait 999999999999999999d",
					    "--wait s"};
	static const struct {
		const char *words;
		int64_t ms;
	} right[] = {{"--wait 0", 0},
		     {"--wait 250ms", 250},
		     {"--wait 2m", 120000},
		     {"--wait 24h", 86400000},
		     {"--wait 7d", 604800000}};
	struct outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		parse(&outcome, wrong[i]);
		assert_int_equal(outcome.result, OPTIONS_USAGE);
	}
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		parse(&outcome, right[i].words);
		assert_int_equal(outcome.result, OPTIONS_RUN);
		assert_int_equal(duration_ms, right[i].ms);
	}
}

static void a_wrong_environment_is_a_configuration_error_that_hides_secrets(void **state)
{
	static bool secret_flag;
	static const struct option secret_table[] = {{.flag = "s",
						      .environment = "OT_S",
						      .type = OPTION_BOOL,
						      .is_secret = true,
						      .help = "S.",
						      .place = &secret_flag}};
	struct outcome outcome;

	(void)state;
	(void)setenv("OT_NUMBER", "many", 1);
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_non_null(strstr(outcome.said, "environment OT_NUMBER 'many': must be a whole number"));

	(void)setenv("OT_S", "hidden", 1);
	program.options = secret_table;
	program.option_count = 1;
	parse(&outcome, "");
	program.options = table;
	program.option_count = ARRAY_LEN(table);
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_null(strstr(outcome.said, "hidden"));
}

static void required_values_and_unwanted_arguments_are_usage_errors(void **state)
{
	static const char *place;
	static const struct option required[] = {
		{.flag = "dsn", .environment = "OT_DSN", .is_required = true, .help = "D.", .place = &place}};
	struct outcome outcome;

	(void)state;
	program.options = required;
	program.option_count = 1;
	program.arguments = NULL;
	parse(&outcome, "stray");
	program.options = table;
	program.option_count = ARRAY_LEN(table);
	program.arguments = "THING…";
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	assert_non_null(strstr(outcome.said, "--dsn is required (or set OT_DSN)"));
	assert_non_null(strstr(outcome.said, "unexpected argument 'stray'"));
}

static void help_and_version_are_made_from_the_table(void **state)
{
	struct outcome outcome;

	(void)state;
	parse(&outcome, "--nonsense --help");
	assert_int_equal(outcome.result, OPTIONS_EXIT);
	assert_non_null(strstr(outcome.said, "Usage: probe [FLAGS] THING…\n"));
	assert_non_null(strstr(outcome.said, "  -t, --text TEXT"));
	assert_non_null(strstr(outcome.said, "A port. [default: 4000; env: OT_NUMBER]"));
	assert_non_null(strstr(outcome.said, "(OT_SECRET)"));
	assert_null(strstr(outcome.said, "--secret"));
	assert_non_null(strstr(outcome.said, "Examples:\n  probe --loud\n"));
	parse(&outcome, "--version");
	assert_int_equal(outcome.result, OPTIONS_EXIT);
	assert_string_equal(outcome.said, "probe " AMENDS_VERSION "\n");
}

static int clear_environment(void **state)
{
	static const char *const names[] = {"OT_TEXT", "OT_TEXT_OLD", "OT_NUMBER", "OT_WAIT",
					    "OT_ITEM", "OT_SECRET",   "OT_S",      "OT_DSN"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unsetenv(names[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(flags_go_over_environment_over_defaults, clear_environment),
		cmocka_unit_test_setup(arguments_are_put_behind_the_flags, clear_environment),
		cmocka_unit_test_setup(a_program_with_commands_leaves_their_flags_alone, clear_environment),
		cmocka_unit_test_setup(all_mistakes_are_named_at_once, clear_environment),
		cmocka_unit_test_setup(numbers_and_durations_have_bounds, clear_environment),
		cmocka_unit_test_setup(a_wrong_environment_is_a_configuration_error_that_hides_secrets,
				       clear_environment),
		cmocka_unit_test_setup(required_values_and_unwanted_arguments_are_usage_errors, clear_environment),
		cmocka_unit_test_setup(help_and_version_are_made_from_the_table, clear_environment),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
