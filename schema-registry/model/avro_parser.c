/* avro_parser.c - from Avro's JSON to types (avro.h). All problems are collected, so one bad field does not hide the next. */
#include <assert.h>
#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/model/avro.h"
#include "schema-registry/model/json_text.h"

struct avro_parser {
	struct schema *schema;
	struct avro_schema *avro;
	struct bytes text;
	struct problems *problems;
	int depth;
};

static const char *const kind_names[] = {"null",   "boolean", "int", "long",  "float", "double", "bytes",
					 "string", "array",   "map", "union", "fixed", "enum",   "record"};
static_assert(ARRAY_LEN(kind_names) == AVRO_KIND_COUNT, "one name for each kind");

/* A plain name needs no memory: one type for all schemas. */
#define PRIMITIVE(kind_, text_, bytes_)                                                                                \
	[kind_] = {.base = {SCHEMA_FORMAT_AVRO, text_},                                                                \
		   .kind = kind_,                                                                                      \
		   .min_bytes = bytes_,                                                                                \
		   .default_symbol = -1,                                                                               \
		   .null_branch = -1}
static const struct avro_type primitives[] = {
	PRIMITIVE(AVRO_NULL, "null", 0),   PRIMITIVE(AVRO_BOOLEAN, "boolean", 1), PRIMITIVE(AVRO_INT, "int", 1),
	PRIMITIVE(AVRO_LONG, "long", 1),   PRIMITIVE(AVRO_FLOAT, "float", 4),     PRIMITIVE(AVRO_DOUBLE, "double", 8),
	PRIMITIVE(AVRO_BYTES, "bytes", 1), PRIMITIVE(AVRO_STRING, "string", 1),
};

const char *avro_kind_name(enum avro_kind kind)
{
	assert((unsigned)kind < AVRO_KIND_COUNT);
	return kind_names[kind];
}

static bool parse_kind(const char *name, enum avro_kind *ret_kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (i != AVRO_UNION && strcmp(name, kind_names[i]) == 0) {
			*ret_kind = (enum avro_kind)i;
			return true;
		}
	}
	if (strcmp(name, "error") == 0) { /* a record in Avro's RPC protocols */
		*ret_kind = AVRO_RECORD;
		return true;
	}
	return false;
}

/* Finding the place reads the text again, so it is not done for problems that are only counted. */
#define REPORT(parser, place, ...)                                                                                     \
	problems_add((parser)->problems,                                                                               \
		     (parser)->problems->count < PROBLEMS_MAX ? place_text(parser, place).text : "", __VA_ARGS__)

struct place_text {
	char text[48];
};

static struct place_text place_text(const struct avro_parser *parser, const struct json_place *place)
{
	struct place_text result;
	size_t line;
	size_t column;

	json_locate(parser->text, place, &line, &column);
	(void)snprintf(result.text, sizeof(result.text), "%zu:%zu", line, column); /* two numbers fit */
	return result;
}

/* ---- names ---- */

static bool is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return len > 0;
}

/* Avro's library never checked namespaces, so dashes occur in the wild; blanks and empty parts do not. */
static bool is_namespace(const char *text)
{
	char before = '.';

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == '"' || c == 0x7f || (c == '.' && before == '.'))
			return false;
		before = (char)c;
	}
	return before != '.';
}

/* The full name of what is written as `name` inside the namespace `space`. */
static const char *full_name_of(struct avro_parser *parser, const char *name, const char *space)
{
	if (strchr(name, '.') || space[0] == 0)
		return name;
	return arena_format(&parser->schema->arena, "%s.%s", space, name);
}

static const struct avro_type *find_named(struct avro_parser *parser, const char *name, const char *space)
{
	int64_t at = name_index_find(&parser->avro->names, bytes_of_text(full_name_of(parser, name, space)));

	if (at < 0) /* a name without dots also means the one that has no namespace */
		at = name_index_find(&parser->avro->names, bytes_of_text(name));
	return at < 0 ? NULL : parser->avro->named[at];
}

static bool add_named(struct schema *schema, struct avro_schema *avro, struct avro_type *type)
{
	if (!name_index_add(&avro->names, &schema->arena, type->base.full_name, avro->named_count))
		return false;
	if (avro->named_count == avro->named_capacity) {
		size_t capacity = avro->named_capacity ? avro->named_capacity * 2 : 16;
		struct avro_type **named = arena_alloc(&schema->arena, capacity * sizeof(*named));

		if (avro->named_count > 0)
			memcpy(named, avro->named, avro->named_count * sizeof(*named));
		avro->named = named;
		avro->named_capacity = capacity;
	}
	avro->named[avro->named_count++] = type;
	return true;
}

/* Texts of an array of strings; each must be a name, with dots when `may_have_dots`. */
static const char **parse_texts(struct avro_parser *parser, const json_t *array, bool may_have_dots,
				const struct json_place *place, size_t *ret_count)
{
	size_t count = json_array_size(array);
	const char **texts = arena_alloc(&parser->schema->arena, (count + 1) * sizeof(*texts));
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct json_place at = {.up = place, .index = i};
		const char *text = json_string_value(json_array_get(array, i));
		const char *last = text && may_have_dots && strrchr(text, '.') ? strrchr(text, '.') + 1 : text;

		if (!last || !is_name(last, strlen(last)))
			REPORT(parser, &at, "'%s' is not a name: use letters, digits and _, and no digit first",
			       text ? text : "(not a text)");
		else
			texts[kept++] = text;
	}
	*ret_count = kept;
	return texts;
}

static void parse_aliases(struct avro_parser *parser, const json_t *object, const char *space,
			  const struct json_place *place, const char *const **ret_aliases, size_t *ret_count)
{
	const json_t *array = json_object_get(object, "aliases");
	struct json_place at = {.up = place, .key = "aliases"};
	const char **aliases;

	*ret_count = 0;
	*ret_aliases = NULL;
	if (!array)
		return;
	if (!json_is_array(array)) {
		REPORT(parser, &at, "'aliases' must be a list of names");
		return;
	}
	aliases = parse_texts(parser, array, space != NULL, &at, ret_count);
	for (size_t i = 0; space && i < *ret_count; i++)
		aliases[i] = full_name_of(parser, aliases[i], space);
	*ret_aliases = aliases;
}

/* ---- types ---- */

static const struct avro_type *parse_type(struct avro_parser *parser, const json_t *json, const char *space,
					  const struct json_place *place);

static struct avro_type *new_type(struct avro_parser *parser, enum avro_kind kind, const json_t *json)
{
	struct avro_type *type = arena_zalloc(&parser->schema->arena, sizeof(*type));

	type->base = (struct schema_type){SCHEMA_FORMAT_AVRO, avro_kind_name(kind)};
	type->kind = kind;
	type->json = json;
	type->default_symbol = -1;
	type->null_branch = -1;
	type->min_bytes = 1;
	return type;
}

/* Names the type and makes it known, before its fields are read: they may refer to it. */
static bool declare(struct avro_parser *parser, struct avro_type *type, const char *space,
		    const struct json_place *place)
{
	const char *name = json_string_value(json_object_get(type->json, "name"));
	const char *own_space = json_string_value(json_object_get(type->json, "namespace"));
	const char *dot = name ? strrchr(name, '.') : NULL;
	struct json_place at = {.up = place, .key = "name"};

	if (!name) {
		REPORT(parser, place, "this %s needs a name", avro_kind_name(type->kind));
		return false;
	}
	type->name = dot ? dot + 1 : name;
	type->space = dot         ? arena_strndup(&parser->schema->arena, name, (size_t)(dot - name))
		      : own_space ? own_space
				  : space;
	if (!is_name(type->name, strlen(type->name)) || (type->space[0] && !is_namespace(type->space))) {
		REPORT(parser, &at, "'%s' is not a name: use letters, digits and _, and no digit first", name);
		return false;
	}
	type->base.full_name = full_name_of(parser, type->name, type->space);
	type->owner = parser->schema;
	type->ordinal = parser->avro->own_count++;
	if (!add_named(parser->schema, parser->avro, type)) {
		REPORT(parser, &at, "'%s' is defined already: a name has one definition", type->base.full_name);
		return false;
	}
	parse_aliases(parser, type->json, type->space, place, &type->aliases, &type->alias_count);
	return true;
}

static void check_order(struct avro_parser *parser, const json_t *json, const struct json_place *place)
{
	static const char *const orders[] = {"ascending", "descending", "ignore"};
	const json_t *order = json_object_get(json, "order");
	struct json_place at = {.up = place, .key = "order"};

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		if (!order || (json_is_string(order) && strcmp(json_string_value(order), orders[i]) == 0))
			return;
	}
	REPORT(parser, &at, "'order' must be ascending, descending or ignore");
}

static void parse_field(struct avro_parser *parser, struct avro_type *record, const json_t *json,
			const struct json_place *place)
{
	const char *name = json_string_value(json_object_get(json, "name"));
	const json_t *type_json = json_object_get(json, "type");
	struct avro_field *field = &record->fields[record->field_count];
	struct json_place name_at = {.up = place, .key = "name"};
	struct json_place type_at = {.up = place, .key = "type"};

	if (!json_is_object(json) || !name || !type_json) {
		REPORT(parser, place, "a field of '%s' needs a name and a type", record->base.full_name);
		return;
	}
	if (!is_name(name, strlen(name))) {
		REPORT(parser, &name_at, "'%s' is not a name: use letters, digits and _, and no digit first", name);
		return;
	}
	if (!name_index_add(&record->field_index, &parser->schema->arena, name, record->field_count)) {
		REPORT(parser, &name_at, "field '%s' occurs twice in '%s'", name, record->base.full_name);
		return;
	}
	*field = (struct avro_field){.name = name,
				     .name_len = (uint32_t)strlen(name),
				     .json = json,
				     .default_json = json_object_get(json, "default")};
	record->field_count++;
	check_order(parser, json, place);
	parse_aliases(parser, json, NULL, place, &field->aliases, &field->alias_count);
	field->type = parse_type(parser, type_json, record->space, &type_at);
}

static void parse_record(struct avro_parser *parser, struct avro_type *record, const struct json_place *place)
{
	const json_t *fields = json_object_get(record->json, "fields");
	struct json_place fields_at = {.up = place, .key = "fields"};

	if (!json_is_array(fields)) {
		REPORT(parser, place, "record '%s' needs a list of fields", record->base.full_name);
		return;
	}
	record->fields = arena_zalloc(&parser->schema->arena, (json_array_size(fields) + 1) * sizeof(*record->fields));
	for (size_t i = 0; i < json_array_size(fields); i++) {
		struct json_place at = {.up = &fields_at, .index = i};

		parse_field(parser, record, json_array_get(fields, i), &at);
	}
}

static void parse_enum(struct avro_parser *parser, struct avro_type *type, const struct json_place *place)
{
	const json_t *symbols = json_object_get(type->json, "symbols");
	const json_t *fallback = json_object_get(type->json, "default");
	struct json_place symbols_at = {.up = place, .key = "symbols"};
	struct json_place default_at = {.up = place, .key = "default"};

	if (!json_is_array(symbols)) {
		REPORT(parser, place, "enum '%s' needs a list of symbols", type->base.full_name);
		return;
	}
	type->symbols = parse_texts(parser, symbols, false, &symbols_at, &type->symbol_count);
	for (size_t i = 0; i < type->symbol_count; i++) {
		struct json_place at = {.up = &symbols_at, .index = i};

		if (!name_index_add(&type->symbol_index, &parser->schema->arena, type->symbols[i], i))
			REPORT(parser, &at, "symbol '%s' occurs twice in '%s'", type->symbols[i], type->base.full_name);
	}
	if (!fallback)
		return;
	if (json_is_string(fallback))
		type->default_symbol = name_index_find(&type->symbol_index, bytes_of_text(json_string_value(fallback)));
	if (type->default_symbol < 0)
		REPORT(parser, &default_at, "the default of '%s' is none of its symbols", type->base.full_name);
}

static void parse_fixed(struct avro_parser *parser, struct avro_type *type, const struct json_place *place)
{
	const json_t *size = json_object_get(type->json, "size");
	struct json_place at = {.up = place, .key = "size"};

	if (!json_is_integer(size) || json_integer_value(size) < 0 || json_integer_value(size) > INT32_MAX)
		REPORT(parser, size ? &at : place, "fixed '%s' needs a size, a whole number from 0 on",
		       type->base.full_name);
	else
		type->min_bytes = type->fixed_bytes = (size_t)json_integer_value(size);
}

static const struct avro_type *parse_container(struct avro_parser *parser, struct avro_type *type, const char *space,
					       const struct json_place *place)
{
	const char *key = type->kind == AVRO_ARRAY ? "items" : "values";
	const json_t *element = json_object_get(type->json, key);
	struct json_place at = {.up = place, .key = key};

	if (!element) {
		REPORT(parser, place, "this %s needs '%s', the type in it", avro_kind_name(type->kind), key);
		return NULL;
	}
	type->element = parse_type(parser, element, space, &at);
	return type->element ? type : NULL;
}

/* A branch may occur once: one for each plain kind, and one for each name. */
static bool add_branch(struct avro_parser *parser, struct name_index *seen, const struct avro_type *branch, size_t i,
		       const struct json_place *place)
{
	if (branch->kind == AVRO_UNION) {
		REPORT(parser, place, "a union stands directly in a union: put its branches into the outer one");
		return false;
	}
	if (!name_index_add(seen, &parser->schema->arena, branch->base.full_name, i)) {
		REPORT(parser, place, "the union has '%s' twice", branch->base.full_name);
		return false;
	}
	return true;
}

static const struct avro_type *parse_union(struct avro_parser *parser, const json_t *json, const char *space,
					   const struct json_place *place)
{
	struct avro_type *type = new_type(parser, AVRO_UNION, NULL);
	size_t count = json_array_size(json);
	const struct avro_type **branches = arena_alloc(&parser->schema->arena, (count + 1) * sizeof(*branches));
	struct name_index seen = {0};

	for (size_t i = 0; i < count; i++) {
		struct json_place at = {.up = place, .index = i};
		const struct avro_type *branch = parse_type(parser, json_array_get(json, i), space, &at);

		if (!branch || !add_branch(parser, &seen, branch, type->branch_count, &at))
			continue;
		if (branch->kind == AVRO_NULL)
			type->null_branch = (int64_t)type->branch_count;
		branches[type->branch_count++] = branch;
	}
	type->branches = branches;
	return type->branch_count == count ? type : NULL;
}

static const struct avro_type *parse_object(struct avro_parser *parser, const json_t *json, const char *space,
					    const struct json_place *place)
{
	const char *name = json_string_value(json_object_get(json, "type"));
	struct json_place at = {.up = place, .key = "type"};
	const struct avro_type *known;
	struct avro_type *type;
	enum avro_kind kind;

	if (!name) {
		REPORT(parser, place, "'type' must be the name of a type");
		return NULL;
	}
	if (!parse_kind(name, &kind)) {
		known = find_named(parser, name, space);
		if (!known)
			REPORT(parser, &at, "unknown type '%s': define it before its use, or add a reference to it",
			       name);
		return known;
	}
	type = new_type(parser, kind, json);
	if (kind < AVRO_ARRAY) {
		type->min_bytes = primitives[kind].min_bytes;
		return type;
	}
	if (kind == AVRO_ARRAY || kind == AVRO_MAP)
		return parse_container(parser, type, space, place);
	if (!declare(parser, type, space, place))
		return NULL;
	if (kind == AVRO_RECORD)
		parse_record(parser, type, place);
	else if (kind == AVRO_ENUM)
		parse_enum(parser, type, place);
	else
		parse_fixed(parser, type, place);
	return type;
}

static const struct avro_type *parse_name(struct avro_parser *parser, const char *name, const char *space,
					  const struct json_place *place)
{
	const struct avro_type *known;
	enum avro_kind kind;

	if (parse_kind(name, &kind) && kind < AVRO_ARRAY)
		return &primitives[kind];
	known = find_named(parser, name, space);
	if (!known)
		REPORT(parser, place, "unknown type '%s': define it before its use, or add a reference to it", name);
	return known;
}

static const struct avro_type *parse_type(struct avro_parser *parser, const json_t *json, const char *space,
					  const struct json_place *place)
{
	const struct avro_type *type = NULL;

	if (parser->depth == AVRO_DEPTH_MAX) {
		REPORT(parser, place, "nested more than %d levels deep: define inner types by name", AVRO_DEPTH_MAX);
		return NULL;
	}
	parser->depth++;
	if (json_is_string(json))
		type = parse_name(parser, json_string_value(json), space, place);
	else if (json_is_object(json))
		type = parse_object(parser, json, space, place);
	else if (json_is_array(json))
		type = parse_union(parser, json, space, place);
	else
		REPORT(parser, place, "a type is a name, an object or a list of branches");
	parser->depth--;
	return type;
}

/* ---- the schema ---- */

/* Makes the named types of the references known; what two of them bring in is the same type or the first one's. */
static void import_references(struct schema *schema)
{
	for (size_t i = 0; i < schema->reference_count; i++) {
		const struct avro_schema *other = schema->references[i].schema->avro;

		for (size_t k = 0; other && k < other->named_count; k++)
			(void)add_named(schema, schema->avro, other->named[k]); /* false: known already */
	}
}

/* A lower bound of what a value takes, so that a count in a message can be checked against the bytes that are left. */
static size_t min_bytes_of(const struct avro_type *type, int depth)
{
	size_t sum = 0;

	if (type->kind == AVRO_UNION || type->kind != AVRO_RECORD)
		return type->min_bytes;
	if (type->min_bytes != SIZE_MAX || depth == 0)
		return type->min_bytes == SIZE_MAX ? 0 : type->min_bytes;
	((struct avro_type *)type)->min_bytes = 0; /* under way: a record in itself counts nothing */
	for (size_t i = 0; i < type->field_count && sum < INT32_MAX; i++)
		sum += min_bytes_of(type->fields[i].type, depth - 1);
	((struct avro_type *)type)->min_bytes = sum; /* the parser still owns the type */
	return sum;
}

static void compute_min_bytes(struct schema *schema)
{
	struct avro_schema *avro = schema->avro;

	for (size_t i = 0; i < avro->named_count; i++) {
		if (avro->named[i]->owner == schema && avro->named[i]->kind == AVRO_RECORD)
			avro->named[i]->min_bytes = SIZE_MAX;
	}
	for (size_t i = 0; i < avro->named_count; i++) {
		if (avro->named[i]->owner == schema)
			(void)min_bytes_of(avro->named[i], AVRO_DEPTH_MAX);
	}
}

static json_t *load_json(struct avro_parser *parser)
{
	json_error_t failure;
	char place[48];
	json_t *json = parser->text.len == 0 ? NULL
					     : json_loadb((const char *)parser->text.data, parser->text.len,
							  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &failure);

	if (!json && parser->text.len == 0) {
		problems_add(parser->problems, "1:1", "the schema is empty");
	} else if (!json) {
		(void)snprintf(place, sizeof(place), "%d:%d", failure.line > 0 ? failure.line : 1,
			       failure.column > 0 ? failure.column : 1);
		problems_add(parser->problems, place, "not JSON: %s", json_failure_text(&failure));
	}
	return json;
}

int avro_parse(struct schema *schema, struct bytes text, struct problems *problems)
{
	struct avro_schema *avro = xcalloc(1, sizeof(*avro));
	struct avro_parser parser = {.schema = schema, .avro = avro, .text = text, .problems = problems};
	size_t problems_before = problems->count;
	const struct avro_type *root;

	schema->avro = avro;
	import_references(schema);
	avro->json = load_json(&parser);
	if (!avro->json)
		return -1;
	root = parse_type(&parser, avro->json, "", NULL);
	if (problems->count != problems_before)
		return -1;
	assert(root); /* NULL always comes with a problem */
	schema->root = &root->base;
	compute_min_bytes(schema);
	avro_compile_defaults(schema);
	return 0;
}

void avro_release(struct avro_schema *avro)
{
	if (!avro)
		return;
	json_decref(avro->json);
	free(avro);
}

/* ---- what a type checker asks ---- */

static void describe_kind(const struct avro_type *type, struct schema_field *field, enum schema_kind *ret_kind)
{
	static const enum schema_kind kinds[] = {
		[AVRO_NULL] = SCHEMA_KIND_NULL,   [AVRO_BOOLEAN] = SCHEMA_KIND_BOOL,  [AVRO_INT] = SCHEMA_KIND_INT,
		[AVRO_LONG] = SCHEMA_KIND_INT,    [AVRO_FLOAT] = SCHEMA_KIND_FLOAT,   [AVRO_DOUBLE] = SCHEMA_KIND_FLOAT,
		[AVRO_BYTES] = SCHEMA_KIND_BYTES, [AVRO_STRING] = SCHEMA_KIND_TEXT,   [AVRO_ARRAY] = SCHEMA_KIND_LIST,
		[AVRO_MAP] = SCHEMA_KIND_MAP,     [AVRO_UNION] = SCHEMA_KIND_UNION,   [AVRO_FIXED] = SCHEMA_KIND_BYTES,
		[AVRO_ENUM] = SCHEMA_KIND_ENUM,   [AVRO_RECORD] = SCHEMA_KIND_RECORD,
	};

	*ret_kind = kinds[type->kind];
	if (type->kind == AVRO_RECORD)
		field->record = &type->base;
	field->is_signed |= type->kind == AVRO_INT || type->kind == AVRO_LONG;
	if (type->kind == AVRO_INT || type->kind == AVRO_FLOAT)
		field->bits = 32;
	else if (type->kind == AVRO_LONG || type->kind == AVRO_DOUBLE)
		field->bits = 64;
}

/* What a nullable union holds when it holds something; any other type is itself. */
static const struct avro_type *without_null(const struct avro_type *type, bool *ret_is_nullable)
{
	*ret_is_nullable = type->kind == AVRO_NULL || (type->kind == AVRO_UNION && type->null_branch >= 0);
	if (type->kind != AVRO_UNION || type->branch_count > 2)
		return type;
	if (type->branch_count == 1)
		return type->branches[0];
	return *ret_is_nullable ? type->branches[1 - type->null_branch] : type;
}

struct schema_field avro_describe_field(const struct avro_type *record, size_t index)
{
	const struct avro_field *source = &record->fields[index];
	struct schema_field field = {.name = source->name};
	bool is_element_nullable;
	const struct avro_type *type = without_null(source->type, &field.is_nullable);

	field.is_optional = source->default_json || field.is_nullable;
	describe_kind(type, &field, &field.kind);
	if (type->kind == AVRO_ARRAY || type->kind == AVRO_MAP)
		describe_kind(without_null(type->element, &is_element_nullable), &field, &field.element_kind);
	return field;
}
