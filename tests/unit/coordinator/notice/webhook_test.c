/* webhook_test.c - what a webhook says and how it is signed; a receiver of it is in tests/integration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/notice/notices.h"
#include "coordinator/notice/webhook.h"

static const char SECRET[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static void a_signature_is_the_one_of_the_specification(void **state)
{
	struct webhook_secrets secrets;
	struct buffer out = {0};
	struct error err;

	(void)state;
	assert_int_equal(webhook_secrets_parse(SECRET, &secrets, &err), 0);
	webhook_secrets_sign(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
			     bytes_of_text("{\"test\": 2432232314}"), &out);
	assert_string_equal(buffer_text(&out), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	buffer_release(&out);
}

static void while_secrets_change_each_of_them_signs(void **state)
{
	struct webhook_secrets secrets;
	struct buffer out = {0};
	struct error err;

	(void)state;
	assert_int_equal(webhook_secrets_parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
					       " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw \n",
					       &secrets, &err),
			 0);
	webhook_secrets_sign(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
			     bytes_of_text("{\"test\": 2432232314}"), &out);
	assert_memory_equal(out.data, "v1,", 3);
	assert_string_equal(strchr(buffer_text(&out), ' '), " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	buffer_release(&out);
}

static void what_is_no_secret_is_refused_without_being_said(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"secret",
		"whsec_",
		"whsec_AAAA",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	};
	struct webhook_secrets secrets;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(webhook_secrets_parse(bad[i], &secrets, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_null(strstr(err.msg, "MfKQ"));
	}
}

static void a_body_tells_who_has_to_do_what(void **state)
{
	const struct notice notice = {
		.saga_id = {{1, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}},
		.sequence = 9,
		.time_us = INT64_C(1767322984000001),
		.step_id = "ship",
		.phase = STEP_PHASE_FORWARD,
		.reason = "timed_out",
		.detail = "the \"carrier\"",
		.definition = "checkout",
		.definition_version = 3,
		.key = "o-1",
	};
	struct buffer out = {0};

	(void)state;
	webhook_append_body(&notice, "Call\nthe carrier.", &out);
	assert_string_equal(
		buffer_text(&out),
		"{\"type\":\"saga.stuck\",\"timestamp\":\"2026-01-02T03:03:04.000001Z\",\"data\":{"
		"\"saga_id\":\"01900000-0000-7000-8000-000000000001\",\"definition\":\"checkout\",\"definition_"
		"version\":3,"
		"\"key\":\"o-1\",\"step_id\":\"ship\",\"phase\":\"forward\",\"reason\":\"timed_out\","
		"\"detail\":\"the \\\"carrier\\\"\",\"since\":\"2026-01-02T03:03:04.000001Z\","
		"\"runbook\":\"Call\\nthe carrier.\",\"actions\":["
		"{\"what\":\"see what happened, and what can be done now\","
		"\"command\":\"sagactl explain 01900000-0000-7000-8000-000000000001\"},"
		"{\"what\":\"the cause is mended: try it again\","
		"\"command\":\"sagactl retry 01900000-0000-7000-8000-000000000001 --reason '…'\"},"
		"{\"what\":\"somebody did by hand what the step should have: go on without it\","
		"\"command\":\"sagactl skip 01900000-0000-7000-8000-000000000001 ship --reason '…'\"},"
		"{\"what\":\"somebody has seen to all of it: end it\","
		"\"command\":\"sagactl resolve 01900000-0000-7000-8000-000000000001 --as completed|compensated|failed "
		"--reason '…'\"}]}}");
	buffer_clear(&out);
	webhook_append_body(&notice, NULL, &out);
	assert_null(strstr(buffer_text(&out), "runbook"));
	buffer_release(&out);
}

static size_t count_problems(const struct text_pair *webhooks, size_t count, const char *secret)
{
	struct problems problems;
	size_t found;

	problems_init(&problems);
	notices_check(&(struct notices_options){.webhooks = webhooks, .webhook_count = count, .secret = secret},
		      &problems);
	found = problems.count;
	problems_release(&problems);
	return found;
}

static void all_that_is_wrong_with_webhooks_is_said(void **state)
{
	const struct text_pair good[] = {{"people", "https://alerts.example.com/x?y=1"},
					 {"chat_2", "http://127.0.0.1:80"}};
	const struct text_pair bad[] = {
		{"Peo ple", "https://x"}, {"a", "ftp://x"}, {"b", "https://"}, {"c", "http://a b"}};

	(void)state;
	assert_int_equal(count_problems(NULL, 0, NULL), 0);
	assert_int_equal(count_problems(good, 2, SECRET), 0);
	assert_int_equal(count_problems(good, 2, NULL), 1);
	assert_int_equal(count_problems(good, 2, "secret"), 1);
	assert_int_equal(count_problems(bad, 4, SECRET), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_is_the_one_of_the_specification),
		cmocka_unit_test(while_secrets_change_each_of_them_signs),
		cmocka_unit_test(what_is_no_secret_is_refused_without_being_said),
		cmocka_unit_test(a_body_tells_who_has_to_do_what),
		cmocka_unit_test(all_that_is_wrong_with_webhooks_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
