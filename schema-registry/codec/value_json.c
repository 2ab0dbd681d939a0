/*
 * value_json.c - JSON text to and from values (value.h).
 *
 * Why a parser of our own: jansson refuses unsigned 64-bit integers and would build a second tree on the way.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "schema-registry/codec/value.h"
#include "schema-registry/model/base64.h"
#include "schema-registry/model/json_text.h"

enum { JSON_DEPTH_MAX = 100, NUMBER_BYTES_MAX = 400, LINEAR_KEYS_MAX = 16 };

/* ---- printing ---- */

static void print_list(const struct value *value, struct buffer *out)
{
	buffer_append_byte(out, '[');
	for (size_t i = 0; i < value->list.count; i++) {
		if (i > 0)
			buffer_append_byte(out, ',');
		value_print_json(&value->list.items[i], out);
	}
	buffer_append_byte(out, ']');
}

static void print_record(const struct value *value, struct buffer *out)
{
	buffer_append_byte(out, '{');
	for (size_t i = 0; i < value->record.count; i++) {
		const struct value_field *field = &value->record.fields[i];

		if (i > 0)
			buffer_append_byte(out, ',');
		buffer_append_json_string(out, (const char *)field->name.data, field->name.len);
		buffer_append_byte(out, ':');
		value_print_json(&field->value, out);
	}
	buffer_append_byte(out, '}');
}

void value_print_json(const struct value *value, struct buffer *out)
{
	switch (value->kind) {
	case VALUE_NULL:
		buffer_append_text(out, "null");
		break;
	case VALUE_BOOL:
		buffer_append_text(out, value->boolean ? "true" : "false");
		break;
	case VALUE_INT:
		buffer_append_format(out, "%" PRId64, value->integer);
		break;
	case VALUE_UINT:
		buffer_append_format(out, "%" PRIu64, value->unsigned_integer);
		break;
	case VALUE_DOUBLE:
		json_append_double(out, value->number);
		break;
	case VALUE_TEXT:
		buffer_append_json_string(out, (const char *)value->text.data, value->text.len);
		break;
	case VALUE_BYTES:
		buffer_append_byte(out, '"');
		base64_append(out, value->text);
		buffer_append_byte(out, '"');
		break;
	case VALUE_LIST:
		print_list(value, out);
		break;
	case VALUE_RECORD:
		print_record(value, out);
		break;
	case VALUE_KIND_COUNT:
		break;
	}
}

/* ---- parsing ---- */

struct json_reader {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	struct arena *arena;
	struct error *err;
	int depth;
};

static int read_value(struct json_reader *reader, struct value *ret_value);

static int fail(struct json_reader *reader, enum err_code code, const char *what)
{
	size_t line = 1;
	const uint8_t *line_start = reader->start;

	for (const uint8_t *at = reader->start; at < reader->at; at++) {
		if (*at == '\n') {
			line++;
			line_start = at + 1;
		}
	}
	return error_set(reader->err, code, "%s at line %zu, column %zu", what, line,
			 (size_t)(reader->at - line_start) + 1);
}

static void skip_blanks(struct json_reader *reader)
{
	while (reader->at < reader->end &&
	       (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r'))
		reader->at++;
}

static bool take(struct json_reader *reader, char character)
{
	skip_blanks(reader);
	if (reader->at == reader->end || *reader->at != (uint8_t)character)
		return false;
	reader->at++;
	return true;
}

/* Doubles a full array; NULL beyond the arena's limit. */
static void *grown(struct json_reader *reader, const void *items, size_t count, size_t item_bytes)
{
	void *larger = arena_try_alloc(reader->arena, (count ? count * 2 : 4) * item_bytes);

	if (larger && count > 0)
		memcpy(larger, items, count * item_bytes);
	return larger;
}

static bool is_full(size_t count)
{
	return count == 0 || (count >= 4 && (count & (count - 1)) == 0);
}

static bool read_hex4(const uint8_t *at, const uint8_t *end, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		uint8_t c = at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return false;
		unit = unit << 4 | (uint32_t)digit;
	}
	*ret_unit = unit;
	return true;
}

static size_t put_utf8(uint8_t *out, uint32_t point)
{
	if (point < 0x80) {
		out[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (uint8_t)(0xc0 | point >> 6);
		out[1] = (uint8_t)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (uint8_t)(0xe0 | point >> 12);
		out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | point >> 18);
	out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (point & 0x3f));
	return 4;
}

/* The character of an escape whose `u` was just read; surrogates come in pairs. */
static bool read_unicode_escape(const uint8_t **at, const uint8_t *end, uint32_t *ret_point)
{
	uint32_t low;

	if (!read_hex4(*at, end, ret_point))
		return false;
	*at += 4;
	if (*ret_point < 0xd800 || *ret_point > 0xdfff)
		return true;
	if (*ret_point > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
	    !read_hex4(*at + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*at += 6;
	*ret_point = 0x10000 + ((*ret_point - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* Resolves the escapes between `at` and `end`; the result is never longer than the source. */
static bool unescape(const uint8_t *at, const uint8_t *end, uint8_t *out, size_t *ret_len)
{
	static const char escapes[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	size_t len = 0;

	while (at < end) {
		const char *escape;
		uint32_t point;

		if (*at != '\\') {
			out[len++] = *at++;
			continue;
		}
		at++;
		escape = at < end && *at ? strchr(escapes, *at) : NULL;
		if (escape) {
			out[len++] = (uint8_t)meanings[escape - escapes];
			at++;
			continue;
		}
		if (at == end || *at++ != 'u' || !read_unicode_escape(&at, end, &point))
			return false;
		len += put_utf8(out + len, point);
	}
	*ret_len = len;
	return true;
}

static int read_text(struct json_reader *reader, struct bytes *ret_text)
{
	const uint8_t *begin = reader->at + 1; /* the caller saw the quote */
	const uint8_t *end = begin;
	size_t len;
	uint8_t *text;

	for (; end < reader->end && *end != '"'; end++) {
		if (*end < 0x20) {
			reader->at = end;
			return fail(reader, ERR_INVALID, "a control character stands in a text, write it as \\u00xx,");
		}
		if (*end == '\\')
			end++;
	}
	if (end >= reader->end)
		return fail(reader, ERR_INVALID, "a text has no end; it begins");
	if (!utf8_is_valid(begin, (size_t)(end - begin)))
		return fail(reader, ERR_INVALID, "a text is not UTF-8");
	text = arena_try_alloc(reader->arena, (size_t)(end - begin) + 1);
	if (!text)
		return fail(reader, ERR_LIMIT, "the text needs more memory than it may have");
	if (!unescape(begin, end, text, &len))
		return fail(reader, ERR_INVALID, "a text has an escape that JSON does not know");
	reader->at = end + 1;
	*ret_text = (struct bytes){text, len};
	return 0;
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* One past the number in JSON's grammar, or NULL. */
static const uint8_t *scan_number(const uint8_t *at, const uint8_t *end, bool *ret_is_integer)
{
	const uint8_t *digits;

	*ret_is_integer = true;
	if (at < end && *at == '-')
		at++;
	digits = at;
	at = skip_digits(at, end);
	if (at == digits || (*digits == '0' && at - digits > 1))
		return NULL;
	if (at < end && *at == '.') {
		*ret_is_integer = false;
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return NULL;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		*ret_is_integer = false;
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return NULL;
	}
	return at;
}

static int read_number(struct json_reader *reader, struct value *ret_value)
{
	char text[NUMBER_BYTES_MAX + 1];
	bool is_integer;
	const uint8_t *end = scan_number(reader->at, reader->end, &is_integer);
	size_t len = end ? (size_t)(end - reader->at) : 0;

	if (!end)
		return fail(reader, ERR_INVALID, "no JSON value stands");
	if (len > NUMBER_BYTES_MAX)
		return fail(reader, ERR_LIMIT, "a number has more than 400 characters");
	memcpy(text, reader->at, len);
	text[len] = 0;
	errno = 0;
	if (is_integer && text[0] == '-')
		*ret_value = value_int(strtoll(text, NULL, 10));
	else if (is_integer)
		*ret_value = (struct value){.kind = VALUE_UINT, .unsigned_integer = strtoull(text, NULL, 10)};
	if (is_integer && ret_value->kind == VALUE_UINT && ret_value->unsigned_integer <= INT64_MAX)
		*ret_value = value_int((int64_t)ret_value->unsigned_integer);
	if (!is_integer || errno == ERANGE)
		*ret_value = value_double(strtod(text, NULL));
	if (ret_value->kind == VALUE_DOUBLE && !isfinite(ret_value->number))
		return fail(reader, ERR_INVALID, "a number is out of the range of doubles");
	reader->at = end;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct bytes *left = a;
	const struct bytes *right = b;
	size_t shorter = left->len < right->len ? left->len : right->len;
	int order = shorter ? memcmp(left->data, right->data, shorter) : 0;

	return order ? order : (left->len > right->len) - (left->len < right->len);
}

/* Few keys are compared one by one, many are sorted first: a hostile object must not cost quadratic time. */
static bool has_key_twice(const struct value *record)
{
	size_t count = record->record.count;
	_cleanup_(freep)
	struct bytes *names = NULL;
	bool is_twice = false;

	if (count <= LINEAR_KEYS_MAX) {
		for (size_t i = 1; i < count && !is_twice; i++)
			is_twice = value_get_bytes(record, record->record.fields[i].name) !=
				   &record->record.fields[i].value;
		return is_twice;
	}
	names = xrealloc_array(NULL, count, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = record->record.fields[i].name;
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 1; i < count && !is_twice; i++)
		is_twice = bytes_equal(names[i - 1], names[i]);
	return is_twice;
}

static int read_member(struct json_reader *reader, struct value *record)
{
	struct value_field *field;
	struct bytes name;

	skip_blanks(reader);
	if (reader->at == reader->end || *reader->at != '"')
		return fail(reader, ERR_INVALID, "a key in quotes is missing");
	if (read_text(reader, &name))
		return -1;
	if (!take(reader, ':'))
		return fail(reader, ERR_INVALID, "a colon is missing");
	if (is_full(record->record.count)) {
		field = grown(reader, record->record.fields, record->record.count, sizeof(*field));
		if (!field)
			return fail(reader, ERR_LIMIT, "the text needs more memory than it may have");
		record->record.fields = field;
		record->record.capacity = record->record.count ? record->record.count * 2 : 4;
	}
	field = &record->record.fields[record->record.count];
	field->name = name;
	if (read_value(reader, &field->value))
		return -1;
	record->record.count++;
	return 0;
}

static int read_object(struct json_reader *reader, struct value *ret_value)
{
	struct value record = value_record();

	reader->at++;
	if (!take(reader, '}')) {
		do {
			if (read_member(reader, &record))
				return -1;
		} while (take(reader, ','));
		if (!take(reader, '}'))
			return fail(reader, ERR_INVALID, "a comma or } is missing");
	}
	if (has_key_twice(&record))
		return fail(reader, ERR_INVALID, "a key occurs twice in the object that ends");
	*ret_value = record;
	return 0;
}

static int read_array(struct json_reader *reader, struct value *ret_value)
{
	struct value list = {.kind = VALUE_LIST};

	reader->at++;
	if (!take(reader, ']')) {
		do {
			if (is_full(list.list.count)) {
				list.list.items =
					grown(reader, list.list.items, list.list.count, sizeof(*list.list.items));
				if (!list.list.items)
					return fail(reader, ERR_LIMIT, "the text needs more memory than it may have");
			}
			if (read_value(reader, &list.list.items[list.list.count]))
				return -1;
			list.list.count++;
		} while (take(reader, ','));
		if (!take(reader, ']'))
			return fail(reader, ERR_INVALID, "a comma or ] is missing");
	}
	*ret_value = list;
	return 0;
}

static bool take_word(struct json_reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
		return false;
	reader->at += len;
	return true;
}

static int read_container(struct json_reader *reader, struct value *ret_value)
{
	int result;

	if (reader->depth == JSON_DEPTH_MAX)
		return fail(reader, ERR_LIMIT, "nested more than 100 levels deep");
	reader->depth++;
	result = *reader->at == '{' ? read_object(reader, ret_value) : read_array(reader, ret_value);
	reader->depth--;
	return result;
}

static int read_value(struct json_reader *reader, struct value *ret_value)
{
	struct bytes text;

	skip_blanks(reader);
	if (reader->at == reader->end)
		return fail(reader, ERR_INVALID, "the text ends too early");
	if (*reader->at == '{' || *reader->at == '[')
		return read_container(reader, ret_value);
	if (*reader->at == '"') {
		if (read_text(reader, &text))
			return -1;
		*ret_value = value_text(text);
		return 0;
	}
	if (take_word(reader, "null"))
		*ret_value = value_null();
	else if (take_word(reader, "true"))
		*ret_value = value_bool(true);
	else if (take_word(reader, "false"))
		*ret_value = value_bool(false);
	else
		return read_number(reader, ret_value);
	return 0;
}

int value_parse_json(struct bytes text, struct arena *arena, struct value *ret_value, struct error *err)
{
	struct json_reader reader = {
		.start = text.data, .at = text.data, .end = text.data + text.len, .arena = arena, .err = err};
	struct value value;

	if (text.len == 0)
		return error_set(err, ERR_INVALID, "the JSON text is empty");
	if (read_value(&reader, &value))
		return -1;
	skip_blanks(&reader);
	if (reader.at != reader.end)
		return fail(&reader, ERR_INVALID, "something stands after the JSON value");
	*ret_value = value;
	return 0;
}
