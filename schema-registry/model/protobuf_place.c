/* protobuf_place.c - parts of a .proto file by the numbers of its descriptor, as SourceCodeInfo counts them. */
#include <assert.h>
#include <stdlib.h>

#include "schema-registry/model/protobuf.h"
#include "schema-registry/model/protobuf_parser.h"

/* Field numbers of descriptor.proto: FileDescriptorProto, then DescriptorProto. */
enum { FILE_PACKAGE = 2, FILE_MESSAGE = 4, MESSAGE_FIELD = 2, MESSAGE_NESTED = 3 };

enum { PATH_STEPS_MAX = 256 };

/* The schema whose own file declares the message: this one, or one that it refers to. */
static const struct schema *find_owner(const struct schema *schema, const char *full_name)
{
	const struct protobuf_message *message = protobuf_find_message(schema, bytes_of_text(full_name));

	if (!message)
		return NULL;
	if (message->is_own)
		return schema;
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct schema *owner = find_owner(schema->references[i].schema, full_name);

		if (owner)
			return owner;
	}
	return NULL; /* a well-known type */
}

static void append_message(const struct schema *schema, const struct protobuf_message *message, struct buffer *pointer)
{
	if (message->parent) {
		append_message(schema, message->parent, pointer);
		buffer_append_format(pointer, "/%d/%td", MESSAGE_NESTED, message - message->parent->nested);
	} else {
		buffer_append_format(pointer, "/%d/%td", FILE_MESSAGE, message - schema->protobuf->file.messages);
	}
}

static void append_field(const struct protobuf_message *message, const struct protobuf_field *wanted,
			 struct buffer *pointer)
{
	const struct protobuf_field *field = protobuf_find_number(message, wanted->number);
	int64_t at = field ? field - message->fields
			   : name_index_find(&message->field_index, bytes_of_text(wanted->name));

	if (at >= 0)
		buffer_append_format(pointer, "/%d/%zu", MESSAGE_FIELD, (size_t)at);
}

const struct protobuf_field *protobuf_field_of_entry(const struct protobuf_message *entry)
{
	for (size_t i = 0; i < entry->parent->field_count; i++) {
		if (entry->parent->fields[i].map_entry == entry)
			return &entry->parent->fields[i];
	}
	return NULL;
}

struct schema_place protobuf_place_of(const struct schema *schema, const struct protobuf_message *message,
				      const struct protobuf_field *field, struct buffer *pointer)
{
	const struct schema *owner = NULL;

	if (message && message->is_map_entry) {
		field = protobuf_field_of_entry(message); /* the entry has no text of its own */
		message = message->parent;
	}
	while (message && !(owner = find_owner(schema, message->base.full_name))) {
		message = message->parent;
		field = NULL;
	}
	if (owner) {
		const struct protobuf_message *found =
			protobuf_find_message(owner, bytes_of_text(message->base.full_name));

		append_message(owner, found, pointer);
		if (field)
			append_field(found, field, pointer);
	} else {
		buffer_append_format(pointer, "/%d", FILE_PACKAGE);
	}
	return (struct schema_place){owner ? owner : schema, buffer_text(pointer)};
}

void protobuf_locate(struct bytes text, const char *pointer, size_t *ret_line, size_t *ret_column)
{
	int32_t path[PATH_STEPS_MAX];
	int len = 0;

	while (*pointer == '/' && len < PATH_STEPS_MAX) {
		char *end;

		path[len++] = (int32_t)strtol(pointer + 1, &end, 10); /* written above */
		pointer = end;
	}
	protobuf_position(text.data, text.len, path, len, ret_line, ret_column);
}
