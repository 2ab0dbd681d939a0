/*
 * start_batch.h - many sagas from a file with one input a line.
 */
#ifndef CLI_START_BATCH_H
#define CLI_START_BATCH_H

#include "cli/session.h"
#include "lib/base/arena.h"
#include "lib/rpc/json_tree.h"
#include "proto/saga/v1/saga_service.pb-c.h"

struct start_batch_options {
	bool is_quiet; /* ids alone */
	bool has_wait;
	int64_t wait_timeout_ms;
	const char *key_field; /* NULL: without idempotency keys */
};

/* `pattern` has what all of them share. Every line is read before the first is sent: a file that is wrong anywhere starts
 * nothing. A saga that is refused does not keep the others from being started. */
enum exit_code start_batch(struct session *session, const char *path, const Saga__V1__StartSagaRequest *pattern,
			   const struct start_batch_options *options);

/* The text or number of the input's field, as an idempotency key; NULL: there is none. */
const char *start_key_of(struct arena *arena, const struct json_node *input, const char *field);

#endif
