/* rpc_address_test.c - which addresses there are, and which of them other machines reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/api/rpc_address.h"
#include "lib/base/memory.h"

static void takes_loopback_and_unix_sockets(void **state)
{
	static const char *const GOOD[] = {"127.0.0.1:7233", "127.9.9.9:0", "localhost:1", "[::1]:7233", "unix:/run/x"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
		assert_true(rpc_address_check(GOOD[i], &err) == 0 && rpc_address_is_local(GOOD[i]));
}

static void knows_what_other_machines_reach(void **state)
{
	static const char *const OTHER[] = {
		"0.0.0.0:7233", "[::]:7233", "10.0.0.1:7233", "example.org:7233", "localhost.example.org:1",
		"128.0.0.1:1"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(OTHER); i++)
		assert_true(rpc_address_check(OTHER[i], &err) == 0 && !rpc_address_is_local(OTHER[i]));
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const BAD[] = {
		"",      "127.0.0.1",    "7233",        ":7233", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
		"unix:", "127.0.0.1:-1", "127.0.0.1: 1"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		assert_int_equal(rpc_address_check(BAD[i], &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_loopback_and_unix_sockets),
		cmocka_unit_test(knows_what_other_machines_reach),
		cmocka_unit_test(refuses_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
