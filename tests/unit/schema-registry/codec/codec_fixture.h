/*
 * codec_fixture.h - messages as JSON and as hexadecimal, so that a case of these tests is one line.
 */
#ifndef TESTS_UNIT_SCHEMA_REGISTRY_CODEC_CODEC_FIXTURE_H
#define TESTS_UNIT_SCHEMA_REGISTRY_CODEC_CODEC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema-registry/codec/codec.h"

static inline struct schema *parse_schema(enum schema_format format, const char *text)
{
	struct problems problems;
	struct schema *schema = NULL;

	problems_init(&problems);
	if (schema_parse(format, bytes_of_text(text), NULL, 0, &schema, &problems))
		fail_msg("%s: %s", problems.items[0].place, problems.items[0].text);
	problems_release(&problems);
	return schema;
}

static inline void append_hex(struct buffer *out, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		char digits[3] = {hex[0], hex[1], 0};

		buffer_append_byte(out, (uint8_t)strtoul(digits, NULL, 16));
	}
}

/* The message's bytes in hexadecimal, or its problems as "place: text" lines. */
static inline bool encode_json(const struct schema *schema, const char *json, struct buffer *ret_text)
{
	struct arena arena;
	struct problems problems;
	struct buffer bytes = {0};
	struct value value;
	struct error err;
	bool is_encoded;

	arena_init(&arena, 0);
	problems_init(&problems);
	buffer_clear(ret_text);
	buffer_append_byte(&bytes, 0xee); /* what stands there before must stay */
	if (value_parse_json(bytes_of_text(json), &arena, &value, &err))
		fail_msg("%s: %s", json, err.msg);
	is_encoded = codec_encode(schema_root(schema), &value, "input.", &bytes, &problems) == 0;
	assert_true(bytes.data[0] == 0xee && (is_encoded || bytes.len == 1));
	for (size_t i = 1; i < bytes.len; i++)
		buffer_append_format(ret_text, "%02x", bytes.data[i]);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		buffer_append_format(ret_text, "%s: %s\n", problems.items[i].place, problems.items[i].text);
	buffer_release(&bytes);
	problems_release(&problems);
	arena_release(&arena);
	return is_encoded;
}

/* The message as JSON, or the error's code and text. */
static inline enum err_code decode_hex(const struct schema *schema, const char *hex, struct buffer *ret_text)
{
	struct arena arena;
	struct buffer bytes = {0};
	struct value value;
	struct error err = {0};

	arena_init(&arena, 0);
	buffer_clear(ret_text);
	append_hex(&bytes, hex);
	if (codec_decode(schema_root(schema), buffer_bytes(&bytes), &arena, &value, &err))
		buffer_append_text(ret_text, err.msg);
	else
		value_print_json(&value, ret_text);
	buffer_release(&bytes);
	arena_release(&arena);
	return err.code;
}

static inline void check_encoding(const struct schema *schema, const char *json, const char *hex)
{
	struct buffer text = {0};

	(void)encode_json(schema, json, &text); /* a refusal differs from every hex text */
	assert_string_equal(buffer_text(&text), hex);
	buffer_release(&text);
}

static inline void check_refusal(const struct schema *schema, const char *json, const char *problems)
{
	struct buffer text = {0};

	assert_false(encode_json(schema, json, &text));
	assert_string_equal(buffer_text(&text), problems);
	buffer_release(&text);
}

static inline void check_decoding(const struct schema *schema, const char *hex, const char *json)
{
	struct buffer text = {0};

	assert_int_equal(decode_hex(schema, hex, &text), ERR_NONE);
	assert_string_equal(buffer_text(&text), json);
	buffer_release(&text);
}

static inline void check_corruption(const struct schema *schema, const char *hex, enum err_code code, const char *part)
{
	struct buffer text = {0};

	assert_int_equal(decode_hex(schema, hex, &text), code);
	if (!strstr(buffer_text(&text), part))
		fail_msg("'%s' is not in '%s'", part, buffer_text(&text));
	buffer_release(&text);
}

#endif
