/* scalar.c - see scalar.h. */
#include "schema-registry/codec/scalar.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "schema-registry/model/base64.h"
#include "schema-registry/model/json_text.h"

enum { NUMBER_TEXT_MAX = 40 };

/* 2^63 and 2^64 are exact doubles, the largest integers below them are not. */
static const double two_to_63 = 9223372036854775808.0;
static const double two_to_64 = 18446744073709551616.0;

/* A NUL-terminated copy of a short text that looks like a number: no blanks, no hexadecimal. */
static bool number_text(struct bytes text, char ret_text[NUMBER_TEXT_MAX + 1])
{
	if (text.len == 0 || text.len > NUMBER_TEXT_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!text.data[i] || !strchr("0123456789+-.eE", text.data[i]))
			return false;
	}
	memcpy(ret_text, text.data, text.len);
	ret_text[text.len] = 0;
	return true;
}

static bool parse_int(struct bytes text, int64_t *ret_number)
{
	char copy[NUMBER_TEXT_MAX + 1];
	char *end;

	if (!number_text(text, copy) || copy[0] == '+')
		return false;
	errno = 0;
	*ret_number = strtoll(copy, &end, 10);
	return errno == 0 && *end == 0;
}

static bool parse_uint(struct bytes text, uint64_t *ret_number)
{
	char copy[NUMBER_TEXT_MAX + 1];
	char *end;

	if (!number_text(text, copy) || copy[0] < '0' || copy[0] > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(copy, &end, 10);
	return errno == 0 && *end == 0;
}

bool scalar_to_int(const struct value *value, int64_t min, int64_t max, int64_t *ret_number)
{
	int64_t number;

	if (value->kind == VALUE_INT) {
		number = value->integer;
	} else if (value->kind == VALUE_UINT && value->unsigned_integer <= INT64_MAX) {
		number = (int64_t)value->unsigned_integer;
	} else if (value->kind == VALUE_DOUBLE) {
		if (!(value->number >= -two_to_63 && value->number < two_to_63) ||
		    value->number != trunc(value->number))
			return false;
		number = (int64_t)value->number;
	} else if (value->kind != VALUE_TEXT || !parse_int(value->text, &number)) {
		return false;
	}
	if (number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

bool scalar_to_uint(const struct value *value, uint64_t max, uint64_t *ret_number)
{
	uint64_t number;

	if (value->kind == VALUE_INT && value->integer >= 0) {
		number = (uint64_t)value->integer;
	} else if (value->kind == VALUE_UINT) {
		number = value->unsigned_integer;
	} else if (value->kind == VALUE_DOUBLE) {
		if (!(value->number >= 0 && value->number < two_to_64) || value->number != trunc(value->number))
			return false;
		number = (uint64_t)value->number;
	} else if (value->kind != VALUE_TEXT || !parse_uint(value->text, &number)) {
		return false;
	}
	if (number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool parse_double(struct bytes text, double *ret_number)
{
	char copy[NUMBER_TEXT_MAX + 1];
	char *end;

	if (bytes_equal_text(text, "NaN"))
		*ret_number = NAN;
	else if (bytes_equal_text(text, "Infinity"))
		*ret_number = INFINITY;
	else if (bytes_equal_text(text, "-Infinity"))
		*ret_number = -INFINITY;
	else if (number_text(text, copy)) {
		*ret_number = strtod(copy, &end);
		return *end == 0 && isfinite(*ret_number);
	} else {
		return false;
	}
	return true;
}

bool scalar_to_double(const struct value *value, double *ret_number)
{
	switch (value->kind) {
	case VALUE_DOUBLE:
		*ret_number = value->number;
		return true;
	case VALUE_INT:
		*ret_number = (double)value->integer;
		return true;
	case VALUE_UINT:
		*ret_number = (double)value->unsigned_integer;
		return true;
	case VALUE_TEXT:
		return parse_double(value->text, ret_number);
	default:
		return false;
	}
}

bool scalar_to_float(const struct value *value, float *ret_number)
{
	double number;

	if (!scalar_to_double(value, &number))
		return false;
	*ret_number = (float)number;
	return isfinite(*ret_number) || !isfinite(number);
}

bool scalar_to_bytes(const struct value *value, struct buffer *scratch, struct bytes *ret_bytes)
{
	if (value->kind == VALUE_BYTES) {
		*ret_bytes = value->text;
		return true;
	}
	if (value->kind != VALUE_TEXT || !base64_decode(value->text, scratch))
		return false;
	*ret_bytes = buffer_bytes(scratch);
	return true;
}

bool text_is_utf8(struct bytes text)
{
	const uint8_t *at = text.data;
	const uint8_t *end = text.data + text.len;

	for (; end - at >= 8; at += 8) {
		uint64_t eight;

		memcpy(&eight, at, sizeof(eight));
		if (eight & 0x8080808080808080u)
			return utf8_is_valid(at, (size_t)(end - at));
	}
	for (; at < end; at++) {
		if (*at >= 0x80)
			return utf8_is_valid(at, (size_t)(end - at));
	}
	return true;
}

static void describe_text(struct bytes text, char ret_words[SCALAR_WORDS_LEN])
{
	enum { SHOWN_MAX = 40 };
	size_t shown = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

	while (shown < text.len && shown > 0 && text.data[shown] >> 6 == 2) /* no half characters */
		shown--;
	if (!utf8_is_valid(text.data, shown))
		shown = 0;
	(void)snprintf(ret_words, SCALAR_WORDS_LEN, "text \"%.*s%s\"", (int)shown, (const char *)text.data,
		       shown < text.len ? "…" : ""); /* as short as it was cut */
}

void scalar_describe(const struct value *value, char ret_words[SCALAR_WORDS_LEN])
{
	static const char *const words[VALUE_KIND_COUNT] = {
		[VALUE_NULL] = "null", [VALUE_BYTES] = "bytes", [VALUE_LIST] = "a list", [VALUE_RECORD] = "an object"};
	_cleanup_(buffer_release)
	struct buffer number = {0};

	switch (value->kind) {
	case VALUE_BOOL:
		(void)snprintf(ret_words, SCALAR_WORDS_LEN, "%s", value->boolean ? "true" : "false"); /* fits */
		break;
	case VALUE_INT:
		(void)snprintf(ret_words, SCALAR_WORDS_LEN, "number %" PRId64, value->integer); /* fits */
		break;
	case VALUE_UINT:
		(void)snprintf(ret_words, SCALAR_WORDS_LEN, "number %" PRIu64, value->unsigned_integer); /* fits */
		break;
	case VALUE_DOUBLE:
		json_append_double(&number, value->number);
		(void)snprintf(ret_words, SCALAR_WORDS_LEN, "number %s", buffer_text(&number)); /* fits */
		break;
	case VALUE_TEXT:
		describe_text(value->text, ret_words);
		break;
	default:
		(void)snprintf(ret_words, SCALAR_WORDS_LEN, "%s", words[value->kind]); /* fits */
		break;
	}
}
