/*
 * bytes.h - a borrowed range of bytes, and a growing buffer that owns its memory.
 *
 * Why:        what comes from outside is never NUL-terminated by assumption, so ranges travel with their length.
 * Ownership:  struct bytes borrows; struct buffer owns until buffer_release(). buffer.data is always NUL-terminated
 *             one past len once something was written, so text built in it can be used as a C string.
 */
#ifndef LIB_BASE_BYTES_H
#define LIB_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/error.h"

struct bytes {
	const uint8_t *data;
	size_t len;
};

static inline struct bytes bytes_of_text(const char *text)
{
	return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool bytes_equal_text(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_of_text(text));
}

struct buffer {
	uint8_t *data;
	size_t len;
	size_t capacity;
};

void buffer_release(struct buffer *buffer); /* also after {0}; leaves it empty and usable */
void buffer_clear(struct buffer *buffer);   /* keeps the memory */
void buffer_reserve(struct buffer *buffer, size_t more);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_append_va(struct buffer *buffer, const char *format, va_list args);

/* Appends text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buffer_append_json_string(struct buffer *buffer, const char *text, size_t len);
/* Appends `"name":"text"` to an object, behind a comma where it is not the first; the name is a literal. */
void buffer_append_json_member(struct buffer *buffer, const char *name, const char *text);

/* Here, since encoders append a few bytes at a time. */
static inline void buffer_append(struct buffer *buffer, const void *data, size_t len)
{
	if (len >= buffer->capacity - buffer->len) /* no room for it and the NUL */
		buffer_reserve(buffer, len);
	if (len)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	buffer->data[buffer->len] = 0;
}

static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	if (buffer->capacity < 2 || buffer->len > buffer->capacity - 2)
		buffer_reserve(buffer, 1);
	buffer->data[buffer->len++] = byte;
	buffer->data[buffer->len] = 0;
}

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
	return (struct bytes){buffer->data, buffer->len};
}

static inline const char *buffer_text(const struct buffer *buffer)
{
	return buffer->data ? (const char *)buffer->data : "";
}

/* True when all of it is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). NUL is a character. */
bool utf8_is_valid(const void *data, size_t len);
/* The length without the half character that a cut has left at the end. */
size_t utf8_whole_len(const char *text, size_t len);

#endif
