/* bookmark.c - see bookmark.h. */
#include "coordinator/api/bookmark.h"

#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/model/base64.h"

enum { CHECKSUM_BYTES = 8, TEXT_BYTES_MAX = 200 };

uint64_t bookmark_binding(void)
{
	return UINT64_C(14695981039346656037);
}

static uint64_t mix(uint64_t hash, struct bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ bytes.data[i]) * UINT64_C(1099511628211);
	return hash;
}

/* The length is part of it, so that two fields cannot pass for two others. */
uint64_t bookmark_bind(uint64_t binding, struct bytes field)
{
	uint64_t len = field.len;

	return mix(mix(binding, (struct bytes){(const uint8_t *)&len, sizeof(len)}), field);
}

static void append_checksum(struct buffer *out, uint64_t binding)
{
	uint64_t checksum = mix(binding, buffer_bytes(out));

	for (int i = 0; i < CHECKSUM_BYTES; i++)
		buffer_append_byte(out, (uint8_t)(checksum >> (8 * i)));
}

char *bookmark_make(enum bookmark_kind kind, uint64_t binding, struct bytes content, struct arena *arena)
{
	_cleanup_(buffer_release)
	struct buffer raw = {0};
	_cleanup_(buffer_release)
	struct buffer text = {0};

	buffer_append_byte(&raw, (uint8_t)kind);
	buffer_append(&raw, content.data, content.len);
	append_checksum(&raw, binding);
	base64_append(&text, buffer_bytes(&raw));
	return arena_strndup(arena, (const char *)text.data, text.len);
}

bool bookmark_read(enum bookmark_kind kind, uint64_t binding, const char *text, void *ret_content, size_t len)
{
	_cleanup_(buffer_release)
	struct buffer raw = {0};
	_cleanup_(buffer_release)
	struct buffer expected = {0};

	if (strlen(text) > TEXT_BYTES_MAX || !base64_decode(bytes_of_text(text), &raw) ||
	    raw.len != 1 + len + CHECKSUM_BYTES || raw.data[0] != kind)
		return false;
	buffer_append(&expected, raw.data, 1 + len);
	append_checksum(&expected, binding);
	if (!bytes_equal(buffer_bytes(&raw), buffer_bytes(&expected)))
		return false;
	memcpy(ret_content, raw.data + 1, len);
	return true;
}
