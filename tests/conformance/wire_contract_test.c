/* wire_contract_test.c - the golden bytes of docs/wire-contract.md, encoded and decoded by our codec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/memory.h"
#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"

struct golden_case {
	char *schema;
	int32_t schema_id;
	char *message;
	struct buffer value;
};

static char *read_file(const char *path)
{
	char full[512];
	struct buffer text = {0};
	char chunk[4096];
	size_t len;
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s/%s", SOURCE_ROOT, path);
	file = fopen(full, "rb");
	assert_non_null(file);
	while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buffer_append(&text, chunk, len);
	(void)fclose(file);
	return (char *)text.data;
}

/* The text of the next cell, `…`, and `*at` behind it; NULL where the line has none. */
static char *next_cell(const char **at, const char *line_end)
{
	const char *begin = memchr(*at, '|', (size_t)(line_end - *at));
	const char *end = begin ? memchr(begin + 1, '|', (size_t)(line_end - begin - 1)) : NULL;

	if (!end)
		return NULL;
	*at = end;
	for (begin++; begin < end && (*begin == ' ' || *begin == '`'); begin++)
		;
	while (end > begin && (end[-1] == ' ' || end[-1] == '`'))
		end--;
	return xstrndup(begin, (size_t)(end - begin));
}

static void append_hex(struct buffer *out, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		char digits[3] = {hex[0], hex[1], 0};

		buffer_append_byte(out, (uint8_t)strtoul(digits, NULL, 16));
	}
}

static bool parse_case(const char *line, const char *line_end, struct golden_case *ret_case)
{
	const char *at = line;
	_cleanup_(freep)
	char *id = NULL;
	_cleanup_(freep)
	char *hex = NULL;

	if (strncmp(line, "| `shop/", 8) != 0)
		return false;
	ret_case->schema = next_cell(&at, line_end);
	id = next_cell(&at, line_end);
	ret_case->message = next_cell(&at, line_end);
	hex = next_cell(&at, line_end);
	assert_non_null(hex);
	ret_case->schema_id = (int32_t)strtol(id, NULL, 10);
	append_hex(&ret_case->value, hex);
	return true;
}

static struct schema *load_schema(const char *path)
{
	char full[256];
	_cleanup_(freep)
	char *text = NULL;
	struct problems problems;
	struct schema *schema = NULL;
	enum schema_format format = strstr(path, ".avsc") ? SCHEMA_FORMAT_AVRO : SCHEMA_FORMAT_PROTOBUF;

	(void)snprintf(full, sizeof(full), "proto/%s", path);
	text = read_file(full);
	problems_init(&problems);
	assert_int_equal(schema_parse(format, bytes_of_text(text), NULL, 0, &schema, &problems), 0);
	problems_release(&problems);
	return schema;
}

static void check_case(const struct golden_case *golden)
{
	_cleanup_(schema_unrefp)
	struct schema *schema = load_schema(golden->schema);
	struct buffer encoded = {0};
	struct buffer again = {0};
	struct problems problems;
	struct wire_prefix prefix = {0};
	struct bytes payload;
	struct value value;
	struct arena arena;
	struct error err;

	arena_init(&arena, 0);
	problems_init(&problems);
	assert_int_equal(value_parse_json(bytes_of_text(golden->message), &arena, &value, &err), 0);
	wire_format_append_id(&encoded, golden->schema_id);
	if (schema_format(schema) == SCHEMA_FORMAT_PROTOBUF)
		wire_format_append_indexes(&encoded, (int32_t[]){0}, 1);
	assert_int_equal(codec_encode(schema_root(schema), &value, "", &encoded, &problems), 0);
	assert_int_equal(encoded.len, golden->value.len);
	assert_memory_equal(encoded.data, golden->value.data, encoded.len);

	assert_int_equal(wire_format_read_id(buffer_bytes(&golden->value), &prefix.schema_id, &payload, &err), 0);
	assert_int_equal(prefix.schema_id, golden->schema_id);
	if (schema_format(schema) == SCHEMA_FORMAT_PROTOBUF) {
		assert_int_equal(wire_format_read_indexes(payload, &prefix, &payload, &err), 0);
		assert_int_equal(prefix.index_count, 1);
		assert_int_equal(prefix.indexes[0], 0);
	}
	assert_int_equal(codec_decode(schema_root(schema), payload, &arena, &value, &err), 0);
	assert_int_equal(codec_encode(schema_root(schema), &value, "", &again, &problems), 0);
	assert_int_equal(again.len, payload.len);
	assert_memory_equal(again.data, payload.data, payload.len);

	problems_release(&problems);
	arena_release(&arena);
	buffer_release(&encoded);
	buffer_release(&again);
}

static void golden_bytes_of_the_contract_are_ours(void **state)
{
	_cleanup_(freep)
	char *document = read_file("docs/wire-contract.md");
	size_t count = 0;

	(void)state;
	for (const char *line = document; line && *line;) {
		const char *end = strchr(line, '\n');
		struct golden_case golden = {0};

		if (end && parse_case(line, end, &golden)) {
			check_case(&golden);
			count++;
			free(golden.schema);
			free(golden.message);
			buffer_release(&golden.value);
		}
		line = end ? end + 1 : NULL;
	}
	assert_true(count >= 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_bytes_of_the_contract_are_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
