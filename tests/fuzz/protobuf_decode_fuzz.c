/* protobuf_decode_fuzz.c - any bytes as a message of a schema that has every kind of field. */
#include "tests/fuzz/schema_fuzz.h"

static const char SCHEMA[] =
	"syntax = \"proto3\"; message M { double d = 1; float f = 2; int64 i64 = 3; uint64 u64 = 4; int32 i32 = 5; "
	"fixed64 x64 = 6; fixed32 x32 = 7; bool z = 8; string s = 9; M m = 10; bytes b = 11; uint32 u32 = 12; "
	"enum E { A = 0; B = 1; } E e = 13; sfixed32 s32 = 14; sfixed64 s64 = 15; sint32 z32 = 16; sint64 z64 = 17; "
	"repeated int32 packed = 18; repeated string texts = 19; map<string, M> messages = 20; map<int32, bool> flags "
	"= 21; "
	"oneof o { string os = 22; M om = 23; } optional int32 p = 24; repeated M list = 25; repeated double doubles = "
	"1000; }";

static const char EXTENDED[] =
	"syntax = \"proto2\"; message M { optional M m = 10; extensions 1 to 9, 1000; } enum E { A = 0; B = 1; } "
	"extend M { optional string s = 1; repeated int32 n = 2; repeated string t = 3; optional M e = 4; repeated M l "
	"= 5; "
	"optional E c = 6; optional double d = 7; optional group G = 8 { optional int32 i = 1; } optional bytes b = "
	"1000; }";

static void decode_extended(const struct schema *schema, struct bytes bytes)
{
	struct arena arena;
	struct value value;
	struct error err;

	arena_init(&arena, 0);
	if (codec_decode_extended(schema_root(schema), bytes, &arena, &value, &err) == 0) {
		struct buffer text = {0};

		value_print_json(&value, &text);
		buffer_release(&text);
	}
	arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct schema *schema;
	static struct schema *extended;

	if (!schema) {
		schema = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, SCHEMA, sizeof(SCHEMA) - 1);
		extended = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, EXTENDED, sizeof(EXTENDED) - 1);
	}
	fuzz_decode(schema, data, len);
	decode_extended(extended, (struct bytes){data, len});
	return 0;
}
