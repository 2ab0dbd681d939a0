/* decoder.c - see decoder.h. */
#include "schema-registry/codec/decoder.h"

#include <stdlib.h>

#include "lib/base/memory.h"

int decoder_fail(struct decoder *decoder, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	return error_set(decoder->err, ERR_CORRUPT, "%s at byte %zu of the message", buffer_text(&text),
			 (size_t)(decoder->at - decoder->start));
}

int decoder_too_large(struct decoder *decoder)
{
	return error_set(decoder->err, ERR_LIMIT, "the message needs more memory than a message may have");
}

void *decoder_alloc(struct decoder *decoder, size_t count, size_t item_bytes)
{
	void *result = NULL;

	if (count <= decoder->memory_left / item_bytes) {
		decoder->memory_left -= count * item_bytes;
		result = arena_try_alloc(decoder->arena, count * item_bytes);
	}
	if (!result)
		(void)decoder_too_large(decoder); /* the caller returns -1 */
	return result;
}

int decoder_enter(struct decoder *decoder)
{
	if (decoder->depth == CODEC_DEPTH_MAX)
		return error_set(decoder->err, ERR_LIMIT, "the message is nested more than %d levels deep",
				 CODEC_DEPTH_MAX);
	decoder->depth++;
	return 0;
}

int decoder_varint_slow(struct decoder *decoder, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 70 && decoder->at < decoder->end; shift += 7) {
		uint8_t byte = *decoder->at++;

		if (shift == 63 && byte > 1)
			return decoder_fail(decoder, "a number has more than 64 bits");
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_number = number;
			return 0;
		}
	}
	return decoder_fail(decoder, "the message ends inside a number");
}

int decoder_take(struct decoder *decoder, uint64_t len, struct bytes *ret_bytes)
{
	size_t left = (size_t)(decoder->end - decoder->at);

	if (len > left)
		return decoder_fail(decoder, "%llu bytes are announced, but %zu are left", (unsigned long long)len,
				    left);
	*ret_bytes = (struct bytes){decoder->at, (size_t)len};
	decoder->at += len;
	return 0;
}

/* True where an array of `count` items has no room: 0, 4, 8, 16, … are allocated. */
static bool is_full(size_t count)
{
	return count == 0 || (count >= 4 && (count & (count - 1)) == 0);
}

static void *grown(struct decoder *decoder, const void *items, size_t count, size_t item_bytes)
{
	void *larger = decoder_alloc(decoder, count ? count * 2 : 4, item_bytes);

	if (larger && count > 0)
		memcpy(larger, items, count * item_bytes);
	return larger;
}

struct value *decoder_add_item(struct decoder *decoder, struct value *list)
{
	if (is_full(list->list.count)) {
		struct value *items = grown(decoder, list->list.items, list->list.count, sizeof(*items));

		if (!items)
			return NULL;
		list->list.items = items;
	}
	return &list->list.items[list->list.count++];
}

struct value_field *decoder_add_entry(struct decoder *decoder, struct value *map)
{
	if (is_full(map->record.count)) {
		struct value_field *fields = grown(decoder, map->record.fields, map->record.count, sizeof(*fields));

		if (!fields)
			return NULL;
		map->record.fields = fields;
		map->record.capacity = map->record.count ? map->record.count * 2 : 4;
	}
	return &map->record.fields[map->record.count++];
}

static int compare_names(struct bytes a, struct bytes b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b)
{
	const struct value_field *left = *(const struct value_field *const *)a;
	const struct value_field *right = *(const struct value_field *const *)b;
	int order = compare_names(left->name, right->name);

	return order ? order : (left > right) - (left < right); /* equal keys stay in their order */
}

static bool is_sorted(const struct value *map)
{
	for (size_t i = 1; i < map->record.count; i++) {
		if (compare_names(map->record.fields[i - 1].name, map->record.fields[i].name) >= 0)
			return false;
	}
	return true;
}

int decoder_finish_map(struct decoder *decoder, struct value *map)
{
	size_t count = map->record.count;
	_cleanup_(freep)
	const struct value_field **order = NULL;
	struct value_field *fields;
	size_t kept = 0;

	if (is_sorted(map))
		return 0;
	fields = decoder_alloc(decoder, count, sizeof(*fields));
	if (!fields)
		return -1;
	order = xrealloc_array(NULL, count, sizeof(*order));
	for (size_t i = 0; i < count; i++)
		order[i] = &map->record.fields[i];
	qsort(order, count, sizeof(*order), compare_entries);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 == count || !bytes_equal(order[i]->name, order[i + 1]->name))
			fields[kept++] = *order[i];
	}
	map->record.fields = fields;
	map->record.count = kept;
	map->record.capacity = count;
	return 0;
}
