/* json_tree.c - see json_tree.h: recursive descent over a bounds-checked cursor. */
#include "lib/rpc/json_tree.h"

#include <assert.h>

#include "lib/base/memory.h"

struct cursor {
	struct arena *arena;
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	struct error *err;
};

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",       [JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array",     [JSON_OBJECT] = "an object",
	};

	assert(kind < ARRAY_LEN(names));
	return names[kind];
}

const struct json_node *json_member(const struct json_node *object, const char *name)
{
	if (!object || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json_node *child = object->first_child; child; child = child->next) {
		if (strcmp(child->name, name) == 0)
			return child;
	}
	return NULL;
}

static int refuse(struct cursor *cursor, const char *what)
{
	const uint8_t *line_start = cursor->start;
	int line = 1;

	for (const uint8_t *at = cursor->start; at < cursor->at; at++) {
		if (*at == '\n') {
			line++;
			line_start = at + 1;
		}
	}
	return error_set(cursor->err, ERR_INVALID, "%d:%d: %s", line, (int)(cursor->at - line_start) + 1, what);
}

static void skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) && *cursor->at)
		cursor->at++;
}

/* The next byte, or 0 at the end: a NUL is nowhere legal, so the two need not be told apart. */
static uint8_t peek(const struct cursor *cursor)
{
	return cursor->at < cursor->end ? *cursor->at : 0;
}

static bool take(struct cursor *cursor, uint8_t byte)
{
	if (peek(cursor) != byte)
		return false;
	cursor->at++;
	return true;
}

/* ---- strings ---- */

static int read_hex4(struct cursor *cursor, uint32_t *ret_value)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++, cursor->at++) {
		uint8_t byte = peek(cursor);
		uint8_t letter = byte | 0x20;

		if (byte >= '0' && byte <= '9')
			value = value << 4 | (uint32_t)(byte - '0');
		else if (letter >= 'a' && letter <= 'f')
			value = value << 4 | (uint32_t)(letter - 'a' + 10);
		else
			return refuse(cursor, "\\u needs four hexadecimal digits");
	}
	*ret_value = value;
	return 0;
}

static void append_utf8(struct buffer *text, uint32_t point)
{
	if (point < 0x80) {
		buffer_append_byte(text, (uint8_t)point);
		return;
	}
	if (point < 0x800) {
		buffer_append_byte(text, (uint8_t)(0xc0 | point >> 6));
	} else {
		if (point < 0x10000) {
			buffer_append_byte(text, (uint8_t)(0xe0 | point >> 12));
		} else {
			buffer_append_byte(text, (uint8_t)(0xf0 | point >> 18));
			buffer_append_byte(text, (uint8_t)(0x80 | (point >> 12 & 0x3f)));
		}
		buffer_append_byte(text, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
	}
	buffer_append_byte(text, (uint8_t)(0x80 | (point & 0x3f)));
}

/* After "\u". */
static int read_unicode_escape(struct cursor *cursor, struct buffer *text)
{
	uint32_t point = 0;
	uint32_t low = 0;

	if (read_hex4(cursor, &point) < 0)
		return -1;
	if (point >= 0xdc00 && point <= 0xdfff)
		return refuse(cursor, "a low surrogate stands alone");
	if (point >= 0xd800 && point <= 0xdbff) {
		if (!take(cursor, '\\') || !take(cursor, 'u'))
			return refuse(cursor, "a high surrogate stands alone");
		if (read_hex4(cursor, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return refuse(cursor, "a high surrogate stands alone");
		point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
	}
	if (point == 0)
		return refuse(cursor, "\\u0000 is not accepted");
	append_utf8(text, point);
	return 0;
}

/* After the backslash. */
static int read_escape(struct cursor *cursor, struct buffer *text)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	uint8_t letter = peek(cursor);
	const char *found = letter ? strchr(letters, letter) : NULL;

	if (take(cursor, 'u'))
		return read_unicode_escape(cursor, text);
	if (!found)
		return refuse(cursor, "unknown escape");
	cursor->at++;
	buffer_append_byte(text, (uint8_t)meanings[found - letters]);
	return 0;
}

static int read_string_into(struct cursor *cursor, struct buffer *text)
{
	if (!take(cursor, '"'))
		return refuse(cursor, "expected a string");
	while (!take(cursor, '"')) {
		if (peek(cursor) < 0x20)
			return refuse(cursor, cursor->at < cursor->end ? "a control character must be escaped"
								       : "the string does not end");
		if (take(cursor, '\\')) {
			if (read_escape(cursor, text) < 0)
				return -1;
		} else {
			buffer_append_byte(text, *cursor->at++);
		}
	}
	return utf8_is_valid(text->data, text->len) ? 0 : refuse(cursor, "the string is not UTF-8");
}

static int read_string(struct cursor *cursor, const char **ret_text)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (read_string_into(cursor, &text) < 0)
		return -1;
	*ret_text = arena_strndup(cursor->arena, buffer_text(&text), text.len);
	return 0;
}

/* ---- the other values ---- */

static bool take_digits(struct cursor *cursor)
{
	const uint8_t *start = cursor->at;

	while (peek(cursor) >= '0' && peek(cursor) <= '9')
		cursor->at++;
	return cursor->at > start;
}

static int read_number(struct cursor *cursor, struct json_node *node)
{
	const uint8_t *start = cursor->at;

	(void)take(cursor, '-'); /* may be absent */
	if (!take(cursor, '0') && !take_digits(cursor))
		return refuse(cursor, "expected a value");
	if (take(cursor, '.') && !take_digits(cursor))
		return refuse(cursor, "digits must follow the decimal point");
	if (take(cursor, 'e') || take(cursor, 'E')) {
		if (!take(cursor, '+'))
			(void)take(cursor, '-'); /* may be absent */
		if (!take_digits(cursor))
			return refuse(cursor, "digits must follow the exponent");
	}
	node->kind = JSON_NUMBER;
	node->text = arena_strndup(cursor->arena, (const char *)start, (size_t)(cursor->at - start));
	return 0;
}

static int read_word(struct cursor *cursor, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, word, len) != 0)
		return refuse(cursor, "expected a value");
	cursor->at += len;
	return 0;
}

static int read_value(struct cursor *cursor, int depth, struct json_node *node);

/* The name and colon before a member's value. */
static int read_name(struct cursor *cursor, const struct json_node *object, struct json_node *member)
{
	if (object->count >= JSON_MEMBERS_MAX)
		return refuse(cursor, "the object has too many members");
	if (read_string(cursor, &member->name) < 0)
		return -1;
	if (json_member(object, member->name))
		return refuse(cursor, "the object has that name twice");
	skip_blanks(cursor);
	if (!take(cursor, ':'))
		return refuse(cursor, "expected ':' after the name");
	skip_blanks(cursor);
	return 0;
}

/* After the opening bracket of `parent`. */
static int read_children(struct cursor *cursor, int depth, struct json_node *parent)
{
	bool is_object = parent->kind == JSON_OBJECT;
	uint8_t closing = is_object ? '}' : ']';
	struct json_node **place = &parent->first_child;

	if (depth >= JSON_DEPTH_MAX)
		return refuse(cursor, "nested too deeply");
	skip_blanks(cursor);
	if (take(cursor, closing))
		return 0;
	do {
		struct json_node *child = arena_zalloc(cursor->arena, sizeof(*child));

		skip_blanks(cursor);
		if ((is_object && read_name(cursor, parent, child) < 0) || read_value(cursor, depth + 1, child) < 0)
			return -1;
		*place = child;
		place = &child->next;
		parent->count++;
		skip_blanks(cursor);
	} while (take(cursor, ','));
	return take(cursor, closing) ? 0 : refuse(cursor, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
}

static int read_value(struct cursor *cursor, int depth, struct json_node *node)
{
	switch (peek(cursor)) {
	case '{':
	case '[':
		node->kind = *cursor->at++ == '{' ? JSON_OBJECT : JSON_ARRAY;
		return read_children(cursor, depth, node);
	case '"':
		node->kind = JSON_STRING;
		return read_string(cursor, &node->text);
	case 't':
	case 'f':
		node->kind = JSON_BOOL;
		node->is_true = peek(cursor) == 't';
		return read_word(cursor, node->is_true ? "true" : "false");
	case 'n':
		node->kind = JSON_NULL;
		return read_word(cursor, "null");
	default:
		return read_number(cursor, node);
	}
}

int json_tree_parse(struct arena *arena, struct bytes text, struct json_node **ret_root, struct error *err)
{
	struct cursor cursor = {arena, text.data, text.data, text.data + text.len, err};
	struct json_node *root = arena_zalloc(arena, sizeof(*root));

	skip_blanks(&cursor);
	if (cursor.at == cursor.end)
		return refuse(&cursor, "expected JSON, but there is nothing");
	if (read_value(&cursor, 0, root) < 0)
		return -1;
	skip_blanks(&cursor);
	if (cursor.at < cursor.end)
		return refuse(&cursor, "nothing may follow the JSON value");
	*ret_root = root;
	return 0;
}
