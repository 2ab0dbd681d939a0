/*
 * saga_explanation.h - why a saga waits, since when, what comes next and when, and what an operator can type.
 *
 * Ownership:  all of it lives in the arena that was given, or borrows from the saga.
 */
#ifndef CLI_SAGA_EXPLANATION_H
#define CLI_SAGA_EXPLANATION_H

#include "cli/saga_replay.h"
#include "lib/base/bytes.h"

enum { EXPLANATION_LINES_MAX = 1040 }; /* a few for each of at most 256 steps */

struct explained_line {
	const char *text;
	const char *command; /* of what can be typed; NULL: the others */
	int64_t time_us;     /* since when, or when; 0: none */
};

struct explained_part {
	struct explained_line *items;
	size_t count;
};

struct saga_explanation {
	struct explained_part why;
	struct explained_part next; /* in the order of their times */
	struct explained_part commands;
};

/* `replay` NULL: what is known without it, and `unknown_why` is said in place of the times. */
void saga_explanation_make(const Saga__V1__Saga *saga, const struct saga_replay *replay, const char *unknown_why,
			   struct arena *arena, struct saga_explanation *ret_explanation);
void saga_explanation_append(struct buffer *out, const struct saga_explanation *explanation, int64_t now_us,
			     bool has_colours);
/* {"sagaId":…,"state":…,"why":[…],"next":[…],"commands":[…]}, on one line. */
void saga_explanation_append_json(struct buffer *out, const Saga__V1__Saga *saga,
				  const struct saga_explanation *explanation);

#endif
