/* message_reader_test.c - hostile bytes end in an error, not in protobuf-c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "coordinator/api/message_reader.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

struct fixture {
	struct arena arena;
	struct problems problems;
	struct buffer bytes;
	struct error err;
	ProtobufCMessage *message;
};

static int set_up(void **state)
{
	struct fixture *fixture = test_calloc(1, sizeof(*fixture));

	arena_init(&fixture->arena, 1024 * 1024);
	problems_init(&fixture->problems);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_release(&fixture->arena);
	problems_release(&fixture->problems);
	buffer_release(&fixture->bytes);
	test_free(fixture);
	return 0;
}

static int read_start(struct fixture *fixture)
{
	return message_read(&saga__v1__start_saga_request__descriptor, buffer_bytes(&fixture->bytes), &fixture->arena,
			    &fixture->message, &fixture->problems, &fixture->err);
}

static void append_varint(struct buffer *out, size_t value)
{
	while (value >= 0x80) {
		buffer_append_byte(out, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	buffer_append_byte(out, (uint8_t)value);
}

/* Puts a tag and the length before all that is there. */
static void wrap(struct buffer *bytes, uint8_t tag)
{
	struct buffer outer = {0};

	buffer_append_byte(&outer, tag);
	append_varint(&outer, bytes->len);
	buffer_append(&outer, bytes->data, bytes->len);
	buffer_release(bytes);
	*bytes = outer;
}

/* StartSagaRequest.json = {"": {"": … }}: three messages a level, with the request and the outermost Struct. */
static void append_nested(struct buffer *bytes, int levels)
{
	for (int i = 0; i < levels; i++) {
		wrap(bytes, 0x2a); /* Value.struct_value */
		wrap(bytes, 0x12); /* FieldsEntry.value */
		wrap(bytes, 0x0a); /* Struct.fields */
	}
	wrap(bytes, 0x2a); /* StartSagaRequest.json */
}

static void unpacks_what_is_well_formed(void **state)
{
	struct fixture *fixture = *state;

	buffer_append(&fixture->bytes,
		      "\x0a\x08"
		      "checkout",
		      10);
	assert_int_equal(read_start(fixture), 0);
	assert_string_equal(((Saga__V1__StartSagaRequest *)fixture->message)->definition, "checkout");
}

static void takes_a_hundred_levels_and_no_more(void **state)
{
	struct fixture *fixture = *state;

	append_nested(&fixture->bytes, 32); /* 2 + 3 * 32 = 98 */
	assert_int_equal(read_start(fixture), 0);
	buffer_clear(&fixture->bytes);
	append_nested(&fixture->bytes, 33); /* 101 */
	assert_int_equal(read_start(fixture), -1);
	assert_int_equal(fixture->err.code, ERR_LIMIT);
}

static void survives_nesting_that_would_overflow_the_stack(void **state)
{
	struct fixture *fixture = *state;

	append_nested(&fixture->bytes, 5000);
	assert_int_equal(read_start(fixture), -1);
	assert_int_equal(fixture->err.code, ERR_LIMIT);
}

static void names_each_string_that_is_no_text(void **state)
{
	struct fixture *fixture = *state;

	buffer_append(&fixture->bytes,
		      "\x0a\x03"
		      "a\xff"
		      "b",
		      5); /* definition */
	buffer_append(&fixture->bytes,
		      "\x1a\x03"
		      "a\0b",
		      5);                                                  /* idempotency_key */
	buffer_append(&fixture->bytes, "\x3a\x05\x0a\x01\xfe\x12\x00", 7); /* labels: a key */
	assert_int_equal(read_start(fixture), -1);
	assert_int_equal(fixture->err.code, ERR_INVALID);
	assert_int_equal(fixture->problems.count, 3);
	assert_string_equal(fixture->problems.items[0].place, "definition");
	assert_string_equal(fixture->problems.items[1].place, "idempotency_key");
	assert_string_equal(fixture->problems.items[1].text, "contains a zero byte");
	assert_string_equal(fixture->problems.items[2].place, "labels.key");
}

static void lets_bytes_fields_hold_anything(void **state)
{
	struct fixture *fixture = *state;

	buffer_append(&fixture->bytes, "\x32\x03\xff\x00\xfe", 5); /* encoded */
	assert_int_equal(read_start(fixture), 0);
}

static void refuses_every_truncation_of_a_request(void **state)
{
	static const char REQUEST[] = "\x0a\x08"
				      "checkout\x2a\x0c\x0a\x0a\x0a\x01"
				      "a\x12\x05\x1a\x03"
				      "xyz";
	struct fixture *fixture = *state;
	size_t whole = 0;

	for (size_t len = 0; len < sizeof(REQUEST); len++) {
		uint8_t *exact = xmalloc(len ? len : 1); /* so that a sanitizer sees reads beyond the end */

		memcpy(exact, REQUEST, len);
		if (message_read(&saga__v1__start_saga_request__descriptor, (struct bytes){exact, len}, &fixture->arena,
				 &fixture->message, &fixture->problems, &fixture->err) == 0)
			whole++;
		else
			assert_int_equal(fixture->err.code, ERR_INVALID);
		free(exact);
	}
	assert_int_equal(whole, 3); /* nothing, the first field, both fields */
}

static void refuses_wire_types_that_proto3_does_not_have(void **state)
{
	static const char *const BAD[] = {"\x0b", "\x0e", "\x0f", "\x02\x01",
					  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
		buffer_clear(&fixture->bytes);
		buffer_append_text(&fixture->bytes, BAD[i]);
		assert_int_equal(read_start(fixture), -1);
		assert_int_equal(fixture->err.code, ERR_INVALID);
	}
}

static void stops_at_the_arenas_limit(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 100000; i++)
		buffer_append(&fixture->bytes, "\x3a\x00", 2); /* an empty label: 2 bytes that become dozens */
	assert_int_equal(read_start(fixture), -1);
	assert_int_equal(fixture->err.code, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unpacks_what_is_well_formed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_a_hundred_levels_and_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(survives_nesting_that_would_overflow_the_stack, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_each_string_that_is_no_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lets_bytes_fields_hold_anything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_every_truncation_of_a_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_wire_types_that_proto3_does_not_have, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stops_at_the_arenas_limit, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
