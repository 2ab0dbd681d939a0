/* encoder.c - see encoder.h. */
#include "schema-registry/codec/encoder.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "schema-registry/codec/scalar.h"

enum { SHOWN_KEY_MAX = 60 };

static void append_place(struct buffer *out, const struct encode_place *place)
{
	if (!place)
		return;
	append_place(out, place->up);
	if (!place->name.data) {
		buffer_append_format(out, "[%zu]", place->index);
	} else if (place->is_key) {
		buffer_append_byte(out, '[');
		buffer_append_json_string(out, (const char *)place->name.data,
					  place->name.len < SHOWN_KEY_MAX ? place->name.len : SHOWN_KEY_MAX);
		buffer_append_byte(out, ']');
	} else {
		if (place->up)
			buffer_append_byte(out, '.');
		buffer_append(out, place->name.data, place->name.len);
	}
}

void encoder_problem(struct encoder *encoder, const struct encode_place *place, const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer where = {0};
	char text[512];
	va_list args;

	if (encoder->problems->count >= PROBLEMS_MAX) { /* no more are kept: don't format them either */
		encoder->problems->count++;
		return;
	}
	buffer_append_text(&where, encoder->prefix);
	if (!place && where.len > 0 && where.data[where.len - 1] == '.')
		where.data[--where.len] = 0;
	append_place(&where, place);
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a cut text is still a text */
	va_end(args);
	problems_add(encoder->problems, buffer_text(&where), "%s", text);
}

void encoder_misfit(struct encoder *encoder, const struct encode_place *place, const struct value *value,
		    const char *what)
{
	char words[SCALAR_WORDS_LEN];

	scalar_describe(value, words);
	encoder_problem(encoder, place, "expected %s, got %s", what, words);
}

bool encoder_enter(struct encoder *encoder, const struct encode_place *place)
{
	if (encoder->is_full)
		return false;
	if (encoder->out->len - encoder->start > CODEC_MESSAGE_BYTES_MAX) {
		encoder->is_full = true;
		encoder_problem(encoder, place, "the message grows beyond %d bytes: send less in it",
				CODEC_MESSAGE_BYTES_MAX);
		return false;
	}
	if (encoder->depth == CODEC_DEPTH_MAX) {
		encoder_problem(encoder, place, "nested more than %d levels deep", CODEC_DEPTH_MAX);
		return false;
	}
	encoder->depth++;
	return true;
}

void encoder_leave(struct encoder *encoder)
{
	encoder->depth--;
}

void encoder_varint(struct encoder *encoder, uint64_t number)
{
	uint8_t bytes[10];
	size_t len = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[len++] = (uint8_t)(number | 0x80);
	bytes[len++] = (uint8_t)number;
	buffer_append(encoder->out, bytes, len);
}

void field_slots_init(struct field_slots *slots, struct encoder *encoder, const struct value *record,
		      const struct name_index *index, size_t field_count, const struct encode_place *place)
{
	slots->items = slots->few;
	if (field_count > ARRAY_LEN(slots->few))
		slots->items = xcalloc(field_count, sizeof(*slots->items));
	else
		memset(slots->few, 0, field_count * sizeof(*slots->items));
	for (size_t i = 0; i < record->record.count; i++) {
		const struct value_field *field = &record->record.fields[i];
		int64_t at = name_index_find(index, field->name);
		struct encode_place child = {.up = place, .name = field->name};

		if (at < 0)
			encoder_problem(encoder, &child, "the schema has no such field");
		else if (slots->items[at])
			encoder_problem(encoder, &child, "the field is given twice");
		else
			slots->items[at] = &field->value;
	}
}

void field_slots_release(struct field_slots *slots)
{
	if (slots->items != slots->few)
		free(slots->items);
}

static int compare_entries(const void *a, const void *b)
{
	const struct value_field *left = *(const struct value_field *const *)a;
	const struct value_field *right = *(const struct value_field *const *)b;
	size_t shorter = left->name.len < right->name.len ? left->name.len : right->name.len;
	int order = shorter ? memcmp(left->name.data, right->name.data, shorter) : 0;

	return order ? order : (left->name.len > right->name.len) - (left->name.len < right->name.len);
}

const struct value_field **sorted_entries(const struct value *map)
{
	size_t count = map->record.count;
	const struct value_field **entries = xrealloc_array(NULL, count + 1, sizeof(*entries));

	for (size_t i = 0; i < count; i++)
		entries[i] = &map->record.fields[i];
	qsort(entries, count, sizeof(*entries), compare_entries);
	return entries;
}
