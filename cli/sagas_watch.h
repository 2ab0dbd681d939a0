/*
 * sagas_watch.h - a line for each thing that happens to any of many sagas.
 *
 * Guarantees: over lost connections nothing is left out and nothing repeated, as WatchSagas promises.
 */
#ifndef CLI_SAGAS_WATCH_H
#define CLI_SAGAS_WATCH_H

#include "cli/session.h"
#include "proto/saga/v1/saga_service.pb-c.h"

struct sagas_watch_options {
	Saga__V1__SagaFilter *filter;
	bool outcomes_only;
	bool include_current;
	int64_t timeout_ms; /* 0: until it is interrupted */
};

/* EXIT_DONE when the time is over, EXIT_INTERRUPTED by Ctrl-C. */
enum exit_code sagas_watch(struct session *session, const struct sagas_watch_options *options);

#endif
