/* subject_map.c - see subject_map.h. */
#include "cli/subject_map.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "cli/file.h"
#include "lib/base/memory.h"

enum { MAP_BYTES_MAX = 1 << 20 };

struct reading {
	const char *path;
	yaml_document_t *document;
	struct subject_map *map;
	struct problems *problems;
};

static void PRINTF_LIKE(3, 4) complain(struct reading *reading, const yaml_mark_t *mark, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer place = {0};
	va_list args;

	buffer_append_format(&place, "%s:%zu:%zu", reading->path, mark->line + 1, mark->column + 1);
	va_start(args, format);
	problems_add_va(reading->problems, buffer_text(&place), format, args);
	va_end(args);
}

/* The text of a scalar without NUL; "" after a complaint. */
static const char *read_text(struct reading *reading, const yaml_node_t *node, const char *what)
{
	if (node->type == YAML_SCALAR_NODE && node->data.scalar.length > 0 &&
	    !memchr(node->data.scalar.value, 0, node->data.scalar.length))
		return arena_strndup(&reading->map->arena, (const char *)node->data.scalar.value,
				     node->data.scalar.length);
	complain(reading, &node->start_mark, "%s must be a text that is not empty", what);
	return "";
}

static const char *in_folder_of(struct reading *reading, const char *relative)
{
	const char *slash = strrchr(reading->path, '/');

	if (relative[0] == '/' || !slash)
		return relative;
	return arena_format(&reading->map->arena, "%.*s%s", (int)(slash + 1 - reading->path), reading->path, relative);
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text);
	size_t end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static void read_schema(struct reading *reading, const yaml_node_t *node, struct subject_entry *entry)
{
	const char *relative = read_text(reading, node, "schema");
	char resolved[PATH_MAX];

	if (ends_in(relative, ".proto"))
		entry->format = SCHEMA_FORMAT_PROTOBUF;
	else if (ends_in(relative, ".avsc"))
		entry->format = SCHEMA_FORMAT_AVRO;
	else if (relative[0])
		complain(reading, &node->start_mark, "schema '%s' must end in .proto or .avsc", relative);
	entry->schema_path = in_folder_of(reading, relative);
	entry->schema_line = node->start_mark.line + 1;
	entry->schema_column = node->start_mark.column + 1;
	if (realpath(entry->schema_path, resolved))
		entry->real_path = arena_strdup(&reading->map->arena, resolved);
}

static void read_subject(struct reading *reading, const yaml_node_t *node, struct subject_entry *entry)
{
	entry->subject = read_text(reading, node, "subject");
	entry->subject_line = node->start_mark.line + 1;
	entry->subject_column = node->start_mark.column + 1;
}

static void read_key(struct reading *reading, const yaml_node_pair_t *pair, struct subject_entry *entry)
{
	const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
	const yaml_node_t *value = yaml_document_get_node(reading->document, pair->value);
	const char *name = read_text(reading, key, "a key");

	if (strcmp(name, "subject") == 0)
		read_subject(reading, value, entry);
	else if (strcmp(name, "topic") == 0)
		entry->topic = read_text(reading, value, name);
	else if (strcmp(name, "schema") == 0)
		read_schema(reading, value, entry);
	else if (name[0])
		complain(reading, &key->start_mark, "unknown key '%s': subject, topic and schema are known", name);
}

static void check_entry(struct reading *reading, const yaml_node_t *node, const struct subject_entry *entry)
{
	if (!entry->subject)
		complain(reading, &node->start_mark, "subject is missing");
	if (!entry->schema_path)
		complain(reading, &node->start_mark, "schema is missing");
	for (size_t i = 0; entry->subject && i < reading->map->count; i++) {
		if (reading->map->entries[i].subject && strcmp(reading->map->entries[i].subject, entry->subject) == 0)
			complain(reading, &node->start_mark, "subject '%s' is listed twice", entry->subject);
	}
}

static void read_entry(struct reading *reading, const yaml_node_t *node)
{
	struct subject_entry entry = {0};

	if (node->type != YAML_MAPPING_NODE) {
		complain(reading, &node->start_mark, "must be a mapping with subject, topic and schema");
		return;
	}
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
		read_key(reading, pair, &entry);
	check_entry(reading, node, &entry);
	reading->map->entries[reading->map->count++] = entry;
}

static void read_list(struct reading *reading, const yaml_node_t *list)
{
	size_t count;

	if (list->type != YAML_SEQUENCE_NODE) {
		complain(reading, &list->start_mark, "subjects must be a list");
		return;
	}
	count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	reading->map->entries = arena_zalloc(&reading->map->arena, (count + 1) * sizeof(*reading->map->entries));
	for (size_t i = 0; i < count; i++)
		read_entry(reading, yaml_document_get_node(reading->document, list->data.sequence.items.start[i]));
}

static void read_root(struct reading *reading)
{
	static const yaml_mark_t start;
	const yaml_node_t *root = yaml_document_get_root_node(reading->document);
	const yaml_node_t *list = NULL;

	if (root && root->type == YAML_MAPPING_NODE &&
	    root->data.mapping.pairs.top - root->data.mapping.pairs.start == 1) {
		const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
		const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);

		if (key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, "subjects") == 0)
			list = yaml_document_get_node(reading->document, pair->value);
	}
	if (list)
		read_list(reading, list);
	else
		complain(reading, root ? &root->start_mark : &start, "must hold the one key `subjects` with a list");
}

static void read_document(struct reading *reading, const struct buffer *content)
{
	yaml_parser_t parser;
	yaml_document_t document;

	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory */
	yaml_parser_set_input_string(&parser, content->data ? content->data : (const uint8_t *)"", content->len);
	if (yaml_parser_load(&parser, &document)) {
		reading->document = &document;
		read_root(reading);
		yaml_document_delete(&document);
	} else {
		complain(reading, &parser.problem_mark, "%s", parser.problem ? parser.problem : "is no YAML");
	}
	yaml_parser_delete(&parser);
}

int subject_map_load(const char *path, struct subject_map *ret_map, struct problems *problems, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer content = {0};
	struct subject_map map = {0};
	struct reading reading = {.path = path, .map = &map, .problems = problems};

	if (file_read(path, MAP_BYTES_MAX, &content, err) < 0)
		return -1;
	arena_init(&map.arena, 0);
	map.path = arena_strdup(&map.arena, path);
	read_document(&reading, &content);
	if (problems->count > 0) {
		arena_release(&map.arena);
		return problems_to_error(problems, ERR_INVALID, err);
	}
	*ret_map = map;
	return 0;
}

int subject_map_load_or_say(const char *path, struct subject_map *ret_map, struct error *err)
{
	struct problems problems;
	int result;

	problems_init(&problems);
	result = subject_map_load(path, ret_map, &problems, err);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		(void)fprintf(stderr, "%s: error: %s\n", problems.items[i].place, problems.items[i].text);
	if (result < 0 && problems.count == 0)
		(void)fprintf(stderr, "sagactl: %s\n", err->msg);
	problems_release(&problems);
	return result;
}

void subject_map_release(struct subject_map *map)
{
	arena_release(&map->arena);
	map->entries = NULL;
	map->count = 0;
}

const char *const *subject_map_of(const struct subject_map *map, const char *schema_path, struct arena *arena,
				  size_t *ret_count)
{
	const char **subjects = arena_alloc(arena, (map->count + 1) * sizeof(*subjects));
	char resolved[PATH_MAX];

	*ret_count = 0;
	if (!realpath(schema_path, resolved))
		return subjects;
	for (size_t i = 0; i < map->count; i++) {
		if (map->entries[i].real_path && strcmp(map->entries[i].real_path, resolved) == 0)
			subjects[(*ret_count)++] = map->entries[i].subject;
	}
	return subjects;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len > end_len && strncmp(text + len - end_len, end, end_len) == 0;
}

const char *subject_by_rule(struct arena *arena, const char *schema_path)
{
	const char *slash = strrchr(schema_path, '/');
	const char *base = slash ? slash + 1 : schema_path;
	const char *dot = strrchr(base, '.');
	size_t len = dot ? (size_t)(dot - base) : strlen(base);
	bool is_whole = ends_with(base, len, "-key") || ends_with(base, len, "-value");

	return arena_format(arena, "%.*s%s", (int)len, base, is_whole ? "" : "-value");
}
