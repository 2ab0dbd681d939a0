/* rpc_address_test.c - which addresses there are, and which of them other machines reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

static void a_unix_socket_is_taken_while_somebody_listens_on_it(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char address[128];
	struct error err;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/rpc_address_test.%d", (int)getpid());
	(void)snprintf(address, sizeof(address), "unix:%s", name.sun_path);
	assert_int_equal(rpc_address_check_free(address, &err), 0); /* it is not there */
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(rpc_address_check_free(address, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(close(fd), 0);
	assert_int_equal(rpc_address_check_free(address, &err), 0); /* left behind by a process that has ended */
	assert_int_equal(unlink(name.sun_path), 0);
	assert_int_equal(rpc_address_check_free("127.0.0.1:7233", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_loopback_and_unix_sockets),
		cmocka_unit_test(a_unix_socket_is_taken_while_somebody_listens_on_it),
		cmocka_unit_test(knows_what_other_machines_reach),
		cmocka_unit_test(refuses_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
