/* problems.c - see problems.h. */
#include "lib/base/problems.h"

#include <assert.h>
#include <stdio.h>

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

void problems_add(struct problems *problems, const char *place, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (problems->count++ >= PROBLEMS_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a cut text is still a text */
	va_end(args);
	problems->items[problems->count - 1] = (struct problem){
		.place = arena_strdup(&problems->arena, place),
		.text = arena_strdup(&problems->arena, text),
	};
}

int problems_to_error(const struct problems *problems, enum err_code code, struct error *err)
{
	enum { SHOWN_MAX = 3 };
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
	if (problems->count > shown)
		return error_set(err, code, "%.*s; and %zu more", (int)len, text, problems->count - shown);
	return error_set(err, code, "%s", text);
}
