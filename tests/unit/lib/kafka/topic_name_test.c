/* topic_name_test.c - Kafka's rule for names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/kafka/topic_name.h"

static void names_that_a_broker_takes_are_accepted(void **state)
{
	static const char *const good[] = {"a", "...", ".a", "saga.stuck", "A-b_9.z", "-"};
	char longest[250];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(topic_name_check(good[i], &err), 0);
	memset(longest, 'x', 249);
	longest[249] = 0;
	assert_int_equal(topic_name_check(longest, &err), 0);
}

static void others_are_refused(void **state)
{
	static const char *const wrong[] = {"", ".", "..", "a b", "bad topic!", "\xc3\xa4", "no/topic", "a\n", "a,b"};
	char longer[251];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(topic_name_check(wrong[i], &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	memset(longer, 'x', 250);
	longer[250] = 0;
	assert_int_equal(topic_name_check(longer, &err), -1);
	assert_string_equal(err.msg, "must be 1 to 249 of letters, digits, '.', '_' and '-'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_a_broker_takes_are_accepted),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests_name("topic_name", tests, NULL, NULL);
}
