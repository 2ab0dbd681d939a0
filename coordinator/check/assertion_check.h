/*
 * assertion_check.h - a company's assertions, asked of its databases.
 *
 * Guarantees: reads only, each query in a read-only transaction. Two databases are compared for sagas that have ended by
 *             themselves alone, whose rows nothing changes any more: so what runs meanwhile is never a violation.
 * Memory:     a page of sagas at a time.
 */
#ifndef COORDINATOR_CHECK_ASSERTION_CHECK_H
#define COORDINATOR_CHECK_ASSERTION_CHECK_H

#include "coordinator/check/assertion.h"
#include "coordinator/check/participant_check.h"

struct assertion_check {
	const struct check_listener *listener;
	struct assertion_list list;
	struct participant_check *participants; /* for their databases */
	struct pg *coordinator;
	bool *is_off; /* of each assertion: it could not be asked, which has been said */
	struct arena arena;
};

/* The list lives as long as the check. A database that was not named is reported as undecided. */
void assertion_check_init(struct assertion_check *check, const struct check_listener *listener,
			  const struct assertion_list *list, struct participant_check *participants,
			  struct pg *coordinator);
void assertion_check_release(struct assertion_check *check);

/* Those that are asked once. */
void assertion_check_rows(struct assertion_check *check);
/* Those that compare, for the page's sagas. */
void assertion_check_page(struct assertion_check *check, const struct saga_page *page);

#endif
