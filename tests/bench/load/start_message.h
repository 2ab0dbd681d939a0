/*
 * start_message.h - what the benchmark's sagas are started with.
 *
 * Ownership: everything is the arena's.
 */
#ifndef TESTS_BENCH_START_MESSAGE_H
#define TESTS_BENCH_START_MESSAGE_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/uuid.h"
#include "saga/v1/saga_service.pb-c.h"

/* Of the definition `checkout` (the shop's) or of `bench`. `has_to_fail` is for the shop: no stock for this one; the
 * benchmark's own participants know by themselves what they refuse. */
Saga__V1__StartSagaRequest *start_message_make(struct arena *arena, const char *definition, struct uuid saga_id,
					       bool has_to_fail);

#endif
