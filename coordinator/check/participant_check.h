/*
 * participant_check.h - participants' inboxes against a coordinator's sagas, page by page.
 *
 * Why:        the coordinator's books say what was asked for and what was answered, the inboxes what was done (I3, I4, I6, I7).
 * Guarantees: each inbox is read after the page of sagas, and where it holds more than the page explains, these sagas are read
 *             once more after it: so what goes on meanwhile is never taken for a violation.
 * Memory:     a page of sagas and a page of each inbox at a time.
 * Ownership:  names and conninfos are borrowed for as long as the check lives.
 */
#ifndef COORDINATOR_CHECK_PARTICIPANT_CHECK_H
#define COORDINATOR_CHECK_PARTICIPANT_CHECK_H

#include "coordinator/check/participant_inbox.h"
#include "coordinator/check/saga_page.h"
#include "coordinator/check/violation.h"

enum { PARTICIPANTS_MAX = 64 };

struct participant_check {
	const struct check_listener *listener;
	struct participant_inbox inboxes[PARTICIPANTS_MAX];
	size_t count;
	int64_t rows;     /* that were read */
	int64_t since_us; /* rows of unknown sagas from before are no finding; set by the caller */
};

void participant_check_init(struct participant_check *check, const struct check_listener *listener);
void participant_check_release(struct participant_check *check);
/* Those with the same conninfo are one participant with several names. */
NODISCARD int participant_check_add(struct participant_check *check, const char *name, const char *conninfo,
				    struct error *err);
/* Connects to all; who is away is reported as undecided and left out, and so is a name that no definition's commands go to. */
void participant_check_open(struct participant_check *check, const struct definition_book *book);

/* One that failed: said to be undecided, and not asked any more. */
void participant_check_go_without(struct participant_check *check, struct participant_inbox *inbox,
				  const struct error *err);

/* Whose commands of this topic are; -1: nobody's that was named. */
int participant_check_find(const struct participant_check *check, const char *topic);

/* The inboxes from behind `after` to `last` against the page. -1: the coordinator's database failed. */
NODISCARD int participant_check_page(struct participant_check *check, struct pg *coordinator,
				     const struct definition_book *book, const struct saga_page *page,
				     struct uuid after, struct uuid last, struct arena *arena, struct error *err);

#endif
