/* schema_uses.c - see schema_uses.h. */
#include "cli/schema_uses.h"

#include <ctype.h>
#include <jansson.h>

#include "schema-registry/model/avro.h"

static void add_name(struct arena *arena, struct schema_names *names, const char *name)
{
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? names->capacity * 2 : 8;
		const char **items = arena_alloc(arena, capacity * sizeof(*items));

		if (names->count > 0)
			memcpy(items, names->items, names->count * sizeof(*items));
		names->items = items;
		names->capacity = capacity;
	}
	names->items[names->count++] = name;
}

/* ---- .proto ---- */

static size_t skip_until(struct bytes text, size_t at, const char *end)
{
	const uint8_t *found = memmem(text.data + at, text.len - at, end, strlen(end));

	return found ? (size_t)(found - text.data) + strlen(end) : text.len;
}

/* One past the literal whose quote is at `at`. */
static size_t skip_literal(struct bytes text, size_t at)
{
	uint8_t quote = text.data[at];

	for (at++; at < text.len && text.data[at] != quote && text.data[at] != '\n'; at++) {
		if (text.data[at] == '\\')
			at++;
	}
	return at < text.len ? at + 1 : text.len;
}

static size_t skip_word(struct bytes text, size_t at)
{
	while (at < text.len && (isalnum(text.data[at]) || text.data[at] == '_'))
		at++;
	return at;
}

/* Words, literals and braces are all that counts: `import`, perhaps `public` or `weak`, then a literal, outside of braces. */
void schema_uses_of_proto(struct bytes text, struct arena *arena, struct schema_names *ret_imports)
{
	bool is_import = false;
	int depth = 0;
	size_t at = 0;

	*ret_imports = (struct schema_names){0};
	while (at < text.len) {
		uint8_t c = text.data[at];
		size_t end = at + 1;

		if (c == '/' && at + 1 < text.len && text.data[at + 1] == '/') {
			end = skip_until(text, at, "\n");
		} else if (c == '/' && at + 1 < text.len && text.data[at + 1] == '*') {
			end = skip_until(text, at + 2, "*/");
		} else if (c == '"' || c == '\'') {
			end = skip_literal(text, at);
			if (is_import && depth == 0 && end - at > 2)
				add_name(arena, ret_imports,
					 arena_strndup(arena, (const char *)text.data + at + 1, end - at - 2));
			is_import = false;
		} else if (isalnum(c) || c == '_') {
			struct bytes word = {text.data + at, skip_word(text, at) - at};

			end = at + word.len;
			is_import = bytes_equal_text(word, "import") ||
				    (is_import && (bytes_equal_text(word, "public") || bytes_equal_text(word, "weak")));
		} else if (!isspace(c)) {
			depth += (c == '{') - (c == '}');
			is_import = false;
		}
		at = end;
	}
}

/* ---- .avsc ---- */

struct walk {
	struct arena *arena;
	struct schema_uses *uses;
	int depth;
};

static void walk_type(struct walk *walk, const json_t *type, const char *space);

static bool is_own_word(const char *name)
{
	for (int kind = 0; kind < AVRO_ARRAY; kind++) {
		if (strcmp(name, avro_kind_name((enum avro_kind)kind)) == 0)
			return true;
	}
	return false;
}

static const char *qualify(struct walk *walk, const char *name, const char *space)
{
	return strchr(name, '.') || !*space ? name : arena_format(walk->arena, "%s.%s", space, name);
}

static void note_use(struct walk *walk, const char *name, const char *space)
{
	if (is_own_word(name))
		return;
	name = arena_strdup(walk->arena, name);
	add_name(walk->arena, &walk->uses->used, qualify(walk, name, space));
	add_name(walk->arena, &walk->uses->used, name);
}

/* Of a type and of all in it; a default is a value, which may have a field of that name. */
static void drop_docs(json_t *json)
{
	const char *key;
	json_t *value;
	size_t i;

	json_array_foreach(json, i, value) drop_docs(value);
	(void)json_object_del(json, "doc"); /* may be absent, or this may be no object */
	json_object_foreach(json, key, value)
	{
		if (strcmp(key, "default") != 0)
			drop_docs(value);
	}
}

/* Without what need not be the same in a copy: the namespace may be said, or be that around it. */
static const char *definition_text(struct walk *walk, const json_t *object)
{
	json_t *bare = json_deep_copy(object);
	const char *result = "";
	char *text;

	(void)json_object_del(bare, "name"); /* may be absent, as the next may */
	(void)json_object_del(bare, "namespace");
	drop_docs(bare);
	text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS);
	if (text)
		result = arena_strdup(walk->arena, text);
	free(text);
	json_decref(bare);
	return result;
}

/* Gives the namespace inside of it. */
static const char *note_declaration(struct walk *walk, const json_t *object, const char *space)
{
	const char *name = json_string_value(json_object_get(object, "name"));
	const char *own_space = json_string_value(json_object_get(object, "namespace"));
	const char *full;
	const char *dot;

	if (!name)
		return space;
	full = arena_strdup(walk->arena, qualify(walk, name, own_space ? own_space : space));
	add_name(walk->arena, &walk->uses->declared, full);
	add_name(walk->arena, &walk->uses->definitions, definition_text(walk, object));
	dot = strrchr(full, '.');
	return dot ? arena_strndup(walk->arena, full, (size_t)(dot - full)) : "";
}

static void walk_object(struct walk *walk, const json_t *object, const char *space)
{
	const json_t *type = json_object_get(object, "type");
	const json_t *fields = json_object_get(object, "fields");
	const char *name = json_string_value(type);

	if (!name)
		return;
	if (strcmp(name, "array") == 0 || strcmp(name, "map") == 0) {
		walk_type(walk, json_object_get(object, *name == 'a' ? "items" : "values"), space);
	} else if (strcmp(name, "record") == 0 || strcmp(name, "error") == 0) {
		space = note_declaration(walk, object, space);
		for (size_t i = 0; i < json_array_size(fields); i++)
			walk_type(walk, json_object_get(json_array_get(fields, i), "type"), space);
	} else if (strcmp(name, "enum") == 0 || strcmp(name, "fixed") == 0) {
		(void)note_declaration(walk, object, space);
	} else {
		note_use(walk, name, space);
	}
}

static void walk_type(struct walk *walk, const json_t *type, const char *space)
{
	if (walk->depth == AVRO_DEPTH_MAX) /* the parser refuses it */
		return;
	walk->depth++;
	if (json_is_string(type))
		note_use(walk, json_string_value(type), space);
	else if (json_is_object(type))
		walk_object(walk, type, space);
	for (size_t i = 0; i < json_array_size(type); i++)
		walk_type(walk, json_array_get(type, i), space);
	walk->depth--;
}

struct schema_uses *schema_uses_of_avro(struct bytes text, struct arena *arena)
{
	struct schema_uses *uses = arena_zalloc(arena, sizeof(*uses));
	struct walk walk = {.arena = arena, .uses = uses};
	json_t *json = json_loadb((const char *)text.data, text.len, JSON_DECODE_ANY, NULL);

	walk_type(&walk, json, "");
	json_decref(json);
	return uses;
}
