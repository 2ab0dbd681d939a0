/* schema_text.c - see schema_text.h. The difference is a longest common subsequence: schemas are short, and it is the smallest. */
#include "cli/schema_text.h"

#include <jansson.h>
#include <stdint.h>

#include "lib/base/memory.h"

enum { LINES_MAX = 4000, CONTEXT_LINES = 3 };

void schema_text_append(struct buffer *out, const struct schema *schema)
{
	const char *text = schema_text(schema);
	json_t *json = schema_format(schema) == SCHEMA_FORMAT_AVRO ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	char *indented = json ? json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;

	text = indented ? indented : text;
	buffer_append_text(out, text);
	if (!*text || text[strlen(text) - 1] != '\n')
		buffer_append_byte(out, '\n');
	free(indented);
	json_decref(json);
}

struct lines {
	struct bytes items[LINES_MAX];
	size_t count;
};

/* What is beyond the limit becomes one long line: the difference is coarser then, and still right. */
static void split(const char *text, struct lines *lines)
{
	lines->count = 0;
	while (*text) {
		size_t len = lines->count == LINES_MAX - 1 ? strlen(text) : strcspn(text, "\n");

		lines->items[lines->count++] = (struct bytes){(const uint8_t *)text, len};
		text += len;
		text += *text == '\n';
	}
}

struct step {
	char mark; /* ' ', '-' or '+' */
	struct bytes line;
};

/* lengths[i][k]: of the common subsequence of what follows line i of the one and line k of the other. */
static uint16_t *measure(const struct lines *old, const struct lines *update)
{
	size_t width = update->count + 1;
	uint16_t *lengths = xcalloc((old->count + 1) * width, sizeof(*lengths));

	for (size_t i = old->count; i-- > 0;) {
		for (size_t k = update->count; k-- > 0;) {
			uint16_t skip_old = lengths[(i + 1) * width + k];
			uint16_t skip_new = lengths[i * width + k + 1];

			if (bytes_equal(old->items[i], update->items[k]))
				lengths[i * width + k] = (uint16_t)(lengths[(i + 1) * width + k + 1] + 1);
			else
				lengths[i * width + k] = skip_old > skip_new ? skip_old : skip_new;
		}
	}
	return lengths;
}

static size_t walk(const struct lines *old, const struct lines *update, struct step *steps)
{
	size_t width = update->count + 1;
	uint16_t *lengths = measure(old, update);
	size_t count = 0;
	size_t i = 0;
	size_t k = 0;

	while (i < old->count || k < update->count) {
		if (i < old->count && k < update->count && bytes_equal(old->items[i], update->items[k])) {
			steps[count++] = (struct step){' ', old->items[i++]};
			k++;
		} else if (i < old->count &&
			   (k == update->count || lengths[(i + 1) * width + k] >= lengths[i * width + k + 1])) {
			steps[count++] = (struct step){'-', old->items[i++]};
		} else {
			steps[count++] = (struct step){'+', update->items[k++]};
		}
	}
	free(lengths);
	return count;
}

static bool is_near_change(const struct step *steps, size_t count, size_t at)
{
	size_t first = at > CONTEXT_LINES ? at - CONTEXT_LINES : 0;

	for (size_t i = first; i < count && i <= at + CONTEXT_LINES; i++) {
		if (steps[i].mark != ' ')
			return true;
	}
	return false;
}

void schema_text_diff(struct buffer *out, const char *old_text, const char *new_text)
{
	_cleanup_(freep)
	struct lines *old = xmalloc(sizeof(*old));
	_cleanup_(freep)
	struct lines *update = xmalloc(sizeof(*update));
	_cleanup_(freep)
	struct step *steps = NULL;
	bool is_gap = false;
	size_t count;

	split(old_text, old);
	split(new_text, update);
	steps = xcalloc(old->count + update->count + 1, sizeof(*steps));
	count = walk(old, update, steps);
	for (size_t i = 0; i < count; i++) {
		if (!is_near_change(steps, count, i)) {
			is_gap = out->len > 0;
			continue;
		}
		if (is_gap)
			buffer_append_text(out, "  …\n");
		is_gap = false;
		buffer_append_format(out, "%c %.*s\n", steps[i].mark, (int)steps[i].line.len, steps[i].line.data);
	}
}
