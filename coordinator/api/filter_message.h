/* filter_message.h - saga.v1.SagaFilter and its neighbours as the read port wants them; all that is wrong at once. */
#ifndef COORDINATOR_API_FILTER_MESSAGE_H
#define COORDINATOR_API_FILTER_MESSAGE_H

#include "coordinator/engine/read_port.h"
#include "lib/base/problems.h"
#include "saga/v1/saga_service.pb-c.h"

enum { FILTER_LABELS_MAX = 8, FILTER_TEXT_BYTES_MAX = 255 };

/* NULL: no filter. Texts are the message's, the rest is the arena's. */
void filter_read(const Saga__V1__SagaFilter *message, struct arena *arena, struct saga_filter *ret_filter,
		 struct problems *problems);
/* `field`: the range's name in its request. */
void time_range_read(const Saga__V1__TimeRange *message, const char *field, struct arena *arena,
		     struct time_range *ret_range, struct problems *problems);
/* For page tokens (bookmark.h): equal for filters that mean the same in the same order of labels. */
uint64_t filter_bind(uint64_t binding, const struct saga_filter *filter);

#endif
