/* security_test.c - roles, tokens, the access file, who is let in; certificates that fit, and that do not. */
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

#include "lib/security/access.h"
#include "lib/security/certificates.h"
#include "lib/security/client_security.h"
#include "lib/security/listen_rule.h"

static char folder[] = "/tmp/security_test.XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[4][96];
	static unsigned next;
	char *path = paths[next++ % ARRAY_LEN(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static const char *write_file(const char *name, const char *content, mode_t mode)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0 && fchmod(fileno(file), mode) == 0 && fclose(file) == 0);
	return path;
}

/* ---- roles and tokens ---- */

static void a_role_allows_itself_and_what_it_includes(void **state)
{
	static const char *const matrix[ROLE_COUNT] = {
		/* who has it:          anybody viewer starter operator reader writer admin */
		[ROLE_ANYBODY] = "1000000",  [ROLE_VIEWER] = "1100000",        [ROLE_STARTER] = "1110000",
		[ROLE_OPERATOR] = "1111000", [ROLE_SCHEMA_READER] = "1000100", [ROLE_SCHEMA_WRITER] = "1000110",
		[ROLE_ADMIN] = "1111111",
	};

	(void)state;
	for (int has = 0; has < ROLE_COUNT; has++) {
		for (int needed = 0; needed < ROLE_COUNT; needed++)
			assert_int_equal(role_is_enough(ROLE_BIT(has), (enum role)needed), matrix[has][needed] == '1');
	}
	assert_false(role_is_enough(0, ROLE_VIEWER));
	assert_true(role_is_enough(ROLE_BIT(ROLE_SCHEMA_READER) | ROLE_BIT(ROLE_VIEWER), ROLE_VIEWER));
}

static void tokens_differ_and_are_known_by_their_hash(void **state)
{
	char a[TOKEN_TEXT_LEN + 1];
	char b[TOKEN_TEXT_LEN + 1];
	char text[TOKEN_HASH_TEXT_LEN + 1];
	uint8_t hash[TOKEN_HASH_BYTES];
	uint8_t again[TOKEN_HASH_BYTES];

	(void)state;
	token_new(a);
	token_new(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), TOKEN_TEXT_LEN);
	token_hash("abc", 3, hash);
	token_hash_format(hash, text);
	assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(token_hash_parse(text, again) && token_hash_equal(hash, again));
	text[20] = 'X';
	assert_false(token_hash_parse(text, again));
}

/* ---- access ---- */

/* The hashes are those of "one" and "two". */
#define HASH_ONE "sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
#define HASH_TWO "sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"

static void all_that_is_wrong_in_an_access_file_is_named_with_its_line(void **state)
{
	struct access_file *file = NULL;
	struct problems problems;
	const char *path = write_file("access",
				      "# comment\n\ntoken a viewer,vewer " HASH_ONE
				      "\ntoken b viewer\npassword c viewer x\n"
				      "token d viewer sha256:12\ntoken e viewer " HASH_ONE "\n"
				      "certificate f\xff viewer f\ncertificate g\033[2J viewer g\n"
				      "certificate anonymous viewer h\n",
				      0602);
	static const char *const wanted[] = {"can be written by every user",
					     "there is no role 'vewer'",
					     "four words",
					     "'password' is no kind",
					     "64 hexadecimal",
					     "given to 'a' already",
					     "no UTF-8 text",
					     "control characters",
					     "choose another name"};
	static const char *const places[] = {"", ":3", ":4", ":5", ":6", ":7", ":8", ":9", ":10"};

	(void)state;
	problems_init(&problems);
	assert_int_equal(access_file_read(path, &file, &problems), -1);
	assert_int_equal(problems.count, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_non_null(strstr(problems.items[i].text, wanted[i]));
		assert_string_equal(problems.items[i].place + strlen(path), places[i]);
	}
	problems_release(&problems);
}

static struct bytes text(const char *value)
{
	return bytes_of_text(value);
}

static void without_a_file_everybody_may_do_all(void **state)
{
	_cleanup_(access_freep)
	struct access *access = NULL;
	struct identity who;
	struct error err;

	(void)state;
	assert_int_equal(access_new(NULL, &access, &err), 0);
	access_begin(access, &who);
	assert_string_equal(who.name, "anonymous");
	assert_int_equal(access_check(&who, ROLE_ADMIN, &err), 0);
	assert_true(access_by_header(access, text("Bearer whatever"), &who));
}

static void with_a_file_what_is_not_given_is_refused(void **state)
{
	const char *path = write_file("access",
				      "token alice viewer,schema-writer " HASH_ONE "\ntoken alice starter " HASH_TWO
				      " # the next one\ncertificate shop starter shop.internal\n",
				      0640);
	_cleanup_(access_freep)
	struct access *access = NULL;
	struct identity who;
	struct error err;

	(void)state;
	assert_int_equal(access_new(path, &access, &err), 0);
	access_begin(access, &who);
	assert_int_equal(access_check(&who, ROLE_ANYBODY, &err), 0);
	assert_int_equal(access_check(&who, ROLE_VIEWER, &err), -1);
	assert_int_equal(err.code, ERR_UNAUTHENTICATED);
	assert_false(access_by_certificate(access, text("shop.internal.evil"), &who));
	assert_true(access_by_certificate(access, text("shop.internal"), &who));
	assert_string_equal(who.name, "shop");
	assert_int_equal(access_check(&who, ROLE_STARTER, &err), 0);

	assert_true(access_by_header(access, text("bearer one"), &who)); /* a token goes over a certificate */
	assert_string_equal(who.name, "alice");
	assert_int_equal(access_check(&who, ROLE_SCHEMA_READER, &err), 0);
	assert_int_equal(access_check(&who, ROLE_STARTER, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_string_equal(err.msg, "'alice' may not do that: the role starter is needed");
	assert_true(access_by_header(access, text("Basic YW55Ym9keTp0d28="), &who)); /* anybody:two */
	assert_int_equal(access_check(&who, ROLE_STARTER, &err), 0);
}

static void a_credential_that_nobody_has_is_no_credential(void **state)
{
	static const char *const wrong[] = {
		"",       "Bearer",  "Bearer ",    "Bearer oneone",          "Bearer One", "one",
		"Basic ", "Basic !", "Basic YWJj", "Basic b25lOm9uZXR3bw==", "Digest one", "Bearer  one"};
	const char *path = write_file("access", "token alice admin " HASH_ONE "\n", 0640);
	_cleanup_(access_freep)
	struct access *access = NULL;
	struct identity who;
	struct error err;

	(void)state;
	assert_int_equal(access_new(path, &access, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		access_begin(access, &who);
		assert_false(access_by_header(access, text(wrong[i]), &who));
		assert_int_equal(access_check(&who, ROLE_VIEWER, &err), -1);
	}
}

static void a_wrong_file_at_reload_leaves_the_old_one_in_force(void **state)
{
	const char *path = write_file("access", "token alice viewer " HASH_ONE "\n", 0640);
	_cleanup_(access_freep)
	struct access *access = NULL;
	struct identity who;
	struct error err;

	(void)state;
	assert_int_equal(access_new(path, &access, &err), 0);
	(void)write_file("access", "token alice nothing " HASH_TWO "\n", 0640);
	assert_int_equal(access_reload(access, &err), -1);
	assert_true(access_by_token(access, text("one"), &who));
	(void)write_file("access", "token alice viewer " HASH_TWO "\n", 0640);
	assert_int_equal(access_reload(access, &err), 0);
	assert_false(access_by_token(access, text("one"), &who));
	assert_true(access_by_token(access, text("two"), &who));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(access_reload(access, &err), -1);
	assert_true(access_by_token(access, text("two"), &who));
}

/* ---- certificates ---- */

static void run(const char *format, const char *name)
{
	char command[512];

	(void)snprintf(command, sizeof(command), format, folder, name, folder, name);
	assert_int_equal(system(command), 0);
}

static void make_certificate(const char *name)
{
	run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x "
	    "-keyout %s/%s.key -out %s/%s.pem 2>/dev/null",
	    name);
	assert_int_equal(chmod(path_of(strcmp(name, "a") == 0 ? "a.key" : "b.key"), 0600), 0);
}

static void assert_problem(const struct certificate_paths *paths, const char *place, const char *wanted)
{
	struct problems problems;
	bool is_found = false;

	problems_init(&problems);
	certificates_check(paths, &problems);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		is_found |= strcmp(problems.items[i].place, place) == 0 && strstr(problems.items[i].text, wanted);
	if (!is_found)
		print_error("no '%s' at %s\n", wanted, place);
	assert_true(is_found);
	problems_release(&problems);
}

static void certificates_that_do_not_fit_are_refused(void **state)
{
	char a[96], a_key[96], b_key[96], text_file[96];

	(void)state;
	make_certificate("a");
	make_certificate("b");
	strncpy(a, path_of("a.pem"), sizeof(a) - 1)[sizeof(a) - 1] = 0;
	strncpy(a_key, path_of("a.key"), sizeof(a_key) - 1)[sizeof(a_key) - 1] = 0;
	strncpy(b_key, path_of("b.key"), sizeof(b_key) - 1)[sizeof(b_key) - 1] = 0;
	strncpy(text_file, write_file("text", "hello\n", 0600), sizeof(text_file) - 1)[sizeof(text_file) - 1] = 0;
	assert_problem(&(struct certificate_paths){a, b_key, NULL}, "tls-key", "does not belong to the certificate");
	assert_problem(&(struct certificate_paths){text_file, a_key, NULL}, "tls-cert", "holds no certificate");
	assert_problem(&(struct certificate_paths){a, text_file, text_file}, "tls-key", "holds no private key");
	assert_problem(&(struct certificate_paths){a, text_file, text_file}, "tls-client-ca", "holds no certificate");
	assert_problem(&(struct certificate_paths){a, NULL, NULL}, "tls-cert", "tls-key is missing");
	assert_problem(&(struct certificate_paths){NULL, NULL, a}, "tls-client-ca", "says nothing without");
	assert_problem(&(struct certificate_paths){"/none", a_key, NULL}, "tls-cert", "cannot read /none");
	assert_int_equal(chmod(a_key, 0644), 0);
	assert_problem(&(struct certificate_paths){a, a_key, NULL}, "tls-key", "open to every user (mode 0644)");
}

static void a_reload_takes_all_or_nothing(void **state)
{
	struct certificate_texts first = {0};
	struct certificate_texts second = {0};
	_cleanup_(certificates_freep)
	struct certificates *certificates = NULL;
	char pem[96], key[96];
	struct error err;

	(void)state;
	make_certificate("a");
	strncpy(pem, path_of("a.pem"), sizeof(pem) - 1)[sizeof(pem) - 1] = 0;
	strncpy(key, path_of("a.key"), sizeof(key) - 1)[sizeof(key) - 1] = 0;
	assert_int_equal(certificates_new(&(struct certificate_paths){pem, key, NULL}, &certificates, &err), 0);
	assert_int_equal(certificates_copy(certificates, &first), 1);
	make_certificate("b");
	assert_int_equal(rename(path_of("b.pem"), pem), 0); /* half of a rotation */
	assert_int_equal(certificates_reload(certificates, &err), -1);
	assert_int_equal(certificates_generation(certificates), 1);
	assert_int_equal(rename(path_of("b.key"), key), 0);
	assert_int_equal(certificates_reload(certificates, &err), 0);
	assert_int_equal(certificates_copy(certificates, &second), 2);
	assert_string_not_equal(first.certificate, second.certificate);
	certificate_texts_release(&first);
	certificate_texts_release(&second);
}

static void a_clients_files_are_looked_at_before_they_are_used(void **state)
{
	struct client_security security = {.ca = "/none", .certificate = "/none"};
	struct problems problems;

	(void)state;
	problems_init(&problems);
	client_security_check(&security, "saga-", &problems);
	assert_int_equal(problems.count, 3);
	assert_string_equal(problems.items[0].place, "saga-ca");
	assert_non_null(strstr(problems.items[2].text, "belong together"));
	problems_release(&problems);
}

static void a_user_needs_a_password_and_no_token(void **state)
{
	const struct client_security wrong = {.user_info = "ann", .token = "t"};
	const struct client_security right = {.user_info = "ann:"};
	struct problems problems;

	(void)state;
	problems_init(&problems);
	client_security_check(&right, "registry-", &problems);
	assert_int_equal(problems.count, 0);
	client_security_check(&wrong, "registry-", &problems);
	assert_int_equal(problems.count, 2);
	assert_string_equal(problems.items[0].place, "registry-user-info");
	assert_null(strstr(problems.items[0].text, "ann"));
	assert_non_null(strstr(problems.items[1].text, "exclude each other"));
	problems_release(&problems);
}

static void only_certain_addresses_are_loopback(void **state)
{
	static const char *const other[] = {"0.0.0.0",  "::", "10.0.0.1", "example.org", "localhost.example.org",
					    "128.0.0.1"};

	(void)state;
	assert_true(listen_is_loopback("127.0.0.1") && listen_is_loopback("127.9.9.9") && listen_is_loopback("::1") &&
		    listen_is_loopback("localhost"));
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_false(listen_is_loopback(other[i]));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int delete_folder(void **state)
{
	static const char *const names[] = {"access", "a.pem", "a.key", "b.pem", "b.key", "text"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(path_of(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_role_allows_itself_and_what_it_includes),
		cmocka_unit_test(tokens_differ_and_are_known_by_their_hash),
		cmocka_unit_test(all_that_is_wrong_in_an_access_file_is_named_with_its_line),
		cmocka_unit_test(without_a_file_everybody_may_do_all),
		cmocka_unit_test(with_a_file_what_is_not_given_is_refused),
		cmocka_unit_test(a_credential_that_nobody_has_is_no_credential),
		cmocka_unit_test(a_wrong_file_at_reload_leaves_the_old_one_in_force),
		cmocka_unit_test(certificates_that_do_not_fit_are_refused),
		cmocka_unit_test(a_reload_takes_all_or_nothing),
		cmocka_unit_test(a_clients_files_are_looked_at_before_they_are_used),
		cmocka_unit_test(a_user_needs_a_password_and_no_token),
		cmocka_unit_test(only_certain_addresses_are_loopback),
	};

	return cmocka_run_group_tests_name("security", tests, make_folder, delete_folder);
}
