/* safe_text.c - see safe_text.h. */
#include "cli/safe_text.h"

#include <wchar.h>

/* The character at the start of the text and its length in bytes; an impossible byte is U+FFFD and one byte long. */
static uint32_t decode(const uint8_t *text, size_t len, size_t *ret_bytes)
{
	size_t more = text[0] >= 0xf0 ? 3 : text[0] >= 0xe0 ? 2 : text[0] >= 0xc0 ? 1 : 0;
	uint32_t code = text[0] & (more == 3 ? 0x07u : more == 2 ? 0x0fu : more == 1 ? 0x1fu : 0x7fu);

	*ret_bytes = 1;
	if (text[0] < 0x80)
		return text[0];
	if (more == 0 || more >= len || !utf8_is_valid(text, more + 1))
		return 0xfffd;
	for (size_t i = 1; i <= more; i++)
		code = code << 6 | (text[i] & 0x3fu);
	*ret_bytes = more + 1;
	return code;
}

static bool is_harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f || code == 0x61c ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void safe_text_append(struct buffer *out, const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text;
	const uint8_t *end = at + len;

	while (at < end) {
		size_t bytes;
		uint32_t code = decode(at, (size_t)(end - at), &bytes);

		if (is_harmful(code))
			buffer_append_text(out, " ");
		else if (code == 0xfffd)
			buffer_append_text(out, "\xef\xbf\xbd");
		else
			buffer_append(out, at, bytes);
		at += bytes;
	}
}

/* glibc knows the widths in every locale of UTF-8; in another one a character counts as one column. */
static size_t width_of(uint32_t code)
{
	int width = wcwidth((wchar_t)code);

	return width < 0 ? 1 : (size_t)width;
}

size_t safe_text_width(const char *text)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t len = strlen(text);
	size_t width = 0;
	size_t bytes;

	for (; len > 0; at += bytes, len -= bytes)
		width += width_of(decode(at, len, &bytes));
	return width;
}

void safe_text_append_cut(struct buffer *out, const char *text, size_t width)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t len = strlen(text);
	size_t used = 0;

	if (safe_text_width(text) <= width) {
		buffer_append_text(out, text);
		return;
	}
	while (width > 0) {
		size_t bytes;
		size_t next = width_of(decode(at, len, &bytes));

		if (used + next > width - 1)
			break;
		buffer_append(out, at, bytes);
		used += next;
		at += bytes;
		len -= bytes;
	}
	if (width > 0)
		buffer_append_text(out, "…");
}
