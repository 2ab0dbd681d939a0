/* protobuf_schema_fuzz.c - any bytes as a .proto file, or as a descriptor in base64. */
#include "tests/fuzz/schema_fuzz.h"

static const char OTHER[] = "syntax = \"proto3\"; message M { string a = 1; oneof o { int32 b = 2; M c = 3; } "
			    "map<string, int64> d = 4; reserved 5 to 9; E e = 10; } enum E { X = 0; Y = 1; }";

/* What the seed of extensions becomes. */
static const char EXTENDED[] =
	"syntax = \"proto2\"; package p; import \"google/protobuf/descriptor.proto\"; message M { optional string a = "
	"3; "
	"extensions 2, 10 to 15, 17 to 19, 100 to max; message N { extend M { optional string b = 14; repeated N c = "
	"11; } "
	"extensions 5; } enum E { A = 0; B = 2; reserved 4; } } extend M { optional M.E e = 12; } "
	"extend google.protobuf.FieldOptions { optional int32 note = 50000; } service S {}";

static struct schema *parse_constant(const char *text)
{
	struct schema *schema = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, text, strlen(text));

	CLAIM(schema, "refused: %s", text);
	return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct schema *other;
	static struct schema *extended;
	struct schema *schema = fuzz_parse(SCHEMA_FORMAT_PROTOBUF, data, len);

	if (!schema)
		return 0;
	if (!other)
		other = parse_constant(OTHER);
	if (!extended)
		extended = parse_constant(EXTENDED);
	fuzz_print_again(SCHEMA_FORMAT_PROTOBUF, schema);
	fuzz_compare(SCHEMA_FORMAT_PROTOBUF, (struct bytes){data, len}, schema, other);
	fuzz_compare(SCHEMA_FORMAT_PROTOBUF, (struct bytes){data, len}, schema, extended);
	schema_unref(schema);
	return 0;
}
