/* protobuf_tables.c - from descriptors to the tables of protobuf.h. libprotobuf has checked them, so nothing can fail. */
#include <assert.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "schema-registry/model/protobuf.h"

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;

enum { SMALL_NUMBERS_MAX = 256 };

struct compiler {
	struct schema *schema;
	struct arena *arena;
	struct protobuf_schema *result;
	struct name_index enum_index;
	struct protobuf_enum **enums;
	size_t enum_count;
	struct protobuf_message **messages;
	bool *are_proto3;
	size_t message_count;
	bool is_proto3; /* of the file under way */
	bool is_own_file;
	size_t package_len;
};

static size_t count_enums(const message_proto *message)
{
	size_t count = message->n_enum_type;

	for (size_t i = 0; i < message->n_nested_type; i++)
		count += count_enums(message->nested_type[i]);
	return count;
}

static size_t count_messages(const message_proto *message)
{
	size_t count = 1;

	for (size_t i = 0; i < message->n_nested_type; i++)
		count += count_messages(message->nested_type[i]);
	return count;
}

static const char *qualified(struct compiler *compiler, const char *scope, const char *name)
{
	return scope[0] ? arena_format(compiler->arena, "%s.%s", scope, name) : name;
}

static int compare_keys(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* Positions 0 … count-1 in the order of their numbers; equal numbers keep their order. */
static const uint32_t *sorted_positions(struct compiler *compiler, const int32_t *numbers, size_t count)
{
	_cleanup_(freep)
	uint64_t *keys = xrealloc_array(NULL, count + 1, sizeof(*keys));
	uint32_t *positions = arena_alloc(compiler->arena, (count + 1) * sizeof(*positions));

	for (size_t i = 0; i < count; i++) /* negative numbers first */
		keys[i] = (uint64_t)((uint32_t)numbers[i] ^ 0x80000000u) << 32 | (uint32_t)i;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		positions[i] = (uint32_t)keys[i];
	return positions;
}

/* ---- first pass: everything gets its name ---- */

static void add_enum(struct compiler *compiler, const enum_proto *source, const char *scope)
{
	struct protobuf_enum *result = arena_zalloc(compiler->arena, sizeof(*result));
	int32_t *numbers = arena_alloc(compiler->arena, (source->n_value + 1) * sizeof(*numbers));

	result->full_name = qualified(compiler, scope, source->name);
	result->names = arena_alloc(compiler->arena, (source->n_value + 1) * sizeof(*result->names));
	result->count = source->n_value;
	result->is_closed = !compiler->is_proto3;
	for (size_t i = 0; i < source->n_value; i++) {
		result->names[i] = source->value[i]->name;
		numbers[i] = source->value[i]->number;
		(void)name_index_add(&result->name_index, compiler->arena, result->names[i], i); /* unique */
	}
	result->numbers = numbers;
	result->by_number = sorted_positions(compiler, numbers, source->n_value);
	(void)name_index_add(&compiler->enum_index, compiler->arena, result->full_name, compiler->enum_count);
	compiler->enums[compiler->enum_count++] = result;
}

static void add_messages(struct compiler *compiler, message_proto *const *sources, size_t count, const char *scope,
			 const struct protobuf_message *parent, struct protobuf_message **ret_messages)
{
	struct protobuf_message *messages = arena_zalloc(compiler->arena, (count + 1) * sizeof(*messages));
	int32_t index = 0;

	for (size_t i = 0; i < count; i++) {
		const message_proto *source = sources[i];
		struct protobuf_message *message = &messages[i];
		const char *full_name = qualified(compiler, scope, source->name);

		message->base = (struct schema_type){SCHEMA_FORMAT_PROTOBUF, full_name};
		message->local_name = full_name + (compiler->package_len ? compiler->package_len + 1 : 0);
		message->parent = parent;
		message->source = source;
		message->is_own = compiler->is_own_file;
		message->is_map_entry = source->options && source->options->map_entry;
		message->index = message->is_map_entry ? -1 : index++;
		(void)name_index_add(&compiler->result->messages, compiler->arena, full_name,
				     compiler->message_count); /* unique: the pool saw to it */
		compiler->are_proto3[compiler->message_count] = compiler->is_proto3;
		compiler->messages[compiler->message_count++] = message;
		for (size_t k = 0; k < source->n_enum_type; k++)
			add_enum(compiler, source->enum_type[k], full_name);
		message->nested_count = source->n_nested_type;
		add_messages(compiler, source->nested_type, source->n_nested_type, full_name, message,
			     &message->nested);
	}
	*ret_messages = messages;
}

static void add_file(struct compiler *compiler, const file_proto *source)
{
	struct protobuf_file *file = &compiler->result->file; /* the last file wins: it is the schema's own */
	const char *package = source->package ? source->package : "";

	compiler->is_proto3 = source->syntax && strcmp(source->syntax, "proto3") == 0;
	compiler->package_len = strlen(package);
	file->package = package;
	file->message_count = source->n_message_type;
	for (size_t i = 0; i < source->n_enum_type; i++)
		add_enum(compiler, source->enum_type[i], package);
	add_messages(compiler, source->message_type, source->n_message_type, package, NULL, &file->messages);
}

/* ---- second pass: fields, whose types all have their place now ---- */

static const char *json_name_of(struct compiler *compiler, const char *name)
{
	char *result = arena_alloc(compiler->arena, strlen(name) + 1);
	size_t len = 0;
	bool is_upper = false;

	for (; *name; name++) {
		if (*name == '_') {
			is_upper = true;
			continue;
		}
		result[len++] = is_upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		is_upper = false;
	}
	result[len] = 0;
	return result;
}

static void set_tag(struct protobuf_field *field)
{
	unsigned wire_type = field->is_packed ? 2 : protobuf_wire_type(field->kind);
	uint32_t tag = field->number << 3 | wire_type;

	for (; tag >= 0x80; tag >>= 7)
		field->tag[field->tag_len++] = (uint8_t)(tag | 0x80);
	field->tag[field->tag_len++] = (uint8_t)tag;
}

static bool is_packed(const field_proto *source, bool is_proto3)
{
	unsigned wire_type = protobuf_wire_type((enum protobuf_kind)source->type);

	if (source->label != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED || wire_type == 2 ||
	    wire_type == 3)
		return false;
	return source->options && source->options->has_packed ? source->options->packed : is_proto3;
}

static enum protobuf_label label_of(const field_proto *source, bool is_proto3)
{
	switch (source->label) {
	case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED:
		return PROTOBUF_REPEATED;
	case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REQUIRED:
		return PROTOBUF_REQUIRED;
	default:
		if (source->proto3_optional)
			return PROTOBUF_OPTIONAL;
		return is_proto3 || source->has_oneof_index ? PROTOBUF_IMPLICIT : PROTOBUF_OPTIONAL;
	}
}

/* Resolved names begin with a dot. */
static void resolve(struct compiler *compiler, struct protobuf_field *field, const char *type_name)
{
	struct bytes name = bytes_of_text(type_name && type_name[0] == '.' ? type_name + 1 : type_name);
	int64_t at;

	if (field->kind == PROTOBUF_ENUM) {
		at = name_index_find(&compiler->enum_index, name);
		assert(at >= 0);
		field->enumeration = compiler->enums[at];
	} else if (field->kind == PROTOBUF_MESSAGE || field->kind == PROTOBUF_GROUP) {
		at = name_index_find(&compiler->result->messages, name);
		assert(at >= 0);
		field->message = compiler->messages[at];
		if (field->message->is_map_entry && field->label == PROTOBUF_REPEATED)
			field->map_entry = field->message;
	}
}

static void add_field(struct compiler *compiler, struct protobuf_field *field, const field_proto *source,
		      const int32_t *oneof_positions, bool is_proto3)
{
	field->name = source->name;
	field->name_len = (uint32_t)strlen(source->name);
	field->json_name = source->json_name ? source->json_name : json_name_of(compiler, source->name);
	field->number = (uint32_t)source->number;
	field->kind = (enum protobuf_kind)source->type;
	field->label = label_of(source, is_proto3);
	field->oneof = source->has_oneof_index ? oneof_positions[source->oneof_index] : -1;
	field->is_packed = is_packed(source, is_proto3);
	field->is_utf8_checked = is_proto3 && field->kind == PROTOBUF_STRING;
	resolve(compiler, field, source->type_name);
	field->has_presence = field->label != PROTOBUF_REPEATED &&
			      (field->label != PROTOBUF_IMPLICIT || field->oneof >= 0 || field->message);
	set_tag(field);
}

/* proto3 `optional` is a oneof of one in descriptors; those are no oneofs to people. */
static const int32_t *add_oneofs(struct compiler *compiler, struct protobuf_message *message,
				 const message_proto *source)
{
	int32_t *positions = arena_zalloc(compiler->arena, (source->n_oneof_decl + 1) * sizeof(*positions));

	message->oneofs = arena_alloc(compiler->arena, (source->n_oneof_decl + 1) * sizeof(*message->oneofs));
	for (size_t i = 0; i < source->n_field; i++) {
		if (source->field[i]->has_oneof_index && source->field[i]->proto3_optional)
			positions[source->field[i]->oneof_index] = -1;
	}
	for (size_t i = 0; i < source->n_oneof_decl; i++) {
		if (positions[i] == 0) {
			const char *name = source->oneof_decl[i]->name;

			(void)name_index_add(&message->oneof_index, compiler->arena, name,
					     message->oneof_count); /* unique */
			positions[i] = (int32_t)message->oneof_count;
			message->oneofs[message->oneof_count++] = (struct protobuf_oneof){.name = name, .position = i};
		}
	}
	return positions;
}

static void index_numbers(struct compiler *compiler, struct protobuf_message *message)
{
	_cleanup_(freep)
	int32_t *numbers = xrealloc_array(NULL, message->field_count + 1, sizeof(*numbers));
	uint32_t *small;

	for (size_t i = 0; i < message->field_count; i++) {
		numbers[i] = (int32_t)message->fields[i].number;
		if (message->fields[i].number < SMALL_NUMBERS_MAX &&
		    message->fields[i].number >= message->small_number_count)
			message->small_number_count = message->fields[i].number + 1;
	}
	message->by_number = sorted_positions(compiler, numbers, message->field_count);
	small = arena_zalloc(compiler->arena, (message->small_number_count + 1) * sizeof(*small));
	for (size_t i = 0; i < message->field_count; i++) {
		if (message->fields[i].number < message->small_number_count)
			small[message->fields[i].number] = (uint32_t)i + 1;
	}
	message->small_numbers = small;
}

/* Positions of all oneofs' fields in one walk: a message may have thousands of oneofs. */
static void collect_members(struct compiler *compiler, struct protobuf_message *message)
{
	for (size_t i = 0; i < message->field_count; i++) {
		if (message->fields[i].oneof >= 0)
			message->oneofs[message->fields[i].oneof].member_count++;
	}
	for (size_t i = 0; i < message->oneof_count; i++) {
		struct protobuf_oneof *oneof = &message->oneofs[i];

		oneof->members = arena_alloc(compiler->arena, oneof->member_count * sizeof(*oneof->members) + 1);
		oneof->by_number = arena_alloc(compiler->arena, oneof->member_count * sizeof(*oneof->by_number) + 1);
		oneof->member_count = 0;
	}
	for (size_t i = 0; i < message->field_count; i++) {
		if (message->fields[i].oneof >= 0) {
			struct protobuf_oneof *oneof = &message->oneofs[message->fields[i].oneof];

			oneof->members[oneof->member_count++] = (uint32_t)i;
		}
	}
	for (size_t i = 0; i < message->oneof_count; i++)
		message->oneofs[i].member_count = 0;
	for (size_t i = 0; i < message->field_count; i++) {
		uint32_t at = message->by_number[i];

		if (message->fields[at].oneof >= 0) {
			struct protobuf_oneof *oneof = &message->oneofs[message->fields[at].oneof];

			oneof->by_number[oneof->member_count++] = at;
		}
	}
}

static void fill_message(struct compiler *compiler, size_t at)
{
	struct protobuf_message *message = compiler->messages[at];
	const message_proto *source = message->source;
	const int32_t *oneof_positions = add_oneofs(compiler, message, source);

	message->field_count = source->n_field;
	message->fields = arena_zalloc(compiler->arena, (source->n_field + 1) * sizeof(*message->fields));
	for (size_t i = 0; i < source->n_field; i++) {
		add_field(compiler, &message->fields[i], source->field[i], oneof_positions, compiler->are_proto3[at]);
		(void)name_index_add(&message->field_index, compiler->arena, source->field[i]->name, i); /* unique */
	}
	for (size_t i = 0; i < source->n_field; i++) /* false where it is a field's name already */
		(void)name_index_add(&message->field_index, compiler->arena, message->fields[i].json_name, i);
	index_numbers(compiler, message);
	collect_members(compiler, message);
}

/* ---- third pass: extensions, as if they were fields of a message beside the one that they extend ---- */

struct extension_list {
	struct compiler *compiler;
	struct extension {
		struct protobuf_message *extendee;
		const field_proto *source;
		const char *scope;
		bool is_proto3;
	} * items;
	size_t count;
};

static void list_extensions(struct extension_list *list, const char *scope, field_proto *const *sources, size_t count)
{
	struct compiler *compiler = list->compiler;

	if (count > 0)
		list->items = xrealloc_array(list->items, list->count + count, sizeof(*list->items));
	for (size_t i = 0; i < count; i++) {
		const char *extendee = sources[i]->extendee + (sources[i]->extendee[0] == '.');
		int64_t at = name_index_find(&compiler->result->messages, bytes_of_text(extendee));

		assert(at >= 0);
		list->items[list->count++] = (struct extension){
			.extendee = compiler->messages[at],
			.source = sources[i],
			.scope = scope,
			.is_proto3 = compiler->is_proto3,
		};
	}
}

static void list_extensions_in(struct extension_list *list, const char *scope, const message_proto *message)
{
	const char *full_name;

	if (message->n_extension == 0 && message->n_nested_type == 0)
		return;
	full_name = qualified(list->compiler, scope, message->name);
	list_extensions(list, full_name, message->extension, message->n_extension);
	for (size_t i = 0; i < message->n_nested_type; i++)
		list_extensions_in(list, full_name, message->nested_type[i]);
}

static int compare_extendees(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t)((const struct extension *)a)->extendee;
	uintptr_t right = (uintptr_t)((const struct extension *)b)->extendee;

	return (left > right) - (left < right);
}

static void add_extensions(struct compiler *compiler, const struct extension *extensions, size_t count)
{
	struct protobuf_message *result = arena_zalloc(compiler->arena, sizeof(*result));

	result->base = extensions[0].extendee->base;
	result->local_name = extensions[0].extendee->local_name;
	result->field_count = count;
	result->fields = arena_zalloc(compiler->arena, count * sizeof(*result->fields));
	for (size_t i = 0; i < count; i++) {
		const struct extension *extension = &extensions[i];
		struct protobuf_field *field = &result->fields[i];

		add_field(compiler, field, extension->source, NULL, extension->is_proto3);
		field->name = arena_format(compiler->arena, "[%s%s%s]", extension->scope,
					   extension->scope[0] ? "." : "", extension->source->name);
		field->name_len = (uint32_t)strlen(field->name);
		field->json_name = field->name;
		field->has_presence = field->label != PROTOBUF_REPEATED; /* in proto3, too */
	}
	index_numbers(compiler, result);
	extensions[0].extendee->extensions = result;
}

static void compile_extensions(struct compiler *compiler, const Google__Protobuf__FileDescriptorSet *set)
{
	struct extension_list list = {.compiler = compiler};

	for (size_t i = 0; i < set->n_file; i++) {
		const file_proto *file = set->file[i];
		const char *package = file->package ? file->package : "";

		compiler->is_proto3 = file->syntax && strcmp(file->syntax, "proto3") == 0;
		list_extensions(&list, package, file->extension, file->n_extension);
		for (size_t k = 0; k < file->n_message_type; k++)
			list_extensions_in(&list, package, file->message_type[k]);
	}
	if (list.count > 1)
		qsort(list.items, list.count, sizeof(*list.items), compare_extendees);
	for (size_t i = 0, count; i < list.count; i += count) {
		count = 1;
		while (i + count < list.count && list.items[i + count].extendee == list.items[i].extendee)
			count++;
		add_extensions(compiler, &list.items[i], count);
	}
	free(list.items);
}

void protobuf_compile(struct schema *schema, const Google__Protobuf__FileDescriptorSet *set)
{
	struct compiler compiler = {.schema = schema, .arena = &schema->arena, .result = schema->protobuf};
	size_t message_count = 0;
	size_t enum_count = 0;

	for (size_t i = 0; i < set->n_file; i++) {
		enum_count += set->file[i]->n_enum_type;
		for (size_t k = 0; k < set->file[i]->n_message_type; k++) {
			message_count += count_messages(set->file[i]->message_type[k]);
			enum_count += count_enums(set->file[i]->message_type[k]);
		}
	}
	compiler.enums = arena_alloc(compiler.arena, (enum_count + 1) * sizeof(*compiler.enums));
	compiler.messages = arena_alloc(compiler.arena, (message_count + 1) * sizeof(*compiler.messages));
	compiler.are_proto3 = arena_alloc(compiler.arena, message_count + 1);
	for (size_t i = 0; i < set->n_file; i++) {
		compiler.is_own_file = i + 1 == set->n_file;
		add_file(&compiler, set->file[i]);
	}
	for (size_t i = 0; i < compiler.message_count; i++)
		fill_message(&compiler, i);
	compile_extensions(&compiler, set);
	schema->protobuf->message_list = (const struct protobuf_message **)compiler.messages;
}

/* ---- look-ups ---- */

const struct protobuf_message *protobuf_find_message(const struct schema *schema, struct bytes full_name)
{
	int64_t at = name_index_find(&schema->protobuf->messages, full_name);

	return at < 0 ? NULL : schema->protobuf->message_list[at];
}

const struct protobuf_field *protobuf_find_number(const struct protobuf_message *message, uint32_t number)
{
	size_t low = 0;
	size_t high = message->field_count;

	if (number < message->small_number_count) {
		uint32_t at = message->small_numbers[number];

		return at ? &message->fields[at - 1] : NULL;
	}
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct protobuf_field *field = &message->fields[message->by_number[middle]];

		if (field->number == number)
			return field;
		if (field->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *protobuf_enum_name(const struct protobuf_enum *enumeration, int32_t number)
{
	size_t low = 0;
	size_t high = enumeration->count;

	while (low < high) { /* the first of equal numbers: aliases come later */
		size_t middle = (low + high) / 2;

		if (enumeration->numbers[enumeration->by_number[middle]] < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == enumeration->count || enumeration->numbers[enumeration->by_number[low]] != number)
		return NULL;
	return enumeration->names[enumeration->by_number[low]];
}

const struct protobuf_message *protobuf_message_at(const struct schema *schema, const int32_t *indexes, int count)
{
	const struct protobuf_message *level = schema->protobuf->file.messages;
	size_t level_count = schema->protobuf->file.message_count;
	const struct protobuf_message *found = NULL;

	for (int i = 0; i < count; i++) {
		found = NULL;
		for (size_t k = 0; k < level_count && !found; k++) {
			if (!level[k].is_map_entry && level[k].index == indexes[i])
				found = &level[k];
		}
		if (!found)
			return NULL;
		level = found->nested;
		level_count = found->nested_count;
	}
	return found;
}

static void describe_kind(const struct protobuf_field *source, struct schema_field *field, enum schema_kind *ret_kind)
{
	static const struct {
		enum schema_kind kind;
		int bits;
		bool is_signed;
	} kinds[PROTOBUF_KIND_COUNT] = {
		[PROTOBUF_DOUBLE] = {SCHEMA_KIND_FLOAT, 64, false},  [PROTOBUF_FLOAT] = {SCHEMA_KIND_FLOAT, 32, false},
		[PROTOBUF_INT64] = {SCHEMA_KIND_INT, 64, true},      [PROTOBUF_UINT64] = {SCHEMA_KIND_INT, 64, false},
		[PROTOBUF_INT32] = {SCHEMA_KIND_INT, 32, true},      [PROTOBUF_FIXED64] = {SCHEMA_KIND_INT, 64, false},
		[PROTOBUF_FIXED32] = {SCHEMA_KIND_INT, 32, false},   [PROTOBUF_BOOL] = {SCHEMA_KIND_BOOL, 0, false},
		[PROTOBUF_STRING] = {SCHEMA_KIND_TEXT, 0, false},    [PROTOBUF_GROUP] = {SCHEMA_KIND_RECORD, 0, false},
		[PROTOBUF_MESSAGE] = {SCHEMA_KIND_RECORD, 0, false}, [PROTOBUF_BYTES] = {SCHEMA_KIND_BYTES, 0, false},
		[PROTOBUF_UINT32] = {SCHEMA_KIND_INT, 32, false},    [PROTOBUF_ENUM] = {SCHEMA_KIND_ENUM, 0, false},
		[PROTOBUF_SFIXED32] = {SCHEMA_KIND_INT, 32, true},   [PROTOBUF_SFIXED64] = {SCHEMA_KIND_INT, 64, true},
		[PROTOBUF_SINT32] = {SCHEMA_KIND_INT, 32, true},     [PROTOBUF_SINT64] = {SCHEMA_KIND_INT, 64, true},
	};

	*ret_kind = kinds[source->kind].kind;
	field->bits = kinds[source->kind].bits;
	field->is_signed = kinds[source->kind].is_signed;
	field->record = source->message ? &source->message->base : NULL;
}

struct schema_field protobuf_describe_field(const struct protobuf_message *message, size_t index)
{
	const struct protobuf_field *source = &message->fields[index];
	struct schema_field field = {.name = source->name};

	field.is_optional = source->label != PROTOBUF_REQUIRED;
	field.is_nullable = source->has_presence && field.is_optional;
	if (source->map_entry) {
		field.kind = SCHEMA_KIND_MAP;
		describe_kind(protobuf_find_number(source->map_entry, 2), &field, &field.element_kind);
	} else if (source->label == PROTOBUF_REPEATED) {
		field.kind = SCHEMA_KIND_LIST;
		describe_kind(source, &field, &field.element_kind);
	} else {
		describe_kind(source, &field, &field.kind);
	}
	return field;
}
