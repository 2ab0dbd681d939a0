/*
 * definition_book.h - the definitions of a coordinator's database, read without a registry: what their steps are, and which
 * command goes to which topic.
 *
 * Ownership: everything lives in the book's arena.
 */
#ifndef COORDINATOR_CHECK_DEFINITION_BOOK_H
#define COORDINATOR_CHECK_DEFINITION_BOOK_H

#include "coordinator/definition/source.h"
#include "lib/pg/pg.h"

struct known_definition {
	int64_t id;
	const struct source *source;         /* NULL: cannot be read */
	const struct definition *definition; /* likewise */
};

struct definition_book {
	struct arena arena;
	struct known_definition *items; /* by id */
	size_t count;
};

void definition_book_init(struct definition_book *book);
void definition_book_release(struct definition_book *book);
/* Those that were registered since the last call are added. */
NODISCARD int definition_book_load(struct definition_book *book, struct pg *pg, struct error *err);
/* NULL: not there, or it cannot be read. */
const struct known_definition *definition_book_find(const struct definition_book *book, int64_t id);

/* NULL: the step has no such command. */
const char *definition_command_topic(const struct known_definition *known, int32_t step, enum step_phase phase);

#endif
