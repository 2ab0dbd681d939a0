/* reply_schema.c - see reply_schema.h. */
#include "participants/sdk/reply_schema.h"

#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"

static const char *last_part(const char *full_name)
{
	const char *dot = strrchr(full_name, '.');

	return dot ? dot + 1 : full_name;
}

int reply_schema_load(struct registry_client *registry, const char *topic, struct reply_schema *ret_schema,
		      struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer subject = {0};
	const struct schema *schema = NULL;
	const struct schema_type *type;
	int32_t id = 0;
	int32_t version = 0;

	buffer_append_format(&subject, "%s-value", topic);
	if (registry_client_latest(registry, buffer_text(&subject), &id, &version, &schema, err) < 0)
		return error_prefix(err, "look up subject '%s'", buffer_text(&subject));
	type = schema_root(schema);
	if (!type)
		return error_set(err, ERR_INVALID, "subject '%s' has no message in version %d", buffer_text(&subject),
				 (int)version);
	*ret_schema = (struct reply_schema){
		.topic = topic,
		.id = id,
		.format = schema_format(schema),
		.type = type,
		.message = last_part(schema_type_name(type)),
	};
	return 0;
}

int reply_schema_encode(const struct reply_schema *schema, const struct value *value, struct arena *arena,
			struct bytes *ret_value, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};
	struct problems problems;
	int rc = 0;

	wire_format_append_id(&out, schema->id);
	if (schema->format == SCHEMA_FORMAT_PROTOBUF) {
		int32_t indexes[WIRE_INDEXES_MAX];
		int count = schema_type_indexes(schema->type, indexes, WIRE_INDEXES_MAX);

		wire_format_append_indexes(&out, indexes, count);
	}
	problems_init(&problems);
	if (codec_encode(schema->type, value, "", &out, &problems) < 0) {
		(void)problems_to_error(&problems, ERR_INVALID, err);
		rc = error_prefix(err, "the reply does not fit schema %d of topic '%s'", (int)schema->id,
				  schema->topic);
	}
	problems_release(&problems);
	if (rc == 0)
		*ret_value = arena_bytes(arena, buffer_bytes(&out));
	return rc;
}

/* Lists and records are left out: what is in them need not be equal where their names are. */
static bool is_copied(const struct value *value, enum schema_kind kind)
{
	switch (value->kind) {
	case VALUE_BOOL:
		return kind == SCHEMA_KIND_BOOL;
	case VALUE_INT:
	case VALUE_UINT:
		return kind == SCHEMA_KIND_INT;
	case VALUE_DOUBLE:
		return kind == SCHEMA_KIND_FLOAT;
	case VALUE_TEXT:
		return kind == SCHEMA_KIND_TEXT;
	default:
		return false;
	}
}

/* What stands for nothing in a field that must be there. */
static bool empty_of(enum schema_kind kind, struct value *ret_value)
{
	switch (kind) {
	case SCHEMA_KIND_BOOL:
		*ret_value = (struct value){.kind = VALUE_BOOL};
		return true;
	case SCHEMA_KIND_INT:
	case SCHEMA_KIND_FLOAT:
		*ret_value = value_int(0);
		return true;
	case SCHEMA_KIND_TEXT:
		*ret_value = value_text_of("");
		return true;
	case SCHEMA_KIND_LIST:
		*ret_value = (struct value){.kind = VALUE_LIST};
		return true;
	default:
		return false;
	}
}

static void fill_text(const struct reply_schema *schema, const char *name, const char *text, struct arena *arena,
		      struct value *reply)
{
	struct schema_field field;

	if (text && schema_type_find(schema->type, name, &field) && field.kind == SCHEMA_KIND_TEXT)
		value_set(arena, reply, name, value_text_of(arena_strdup(arena, text)));
}

struct value reply_schema_fill(const struct reply_schema *schema, const struct value *body, const char *reason,
			       const char *detail, struct arena *arena)
{
	struct value reply = value_record();

	for (size_t i = 0; i < schema_type_field_count(schema->type); i++) {
		struct schema_field field = schema_type_field(schema->type, i);
		const struct value *given = body ? value_get(body, field.name) : NULL;
		struct value empty;

		if (given && is_copied(given, field.kind))
			value_set(arena, &reply, field.name, *given);
		else if (!field.is_optional && empty_of(field.kind, &empty))
			value_set(arena, &reply, field.name, empty);
	}
	fill_text(schema, "reason", reason, arena, &reply);
	fill_text(schema, "detail", detail, arena, &reply);
	return reply;
}
