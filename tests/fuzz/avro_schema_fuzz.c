/* avro_schema_fuzz.c - any bytes as an Avro schema. */
#include "tests/fuzz/schema_fuzz.h"

static const char OTHER[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\","
			    "\"int\",\"R\"],\"default\":null},"
			    "{\"name\":\"b\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"X\"]}}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct schema *other;
	struct schema *schema = fuzz_parse(SCHEMA_FORMAT_AVRO, data, len);

	if (!schema)
		return 0;
	if (!other)
		other = fuzz_parse(SCHEMA_FORMAT_AVRO, OTHER, sizeof(OTHER) - 1);
	fuzz_print_again(SCHEMA_FORMAT_AVRO, schema);
	fuzz_compare(SCHEMA_FORMAT_AVRO, (struct bytes){data, len}, schema, other);
	schema_unref(schema);
	return 0;
}
