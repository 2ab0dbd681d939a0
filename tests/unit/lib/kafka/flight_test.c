/* flight_test.c - when replies count as delivered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/kafka/flight.h"

static void lands_when_every_record_is_confirmed(void **state)
{
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(false);
	struct error err;

	(void)state;
	assert_true(flight_wait(flight, 0)); /* nothing is under way */
	flight_add(flight);
	flight_add(flight);
	flight_confirm(flight, NULL);
	assert_false(flight_wait(flight, 0));
	flight_confirm(flight, NULL);
	assert_true(flight_wait(flight, 0));
	assert_int_equal(flight_result(flight, &err), 0);
}

static void fails_for_what_may_arrive_when_sent_again(void **state)
{
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(false);
	struct error away;
	struct error large;
	struct error err;

	(void)state;
	(void)error_set(&away, ERR_UNAVAILABLE, "broker away");
	(void)error_set(&large, ERR_LIMIT, "too large");
	flight_add(flight);
	flight_confirm(flight, &large);
	assert_int_equal(flight_result(flight, &err), 0); /* sending it again would never end */
	flight_add(flight);
	flight_confirm(flight, &away);
	assert_int_equal(flight_result(flight, &err), -1);
	assert_string_equal(err.msg, "broker away");
}

static void fails_for_everything_where_nothing_may_be_lost(void **state)
{
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(true);
	struct error missing;
	struct error err;

	(void)state;
	(void)error_set(&missing, ERR_NOT_FOUND, "no such topic");
	flight_add(flight);
	flight_confirm(flight, &missing);
	assert_int_equal(flight_result(flight, &err), -1);
	assert_string_equal(err.msg, "no such topic");
}

static void outlives_its_owner_until_the_last_report(void **state)
{
	struct flight *flight = flight_new(false);

	(void)state;
	flight_add(flight);
	flight_release(flight);
	flight_confirm(flight, NULL); /* frees it: the address sanitizer knows */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lands_when_every_record_is_confirmed),
		cmocka_unit_test(fails_for_what_may_arrive_when_sent_again),
		cmocka_unit_test(fails_for_everything_where_nothing_may_be_lost),
		cmocka_unit_test(outlives_its_owner_until_the_last_report),
	};

	log_init("flight_test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
