/* protobuf_load.c - hands a Protobuf schema and what it imports to the parser, and unpacks what comes back. */
#include <assert.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "schema-registry/model/base64.h"
#include "schema-registry/model/protobuf.h"
#include "schema-registry/model/protobuf_parser.h"

enum { IMPORTS_MAX = SCHEMA_REFERENCES_MAX }; /* names: one schema may have several */

struct import_list {
	struct protobuf_import items[IMPORTS_MAX];
	size_t count;
	struct name_index names;
};

static void *arena_allocator_alloc(void *arena, size_t size)
{
	return arena_alloc(arena, size); /* the descriptors are as large as the text allows, and that was checked */
}

static void arena_allocator_free(void *arena, void *pointer)
{
	(void)arena;
	(void)pointer; /* the arena ends it */
}

/* Imports of imports come first. False: too many. */
static bool add_imports(struct import_list *list, struct arena *arena, const struct schema *schema)
{
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct schema_reference *reference = &schema->references[i];

		if (name_index_find(&list->names, bytes_of_text(reference->name)) >= 0)
			continue;
		if (!add_imports(list, arena, reference->schema) || list->count == IMPORTS_MAX)
			return false;
		(void)name_index_add(&list->names, arena, reference->name, list->count); /* it was not there */
		list->items[list->count++] =
			(struct protobuf_import){.name = reference->name,
						 .data = reference->schema->protobuf->written_bytes.data,
						 .len = reference->schema->protobuf->written_bytes.len};
	}
	return true;
}

static void on_problem(void *ctx, int line, int column, const char *text)
{
	struct problems *problems = ctx;
	int len = (int)strlen(text);
	char place[48] = "";

	if (line > 0)
		(void)snprintf(place, sizeof(place), "%d:%d", line, column); /* two numbers fit */
	if (len > 0 && text[len - 1] == '.')
		len--;
	problems_add(problems, place, "%.*s", len, text);
}

static struct bytes trimmed(struct bytes text)
{
	while (text.len > 0 && memchr(" \t\r\n", text.data[text.len - 1], 4))
		text.len--;
	while (text.len > 0 && memchr(" \t\r\n", text.data[0], 4)) {
		text.data++;
		text.len--;
	}
	return text;
}

static struct bytes pack(struct schema *schema, const Google__Protobuf__FileDescriptorProto *file)
{
	uint8_t *data = arena_alloc(&schema->arena, google__protobuf__file_descriptor_proto__get_packed_size(file));

	return (struct bytes){data, google__protobuf__file_descriptor_proto__pack(file, data)};
}

static const Google__Protobuf__FileDescriptorSet *unpack(struct schema *schema, const struct protobuf_parsed *parsed)
{
	ProtobufCAllocator allocator = {
		.alloc = arena_allocator_alloc, .free = arena_allocator_free, .allocator_data = &schema->arena};
	struct protobuf_schema *protobuf = schema->protobuf;
	const Google__Protobuf__FileDescriptorSet *set =
		google__protobuf__file_descriptor_set__unpack(&allocator, parsed->resolved_len, parsed->resolved);

	protobuf->written_bytes = arena_bytes(&schema->arena, (struct bytes){parsed->written, parsed->written_len});
	protobuf->written =
		google__protobuf__file_descriptor_proto__unpack(&allocator, parsed->written_len, parsed->written);
	if (!set || set->n_file == 0 || !protobuf->written)
		return NULL;
	protobuf->files = set;
	protobuf->resolved = set->file[set->n_file - 1];
	protobuf->resolved_bytes = pack(schema, protobuf->resolved);
	return set;
}

static int load(struct schema *schema, const struct protobuf_source *source, struct problems *problems)
{
	_cleanup_(protobuf_parsed_release)
	struct protobuf_parsed parsed = {0};
	const Google__Protobuf__FileDescriptorSet *set;
	const int32_t first = 0;
	const struct protobuf_message *root;

	if (!protobuf_parse(source, &parsed))
		return -1;
	set = unpack(schema, &parsed);
	if (!set) {
		problems_add(problems, "", "the descriptor cannot be read back");
		return -1;
	}
	protobuf_compile(schema, set);
	root = protobuf_message_at(schema, &first, 1);
	schema->root = root ? &root->base : NULL;
	return 0;
}

int protobuf_load(struct schema *schema, struct bytes text, struct problems *problems)
{
	_cleanup_(freep)
	struct import_list *imports = xcalloc(1, sizeof(*imports));
	_cleanup_(buffer_release)
	struct buffer descriptor = {0};
	struct protobuf_source source = {.data = text.data, .len = text.len, .on_problem = on_problem, .ctx = problems};
	struct bytes compact = trimmed(text);

	schema->protobuf = arena_zalloc(&schema->arena, sizeof(*schema->protobuf));
	if (compact.len == 0) {
		problems_add(problems, "1:1", "the schema is empty");
		return -1;
	}
	if (!add_imports(imports, &schema->arena, schema)) {
		problems_add(problems, "", "more than %d files are imported, directly and indirectly", IMPORTS_MAX);
		return -1;
	}
	if (base64_decode(compact, &descriptor)) { /* no .proto text looks like that: it has blanks and semicolons */
		source.data = descriptor.data;
		source.len = descriptor.len;
		source.is_descriptor = true;
	}
	source.imports = imports->items;
	source.import_count = imports->count;
	return load(schema, &source, problems);
}
