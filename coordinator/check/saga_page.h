/*
 * saga_page.h - some sagas of a coordinator's database as they were at one moment, decoded.
 *
 * Ownership: everything lives in the arena that is given; definitions in their book.
 */
#ifndef COORDINATOR_CHECK_SAGA_PAGE_H
#define COORDINATOR_CHECK_SAGA_PAGE_H

#include "coordinator/check/definition_book.h"
#include "coordinator/saga/open_row.h"

struct page_saga {
	struct uuid id;
	const struct known_definition *known; /* NULL: not there, or it cannot be read */
	const struct saga *saga;              /* NULL: it cannot be decoded, or the definition is not known */
	int32_t definition_id;
	const char *key;
	struct bytes data;
	int64_t state; /* the column's, which need not be one of the enum */
	int64_t updated_us;
	int64_t due_us;           /* 0: nothing is due */
	bool has_ended;           /* what the column says */
	bool has_open_row;        /* saga_open has it, … */
	struct open_row open_row; /* … with this */
};

struct saga_page {
	struct page_saga *sagas; /* by id */
	size_t count;
	int64_t now_us; /* by the database's clock */
};

/* Those behind `after`, at most `max`; inside a transaction of the caller's. */
NODISCARD int saga_page_load(struct pg *pg, const struct definition_book *book, struct uuid after, int64_t max,
			     struct arena *arena, struct saga_page *ret_page, struct error *err);
/* Those of these that exist. */
NODISCARD int saga_page_find(struct pg *pg, const struct definition_book *book, const struct uuid *ids, size_t count,
			     struct arena *arena, struct saga_page *ret_page, struct error *err);

/* NULL: not among them. */
const struct page_saga *saga_page_get(const struct saga_page *page, struct uuid id);

bool page_saga_is_terminal(const struct page_saga *saga); /* by the column */

#endif
