/* wire_format_test.c - the prefix of every Kafka value, byte by byte. */
#include "schema-registry/codec/wire_format.h"
#include "tests/unit/schema-registry/codec/codec_fixture.h"

static void the_prefix_is_magic_byte_and_id(void **state)
{
	struct buffer out = {0};
	struct bytes rest;
	struct error err;
	int32_t id = 0;

	(void)state;
	wire_format_append_id(&out, 0x01020304);
	buffer_append_text(&out, "x");
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.data, "\x00\x01\x02\x03\x04x", 6);
	assert_int_equal(wire_format_read_id(buffer_bytes(&out), &id, &rest, &err), 0);
	assert_int_equal(id, 0x01020304);
	assert_true(bytes_equal_text(rest, "x"));
	buffer_release(&out);
}

static void paths_have_their_golden_bytes(void **state)
{
	static const struct {
		int32_t indexes[3];
		int count;
		const char *hex;
	} cases[] = {
		{{0}, 1, "00"},
		{{1}, 1, "0202"},
		{{1, 1}, 2, "040202"},
		{{0, 0, 64}, 3, "0600008001"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer out = {0};
		struct buffer expected = {0};
		struct wire_prefix prefix;
		struct bytes payload;

		append_hex(&expected, cases[i].hex);
		wire_format_append_indexes(&out, cases[i].indexes, cases[i].count);
		assert_int_equal(out.len, expected.len);
		assert_memory_equal(out.data, expected.data, out.len);
		buffer_append_text(&out, "p");
		assert_int_equal(wire_format_read_indexes(buffer_bytes(&out), &prefix, &payload, &err), 0);
		assert_int_equal(prefix.index_count, cases[i].count);
		assert_memory_equal(prefix.indexes, cases[i].indexes, (size_t)cases[i].count * sizeof(int32_t));
		assert_true(bytes_equal_text(payload, "p"));
		buffer_release(&out);
		buffer_release(&expected);
	}
}

static void other_beginnings_are_refused(void **state)
{
	static const struct {
		const char *hex;
		const char *part;
	} cases[] = {
		{"", "0 bytes"},
		{"00000000", "4 bytes"},
		{"0100000001", "byte 01 instead of 00"},
		{"0080000000", "ids end at"},
	};
	struct bytes rest;
	struct error err;
	int32_t id;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer value = {0};

		append_hex(&value, cases[i].hex);
		assert_int_equal(wire_format_read_id(buffer_bytes(&value), &id, &rest, &err), -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_non_null(strstr(err.msg, cases[i].part));
		buffer_release(&value);
	}
}

static void paths_that_cannot_be_are_refused(void **state)
{
	/* missing, cut, negative count, too many levels, negative index, a number that never ends */
	static const char *const cases[] = {"", "80", "01", "22", "0201", "02", "ffffffffffffffff"};
	struct wire_prefix prefix;
	struct bytes payload;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer rest = {0};

		append_hex(&rest, cases[i]);
		assert_int_equal(wire_format_read_indexes(buffer_bytes(&rest), &prefix, &payload, &err), -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		buffer_release(&rest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prefix_is_magic_byte_and_id),
		cmocka_unit_test(paths_have_their_golden_bytes),
		cmocka_unit_test(other_beginnings_are_refused),
		cmocka_unit_test(paths_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
