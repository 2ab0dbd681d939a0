/*
 * record.h - the headers of commands, replies and events, written and read in one place (docs/wire-contract.md, section 2).
 *
 * Ownership:  what is written lives in the arena, or in what it is written of; what is read borrows from the record, texts
 *             are copies in the arena.
 */
#ifndef COORDINATOR_ENGINE_RECORD_H
#define COORDINATOR_ENGINE_RECORD_H

#include "coordinator/engine/ports.h"

enum {
	RECORD_REASON_BYTES_MAX = 255,
	RECORD_DETAIL_BYTES_MAX = 1000,
	RECORD_CE_ID_BYTES_MAX = 255,
	RECORD_KEY_BYTES_MAX = 255,
};

/* All that a command's record says beside its value. */
struct record_command {
	struct uuid saga_id;
	const struct plan_schema *schema;
	const char *registry; /* its address; "": ce_dataschema is relative to it */
	const char *topic;
	const char *step_id;
	enum step_phase phase;
	int32_t attempt;
	int64_t deadline_us;
	int64_t step_begun_us; /* 0: not known, and the saga's id tells; its command is never older than that */
	struct bytes key;
	struct uuid record_id;   /* ce_id */
	int64_t written_us;      /* ce_time */
	const char *traceparent; /* NULL: left out, as the next */
	const char *tracestate;
	struct bytes causation_id; /* ce_id of the reply that led to it; empty: none is known */
};

/* Copies what is not the plan's: the saga's cache entry, its start and the reply may go before the command is sent. */
void record_keep_command(struct record_command *command, struct arena *arena);

/* Everything but the value. What is there as text already is borrowed from the command. */
void record_write_command(const struct record_command *command, struct arena *arena, struct bus_record *ret_record);

/* A header that is read of replies and events: its name, which lives for ever; NULL: nobody reads it. */
const char *record_header_name(const char *name);

struct record_reply {
	struct uuid saga_id;
	struct bytes step_id;
	enum step_phase phase;
	int32_t attempt;
	struct bytes outcome; /* empty: not said */
	const char *reason;   /* NULL: none; cut, and made legal UTF-8 without control characters, as the next */
	const char *detail;
	bool has_no_effect;
	struct bytes ce_id;
};

/* ERR_CORRUPT names the header that is missing or wrong. */
NODISCARD int record_read_reply(const struct bus_record *record, struct arena *arena, struct record_reply *ret_reply,
				struct error *err);

/* An event that sagas may wait for. */
struct record_told {
	bool has_saga_id; /* it is for this saga alone; else for those of its key */
	struct uuid saga_id;
	const char *key;
	const char *text; /* for people: `invoice.paid/evt-7`, or with partition and offset where it has no id */
	struct bytes ce_id;
};

/* What somebody tells by himself, and not as an answer: it does not say which step of a saga it is about. */
bool record_is_told(const struct bus_record *record);
/* ERR_CORRUPT: no saga can be found by it. */
NODISCARD int record_read_told(const struct bus_record *record, struct arena *arena, struct record_told *ret_told,
			       struct error *err);

#endif
