/* schema.c - see schema.h: what both formats have in common; the rest is handed to avro.h and protobuf.h. */
#include "schema-registry/model/schema.h"

#include <assert.h>
#include <openssl/sha.h>
#include <strings.h>

#include "schema-registry/model/avro.h"
#include "schema-registry/model/base64.h"
#include "schema-registry/model/json_text.h"
#include "schema-registry/model/protobuf.h"

enum { ARENA_FIRST_BYTES = 1024 }; /* most schemas are small, and caches hold many of them */

static const char *const format_names[] = {"AVRO", "PROTOBUF"};
static_assert(ARRAY_LEN(format_names) == SCHEMA_FORMAT_COUNT, "one name for each format");

const char *schema_format_name(enum schema_format format)
{
	assert((unsigned)format < SCHEMA_FORMAT_COUNT);
	return format_names[format];
}

bool schema_format_parse(const char *text, enum schema_format *ret_format)
{
	if (!text || !text[0]) {
		*ret_format = SCHEMA_FORMAT_AVRO;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(format_names); i++) {
		if (strcasecmp(text, format_names[i]) == 0) {
			*ret_format = (enum schema_format)i;
			return true;
		}
	}
	return false;
}

/* ---- life ---- */

static int copy_references(struct schema *schema, const struct schema_reference *references, size_t count,
			   struct problems *problems)
{
	schema->references = arena_zalloc(&schema->arena, (count + 1) * sizeof(*references));
	for (size_t i = 0; i < count; i++) {
		if (references[i].schema->format != schema->format) {
			problems_add(problems, "", "the reference '%s' is of another type of schema",
				     references[i].name);
			return -1;
		}
		schema->references[schema->reference_count++] = (struct schema_reference){
			.name = arena_strdup(&schema->arena, references[i].name),
			.schema = schema_ref((struct schema *)references[i].schema), /* only its count changes */
		};
	}
	return 0;
}

/* Walks over everything below the schema, once each. What is the same is known by its digest: caches may hold it twice. */
struct closure {
	struct arena arena;
	struct name_index seen; /* digests */
	const struct schema **pending;
	size_t pending_count;
	size_t count;
	size_t bytes;
	size_t read_count; /* of files, with each schema all below it */
};

static void visit(struct closure *closure, const struct schema *schema)
{
	const struct bytes digest = {schema->digest, sizeof(schema->digest)};

	if (closure->count > SCHEMA_REFERENCES_MAX || !name_index_add_bytes(&closure->seen, &closure->arena, digest, 0))
		return;
	closure->count++;
	closure->bytes += strlen(schema->text);
	closure->read_count += schema->format == SCHEMA_FORMAT_PROTOBUF ? 1 + schema->below_count : 0;
	closure->pending[closure->pending_count++] = schema;
}

static void visit_all_below(struct closure *closure, const struct schema *schema)
{
	visit(closure, schema);
	while (closure->pending_count > 0) {
		const struct schema *next = closure->pending[--closure->pending_count];

		for (size_t i = 0; i < next->reference_count; i++)
			visit(closure, next->references[i].schema);
	}
}

/* -1: told in `problems`. */
static int check_bounds(const struct closure *closure, const char *name, struct problems *problems)
{
	if (closure->count > SCHEMA_REFERENCES_MAX)
		problems_add(problems, "",
			     "with the reference '%s' it refers to more than %d schemas, directly and indirectly", name,
			     SCHEMA_REFERENCES_MAX);
	else if (closure->bytes > SCHEMA_REFERENCES_BYTES_MAX)
		problems_add(problems, "",
			     "with the reference '%s' it refers to more than %d bytes, directly and indirectly", name,
			     SCHEMA_REFERENCES_BYTES_MAX);
	else if (closure->read_count > SCHEMA_REFERENCES_READ_MAX)
		problems_add(
			problems, "",
			"with the reference '%s' its imports are too deep in each other: what each of them imports "
			"makes more than %d files in all",
			name, SCHEMA_REFERENCES_READ_MAX);
	else
		return 0;
	return -1;
}

static int measure_references(struct schema *schema, struct problems *problems)
{
	struct closure closure = {0};
	int result = 0;

	if (schema->reference_count == 0)
		return 0;
	arena_init(&closure.arena, 0);
	closure.pending = arena_alloc(&closure.arena, (SCHEMA_REFERENCES_MAX + 1) * sizeof(struct schema *));
	for (size_t i = 0; i < schema->reference_count && result == 0; i++) {
		visit_all_below(&closure, schema->references[i].schema);
		result = check_bounds(&closure, schema->references[i].name, problems);
	}
	schema->below_count = closure.count;
	schema->below_bytes = closure.bytes;
	arena_release(&closure.arena);
	return result;
}

static void print(const struct schema *schema, bool is_normalized, struct buffer *out)
{
	if (schema->format == SCHEMA_FORMAT_AVRO)
		avro_print(schema, is_normalized, out);
	else
		protobuf_print(schema, is_normalized, out);
}

static void render_texts(struct schema *schema)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	print(schema, false, &text);
	schema->text = arena_strndup(&schema->arena, buffer_text(&text), text.len);
	buffer_clear(&text);
	print(schema, true, &text);
	schema->normalized_text = strcmp(schema->text, buffer_text(&text)) == 0
					  ? schema->text
					  : arena_strndup(&schema->arena, buffer_text(&text), text.len);
}

/* The same text means something else when what it imports differs, so the imports are part of it. */
static void compute_digest(struct schema *schema)
{
	_cleanup_(buffer_release)
	struct buffer form = {0};

	buffer_append_format(&form, "%s\n", schema_format_name(schema->format));
	for (size_t i = 0; i < schema->reference_count; i++) {
		buffer_append(&form, schema->references[i].name, strlen(schema->references[i].name) + 1);
		buffer_append(&form, schema->references[i].schema->digest, sizeof(schema->digest));
	}
	buffer_append_byte(&form, '\n');
	buffer_append_text(&form, schema->text);
	(void)SHA256(form.data, form.len, schema->digest); /* gives back its third argument */
}

int schema_parse(enum schema_format format, struct bytes text, const struct schema_reference *references,
		 size_t reference_count, struct schema **ret_schema, struct problems *problems)
{
	_cleanup_(schema_unrefp)
	struct schema *schema = xcalloc(1, sizeof(*schema));
	int result;

	atomic_init(&schema->ref_count, 1);
	schema->format = format;
	arena_init_small(&schema->arena, ARENA_FIRST_BYTES);
	if (text.len > SCHEMA_TEXT_BYTES_MAX) {
		problems_add(problems, "", "the schema has %zu bytes; the limit is %d", text.len,
			     SCHEMA_TEXT_BYTES_MAX);
		return -1;
	}
	if (copy_references(schema, references, reference_count, problems) || measure_references(schema, problems))
		return -1;
	result = format == SCHEMA_FORMAT_AVRO ? avro_parse(schema, text, problems)
					      : protobuf_load(schema, text, problems);
	if (result)
		return -1;
	render_texts(schema);
	compute_digest(schema);
	*ret_schema = take_ptr(schema);
	return 0;
}

struct schema *schema_ref(struct schema *schema)
{
	(void)atomic_fetch_add(&schema->ref_count, 1); /* the old count is of no interest */
	return schema;
}

void schema_unref(struct schema *schema)
{
	if (!schema || atomic_fetch_sub(&schema->ref_count, 1) != 1)
		return;
	for (size_t i = 0; i < schema->reference_count; i++)
		schema_unref((struct schema *)schema->references[i].schema); /* held since copy_references() */
	avro_release(schema->avro);
	arena_release(&schema->arena);
	free(schema);
}

/* ---- what it is ---- */

enum schema_format schema_format(const struct schema *schema)
{
	return schema->format;
}

const char *schema_text(const struct schema *schema)
{
	return schema->text;
}

const char *schema_normalized_text(const struct schema *schema)
{
	return schema->normalized_text;
}

bool schema_append_resolved(const struct schema *schema, struct buffer *out)
{
	if (schema->format == SCHEMA_FORMAT_AVRO && schema->reference_count > 0)
		return avro_print_resolved(schema, out);
	buffer_append_text(out, schema->text);
	return true;
}

void schema_append_serialized(const struct schema *schema, struct buffer *out)
{
	if (schema->format == SCHEMA_FORMAT_PROTOBUF)
		base64_append(out, schema->protobuf->resolved_bytes);
	else
		buffer_append_text(out, schema->text);
}

bool schema_equal(const struct schema *a, const struct schema *b)
{
	return a == b || memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

size_t schema_bytes_about(size_t text_len)
{
	return 2048 + 40 * text_len;
}

size_t schema_imported_text_len(const struct schema *schema)
{
	return schema->format == SCHEMA_FORMAT_PROTOBUF ? schema->below_bytes : 0;
}

void schema_fingerprint(const struct schema *schema, uint8_t ret_digest[32])
{
	memcpy(ret_digest, schema->digest, sizeof(schema->digest));
}

void schema_locate(enum schema_format format, struct bytes text, const char *pointer, size_t *ret_line,
		   size_t *ret_column)
{
	if (format == SCHEMA_FORMAT_AVRO)
		json_locate_pointer(text, pointer, ret_line, ret_column);
	else
		protobuf_locate(text, pointer, ret_line, ret_column);
}

const struct schema_type *schema_root(const struct schema *schema)
{
	return schema->root;
}

const struct schema_type *schema_message_at(const struct schema *schema, const int32_t *indexes, int count)
{
	const struct protobuf_message *message =
		schema->format == SCHEMA_FORMAT_PROTOBUF ? protobuf_message_at(schema, indexes, count) : NULL;

	return message ? &message->base : NULL;
}

int schema_type_indexes(const struct schema_type *type, int32_t *ret_indexes, int max)
{
	const struct protobuf_message *message;
	int depth = 0;
	int at;

	if (type->format != SCHEMA_FORMAT_PROTOBUF)
		return 0;
	for (message = protobuf_message_of(type); message; message = message->parent)
		depth++;
	at = depth;
	for (message = protobuf_message_of(type); message; message = message->parent) {
		if (--at < max)
			ret_indexes[at] = message->index;
	}
	return depth;
}

const char *schema_type_name(const struct schema_type *type)
{
	return type->full_name;
}

/* ---- what a type checker asks ---- */

size_t schema_type_field_count(const struct schema_type *type)
{
	return type->format == SCHEMA_FORMAT_AVRO ? avro_type_of(type)->field_count
						  : protobuf_message_of(type)->field_count;
}

struct schema_field schema_type_field(const struct schema_type *type, size_t index)
{
	assert(index < schema_type_field_count(type));
	return type->format == SCHEMA_FORMAT_AVRO ? avro_describe_field(avro_type_of(type), index)
						  : protobuf_describe_field(protobuf_message_of(type), index);
}

bool schema_type_find(const struct schema_type *type, const char *name, struct schema_field *ret_field)
{
	const struct name_index *index = type->format == SCHEMA_FORMAT_AVRO ? &avro_type_of(type)->field_index
									    : &protobuf_message_of(type)->field_index;
	int64_t at = name_index_find(index, bytes_of_text(name));

	if (at < 0)
		return false;
	*ret_field = schema_type_field(type, (size_t)at);
	return strcmp(ret_field->name, name) == 0; /* Protobuf's JSON names are no field names */
}
