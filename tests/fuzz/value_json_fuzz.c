/* value_json_fuzz.c - any bytes as JSON of a message, and as its wire format's prefix. */
#include "schema-registry/codec/wire_format.h"
#include "tests/fuzz/schema_fuzz.h"

static void read_prefix(struct bytes bytes)
{
	struct wire_prefix prefix = {0};
	struct bytes payload;
	struct error err;

	if (wire_format_read_id(bytes, &prefix.schema_id, &bytes, &err) == 0 &&
	    wire_format_read_indexes(bytes, &prefix, &payload, &err) == 0)
		CLAIM(prefix.index_count > 0 && prefix.index_count <= WIRE_INDEXES_MAX, "%d indexes",
		      prefix.index_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct value value;
	struct value again;
	struct error err;

	read_prefix((struct bytes){data, len});
	if (value_parse_json((struct bytes){data, len}, &arena, &value, &err) < 0)
		return 0;
	value_print_json(&value, &text);
	CLAIM(value_parse_json(buffer_bytes(&text), &arena, &again, &err) == 0, "printed, but not parsed: %s: %s",
	      err.msg, buffer_text(&text));
	CLAIM(value_equal(&value, &again), "another value after printing: %s", buffer_text(&text));
	return 0;
}
