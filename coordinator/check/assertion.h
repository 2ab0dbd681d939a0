/*
 * assertion.h - what a company says must be true of its own data: a file of SQL queries, and what is expected of them.
 *
 * Why:        money and goods are in the participants' tables, which nobody else knows. I2 is checked by queries that those who
 *             do know write down once (deploy/shop/assertions.yaml; docs/sagactl.md).
 * Ownership:  everything lives in the arena.
 */
#ifndef COORDINATOR_CHECK_ASSERTION_H
#define COORDINATOR_CHECK_ASSERTION_H

#include "lib/base/arena.h"
#include "lib/base/problems.h"

enum { ASSERTION_SIDES = 2 };

struct assertion_query {
	const char *database; /* a participant's name, or "coordinator" */
	const char *sql;      /* wrapped: gives what the kind needs, whatever its columns are called */
};

enum assertion_kind {
	ASSERTION_NONE,  /* the query finds nothing: each row is a violation */
	ASSERTION_EQUAL, /* for sagas that have ended, both queries give the same sum for each key */
};

struct assertion {
	const char *name;
	int invariant;
	const char *advice; /* NULL: the invariant's */
	const char *saga;   /* EQUAL: only sagas of this definition; NULL: all */
	enum assertion_kind kind;
	struct assertion_query queries[ASSERTION_SIDES]; /* NONE has one */
};

struct assertion_list {
	struct assertion *items;
	size_t count;
};

/* What is wrong is added to the problems, with its place. */
void assertion_parse(const char *file_name, struct bytes text, struct arena *arena, struct assertion_list *ret_list,
		     struct problems *problems);

#endif
