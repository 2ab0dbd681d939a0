/* protobuf_schema_fuzz.c - any bytes as a .proto file, or as a descriptor in base64. */
#include "tests/fuzz/schema_fuzz.h"

static const char OTHER[] = "syntax = \"proto3\"; message M { string a = 1; oneof o { int32 b = 2; M c = 3; } "
			    "map<string, int64> d = 4; reserved 5 to 9; E e = 10; } enum E { X = 0; Y = 1; }";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct schema *other;
	struct schema *schema = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, data, len);

	if (!schema)
		return 0;
	if (!other)
		other = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, OTHER, sizeof(OTHER) - 1);
	fuzz_print_again(SCHEMA_FORMAT_PROTOBUF, schema);
	fuzz_compare(SCHEMA_FORMAT_PROTOBUF, (struct bytes){data, len}, schema, other);
	schema_unref(schema);
	return 0;
}
