/*
 * checkout_front.h - the HTTP face of checkout: POST /checkout, health and metrics.
 *
 * Why:        a shop's browser speaks JSON and decimal amounts; the coordinator speaks gRPC and minor units.
 * Limits:     a waiting checkout holds a thread of the server. When all but four of them wait, a further checkout is
 *             started all the same and answered 202 at once, so that health and metrics always find a thread.
 * Threads:    checkout_front_handle() on any number of the HTTP server's threads.
 * Ownership:  borrows the coordinator's client and the metrics.
 */
#ifndef PARTICIPANTS_CHECKOUT_CHECKOUT_FRONT_H
#define PARTICIPANTS_CHECKOUT_CHECKOUT_FRONT_H

#include "lib/http/http_server.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/rpc_client.h"

struct checkout_front;
struct span_exporter;

struct checkout_front_options {
	struct rpc_client *coordinator;
	struct metrics *metrics;
	struct span_exporter *spans; /* NULL: no traces */
	int64_t wait_ms;
	int threads;             /* of the HTTP server */
	uint16_t port;           /* for health */
	const char *environment; /* for health: "development" */
};

struct checkout_front *checkout_front_new(const struct checkout_front_options *options);
void checkout_front_free(struct checkout_front *front);
DEFINE_CLEANUP(struct checkout_front *, checkout_front_free)

void checkout_front_handle(void *front, const struct http_request *request, struct http_response *response);

#endif
