/*
 * source_reader.h - reading typed values out of a YAML tree and saying what is wrong where. Inside definition/.
 */
#ifndef COORDINATOR_DEFINITION_SOURCE_READER_H
#define COORDINATOR_DEFINITION_SOURCE_READER_H

#include "coordinator/definition/yaml.h"
#include "coordinator/saga/definition.h"

struct source_reader {
	const char *file_name;
	struct arena *arena;
	struct problems *problems;
};

#define PROBLEM(reader, mark, ...) yaml_problem((reader)->problems, (reader)->file_name, mark, __VA_ARGS__)

/* The value of a key; NULL: absent. */
const struct yaml_node *reader_get(const struct yaml_node *map, const char *key);

/* Reports every key of `map` that is not among `known`, with the one that was probably meant. */
void reader_check_keys(struct source_reader *reader, const struct yaml_node *map, const char *const *known,
		       size_t count, const char *of_what);

bool reader_is_kind(struct source_reader *reader, const struct yaml_node *node, enum yaml_kind kind,
		    const char *of_what);

/* The text of a value, or NULL after a problem. */
const char *reader_text(struct source_reader *reader, const struct yaml_node *node, const char *of_what);
const char *reader_id(struct source_reader *reader, const struct yaml_node *node, const char *of_what);
const char *reader_topic(struct source_reader *reader, const struct yaml_node *node);
const char *reader_subject(struct source_reader *reader, const struct yaml_node *node, const char *of_what);
/* true or false, not quoted; false after a problem. */
bool reader_bool(struct source_reader *reader, const struct yaml_node *node, const char *of_what);
/* The name of a field in a schema. */
bool reader_is_field_name(const char *text, size_t len);

/* More than zero, at most ten years; what is wrong stays as it is. `of_what`: "timeout". */
void reader_duration(struct source_reader *reader, const struct yaml_node *node, const char *of_what, int64_t *ret_ms);

/* timeout, resend, attempts, backoff: what is absent stays as it is in `policy`. */
void reader_policy(struct source_reader *reader, const struct yaml_node *map, struct command_policy *policy);

#endif
