/* message.c - see message.h. */
#include "schema-registry/client/message.h"

#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"

int message_type(struct registry_client *registry, struct bytes value, const struct schema_type **ret_type,
		 struct bytes *ret_payload, struct error *err)
{
	struct wire_prefix prefix = {0};
	const struct schema *schema = NULL;
	const struct schema_type *type;
	struct bytes rest;

	if (wire_format_read_id(value, &prefix.schema_id, &rest, err) < 0 ||
	    registry_client_by_id(registry, prefix.schema_id, &schema, err) < 0)
		return -1;
	type = schema_root(schema);
	if (schema_format(schema) == SCHEMA_FORMAT_PROTOBUF) {
		if (wire_format_read_indexes(rest, &prefix, &rest, err) < 0)
			return -1;
		type = schema_message_at(schema, prefix.indexes, prefix.index_count);
	}
	if (!type)
		return error_set(err, ERR_CORRUPT, "schema %d has no message of that index", (int)prefix.schema_id);
	*ret_type = type;
	*ret_payload = rest;
	return 0;
}

int message_decode(struct registry_client *registry, struct bytes value, const char *expected, struct arena *arena,
		   struct value *ret_value, struct error *err)
{
	const struct schema_type *type = NULL;
	struct bytes payload;

	if (message_type(registry, value, &type, &payload, err) < 0)
		return -1;
	if (expected && strcmp(schema_type_name(type), expected) != 0)
		return error_set(err, ERR_INCOMPATIBLE, "the message is a '%s', not a '%s'", schema_type_name(type),
				 expected);
	return codec_decode(type, payload, arena, ret_value, err);
}
