/*
 * source.h - a definition as it was written: every key understood, every name checked, nothing looked up yet.
 *
 * Why:        what can be wrong with the text alone is found without the registry; plan.h binds the rest to schemas.
 * Guarantees: after source_parse() without problems the order of kinds, the ids and the references between steps hold.
 *             After problems, what was wrong is NULL or left out, so that the rest can be checked against schemas, too.
 * Reference:  docs/definitions.md.
 * Ownership:  everything lives in the arena.
 */
#ifndef COORDINATOR_DEFINITION_SOURCE_H
#define COORDINATOR_DEFINITION_SOURCE_H

#include "coordinator/definition/yaml.h"
#include "coordinator/saga/definition.h"
#include "coordinator/saga/saga.h"

enum { SOURCE_PATH_MAX = 8 }; /* names in `input.a.b` after `input` */

struct source_reply {
	struct yaml_mark mark;
	enum saga_event_type outcome;
	const char *topic;
	const char *milestone; /* `as`; NULL: from the message's name */
};

/* `target: source` of a command's fields. */
struct source_field {
	struct yaml_mark mark;        /* of the key */
	struct yaml_mark source_mark; /* of what it is filled from */
	const char *target;
	const char *source_text;         /* as written; "" for a literal */
	const struct yaml_node *literal; /* {value: literal}; NULL: a path */
	int32_t step;                    /* whose reply; -1: the input */
	const char *path[SOURCE_PATH_MAX];
	size_t path_len; /* 0 without a literal: what was written is a problem */
};

struct source_command {
	struct yaml_mark mark; /* of the topic */
	const char *topic;     /* NULL: none */
	struct source_reply *replies;
	size_t reply_count;
	struct source_field *fields;
	size_t field_count;
};

struct source_step {
	struct yaml_mark mark; /* of the id */
	struct step_definition definition;
	uint64_t before[DEFINITION_STEPS_MAX / 64]; /* a bit for each step that is done when this one begins */
	const char *signal;                         /* STEP_ACTION_SIGNAL: what it waits for */
	const char *value;                          /* the subject of the value that the signal brings; NULL: none */
	const char *event;           /* STEP_ACTION_SIGNAL, in place of a signal: the topic of the event; NULL: none */
	struct yaml_mark value_mark; /* of the one or the other */
	struct source_command commands[STEP_PHASE_COUNT];
};

struct source {
	const char *file_name;
	const char *name;
	const char *description; /* NULL: none */
	const char *runbook;     /* for who is told that a saga is stuck; NULL: none */
	const char *input;       /* the subject */
	struct yaml_mark input_mark;
	const char *key;
	struct yaml_mark key_mark;
	int64_t timeout_ms; /* of the saga; 0: none */
	struct source_step *steps;
	size_t step_count;
};

/* NULL when the text is no map at all. */
struct source *source_parse(const char *file_name, struct bytes text, struct arena *arena, struct problems *problems);

/* The part that decides what happens next. Of a source without problems. */
struct definition *source_definition(const struct source *source, int32_t version, struct arena *arena);

/* `500ms` `3s` `5m` `24h` `7d`, more than zero, at most ten years. */
bool source_parse_duration(const char *text, int64_t *ret_ms);

#endif
