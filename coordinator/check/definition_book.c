/* definition_book.c - see definition_book.h. */
#include "coordinator/check/definition_book.h"

#include <stdlib.h>

#include "lib/base/memory.h"

void definition_book_init(struct definition_book *book)
{
	*book = (struct definition_book){0};
	arena_init(&book->arena, 0);
}

void definition_book_release(struct definition_book *book)
{
	free(book->items);
	arena_release(&book->arena);
}

static struct known_definition read_row(struct definition_book *book, const struct pg_result *rows, size_t at)
{
	struct known_definition known = {.id = pg_get_int(rows, at, 0)};
	struct problems problems;
	struct source *source;

	problems_init(&problems);
	source = source_parse("definition", arena_bytes(&book->arena, pg_get_bytes(rows, at, 2)), &book->arena,
			      &problems);
	if (source && problems.count == 0) {
		known.source = source;
		known.definition = source_definition(source, (int32_t)pg_get_int(rows, at, 1), &book->arena);
	}
	problems_release(&problems);
	return known;
}

int definition_book_load(struct definition_book *book, struct pg *pg, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;
	const struct pg_param after = pg_int8(book->count ? book->items[book->count - 1].id : 0);

	if (pg_exec(pg, "SELECT id, version, source FROM definition WHERE id > $1 ORDER BY id", &after, 1, &rows, err) <
	    0)
		return error_prefix(err, "cannot read the definitions (is this a coordinator's database?)");
	book->items = xrealloc_array(book->items, book->count + pg_rows(rows) + 1, sizeof(*book->items));
	for (size_t i = 0; i < pg_rows(rows); i++)
		book->items[book->count++] = read_row(book, rows, i);
	return 0;
}

static int compare_ids(const void *id, const void *known)
{
	const int64_t wanted = *(const int64_t *)id;
	const int64_t is = ((const struct known_definition *)known)->id;

	return wanted < is ? -1 : wanted > is;
}

const struct known_definition *definition_book_find(const struct definition_book *book, int64_t id)
{
	const struct known_definition *known =
		book->count ? bsearch(&id, book->items, book->count, sizeof(*book->items), compare_ids) : NULL;

	return known && known->definition ? known : NULL;
}

const char *definition_command_topic(const struct known_definition *known, int32_t step, enum step_phase phase)
{
	return known->source->steps[step].commands[phase].topic;
}
