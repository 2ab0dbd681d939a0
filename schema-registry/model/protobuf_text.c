/*
 * protobuf_text.c - the .proto text under which a Protobuf schema is stored (protobuf.h).
 *
 * Layout: no comments, two blanks a level, parts divided by empty lines: syntax and package, imports, options, messages,
 *         enums, extensions, services; in a message reserved ranges, options, fields, oneofs, messages, enums.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "schema-registry/model/protobuf.h"
#include "schema-registry/model/protobuf_options.h"

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

enum { RANGE_END_MAX = 536870912 };

struct proto_printer {
	struct buffer *out;
	struct arena arena; /* option texts */
	bool is_normalized;
	bool is_proto3;
	int depth;
	bool needs_blank; /* a part stands before in this block */
};

/* What is printed of one message: as written, with complete names, and its table. */
struct message_view {
	const message_proto *written;
	const message_proto *resolved;
	const struct protobuf_message *table;
};

static void begin_line(struct proto_printer *printer)
{
	buffer_append_format(printer->out, "%*s", printer->depth * 2, "");
}

static void begin_part(struct proto_printer *printer)
{
	if (printer->needs_blank)
		buffer_append_byte(printer->out, '\n');
	printer->needs_blank = true;
}

static void open_block(struct proto_printer *printer, const char *keyword, const char *name)
{
	begin_line(printer);
	buffer_append_format(printer->out, "%s %s {\n", keyword, name);
	printer->depth++;
	printer->needs_blank = false;
}

static void close_block(struct proto_printer *printer)
{
	printer->depth--;
	begin_line(printer);
	buffer_append_text(printer->out, "}\n");
	printer->needs_blank = true;
}

/* ---- options ---- */

static struct option_list collect_options(struct proto_printer *printer, const ProtobufCMessage *options)
{
	struct option_list list = {0};

	option_list_collect(&list, &printer->arena, options);
	if (printer->is_normalized)
		option_list_sort(&list);
	return list;
}

static void print_option_lines(struct proto_printer *printer, const ProtobufCMessage *options)
{
	struct option_list list = collect_options(printer, options);

	if (list.count > 0)
		begin_part(printer);
	for (size_t i = 0; i < list.count; i++) {
		begin_line(printer);
		buffer_append_format(printer->out, "option %s;\n", list.items[i]);
	}
}

static void print_option_list(struct proto_printer *printer, const struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		buffer_append_format(printer->out, "%s%s", i > 0 ? ", " : " [", list->items[i]);
	if (list->count > 0)
		buffer_append_byte(printer->out, ']');
}

/* ---- reserved ranges ---- */

/* Texts of ranges and names: one statement for all of them, or one for each. */
static void print_reserved_items(struct proto_printer *printer, const char *keyword, const struct option_list *items)
{
	for (size_t i = 0; i < items->count; i++) {
		bool is_first = i == 0 || printer->is_normalized;
		bool is_last = i + 1 == items->count || printer->is_normalized;

		if (is_first)
			begin_line(printer);
		buffer_append_format(printer->out, "%s%s%s", is_first ? keyword : ", ", items->items[i],
				     is_last ? ";\n" : "");
	}
}

static const char *range_text(struct proto_printer *printer, int64_t first, int64_t last, int64_t max)
{
	if (last >= max)
		return arena_format(&printer->arena, "%lld to max", (long long)first);
	if (first == last)
		return arena_format(&printer->arena, "%lld", (long long)first);
	return arena_format(&printer->arena, "%lld to %lld", (long long)first, (long long)last);
}

static void print_reserved(struct proto_printer *printer, struct option_list *ranges, char *const *names,
			   size_t name_count)
{
	struct option_list quoted = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};

	for (size_t i = 0; i < name_count; i++) {
		buffer_clear(&text);
		proto_append_quoted(&text, names[i], strlen(names[i]));
		option_list_add(&quoted, &printer->arena, arena_strndup(&printer->arena, buffer_text(&text), text.len));
	}
	if (printer->is_normalized)
		option_list_sort(&quoted);
	if (ranges->count + quoted.count > 0)
		begin_part(printer);
	print_reserved_items(printer, "reserved ", ranges);
	print_reserved_items(printer, "reserved ", &quoted);
}

static void print_message_ranges(struct proto_printer *printer, const message_proto *message)
{
	struct option_list reserved = {0};
	struct option_list extensions = {0};

	for (size_t i = 0; i < message->n_reserved_range; i++)
		option_list_add(&reserved, &printer->arena,
				range_text(printer, message->reserved_range[i]->start,
					   (int64_t)message->reserved_range[i]->end - 1, RANGE_END_MAX - 1));
	print_reserved(printer, &reserved, message->reserved_name, message->n_reserved_name);
	for (size_t i = 0; i < message->n_extension_range; i++)
		option_list_add(&extensions, &printer->arena,
				range_text(printer, message->extension_range[i]->start,
					   (int64_t)message->extension_range[i]->end - 1, RANGE_END_MAX - 1));
	if (extensions.count > 0)
		begin_part(printer);
	print_reserved_items(printer, "extensions ", &extensions);
}

/* ---- fields ---- */

static const char *type_text(const struct proto_printer *printer, const field_proto *written,
			     const field_proto *resolved)
{
	static const char *const names[PROTOBUF_KIND_COUNT] = {
		[PROTOBUF_DOUBLE] = "double",     [PROTOBUF_FLOAT] = "float",     [PROTOBUF_INT64] = "int64",
		[PROTOBUF_UINT64] = "uint64",     [PROTOBUF_INT32] = "int32",     [PROTOBUF_FIXED64] = "fixed64",
		[PROTOBUF_FIXED32] = "fixed32",   [PROTOBUF_BOOL] = "bool",       [PROTOBUF_STRING] = "string",
		[PROTOBUF_GROUP] = "group",       [PROTOBUF_MESSAGE] = "message", [PROTOBUF_BYTES] = "bytes",
		[PROTOBUF_UINT32] = "uint32",     [PROTOBUF_ENUM] = "enum",       [PROTOBUF_SFIXED32] = "sfixed32",
		[PROTOBUF_SFIXED64] = "sfixed64", [PROTOBUF_SINT32] = "sint32",   [PROTOBUF_SINT64] = "sint64"};

	if (written->type_name && written->type_name[0])
		return printer->is_normalized ? resolved->type_name : written->type_name;
	return names[written->type];
}

static const char *label_text(const struct proto_printer *printer, const field_proto *field)
{
	switch (field->label) {
	case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED:
		return "repeated ";
	case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REQUIRED:
		return "required ";
	default:
		if (field->has_oneof_index && !field->proto3_optional)
			return "";
		return field->proto3_optional || !printer->is_proto3 ? "optional " : "";
	}
}

static const char *default_text(struct proto_printer *printer, const field_proto *field)
{
	_cleanup_(buffer_release)
	struct buffer quoted = {0};

	if (field->has_type && field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES)
		return arena_format(&printer->arena, "default = \"%s\"", field->default_value); /* escaped already */
	if (!field->has_type || field->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING)
		return arena_format(&printer->arena, "default = %s", field->default_value);
	proto_append_quoted(&quoted, field->default_value, strlen(field->default_value));
	return arena_format(&printer->arena, "default = %s", buffer_text(&quoted));
}

/* The JSON name that a field has without an option. */
static bool is_default_json_name(const char *name, const char *json_name)
{
	bool is_upper = false;

	for (; *name; name++) {
		char wanted = is_upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;

		is_upper = *name == '_';
		if (!is_upper && *json_name++ != wanted)
			return false;
	}
	return *json_name == 0;
}

static void print_field_options(struct proto_printer *printer, const field_proto *field)
{
	struct option_list list = {0};
	_cleanup_(buffer_release)
	struct buffer quoted = {0};

	if (field->default_value)
		option_list_add(&list, &printer->arena, default_text(printer, field));
	if (field->json_name && !is_default_json_name(field->name, field->json_name)) {
		proto_append_quoted(&quoted, field->json_name, strlen(field->json_name));
		option_list_add(&list, &printer->arena,
				arena_format(&printer->arena, "json_name = %s", buffer_text(&quoted)));
	}
	option_list_collect(&list, &printer->arena, field->options ? &field->options->base : NULL);
	if (printer->is_normalized)
		option_list_sort(&list);
	print_option_list(printer, &list);
}

static void print_message_body(struct proto_printer *printer, const struct message_view *view);

/* A group is a field and the message it defines, in one. */
static void print_group(struct proto_printer *printer, const field_proto *field, const struct message_view *body)
{
	bool had_blank = printer->needs_blank;

	begin_line(printer);
	buffer_append_format(printer->out, "%sgroup %s = %d", label_text(printer, field), body->written->name,
			     field->number);
	print_field_options(printer, field);
	buffer_append_text(printer->out, " {\n");
	printer->depth++;
	printer->needs_blank = false;
	print_message_body(printer, body);
	close_block(printer);
	printer->needs_blank = had_blank;
}

static struct message_view nested_view(const struct message_view *view, size_t index)
{
	return (struct message_view){view->written->nested_type[index], view->resolved->nested_type[index],
				     &view->table->nested[index]};
}

static void print_plain_field(struct proto_printer *printer, const field_proto *written, const field_proto *resolved)
{
	begin_line(printer);
	buffer_append_format(printer->out, "%s%s %s = %d", label_text(printer, written),
			     type_text(printer, written, resolved), written->name, written->number);
	print_field_options(printer, written);
	buffer_append_text(printer->out, ";\n");
}

static void print_field(struct proto_printer *printer, const struct message_view *view, size_t index)
{
	const field_proto *written = view->written->field[index];
	const struct protobuf_field *field = &view->table->fields[index];

	if (field->message && field->message->parent == view->table &&
	    (field->map_entry || field->kind == PROTOBUF_GROUP)) {
		struct message_view inner = nested_view(view, (size_t)(field->message - view->table->nested));

		if (field->kind == PROTOBUF_GROUP) {
			print_group(printer, written, &inner);
			return;
		}
		begin_line(printer);
		buffer_append_format(printer->out, "map<%s, %s> %s = %d",
				     type_text(printer, inner.written->field[0], inner.resolved->field[0]),
				     type_text(printer, inner.written->field[1], inner.resolved->field[1]),
				     written->name, written->number);
		print_field_options(printer, written);
		buffer_append_text(printer->out, ";\n");
		return;
	}
	print_plain_field(printer, written, view->resolved->field[index]);
}

static void print_plain_fields(struct proto_printer *printer, const struct message_view *view)
{
	bool is_first = true;

	for (size_t i = 0; i < view->table->field_count; i++) {
		size_t at = printer->is_normalized ? view->table->by_number[i] : i;

		if (view->table->fields[at].oneof >= 0)
			continue;
		if (is_first)
			begin_part(printer);
		is_first = false;
		print_field(printer, view, at);
	}
}

static void print_oneofs(struct proto_printer *printer, const struct message_view *view)
{
	for (size_t i = 0; i < view->table->oneof_count; i++) {
		const struct protobuf_oneof *oneof = &view->table->oneofs[i];
		const Google__Protobuf__OneofDescriptorProto *written = view->written->oneof_decl[oneof->position];

		begin_part(printer);
		open_block(printer, "oneof", oneof->name);
		print_option_lines(printer, written->options ? &written->options->base : NULL);
		begin_part(printer); /* a oneof has a field */
		for (size_t k = 0; k < oneof->member_count; k++)
			print_field(printer, view, printer->is_normalized ? oneof->by_number[k] : oneof->members[k]);
		close_block(printer);
	}
}

/* ---- enums ---- */

static void print_enum_reserved(struct proto_printer *printer, const enum_proto *source)
{
	struct option_list ranges = {0};

	for (size_t i = 0; i < source->n_reserved_range; i++)
		option_list_add(&ranges, &printer->arena,
				range_text(printer, source->reserved_range[i]->start, source->reserved_range[i]->end,
					   INT32_MAX));
	print_reserved(printer, &ranges, source->reserved_name, source->n_reserved_name);
}

static void print_enum(struct proto_printer *printer, const enum_proto *source)
{
	begin_part(printer);
	open_block(printer, "enum", source->name);
	print_enum_reserved(printer, source);
	print_option_lines(printer, source->options ? &source->options->base : NULL);
	if (source->n_value > 0)
		begin_part(printer);
	for (size_t i = 0; i < source->n_value; i++) {
		const Google__Protobuf__EnumValueDescriptorProto *value = source->value[i];
		struct option_list list = collect_options(printer, value->options ? &value->options->base : NULL);

		begin_line(printer);
		buffer_append_format(printer->out, "%s = %d", value->name, value->number);
		print_option_list(printer, &list);
		buffer_append_text(printer->out, ";\n");
	}
	close_block(printer);
}

/* ---- extensions ---- */

static bool print_extension_group(struct proto_printer *printer, const field_proto *field,
				  message_proto *const *written, message_proto *const *resolved,
				  const struct protobuf_message *tables, size_t count)
{
	const char *dot = field->type_name ? strrchr(field->type_name, '.') : NULL;
	const char *name = dot ? dot + 1 : field->type_name;

	for (size_t i = 0; name && i < count; i++) {
		if (strcmp(written[i]->name, name) == 0) {
			print_group(printer, field, &(struct message_view){written[i], resolved[i], &tables[i]});
			return true;
		}
	}
	return false;
}

struct extension_scope {
	field_proto *const *written;
	field_proto *const *resolved;
	size_t count;
	message_proto *const *written_messages;
	message_proto *const *resolved_messages;
	const struct protobuf_message *tables;
	size_t message_count;
};

static void print_extensions(struct proto_printer *printer, const struct extension_scope *scope)
{
	for (size_t i = 0; i < scope->count; i++) {
		const field_proto *field = scope->written[i];
		bool is_first = i == 0 || strcmp(scope->written[i - 1]->extendee, field->extendee) != 0;
		bool is_last = i + 1 == scope->count || strcmp(scope->written[i + 1]->extendee, field->extendee) != 0;

		if (is_first) {
			begin_part(printer);
			open_block(printer, "extend",
				   printer->is_normalized ? scope->resolved[i]->extendee : field->extendee);
		}
		if (scope->resolved[i]->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP ||
		    !print_extension_group(printer, field, scope->written_messages, scope->resolved_messages,
					   scope->tables, scope->message_count))
			print_plain_field(printer, field, scope->resolved[i]);
		if (is_last)
			close_block(printer);
	}
}

/* ---- messages ---- */

static bool is_group_of(field_proto *const *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		const char *dot = fields[i]->type_name ? strrchr(fields[i]->type_name, '.') : NULL;

		if (fields[i]->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP && dot &&
		    strcmp(dot + 1, name) == 0)
			return true;
	}
	return false;
}

/* Map entries and groups are printed where their field stands. */
static void print_nested(struct proto_printer *printer, const struct message_view *view)
{
	_cleanup_(freep)
	bool *is_hidden = xcalloc(view->table->nested_count + 1, sizeof(*is_hidden));

	for (size_t i = 0; i < view->table->field_count; i++) {
		const struct protobuf_field *field = &view->table->fields[i];

		if (field->message && field->message->parent == view->table &&
		    (field->map_entry || field->kind == PROTOBUF_GROUP))
			is_hidden[field->message - view->table->nested] = true;
	}
	for (size_t i = 0; i < view->table->nested_count; i++) {
		struct message_view inner = nested_view(view, i);

		if (is_hidden[i] ||
		    is_group_of(view->resolved->extension, view->resolved->n_extension, inner.written->name))
			continue;
		begin_part(printer);
		open_block(printer, "message", inner.written->name);
		print_message_body(printer, &inner);
		close_block(printer);
	}
}

static void print_message_body(struct proto_printer *printer, const struct message_view *view)
{
	const message_proto *written = view->written;

	print_message_ranges(printer, written);
	print_option_lines(printer, written->options ? &written->options->base : NULL);
	print_plain_fields(printer, view);
	print_oneofs(printer, view);
	print_nested(printer, view);
	for (size_t i = 0; i < written->n_enum_type; i++)
		print_enum(printer, written->enum_type[i]);
	print_extensions(printer,
			 &(struct extension_scope){written->extension, view->resolved->extension, written->n_extension,
						   written->nested_type, view->resolved->nested_type,
						   view->table->nested, view->table->nested_count});
}

/* ---- services ---- */

static void print_method(struct proto_printer *printer, const method_proto *written, const method_proto *resolved)
{
	struct option_list list = collect_options(printer, written->options ? &written->options->base : NULL);
	const method_proto *names = printer->is_normalized ? resolved : written;

	begin_line(printer);
	buffer_append_format(printer->out, "rpc %s (%s%s) returns (%s%s)", written->name,
			     written->client_streaming ? "stream " : "", names->input_type,
			     written->server_streaming ? "stream " : "", names->output_type);
	if (list.count == 0) {
		buffer_append_text(printer->out, ";\n");
		return;
	}
	buffer_append_text(printer->out, " {\n");
	printer->depth++;
	for (size_t i = 0; i < list.count; i++) {
		begin_line(printer);
		buffer_append_format(printer->out, "option %s;\n", list.items[i]);
	}
	close_block(printer);
}

static void print_service(struct proto_printer *printer, const service_proto *written, const service_proto *resolved)
{
	begin_part(printer);
	open_block(printer, "service", written->name);
	print_option_lines(printer, written->options ? &written->options->base : NULL);
	if (written->n_method > 0)
		begin_part(printer);
	for (size_t i = 0; i < written->n_method; i++)
		print_method(printer, written->method[i], resolved->method[i]);
	close_block(printer);
}

/* ---- the file ---- */

static bool is_marked(const int32_t *positions, size_t count, size_t position)
{
	for (size_t i = 0; i < count; i++) {
		if (positions[i] == (int32_t)position)
			return true;
	}
	return false;
}

static void print_imports(struct proto_printer *printer, const Google__Protobuf__FileDescriptorProto *file)
{
	struct option_list lines = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};

	for (size_t i = 0; i < file->n_dependency; i++) {
		buffer_clear(&text);
		buffer_append_text(&text, "import ");
		if (is_marked(file->public_dependency, file->n_public_dependency, i))
			buffer_append_text(&text, "public ");
		else if (is_marked(file->weak_dependency, file->n_weak_dependency, i))
			buffer_append_text(&text, "weak ");
		proto_append_quoted(&text, file->dependency[i], strlen(file->dependency[i]));
		option_list_add(&lines, &printer->arena, arena_strndup(&printer->arena, buffer_text(&text), text.len));
	}
	if (printer->is_normalized)
		option_list_sort(&lines);
	if (lines.count > 0)
		begin_part(printer);
	for (size_t i = 0; i < lines.count; i++)
		buffer_append_format(printer->out, "%s;\n", lines.items[i]);
}

static void print_file(struct proto_printer *printer, const struct protobuf_schema *protobuf)
{
	const Google__Protobuf__FileDescriptorProto *written = protobuf->written;
	const Google__Protobuf__FileDescriptorProto *resolved = protobuf->resolved;

	buffer_append_format(printer->out, "syntax = \"%s\";\n", printer->is_proto3 ? "proto3" : "proto2");
	if (written->package && written->package[0])
		buffer_append_format(printer->out, "package %s;\n", written->package);
	printer->needs_blank = true;
	print_imports(printer, written);
	print_option_lines(printer, written->options ? &written->options->base : NULL);
	for (size_t i = 0; i < written->n_message_type; i++) {
		if (is_group_of(resolved->extension, resolved->n_extension, written->message_type[i]->name))
			continue;
		begin_part(printer);
		open_block(printer, "message", written->message_type[i]->name);
		print_message_body(printer, &(struct message_view){written->message_type[i], resolved->message_type[i],
								   &protobuf->file.messages[i]});
		close_block(printer);
	}
	for (size_t i = 0; i < written->n_enum_type; i++)
		print_enum(printer, written->enum_type[i]);
	print_extensions(printer,
			 &(struct extension_scope){written->extension, resolved->extension, written->n_extension,
						   written->message_type, resolved->message_type,
						   protobuf->file.messages, protobuf->file.message_count});
	for (size_t i = 0; i < written->n_service; i++)
		print_service(printer, written->service[i], resolved->service[i]);
}

void protobuf_print(const struct schema *schema, bool is_normalized, struct buffer *out)
{
	const struct protobuf_schema *protobuf = schema->protobuf;
	struct proto_printer printer = {.out = out, .is_normalized = is_normalized};

	arena_init(&printer.arena, 0);
	printer.is_proto3 = protobuf->written->syntax && strcmp(protobuf->written->syntax, "proto3") == 0;
	print_file(&printer, protobuf);
	arena_release(&printer.arena);
}
