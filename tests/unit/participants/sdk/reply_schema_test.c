/* reply_schema_test.c - replies that no handler made, and encoding, with the shop's own schemas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "participants/sdk/reply_schema.h"
#include "schema-registry/codec/codec.h"

static const char order_failed[] = "syntax = \"proto3\"; package shop.order.v1; message OrderFailed {"
				   " string order_id = 1; string reason = 2; string detail = 3; }";
static const char released[] =
	"{\"type\":\"record\",\"name\":\"InventoryReleased\",\"namespace\":\"shop.inventory.v1\",\"fields\":["
	"{\"name\":\"order_id\",\"type\":\"string\"},"
	"{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"default\":[]},"
	"{\"name\":\"status\",\"type\":\"string\",\"default\":\"\"}]}";

static struct reply_schema parse(enum schema_format format, const char *text, struct schema **ret_schema)
{
	struct problems problems;

	problems_init(&problems);
	assert_int_equal(schema_parse(format, bytes_of_text(text), NULL, 0, ret_schema, &problems), 0);
	problems_release(&problems);
	return (struct reply_schema){
		.topic = "t", .id = 258, .format = format, .type = schema_root(*ret_schema), .message = "M"};
}

static struct value command_body(struct arena *arena)
{
	struct value body = value_record();
	struct value items = {.kind = VALUE_LIST};

	value_set(arena, &body, "order_id", value_text_of("order-1"));
	value_set(arena, &body, "items", items);
	value_set(arena, &body, "amount_minor", value_int(4999));
	value_set(arena, &body, "status", value_int(1)); /* another type than the reply's */
	return body;
}

static void fills_what_command_and_reply_have_in_common(void **state)
{
	struct schema *schema = NULL;
	struct reply_schema reply_schema = parse(SCHEMA_FORMAT_PROTOBUF, order_failed, &schema);
	struct bytes encoded = {0};
	struct value decoded;
	struct value reply;
	struct value body;
	struct bytes text = {0};
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	body = command_body(&arena);
	reply = reply_schema_fill(&reply_schema, &body, "cancelled-before", "why", &arena);
	assert_int_equal(reply_schema_encode(&reply_schema, &reply, &arena, &encoded, &err), 0);
	assert_memory_equal(encoded.data, "\0\0\0\1\2\0", 6); /* magic, id 258, path [0] */
	encoded.data += 6;
	encoded.len -= 6;
	assert_int_equal(codec_decode(reply_schema.type, encoded, &arena, &decoded, &err), 0);
	assert_true(value_get_text(&decoded, "order_id", &text));
	assert_true(bytes_equal_text(text, "order-1"));
	assert_true(value_get_text(&decoded, "reason", &text));
	assert_true(bytes_equal_text(text, "cancelled-before"));
	assert_true(value_get_text(&decoded, "detail", &text));
	assert_true(bytes_equal_text(text, "why"));
	schema_unref(schema);
	arena_release(&arena);
}

static void leaves_lists_and_other_types_to_their_defaults(void **state)
{
	struct schema *schema = NULL;
	struct reply_schema reply_schema = parse(SCHEMA_FORMAT_AVRO, released, &schema);
	struct bytes encoded = {0};
	struct value reply;
	struct value body;
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	body = command_body(&arena);
	reply = reply_schema_fill(&reply_schema, &body, NULL, NULL, &arena);
	assert_int_equal(reply_schema_encode(&reply_schema, &reply, &arena, &encoded, &err), 0);
	assert_int_equal(encoded.len, 5 + 8 + 1 + 1); /* prefix, order-1, no items, no status */
	assert_memory_equal(encoded.data, "\0\0\0\1\2\16order-1\0\0", 15);
	schema_unref(schema);
	arena_release(&arena);
}

static void says_what_does_not_fit(void **state)
{
	struct schema *schema = NULL;
	struct reply_schema reply_schema = parse(SCHEMA_FORMAT_AVRO, released, &schema);
	struct bytes encoded = {0};
	struct value reply = value_record();
	struct arena arena;
	struct error err;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(reply_schema_encode(&reply_schema, &reply, &arena, &encoded, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_false(err.is_retriable);
	assert_non_null(strstr(err.msg, "order_id"));
	schema_unref(schema);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_what_command_and_reply_have_in_common),
		cmocka_unit_test(leaves_lists_and_other_types_to_their_defaults),
		cmocka_unit_test(says_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
