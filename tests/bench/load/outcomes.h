/* outcomes.h - the stream of outcomes that a client of the benchmark learns by how its sagas ended. */
#ifndef TESTS_BENCH_LOAD_OUTCOMES_H
#define TESTS_BENCH_LOAD_OUTCOMES_H

#include <stdatomic.h>

#include "lib/base/error.h"
#include "lib/rpc/rpc_client.h"
#include "saga/v1/saga_service.pb-c.h"

struct outcomes_watch {
	const char *definition;
	const char *position; /* "": from now on */
	const atomic_bool *is_stopping;
	void (*take)(void *ctx, const Saga__V1__WatchSagasResponse *message);
	void *ctx;
};

/* On the caller's thread, until it is stopped or the server ends the stream; -1: it failed. */
NODISCARD int outcomes_watch(struct rpc_client *client, const struct outcomes_watch *watch, struct error *err);

#endif
