/* bytes.c - see bytes.h. */
#include "lib/base/bytes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"

void buffer_release(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
	buffer->len = 0;
	if (buffer->data)
		buffer->data[0] = 0;
}

void buffer_reserve(struct buffer *buffer, size_t more)
{
	size_t need;
	size_t capacity = buffer->capacity ? buffer->capacity : 64;

	if (__builtin_add_overflow(buffer->len, more, &need) || need > SIZE_MAX / 2 - 1)
		abort(); /* sizes from peers were checked long before */
	if (need + 1 <= buffer->capacity)
		return;
	while (capacity < need + 1)
		capacity *= 2;
	buffer->data = xrealloc_array(buffer->data, capacity, 1);
	buffer->capacity = capacity;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void buffer_append_va(struct buffer *buffer, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(len >= 0);
	buffer_reserve(buffer, (size_t)len);
	(void)vsnprintf((char *)buffer->data + buffer->len, (size_t)len + 1, format, args); /* measured above */
	buffer->len += (size_t)len;
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buffer_append_va(buffer, format, args);
	va_end(args);
}

/* The length of the UTF-8 character at `at`, or 0 where there is none. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
	uint32_t point;

	if (len < 2 || len > left)
		return len == 1 ? 1 : 0;
	point = at[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		point = point << 6 | (at[i] & 0x3fu);
	}
	if (point < smallest[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return len;
}

bool utf8_is_valid(const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		size_t step = utf8_length(at, len);

		if (step == 0)
			return false;
		at += step;
		len -= step;
	}
	return true;
}

size_t utf8_whole_len(const char *text, size_t len)
{
	size_t begin = len;

	while (begin > 0 && len - begin < 4 && ((uint8_t)text[begin - 1] & 0xC0) == 0x80)
		begin--;
	if (begin > 0 && (uint8_t)text[begin - 1] >= 0xC0)
		begin--;
	return utf8_is_valid(text + begin, len - begin) ? len : begin;
}

void buffer_append_json_string(struct buffer *buffer, const char *text, size_t len)
{
	static const char short_escapes[] = "btn\0fr";
	const uint8_t *at = (const uint8_t *)text;

	buffer_append_byte(buffer, '"');
	while (len > 0) {
		size_t step = utf8_length(at, len);

		if (step == 0) {
			buffer_append_text(buffer, "\xef\xbf\xbd");
			step = 1;
		} else if (at[0] == '"' || at[0] == '\\') {
			buffer_append_format(buffer, "\\%c", at[0]);
		} else if (at[0] >= 8 && at[0] <= 13 && at[0] != 11) {
			buffer_append_format(buffer, "\\%c", short_escapes[at[0] - 8]);
		} else if (at[0] < 0x20) {
			buffer_append_format(buffer, "\\u%04x", at[0]);
		} else {
			buffer_append(buffer, at, step);
		}
		at += step;
		len -= step;
	}
	buffer_append_byte(buffer, '"');
}

void buffer_append_json_member(struct buffer *buffer, const char *name, const char *text)
{
	bool is_first = buffer->len == 0 || buffer->data[buffer->len - 1] == '{';

	buffer_append_format(buffer, "%s\"%s\":", is_first ? "" : ",", name);
	buffer_append_json_string(buffer, text, strlen(text));
}
