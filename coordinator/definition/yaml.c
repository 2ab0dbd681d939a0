/* yaml.c - see yaml.h. */
#include "coordinator/definition/yaml.h"

#include <inttypes.h>
#include <stdio.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	const char *file_name;
	struct arena *arena;
	struct problems *problems;
	size_t depth;
};

const char *yaml_kind_name(enum yaml_kind kind)
{
	static const char *const names[] = {"a single value", "a list", "a mapping"};

	return names[kind];
}

void yaml_problem(struct problems *problems, const char *file_name, struct yaml_mark mark, const char *format, ...)
{
	char place[400];
	char text[900];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a cut text is still a text */
	va_end(args);
	(void)snprintf(place, sizeof(place), "%s:%zu:%zu", file_name, mark.line, mark.column);
	problems_add(problems, place, "%s", text);
}

static struct yaml_mark mark_of(yaml_mark_t mark)
{
	return (struct yaml_mark){mark.line + 1, mark.column + 1};
}

/* The next event; false after a syntax error, which it reports. */
static bool next_event(struct reader *reader, yaml_event_t *event)
{
	const yaml_parser_t *parser = &reader->parser;

	if (yaml_parser_parse(&reader->parser, event))
		return true;
	yaml_problem(reader->problems, reader->file_name, mark_of(parser->problem_mark), "%s%s%s",
		     parser->problem ? parser->problem : "is not YAML", parser->context ? " " : "",
		     parser->context ? parser->context : "");
	return false;
}

static struct yaml_node *new_node(struct reader *reader, enum yaml_kind kind, const yaml_event_t *event)
{
	struct yaml_node *node = arena_zalloc(reader->arena, sizeof(*node));

	node->kind = kind;
	node->mark = mark_of(event->start_mark);
	return node;
}

static bool refuse(struct reader *reader, const yaml_event_t *event, const char *what)
{
	yaml_problem(reader->problems, reader->file_name, mark_of(event->start_mark), "%s", what);
	return false;
}

/* Anchors would let a small file stand for a huge one, and tags for types that we do not have. */
static bool is_bare(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return refuse(reader, event, "anchors are not supported: write the value out where it is needed");
	if (tag)
		return refuse(reader, event, "tags are not supported: leave it out");
	return true;
}

static struct yaml_node *read_node(struct reader *reader, const yaml_event_t *event);

static struct yaml_node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	const size_t len = event->data.scalar.length;
	struct yaml_node *node = new_node(reader, YAML_SCALAR, event);

	if (!is_bare(reader, event, event->data.scalar.anchor, event->data.scalar.tag))
		return NULL;
	if (memchr(text, 0, len)) {
		(void)refuse(reader, event, "a text cannot hold the character NUL"); /* reported; the answer is NULL */
		return NULL;
	}
	node->text = arena_strndup(reader->arena, text, len);
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return node;
}

/* Reads the node that the next event begins. *ret_is_end: the collection ended instead. */
static struct yaml_node *read_next(struct reader *reader, yaml_event_type_t end, bool *ret_is_end)
{
	struct yaml_node *node = NULL;
	yaml_event_t event;

	*ret_is_end = false;
	if (!next_event(reader, &event))
		return NULL;
	if (event.type == end)
		*ret_is_end = true;
	else
		node = read_node(reader, &event);
	yaml_event_delete(&event);
	return node;
}

static bool is_new_key(struct reader *reader, const struct yaml_node *map, const struct yaml_node *key)
{
	if (key->kind != YAML_SCALAR) {
		yaml_problem(reader->problems, reader->file_name, key->mark, "a key must be a text, not %s",
			     yaml_kind_name(key->kind));
		return false;
	}
	if (map->count >= YAML_KEYS_MAX) {
		yaml_problem(reader->problems, reader->file_name, key->mark, "a mapping has at most %d keys",
			     YAML_KEYS_MAX);
		return false;
	}
	for (const struct yaml_node *other = map->first; other; other = other->next) {
		if (strcmp(other->text, key->text) == 0) {
			yaml_problem(reader->problems, reader->file_name, key->mark,
				     "key '%s' was given before, at line %zu", key->text, other->mark.line);
			return false;
		}
	}
	return true;
}

static struct yaml_node *read_collection(struct reader *reader, enum yaml_kind kind, const yaml_event_t *event)
{
	const yaml_event_type_t end = kind == YAML_LIST ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT;
	struct yaml_node *node = new_node(reader, kind, event);
	struct yaml_node **tail = &node->first;
	bool is_end = false;

	if (reader->depth >= YAML_DEPTH_MAX) {
		(void)refuse(reader, event, "is nested too deeply (at most 32 levels)"); /* reported; NULL below */
		return NULL;
	}
	reader->depth++;
	for (;;) {
		struct yaml_node *item = read_next(reader, end, &is_end);

		if (is_end)
			break;
		if (!item)
			return NULL;
		if (kind == YAML_MAP) {
			if (!is_new_key(reader, node, item))
				return NULL;
			item->value = read_next(reader, end, &is_end);
			if (!item->value)
				return NULL;
		}
		*tail = item;
		tail = &item->next;
		node->count++;
	}
	reader->depth--;
	return node;
}

static struct yaml_node *read_node(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return is_bare(reader, event, event->data.sequence_start.anchor, event->data.sequence_start.tag)
			       ? read_collection(reader, YAML_LIST, event)
			       : NULL;
	case YAML_MAPPING_START_EVENT:
		return is_bare(reader, event, event->data.mapping_start.anchor, event->data.mapping_start.tag)
			       ? read_collection(reader, YAML_MAP, event)
			       : NULL;
	case YAML_ALIAS_EVENT:
		(void)refuse(reader, event, "aliases are not supported: write the value out where it is needed");
		return NULL;
	default:
		(void)refuse(reader, event, "the file is empty: a definition begins with 'saga: <name>'");
		return NULL;
	}
}

/* Skips to what begins the document's content. */
static struct yaml_node *read_document(struct reader *reader)
{
	struct yaml_node *root = NULL;
	yaml_event_t event;

	for (;;) {
		const bool is_ok = next_event(reader, &event);
		bool is_prologue;

		if (!is_ok)
			return NULL;
		is_prologue = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
		if (!is_prologue)
			root = read_node(reader, &event);
		yaml_event_delete(&event);
		if (!is_prologue)
			return root;
	}
}

static bool is_alone(struct reader *reader)
{
	yaml_event_t event;
	bool is_end = false;

	do {
		if (!next_event(reader, &event))
			return false;
		is_end = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_DOCUMENT_START_EVENT) {
			(void)refuse(reader, &event, "a file holds one definition: put the next into its own file");
			yaml_event_delete(&event);
			return false;
		}
		yaml_event_delete(&event);
	} while (!is_end);
	return true;
}

struct yaml_node *yaml_parse(const char *file_name, struct bytes text, struct arena *arena, struct problems *problems)
{
	struct reader reader = {.file_name = file_name, .arena = arena, .problems = problems};
	struct yaml_node *root;

	if (text.len > YAML_BYTES_MAX) {
		yaml_problem(problems, file_name, (struct yaml_mark){1, 1}, "has %zu bytes, at most %d are taken",
			     text.len, YAML_BYTES_MAX);
		return NULL;
	}
	if (!yaml_parser_initialize(&reader.parser))
		abort(); /* out of memory, as xmalloc() */
	yaml_parser_set_input_string(&reader.parser, text.data ? text.data : (const unsigned char *)"", text.len);
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	root = read_document(&reader);
	if (root && !is_alone(&reader))
		root = NULL;
	yaml_parser_delete(&reader.parser);
	return root;
}
