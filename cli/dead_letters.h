/*
 * dead_letters.h - the dead letters of all topics, read from Kafka: found, decoded, and settled.
 *
 * Why:       they are records among others; whether one was replayed or dropped is said by a later record of the same topic
 *            (docs/wire-contract.md, section 8), so a topic is read whole before anything is said of it.
 * Limits:    at most DEAD_LETTERS_MAX of those that match are kept; `is_cut` says that there are more.
 * Ownership: everything lives in the struct's arena, until dead_letters_release().
 */
#ifndef CLI_DEAD_LETTERS_H
#define CLI_DEAD_LETTERS_H

#include "lib/base/arena.h"
#include "lib/kafka/side_topic.h"
#include "schema-registry/client/registry_client.h"

enum { DEAD_LETTERS_MAX = 10000 };

/* What is looked for; NULL: any. */
struct dead_letter_filter {
	const char *topic; /* the original one */
	const char *reason;
	const char *saga;
	const char *key;
	char *const *ids; /* if any, these alone */
	size_t id_count;
	bool with_settled;
};

struct dead_letter {
	const char *id; /* <dead-letter topic>/<partition>/<offset> */
	struct kafka_record record;
	const char *settled; /* what became of it, `replayed` or `dropped`; NULL: it is open */
};

struct dead_letters {
	struct arena arena;
	struct dead_letter *items; /* by topic, then as they came */
	size_t count;
	bool is_cut;
};

NODISCARD int dead_letters_read(const struct kafka_options *kafka, const struct dead_letter_filter *filter,
				struct dead_letters *ret_letters, struct error *err);
void dead_letters_release(struct dead_letters *letters);

/* A header as text; "" where there is none. */
const char *dead_letter_header(const struct dead_letter *letter, const char *name, struct arena *arena);

/* The message as JSON. -1: it cannot be decoded, or not now. */
NODISCARD int dead_letter_decode(const struct dead_letter *letter, struct registry_client *registry, struct buffer *out,
				 struct error *err);

/* Sends each to where it came from (is_replay), then notes for each what became of it. `ret_done` counts those that are
 * safe with both; -1: not all of them. */
NODISCARD int dead_letters_settle(const struct kafka_options *kafka, struct dead_letters *letters, bool is_replay,
				  size_t *ret_done, struct error *err);

#endif
