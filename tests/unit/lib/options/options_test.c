/* options_test.c - where values come from, and that every mistake is named at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/memory.h"
#include "lib/options/options.h"
#include "tests/unit/lib/base/captured_stream.h"

static const char *text;
static const char *secret;
static const char *dsn;
static int64_t number;
static int64_t duration_ms;
static int64_t keep_ms;
static const char *even;
static bool is_loud;
static struct option_list list;
static struct option_properties properties;
static char folder[] = "/tmp/options_test.XXXXXX";
static char file_path[64];

static int check_even(const char *word, struct error *err)
{
	return strlen(word) % 2 == 0 ? 0 : error_set(err, ERR_INVALID, "must be of even length");
}

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
	{.flag = "keep",
	 .environment = "OT_KEEP",
	 .type = OPTION_DURATION_MS,
	 .min = 3600000,
	 .help = "How long.",
	 .place = &keep_ms},
	{.flag = "even", .check_text = check_even, .help = "Of even length.", .place = &even},
	{.flag = "loud", .type = OPTION_BOOL, .help = "Speak up.", .place = &is_loud},
	{.flag = "item", .environment = "OT_ITEM", .type = OPTION_LIST, .help = "Items.", .place = &list},
	{.flag = "property",
	 .environment = "OT_PROPERTY_",
	 .type = OPTION_PROPERTIES,
	 .prefix = "lib.",
	 .help = "What the library knows.",
	 .place = &properties},
	{.flag = "dsn", .environment = "OT_DSN", .default_text = "", .help = "A database.", .place = &dsn},
	{.flag = "secret", .environment = "OT_SECRET", .is_secret = true, .help = "A secret.", .place = &secret},
};

static void check(void *ctx, struct problems *problems)
{
	(void)ctx;
	if (number == 4001)
		problems_add(problems, "number", "is taken by another program");
	if (number == 4001)
		problems_add(problems, "lib.x", "is not known to the library");
	if (number == 4001 && duration_ms == 0)
		problems_add(problems, "", "something else is wrong");
}

static struct program program = {
	.name = "probe",
	.summary = "tries options",
	.arguments = "THING…",
	.examples = "Examples:\n  probe --loud\n",
	.options = table,
	.option_count = ARRAY_LEN(table),
	.check = check,
};

struct outcome {
	enum options_result result;
	int first;
	int argc;
	char *argv[16];
	char said[16384]; /* on either stream */
};

/* `words` is split at blanks. */
static void parse(struct outcome *outcome, const char *words)
{
	static char storage[512];
	char *rest = storage;
	struct captured_stream out;
	struct captured_stream err;

	(void)snprintf(storage, sizeof(storage), "probe %s", words);
	*outcome = (struct outcome){0};
	text = secret = dsn = NULL;
	number = duration_ms = 0;
	is_loud = false;
	list = (struct option_list){0};
	free(properties.items);
	properties = (struct option_properties){0};
	for (char *word; (word = strsep(&rest, " "));) {
		if (*word)
			outcome->argv[outcome->argc++] = word;
	}
	out = captured_stream_begin(stdout);
	err = captured_stream_begin(stderr);
	outcome->result = options_parse(&program, outcome->argc, outcome->argv, &outcome->first);
	captured_stream_end(&err, outcome->said, sizeof(outcome->said) / 2);
	captured_stream_end(&out, outcome->said + strlen(outcome->said), sizeof(outcome->said) / 2);
}

static void free_list(void)
{
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
	free_list();

	parse(&outcome, "--number 7 -t blue --item=x,y --item z --loud=false");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(text, "blue");
	assert_false(is_loud);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0], "x,y");
	free_list();
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
					    "--wait 99999999999999999999999d",
					    "--wait 36501d",
					    "--wait 3153600000001ms",
					    "--keep 36501d",
					    "--keep 59m",
					    "--keep 3599999ms",
					    "--even odd",
					    "--wait s"};
	static const struct {
		const char *words;
		int64_t ms;
	} right[] = {{"--wait 0", 0},
		     {"--wait 250ms", 250},
		     {"--wait 2m", 120000},
		     {"--wait 24h", 86400000},
		     {"--wait 36500d", INT64_C(3153600000000)},
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

static void what_is_beyond_its_bounds_is_told_what_they_are(void **state)
{
	struct outcome outcome;

	(void)state;
	parse(&outcome, "--wait 99999999999d --keep 20000000d --even odd");
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	assert_non_null(strstr(outcome.said, "--wait '99999999999d': must be at most 36500d\n"));
	assert_non_null(strstr(outcome.said, "--keep '20000000d': must be 0, or from 1h to 36500d\n"));
	assert_non_null(strstr(outcome.said, "--even 'odd': must be of even length\n"));
	parse(&outcome, "--keep 0 --even four");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_int_equal(keep_ms, 0);
	assert_string_equal(even, "four");
	parse(&outcome, "--keep 1h");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_int_equal(keep_ms, 3600000);
	(void)setenv("OT_KEEP", "1s", 1);
	parse(&outcome, "");
	(void)unsetenv("OT_KEEP");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
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
	assert_non_null(strstr(outcome.said, "env: OT_SECRET]"));
	assert_non_null(strstr(outcome.said, "--secret-file FILE"));
	assert_non_null(strstr(outcome.said, "Examples:\n  probe --loud\n"));
	parse(&outcome, "--version");
	assert_int_equal(outcome.result, OPTIONS_EXIT);
	assert_string_equal(outcome.said, "probe " AMENDS_VERSION "\n");
}

/* ---- files ---- */

static void write_file(const char *content, mode_t mode)
{
	FILE *file;

	(void)unlink(file_path);
	file = fopen(file_path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0 && fchmod(fileno(file), mode) == 0 && fclose(file) == 0);
	(void)setenv("PROBE_CONFIG", file_path, 1);
}

static void assert_said(const struct outcome *outcome, const char *format, const char *a)
{
	char line[512];

	(void)snprintf(line, sizeof(line), format, a);
	if (!strstr(outcome->said, line))
		print_error("expected: %s\nin:\n%s\n", line, outcome->said);
	assert_non_null(strstr(outcome->said, line));
}

static void a_file_goes_over_defaults_and_under_all_else(void **state)
{
	struct outcome outcome;

	(void)state;
	write_file("# a comment\n\n text=blue \nnumber = 5\nwait = 2s\nitem = a, b\nloud = yes\nsecret =\n", 0644);
	(void)setenv("OT_NUMBER", "6", 1);
	parse(&outcome, "--wait 9s");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(text, "blue");
	assert_int_equal(number, 6);
	assert_int_equal(duration_ms, 9000);
	assert_int_equal(list.count, 2);
	assert_true(is_loud);
	assert_null(secret);
	free_list();

	(void)unsetenv("PROBE_CONFIG");
	parse(&outcome, "");
	assert_string_equal(text, "red");
	(void)snprintf(outcome.said, sizeof(outcome.said), "--config %s", file_path);
	parse(&outcome, strdupa(outcome.said));
	assert_string_equal(text, "blue");
	free_list();
}

static void all_that_is_wrong_in_a_file_is_named_with_its_line(void **state)
{
	struct outcome outcome;

	(void)state;
	write_file("nubmer = 1\nnumber = many\njust words\nwait = 1s\nwait = 2s\ntext = purple\n= 3\n", 0644);
	(void)setenv("OT_WAIT", "soon", 1);
	parse(&outcome, "--item");
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	assert_said(&outcome, "probe: %s:1: unknown key 'nubmer'; did you mean number?\n", file_path);
	assert_said(&outcome, "probe: %s:2: number 'many': must be a whole number\n", file_path);
	assert_said(&outcome, "probe: %s:3: expected KEY = VALUE\n", file_path);
	assert_said(&outcome, "probe: %s:5: 'wait' stands in line 4 already\n", file_path);
	assert_said(&outcome, "probe: %s:6: text 'purple': must be one of: red green blue\n", file_path);
	assert_said(&outcome, "probe: %s:7: expected KEY = VALUE\n", file_path);
	assert_said(&outcome, "probe: environment OT_WAIT '%s': must be a duration", "soon");
	assert_said(&outcome, "probe: --item needs a value%s\n", "");
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);

	write_file("number = \xff\n", 0644);
	(void)unsetenv("OT_WAIT");
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_said(&outcome, "probe: %s: is no text in UTF-8\n", file_path);
	(void)setenv("PROBE_CONFIG", "/does/not/exist", 1);
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_said(&outcome, "probe: %s: cannot be read: No such file or directory\n", "/does/not/exist");
}

static void properties_of_all_sources_are_merged_by_name(void **state)
{
	struct outcome outcome;

	(void)state;
	write_file("lib.a.b = file\nlib.c = file\nlib.sasl.password = p w = #'\"\n", 0640);
	(void)setenv("OT_PROPERTY_A_B", "environment", 1);
	parse(&outcome, "--property d=flag --property c=x=y");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_int_equal(properties.count, 4);
	assert_string_equal(properties.items[0].name, "a.b");
	assert_string_equal(properties.items[0].value, "environment");
	assert_string_equal(properties.items[1].value, "x=y");
	assert_string_equal(properties.items[2].name, "sasl.password");
	assert_string_equal(properties.items[2].value, "p w = #'\"");
	assert_string_equal(properties.items[3].name, "d");
	parse(&outcome, "--property nothing");
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	assert_said(&outcome, "--property 'nothing': must be NAME=VALUE%s", "");
}

static void secrets_come_from_files_and_environment_only(void **state)
{
	static const char *const flags[] = {"--secret s3cr3t", "--property sasl.password=s3cr3t",
					    "--dsn postgresql://me:s3cr3t@host/db", "--dsn=host=x\tpassword=s3cr3t",
					    "--property url=http://me:s3cr3t@host/"};
	struct outcome outcome;
	char words[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		parse(&outcome, flags[i]);
		assert_int_equal(outcome.result, OPTIONS_USAGE);
		assert_null(strstr(outcome.said, "s3cr3t"));
	}
	write_file("s3cr3t\n", 0600);
	(void)unsetenv("PROBE_CONFIG");
	(void)snprintf(words, sizeof(words), "--secret-file %s", file_path);
	parse(&outcome, words);
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(secret, "s3cr3t");
	(void)setenv("OT_SECRET_FILE", file_path, 1);
	parse(&outcome, "");
	assert_string_equal(secret, "s3cr3t");

	write_file("s3cr3t\n", 0604);
	(void)unsetenv("PROBE_CONFIG");
	parse(&outcome, words);
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	assert_said(&outcome, "--secret-file: %s is open to every user (mode 0604): chmod 640 or 600\n", file_path);
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_said(&outcome, "environment OT_SECRET_FILE: %s is open to every user", file_path);
}

static void a_file_with_secrets_must_not_be_open_to_all(void **state)
{
	struct outcome outcome;

	(void)state;
	write_file("number = 1\nsecret = s3cr3t\nlib.sasl.password = s3cr3t\ndsn = host=x password='s3 cr3t' a=b\n"
		   "lib.url = http://me:s3cr3t@host/\n",
		   0644);
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_said(&outcome, "%s:2: 'secret' holds a secret, but every user can read the file: chmod 640", file_path);
	assert_said(&outcome, "%s:3: 'lib.sasl.password' holds a secret", file_path);
	assert_said(&outcome, "%s:4: 'dsn' holds a secret", file_path);
	assert_said(&outcome, "%s:5: 'lib.url' holds a secret", file_path);
	assert_int_equal(chmod(file_path, 0640), 0);
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_RUN);
	assert_string_equal(secret, "s3cr3t");
}

/* ---- config print and check ---- */

static void config_print_shows_all_with_its_origin_and_no_secret(void **state)
{
	struct outcome outcome;

	(void)state;
	program.arguments = NULL;
	write_file("secret = s3cr3t\nlib.sasl.password = s3cr3t\nlib.x = y\ndsn = postgresql://me:s3cr3t@host/db\n"
		   "lib.url = http://me:s3cr3t@host/\n",
		   0600);
	(void)setenv("OT_NUMBER", "7", 1);
	parse(&outcome, "config print --show-origin --item one --item two");
	assert_int_equal(outcome.result, OPTIONS_EXIT);
	assert_null(strstr(outcome.said, "s3cr3t"));
	assert_said(&outcome, "text = red                                                  # default%s\n", "");
	assert_said(&outcome, "number = 7                                                  # environment OT_NUMBER%s\n",
		    "");
	assert_said(&outcome, "# wait is not set                                           # default%s\n", "");
	assert_said(&outcome, "item = one, two                                             # flag --item%s\n", "");
	assert_said(&outcome, "secret = ***                                                # file %s:1\n", file_path);
	assert_said(&outcome, "lib.sasl.password = ***                                     # file %s:2\n", file_path);
	assert_said(&outcome, "dsn = postgresql://me:***@host/db                           # file %s:4\n", file_path);
	assert_said(&outcome, "lib.url = http://me:***@host/                               # file %s:5\n", file_path);
	free_list();
	parse(&outcome, "config print");
	assert_null(strstr(outcome.said, "# default"));
	parse(&outcome, "--show-origin");
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	program.arguments = "THING…";
}

static void config_check_says_all_that_is_wrong_or_that_nothing_is(void **state)
{
	struct outcome outcome;

	(void)state;
	program.arguments = NULL;
	write_file("number = 4000\n", 0644);
	parse(&outcome, "config check");
	assert_int_equal(outcome.result, OPTIONS_EXIT);
	assert_said(&outcome, "probe: the configuration is right: %s\n", file_path);
	write_file("\nnumber = 4001\nlib.x = y\n", 0644);
	parse(&outcome, "config check");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_said(&outcome, "probe: %s:2: number '4001': is taken by another program\n", file_path);
	assert_said(&outcome, "probe: %s:3: lib.x 'y': is not known to the library\n", file_path);
	assert_said(&outcome, "probe: something else is wrong%s\n", "");
	assert_null(strstr(outcome.said, "is right"));
	parse(&outcome, "");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	parse(&outcome, "--property x=z config check");
	assert_int_equal(outcome.result, OPTIONS_CONFIG);
	assert_said(&outcome, "probe: --property 'x=z': is not known to the library%s\n", "");
	(void)setenv("OT_PROPERTY_X", "v", 1);
	parse(&outcome, "config check");
	(void)unsetenv("OT_PROPERTY_X");
	assert_said(&outcome, "probe: environment OT_PROPERTY_X 'v': is not known to the library%s\n", "");
	parse(&outcome, "config chekc");
	assert_int_equal(outcome.result, OPTIONS_USAGE);
	program.arguments = "THING…";
}

static void documents_name_every_option(void **state)
{
	static const char *const documents[] = {"config example", "config reference", "config man"};
	struct outcome outcome;

	(void)state;
	program.arguments = NULL;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		parse(&outcome, documents[i]);
		assert_int_equal(outcome.result, OPTIONS_EXIT);
		for (size_t j = 0; j < ARRAY_LEN(table); j++)
			assert_said(&outcome, "%s", table[j].prefix && i < 2 ? table[j].prefix : table[j].flag);
	}
	program.arguments = "THING…";
}

static void an_example_file_changes_nothing_and_is_right(void **state)
{
	struct outcome outcome;

	(void)state;
	program.arguments = NULL;
	parse(&outcome, "config example");
	write_file(outcome.said, 0644);
	parse(&outcome, "config check");
	assert_int_equal(outcome.result, OPTIONS_EXIT);
	for (char *at = outcome.said; *at; at++)
		*at = 0;
	parse(&outcome, "config print --show-origin");
	assert_null(strstr(outcome.said, "file "));
	program.arguments = "THING…";
}

static void one_value_can_be_read_again_while_the_others_stay(void **state)
{
	char *argv[] = {"probe", "--loud"};
	struct outcome outcome;
	struct error err;
	char *again = NULL;

	(void)state;
	write_file("text = blue\nitem = a,b\nlib.x = y\n", 0644);
	parse(&outcome, "--loud");
	write_file("text = green\nitem = c,d\nlib.x = z\n", 0644);
	assert_int_equal(options_reread(&program, 2, argv, "text", &again, &err), 0);
	assert_string_equal(again, "green");
	free(again);
	assert_string_equal(text, "blue");
	write_file("text = purple\n", 0644);
	assert_int_equal(options_reread(&program, 2, argv, "text", &again, &err), -1);
	assert_non_null(strstr(err.msg, "text 'purple': must be one of"));
	free_list();
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(file_path, sizeof(file_path), "%s/probe.conf", folder);
	return 0;
}

static int delete_folder(void **state)
{
	(void)state;
	(void)unlink(file_path);
	free(properties.items);
	return rmdir(folder);
}

static int clear_environment(void **state)
{
	static const char *const names[] = {"OT_TEXT",        "OT_TEXT_OLD",     "OT_NUMBER",   "OT_WAIT",
					    "OT_ITEM",        "OT_SECRET",       "OT_S",        "OT_DSN",
					    "OT_SECRET_FILE", "OT_PROPERTY_A_B", "PROBE_CONFIG"};

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
		cmocka_unit_test_setup(what_is_beyond_its_bounds_is_told_what_they_are, clear_environment),
		cmocka_unit_test_setup(a_wrong_environment_is_a_configuration_error_that_hides_secrets,
				       clear_environment),
		cmocka_unit_test_setup(required_values_and_unwanted_arguments_are_usage_errors, clear_environment),
		cmocka_unit_test_setup(help_and_version_are_made_from_the_table, clear_environment),
		cmocka_unit_test_setup(a_file_goes_over_defaults_and_under_all_else, clear_environment),
		cmocka_unit_test_setup(all_that_is_wrong_in_a_file_is_named_with_its_line, clear_environment),
		cmocka_unit_test_setup(properties_of_all_sources_are_merged_by_name, clear_environment),
		cmocka_unit_test_setup(secrets_come_from_files_and_environment_only, clear_environment),
		cmocka_unit_test_setup(a_file_with_secrets_must_not_be_open_to_all, clear_environment),
		cmocka_unit_test_setup(config_print_shows_all_with_its_origin_and_no_secret, clear_environment),
		cmocka_unit_test_setup(config_check_says_all_that_is_wrong_or_that_nothing_is, clear_environment),
		cmocka_unit_test_setup(documents_name_every_option, clear_environment),
		cmocka_unit_test_setup(an_example_file_changes_nothing_and_is_right, clear_environment),
		cmocka_unit_test_setup(one_value_can_be_read_again_while_the_others_stay, clear_environment),
	};

	return cmocka_run_group_tests_name("options", tests, make_folder, delete_folder);
}
