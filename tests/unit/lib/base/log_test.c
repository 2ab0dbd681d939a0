/* log_test.c - lines as they arrive on standard error, in both formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

static int ends[2];
static int stderr_copy;

static int catch_stderr(void **state)
{
	(void)state;
	stderr_copy = dup(STDERR_FILENO);
	return pipe(ends) || dup2(ends[1], STDERR_FILENO) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) ? -1 : 0;
}

static int give_back(void **state)
{
	(void)state;
	return dup2(stderr_copy, STDERR_FILENO) < 0 || close(ends[0]) || close(ends[1]) ? -1 : 0;
}

/* All that was written, without the time. */
static const char *caught(void)
{
	static char text[8192];
	ssize_t len = read(ends[0], text, sizeof(text) - 1);
	char *ts;

	text[len > 0 ? len : 0] = 0;
	ts = strstr(text, "20"); /* the century of the time stamp */
	if (ts)
		memmove(ts, ts + 27, strlen(ts + 27) + 1); /* 2026-01-02T03:04:05.678901Z */
	return text;
}

static void a_line_of_logfmt_is_as_the_caller_wrote_it(void **state)
{
	(void)state;
	log_init("svc", LOG_LEVEL_INFO);
	log_set_format(LOG_FORMAT_LOGFMT);
	log_warn("gone", "err=%s, trying again", LOG_TEXT("it \"broke\""));
	assert_string_equal(caught(), "level=warn ts= service=svc event=gone err=\"it \\\"broke\\\"\", trying again\n");
}

static void a_line_of_json_has_a_field_for_each_pair_and_one_for_the_rest(void **state)
{
	(void)state;
	log_init("svc", LOG_LEVEL_INFO);
	log_set_format(LOG_FORMAT_JSON);
	log_warn("few_files", "limit=%d wanted=%d, raise it err=%s id=%s neg=-5 zip=007 empty=", 12, 4096,
		 LOG_TEXT("a \"b\" \\ c=d"), "0192f0");
	assert_string_equal(
		caught(),
		"{\"level\":\"warn\",\"ts\":\"\",\"service\":\"svc\",\"event\":\"few_files\",\"limit\":12,\"wanted\":"
		"4096,"
		"\"err\":\"a \\\"b\\\" \\\\ c=d\",\"id\":\"0192f0\",\"neg\":-5,\"zip\":\"007\",\"empty\":\"\","
		"\"note\":\"raise it\"}\n");
}

static void a_line_below_the_level_is_not_written(void **state)
{
	(void)state;
	log_init("svc", LOG_LEVEL_WARN);
	log_info("quiet", "n=%d", 1);
	assert_string_equal(caught(), "");
}

static void a_line_that_is_too_long_is_cut_and_still_one_line(void **state)
{
	char big[401];
	const char *line;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	log_init("svc", LOG_LEVEL_INFO);
	for (int format = 0; format < LOG_FORMAT_COUNT; format++) {
		log_set_format((enum log_format)format);
		log_info("long", "a=%s b=%s c=%s d=%s e=%s f=%s", big, big, big, big, big, big);
		line = caught();
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		assert_in_range(strlen(line), 1900, 2200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_of_logfmt_is_as_the_caller_wrote_it, catch_stderr, give_back),
		cmocka_unit_test_setup_teardown(a_line_of_json_has_a_field_for_each_pair_and_one_for_the_rest,
						catch_stderr, give_back),
		cmocka_unit_test_setup_teardown(a_line_below_the_level_is_not_written, catch_stderr, give_back),
		cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_cut_and_still_one_line, catch_stderr,
						give_back),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
