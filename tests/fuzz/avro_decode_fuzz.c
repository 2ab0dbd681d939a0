/* avro_decode_fuzz.c - any bytes as a message of a schema that has every kind of type. */
#include "tests/fuzz/schema_fuzz.h"

static const char SCHEMA[] =
	"{\"type\":\"record\",\"name\":\"R\",\"fields\":["
	"{\"name\":\"n\",\"type\":\"null\"},{\"name\":\"z\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":\"int\"},"
	"{\"name\":\"l\",\"type\":\"long\"},{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},"
	"{\"name\":\"b\",\"type\":\"bytes\"},{\"name\":\"s\",\"type\":\"string\"},"
	"{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
	"{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
	"{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"long\"}},"
	"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"string\",\"bytes\"]}},"
	"{\"name\":\"u\",\"type\":[\"null\",\"int\",\"R\"]},"
	"{\"name\":\"r\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Empty\",\"fields\":[]}}"
	"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct schema *schema;

	if (!schema)
		schema = fuzz_parse(SCHEMA_FORMAT_AVRO, SCHEMA, sizeof(SCHEMA) - 1);
	fuzz_decode(schema, data, len);
	return 0;
}
