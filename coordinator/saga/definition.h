/*
 * definition.h - the part of a saga definition that decides what happens next: steps, kinds, timings.
 *
 * Not here:   topics, schemas, field mappings (definition/plan.h), YAML (definition/). The core only needs this.
 * Guarantees: immutable once made; definition_check() held when it was made.
 */
#ifndef COORDINATOR_SAGA_DEFINITION_H
#define COORDINATOR_SAGA_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

enum { DEFINITION_STEPS_MAX = 256, STEP_ID_BYTES_MAX = 255 };

/* Ten years: far from where sums of microseconds would overflow. */
#define COMMAND_DURATION_MS_MAX (INT64_C(10) * 366 * 24 * 3600 * 1000)

enum step_kind {
	STEP_KIND_COMPENSATABLE, /* can be undone */
	STEP_KIND_PIVOT,         /* decides: before it the saga can go back, after it only forward */
	STEP_KIND_RETRIABLE,     /* after the pivot: is repeated until it succeeds */
	STEP_KIND_COUNT
};

/* What a step does when its turn comes. */
enum step_action {
	STEP_ACTION_COMMAND, /* has a participant do it */
	STEP_ACTION_SIGNAL,  /* waits for SAGA_EVENT_SIGNALLED, at most for its forward timeout */
	STEP_ACTION_DELAY,   /* waits for its forward timeout */
	STEP_ACTION_COUNT
};

enum step_phase {
	STEP_PHASE_FORWARD,
	STEP_PHASE_COMPENSATION,
	STEP_PHASE_INQUIRY, /* what became of the forward command? */
	STEP_PHASE_COUNT
};

/* How one command is pursued. */
struct command_policy {
	int64_t timeout_ms; /* the whole pursuit, re-sends and attempts included */
	int64_t resend_ms;  /* first interval of re-sending without a reply; doubles, at most resend_max_ms */
	int64_t resend_max_ms;
	int64_t retry_backoff_ms; /* first wait after a `retriable` reply; doubles, at most retry_backoff_max_ms */
	int64_t retry_backoff_max_ms;
	int32_t attempts_max; /* `retriable` replies (and time-outs at and after the pivot) before giving up */
};

/* Defaults: forward and inquiry 30 s, compensation 24 h, re-send 3 s to 60 s, backoff 300 ms to 30 s, 10 attempts. */
extern const struct command_policy COMMAND_POLICY_DEFAULTS[STEP_PHASE_COUNT];

struct step_definition {
	const char *id;
	enum step_kind kind;
	enum step_action action;
	bool has_compensation;
	bool has_inquiry;     /* where its outcome is unknown, its participant is asked before anything is undone */
	bool is_optional;     /* STEP_ACTION_SIGNAL: without a signal in time it is skipped, not refused */
	bool has_value;       /* STEP_ACTION_SIGNAL: the signal brings a value, which is kept as the step's reply */
	bool is_reply_needed; /* later commands take fields from its reply, so it cannot be skipped */
	/* The steps that are done before it begins, by index, ascending; each comes before it. NULL: the step before it. Steps
	 * that do not come after each other run in parallel; compensation takes the reverse of this order. */
	const int32_t *after;
	size_t after_count;
	struct command_policy policy[STEP_PHASE_COUNT];
	const char *timed_out_milestone[STEP_PHASE_COUNT]; /* CHARGE_PAYMENT_TIMED_OUT */
};

struct definition {
	const char *name;
	int32_t version;
	const struct step_definition *steps;
	size_t step_count;
	int64_t timeout_ms; /* of the saga, up to where it can only go forward; 0: none */
};

/* Whether sagas can be run by it: ids, counts, order of kinds, policies. What plan_compile() makes always can. */
NODISCARD int definition_check(const struct definition *definition, struct error *err);
size_t definition_after_count(const struct definition *definition, int32_t step);
int32_t definition_after(const struct definition *definition, int32_t step, size_t i);
int32_t definition_pivot(const struct definition *definition);                     /* index; -1: there is none */
int32_t definition_find_step(const struct definition *definition, const char *id); /* likewise */
const char *step_kind_name(enum step_kind kind);                                   /* compensatable */
const char *step_phase_name(enum step_phase phase);                                /* forward */

#endif
