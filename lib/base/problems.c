/* problems.c - see problems.h. */
#include "lib/base/problems.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"

enum { TEXT_HEAD_BYTES = 600, TEXT_TAIL_BYTES = 400 };

void problems_init(struct problems *problems)
{
	arena_init(&problems->arena, 0);
	problems->count = 0;
}

void problems_release(struct problems *problems)
{
	arena_release(&problems->arena);
	problems->count = 0;
}

size_t problems_kept(const struct problems *problems)
{
	return problems->count < PROBLEMS_MAX ? problems->count : PROBLEMS_MAX;
}

/* Of a long text the middle is left out: names stand in it, and what is wrong may stand at its end. */
static const char *shorten(struct arena *arena, const char *text, size_t len)
{
	const char *tail;
	size_t head;

	if (len <= TEXT_HEAD_BYTES + TEXT_TAIL_BYTES)
		return arena_strndup(arena, text, len);
	head = utf8_whole_len(text, TEXT_HEAD_BYTES);
	tail = text + len - TEXT_TAIL_BYTES;
	while (((uint8_t)*tail & 0xC0) == 0x80)
		tail++;
	return arena_format(arena, "%.*s…%s", (int)head, text, tail);
}

void problems_add(struct problems *problems, const char *place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	problems_add_va(problems, place, format, args);
	va_end(args);
}

void problems_add_va(struct problems *problems, const char *place, const char *format, va_list args)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	if (problems->count++ >= PROBLEMS_MAX)
		return;
	buffer_append_va(&text, format, args);
	problems->items[problems->count - 1] = (struct problem){
		.place = arena_strdup(&problems->arena, place),
		.text = shorten(&problems->arena, buffer_text(&text), text.len),
	};
}

int problems_to_error(const struct problems *problems, enum err_code code, struct error *err)
{
	enum { SHOWN_MAX = 3, MORE_BYTES = 40 };
	char text[sizeof(err->msg)] = "";
	size_t len = 0;
	size_t shown = 0;

	assert(problems->count > 0);
	for (; shown < problems_kept(problems) && shown < SHOWN_MAX; shown++) {
		const struct problem *problem = &problems->items[shown];
		int more = snprintf(text + len, sizeof(text) - len, "%s%s%s%s", shown ? "; " : "", problem->place,
				    problem->place[0] ? ": " : "", problem->text);

		if (more < 0 || len + (size_t)more >= sizeof(text))
			break;
		len += (size_t)more;
	}
	if (shown == 0) { /* the beginning of a long one says more than nothing */
		len = utf8_whole_len(text, sizeof(text) - 1 - MORE_BYTES);
		shown = 1;
	}
	if (problems->count > shown)
		return error_set(err, code, "%.*s; and %zu more", (int)len, text, problems->count - shown);
	return error_set(err, code, "%.*s", (int)len, text);
}
