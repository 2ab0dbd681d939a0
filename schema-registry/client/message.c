/* message.c - see message.h. */
#include "schema-registry/client/message.h"

#include "lib/base/memory.h"
#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"

struct framed { /* a value whose schema is known */
	int32_t schema_id;
	const struct schema *schema;
	struct bytes rest; /* behind the id */
};

static int find_schema(struct registry_client *registry, struct bytes value, struct framed *ret_framed,
		       struct error *err)
{
	if (wire_format_read_id(value, &ret_framed->schema_id, &ret_framed->rest, err) < 0)
		return -1;
	return registry_client_by_id(registry, ret_framed->schema_id, &ret_framed->schema, err);
}

static int find_type(const struct framed *framed, const struct schema_type **ret_type, struct bytes *ret_payload,
		     struct error *err)
{
	struct wire_prefix prefix = {0};

	*ret_type = schema_root(framed->schema);
	*ret_payload = framed->rest;
	if (schema_format(framed->schema) == SCHEMA_FORMAT_PROTOBUF) {
		if (wire_format_read_indexes(framed->rest, &prefix, ret_payload, err) < 0)
			return -1;
		*ret_type = schema_message_at(framed->schema, prefix.indexes, prefix.index_count);
	}
	if (*ret_type)
		return 0;
	return error_set(err, ERR_CORRUPT, "schema %d has no message of that index", (int)framed->schema_id);
}

/* One npm client leaves the message indexes out; its messages look damaged to everybody else. */
static bool lacks_indexes(const struct framed *framed)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct value value;
	struct error err;

	return schema_format(framed->schema) == SCHEMA_FORMAT_PROTOBUF && schema_root(framed->schema) &&
	       codec_decode(schema_root(framed->schema), framed->rest, &arena, &value, &err) == 0;
}

/* Says what is the likely reason instead of where the bytes stopped making sense. */
static int explain(const struct framed *framed, struct error *err)
{
	if (!lacks_indexes(framed))
		return -1;
	return error_set(err, ERR_CORRUPT,
			 "schema %d: the message indexes after the schema id are missing, as "
			 "@kafkajs/confluent-schema-registry writes Protobuf: other clients cannot read it",
			 (int)framed->schema_id);
}

static int read_type(struct registry_client *registry, struct bytes value, struct framed *framed,
		     const struct schema_type **ret_type, struct bytes *ret_payload, struct error *err)
{
	if (find_schema(registry, value, framed, err) < 0)
		return -1;
	return find_type(framed, ret_type, ret_payload, err) < 0 ? explain(framed, err) : 0;
}

int message_decode_any(struct registry_client *registry, struct bytes value, struct arena *arena,
		       struct decoded_message *ret_message, struct error *err)
{
	const struct schema_type *type = NULL;
	struct framed framed = {0};
	struct bytes payload;
	struct value decoded;

	if (read_type(registry, value, &framed, &type, &payload, err) < 0)
		return -1;
	if (codec_decode_extended(type, payload, arena, &decoded, err) < 0)
		return explain(&framed, err);
	*ret_message = (struct decoded_message){framed.schema_id, type, decoded};
	return 0;
}

int message_decode(struct registry_client *registry, struct bytes value, const char *expected, struct arena *arena,
		   struct value *ret_value, struct error *err)
{
	const struct schema_type *type = NULL;
	struct framed framed = {0};
	struct bytes payload;

	if (read_type(registry, value, &framed, &type, &payload, err) < 0)
		return -1;
	if (expected && strcmp(schema_type_name(type), expected) != 0)
		return error_set(err, ERR_INCOMPATIBLE, "the message is a '%s', not a '%s'", schema_type_name(type),
				 expected);
	return codec_decode(type, payload, arena, ret_value, err) < 0 ? explain(&framed, err) : 0;
}
