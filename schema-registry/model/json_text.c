/* json_text.c - see json_text.h. */
#include "schema-registry/model/json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"

const char *json_failure_text(const json_error_t *failure)
{
	if (json_error_code(failure) == json_error_null_character ||
	    json_error_code(failure) == json_error_null_byte_in_key)
		return "a text holds the character U+0000";
	return failure->text;
}

void json_append_double(struct buffer *out, double number)
{
	char text[40];

	if (!isfinite(number)) {
		buffer_append_text(out, isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, number); /* 17 digits and an exponent fit */
		if (strtod(text, NULL) == number)
			break;
	}
	buffer_append_text(out, text);
	if (!strpbrk(text, ".e"))
		buffer_append_text(out, ".0");
}

void json_append_member(struct buffer *out, const char *key, const json_t *value, bool is_sorted)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buffer_append_byte(out, ',');
	buffer_append_json_string(out, key, strlen(key));
	buffer_append_byte(out, ':');
	json_append(out, value, is_sorted);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_sorted_object(struct buffer *out, const json_t *value)
{
	_cleanup_(freep)
	const char **keys = xrealloc_array(NULL, json_object_size(value) + 1, sizeof(*keys));
	size_t count = 0;
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)value, key, member) /* only reads */
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		json_append_member(out, keys[i], json_object_get(value, keys[i]), true);
}

static void append_object(struct buffer *out, const json_t *value, bool is_sorted)
{
	const char *key;
	json_t *member;

	buffer_append_byte(out, '{');
	if (is_sorted) {
		append_sorted_object(out, value);
	} else {
		json_object_foreach((json_t *)value, key, member) /* only reads */
			json_append_member(out, key, member, false);
	}
	buffer_append_byte(out, '}');
}

void json_append(struct buffer *out, const json_t *value, bool is_sorted)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		append_object(out, value, is_sorted);
		break;
	case JSON_ARRAY:
		buffer_append_byte(out, '[');
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i > 0)
				buffer_append_byte(out, ',');
			json_append(out, json_array_get(value, i), is_sorted);
		}
		buffer_append_byte(out, ']');
		break;
	case JSON_STRING:
		buffer_append_json_string(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		buffer_append_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		json_append_double(out, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buffer_append_text(out, json_is_true(value) ? "true" : "false");
		break;
	case JSON_NULL:
		buffer_append_text(out, "null");
		break;
	}
}

/* ---- positions ---- */

static size_t skip_blanks(struct bytes text, size_t at)
{
	while (at < text.len && memchr(" \t\r\n", text.data[at], 4))
		at++;
	return at;
}

/* One past the string that begins at `at`. */
static size_t skip_string(struct bytes text, size_t at)
{
	for (at++; at < text.len && text.data[at] != '"'; at++) {
		if (text.data[at] == '\\')
			at++;
	}
	return at < text.len ? at + 1 : text.len;
}

/* One past the value that begins at `at`; the text is well-formed, so counting brackets is enough. */
static size_t skip_value(struct bytes text, size_t at)
{
	size_t depth = 0;

	while (at < text.len) {
		uint8_t byte = text.data[at];

		if (byte == '"') {
			at = skip_string(text, at);
		} else if (byte == '{' || byte == '[') {
			depth++;
			at++;
		} else if (byte == '}' || byte == ']' || byte == ',') {
			if (depth == 0)
				return at;
			depth -= byte != ',';
			at++;
		} else {
			at++;
		}
		if (depth == 0 && (at >= text.len || memchr(",}] \t\r\n", text.data[at], 7)))
			return at;
	}
	return at;
}

/* Where the child begins; `at` itself when there is no such child. */
static size_t find_child(struct bytes text, size_t at, const struct json_place *place)
{
	size_t parent = at;
	size_t wanted_len = place->key ? strlen(place->key) : 0;

	if (at >= text.len || text.data[at] != (place->key ? '{' : '['))
		return parent;
	at = skip_blanks(text, at + 1);
	for (size_t index = 0; at < text.len && text.data[at] != '}' && text.data[at] != ']'; index++) {
		bool is_found = !place->key && index == place->index;

		if (place->key) {
			size_t end = skip_string(text, at);

			is_found = end - at == wanted_len + 2 &&
				   memcmp(text.data + at + 1, place->key, wanted_len) == 0;
			at = skip_blanks(text, end);
			at = skip_blanks(text, at + 1); /* the colon */
		}
		if (is_found)
			return at;
		at = skip_blanks(text, skip_value(text, at));
		if (at < text.len && text.data[at] == ',')
			at = skip_blanks(text, at + 1);
	}
	return parent;
}

static size_t offset_of(struct bytes text, const struct json_place *place)
{
	return place ? find_child(text, offset_of(text, place->up), place) : skip_blanks(text, 0);
}

void json_locate(struct bytes text, const struct json_place *place, size_t *ret_line, size_t *ret_column)
{
	size_t offset = offset_of(text, place);
	size_t line = 1;
	size_t line_start = 0;

	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.data[i] == '\n') {
			line++;
			line_start = i + 1;
		}
	}
	*ret_line = line;
	*ret_column = offset - line_start + 1;
}

/* ---- pointers ---- */

static void append_step(struct buffer *out, const char *key)
{
	buffer_append_byte(out, '/');
	for (; *key; key++) {
		if (*key == '~' || *key == '/')
			buffer_append_text(out, *key == '~' ? "~0" : "~1");
		else
			buffer_append_byte(out, (uint8_t)*key);
	}
}

/* True when found; `out` has the pointer then, and is as it was otherwise. */
static bool append_path_to(struct buffer *out, const json_t *value, const json_t *part)
{
	size_t len = out->len;
	const char *key;
	json_t *member;

	if (value == part)
		return true;
	for (size_t i = 0; i < json_array_size(value); i++) {
		buffer_append_format(out, "/%zu", i);
		if (append_path_to(out, json_array_get(value, i), part))
			return true;
		out->len = len;
	}
	json_object_foreach((json_t *)value, key, member) /* only reads; none where it is no object */
	{
		append_step(out, key);
		if (append_path_to(out, member, part))
			return true;
		out->len = len;
	}
	return false;
}

void json_append_pointer(struct buffer *out, const json_t *root, const json_t *part)
{
	(void)append_path_to(out, root, part);
	buffer_append(out, "", 0); /* ends the text where it was cut back to */
}

static void unescape(char *step)
{
	char *out = step;

	for (; *step; step++) {
		if (step[0] == '~' && (step[1] == '0' || step[1] == '1'))
			*out++ = *++step == '0' ? '~' : '/';
		else
			*out++ = *step;
	}
	*out = 0;
}

void json_locate_pointer(struct bytes text, const char *pointer, size_t *ret_line, size_t *ret_column)
{
	_cleanup_(freep)
	struct json_place *places = xcalloc(strlen(pointer) + 1, sizeof(*places));
	_cleanup_(freep)
	char *steps = xstrdup(pointer);
	char *rest = *steps ? steps + 1 : NULL; /* "" is the whole text */
	const struct json_place *last = NULL;
	struct json_place *next = places;
	const char *step;

	while ((step = strsep(&rest, "/"))) {
		char *end;

		*next = (struct json_place){.up = last, .index = strtoul(step, &end, 10)};
		if (!*step || *end) {
			unescape((char *)step); /* our own copy */
			next->key = step;
		}
		last = next++;
	}
	json_locate(text, last, ret_line, ret_column);
}
