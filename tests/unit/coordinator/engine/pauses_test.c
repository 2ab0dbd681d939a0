/* pauses_test.c - what keeps which command back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/engine/pauses.h"

static void a_pause_names_definitions_and_the_topics_of_a_participant(void **state)
{
	const struct pause items[] = {
		{PAUSE_DEFINITION, "checkout", "prices", "ann", 1},
		{PAUSE_PARTICIPANT, "payment", "it moves", "bob", 2},
	};
	struct pauses pauses;

	(void)state;
	pauses_init(&pauses);
	assert_null(pauses_find(&pauses, "checkout", "payment.charge.command"));
	pauses_set(&pauses, items, 2);
	assert_string_equal(pauses_find(&pauses, "checkout", "order.create.command")->name, "checkout");
	assert_string_equal(pauses_find(&pauses, "refund", "payment.charge.command")->name, "payment");
	assert_string_equal(pauses_find(&pauses, "refund", "payment")->name, "payment");
	assert_null(pauses_find(&pauses, "refund", "payments.charge.command"));
	assert_null(pauses_find(&pauses, "payment", "order.create.command"));
	assert_null(pauses_find(&pauses, "checkout-2", "order.create.command"));
	assert_int_equal(pauses_count(&pauses, PAUSE_DEFINITION), 1);
	pauses_set(&pauses, NULL, 0);
	assert_null(pauses_find(&pauses, "checkout", "payment.charge.command"));
	pauses_release(&pauses);
}

static void pauses_are_described_for_people(void **state)
{
	const struct pause item = {PAUSE_PARTICIPANT, "payment", "it moves", "bob", 2};
	struct pauses pauses;
	struct arena arena;
	const char **texts;

	(void)state;
	arena_init(&arena, 0);
	pauses_init(&pauses);
	assert_int_equal(pauses_describe(&pauses, &arena, &texts), 0);
	pauses_set(&pauses, &item, 1);
	assert_int_equal(pauses_describe(&pauses, &arena, &texts), 1);
	assert_string_equal(texts[0], "participant 'payment' is paused by bob: it moves");
	pauses_release(&pauses);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pause_names_definitions_and_the_topics_of_a_participant),
		cmocka_unit_test(pauses_are_described_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
