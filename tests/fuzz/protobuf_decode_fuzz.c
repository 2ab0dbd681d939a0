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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct schema *schema;

	if (!schema)
		schema = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, SCHEMA, sizeof(SCHEMA) - 1);
	fuzz_decode(schema, data, len);
	return 0;
}
