/*
 * plan.h - a definition bound to schemas: which command goes where in which schema, filled from what.
 *
 * Why:        types are checked once, when a definition is registered; after that a command cannot fail to be built.
 * Guarantees: immutable after plan_compile(); needs no registry afterwards (schemas are pinned by id).
 * Threads:    any thread may read. Ownership: a plan lives until plan_free(); the catalog keeps plans for ever.
 */
#ifndef COORDINATOR_DEFINITION_PLAN_H
#define COORDINATOR_DEFINITION_PLAN_H

#include "coordinator/saga/definition.h"
#include "coordinator/saga/saga.h"
#include "lib/base/problems.h"
#include "schema-registry/client/registry_client.h"
#include "schema-registry/codec/value.h"

/* A subject at the version that the definition is pinned to. */
struct plan_schema {
	const char *subject;
	int32_t version;
	int32_t schema_id;
	const struct schema *schema;
	const struct schema_type *type;
	const char *message;      /* full name */
	const char *message_type; /* its last part: ce_type */
	const char *content_type; /* application/protobuf or application/avro */
};

struct plan_reply {
	const char *topic;
	enum saga_event_type outcome; /* SUCCEEDED, REJECTED, RETRIABLE or ACCEPTED; UNKNOWN of an inquiry */
	const char *milestone;        /* PAYMENT_CHARGED, from the message's name or the definition's `as` */
};

struct plan_fill; /* one field's source; plan.c */

struct plan_command {
	const char *topic; /* NULL: the step has no compensation, or no inquiry */
	const struct plan_schema *schema;
	const struct plan_fill *fills;
	size_t fill_count;
	const struct plan_reply *replies;
	size_t reply_count;
};

struct plan_step {
	struct plan_command commands[STEP_PHASE_COUNT];
	bool is_reply_kept; /* a later command takes fields from its forward reply, or from the answer to its inquiry */
	const char *signal; /* what it waits for; NULL: it does not */
	const char *event;  /* likewise: the topic of an event */
	const struct plan_schema *value; /* what the signal, or the event, brings; NULL: nothing */
};

struct plan {
	struct definition definition; /* for the core */
	int32_t id;                   /* of the stored definition; 0 until it is stored */
	const char *source;           /* the text */
	const char *key_field;
	const char *runbook; /* what to do when a saga of it is stuck; NULL: none */
	const struct plan_schema *input;
	const struct plan_step *steps;            /* definition.step_count of them */
	const struct plan_schema *const *schemas; /* all */
	size_t schema_count;
	const char *const *reply_topics; /* and those of events; distinct */
	size_t reply_topic_count;
	int64_t created_us;
	const char *creator; /* who registered it; NULL: not known, or not stored yet */
};

/*
 * Parses YAML or JSON text and binds it: to the subjects' latest versions, or with `pins` (subject -> version and id, as
 * stored) to those. Everything that is wrong is added to `problems` with place `file:line:col`; -1 with `err` set when
 * there was any (ERR_INVALID), or when the registry is away (ERR_UNAVAILABLE).
 */
struct plan_pin {
	const char *subject;
	int32_t version;
	int32_t schema_id;
};
NODISCARD int plan_compile(const char *file_name, struct bytes source, const struct plan_pin *pins, size_t pin_count,
			   struct registry_client *registry, struct plan **ret_plan, struct problems *problems,
			   struct error *err);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan *, plan_free)

enum { PLAN_INPUT_BYTES_MAX = 256 * 1024, PLAN_TREE_BYTES_MAX = 48 * 1024 * 1024 };

/* Checks an input tree against the input schema and encodes it canonically; the key is copied to `arena`.
 * Problems have places such as `input.items[2].quantity`. -1 without a problem: it fits, but has more than
 * PLAN_INPUT_BYTES_MAX, all of them in `ret_input`. */
NODISCARD int plan_encode_input(const struct plan *plan, const struct value *input, struct arena *arena,
				struct buffer *ret_input, const char **ret_key, struct problems *problems);
/* The same for bytes that a client encoded: decodes, checks, and encodes again canonically. */
NODISCARD int plan_check_input(const struct plan *plan, struct bytes encoded, struct arena *arena,
			       struct buffer *ret_input, const char **ret_key, struct problems *problems);
NODISCARD int plan_decode_input(const struct plan *plan, struct bytes input, struct arena *arena,
				struct value *ret_value, struct error *err);

/* Appends the value that a signal brings to that step, given as JSON (empty: it brings none), in wire format; nothing where
 * the definition has no value for it. Problems have places such as `value.approved_by`; -1: there was one. */
NODISCARD int plan_encode_signal(const struct plan *plan, int32_t step, struct bytes json, struct buffer *out,
				 struct problems *problems);
/* Of a kept reply, or of what a signal brought: bytes in wire format. Looks a schema up that the plan does not know. */
NODISCARD int plan_decode_reply(const struct plan *plan, struct bytes reply, struct arena *arena,
				struct value *ret_value, struct error *err);

/* Appends the command's value in wire format. `saga` gives the kept replies. */
NODISCARD int plan_build_command(const struct plan *plan, const struct saga *saga, struct bytes input, int32_t step,
				 enum step_phase phase, struct arena *arena, struct buffer *out, struct error *err);

/* Index of a step by its id, of the step that waits for a signal; -1: none. */
int32_t plan_find_step(const struct plan *plan, const char *step_id);
int32_t plan_find_signal(const struct plan *plan, const char *signal);
int32_t plan_find_event(const struct plan *plan, const char *topic); /* likewise, for an event */
/* What a reply on `topic` means for that step and phase. The header `saga-outcome` (may be empty) counts first: it is the
 * participant's own word, and a participant has no topic of its own for `retriable`, or for the refusal of a step that
 * cannot be refused. Without it the definition's mapping of topics decides. NULL: the reply cannot be understood; so with a
 * header that is no outcome, whatever the topic. The result may be static to the plan; its milestone is NULL where the
 * definition has none for that topic and outcome. */
const struct plan_reply *plan_find_reply(const struct plan *plan, int32_t step, enum step_phase phase,
					 const char *topic, struct bytes outcome_header);

#endif
