/*
 * admin.h - HTTP for people, probes and Prometheus: /health, /livez, /readyz, /metrics.
 *
 * Meaning:    live: the process answers and its engine turns. ready: the store is up and every definition can be started. health: what is
 *             away and why; `degraded` still takes what it can, and is no reason to restart.
 * Threads:    the HTTP server's; the registry is asked at most every two seconds, by one request at a time.
 * Ownership:  borrows everything in the options until admin_free().
 */
#ifndef COORDINATOR_ADMIN_ADMIN_H
#define COORDINATOR_ADMIN_ADMIN_H

#include "coordinator/definition/catalog.h"
#include "coordinator/engine/engine.h"
#include "coordinator/notice/notices.h"
#include "lib/metrics/metrics.h"
#include "schema-registry/client/registry_client.h"

struct admin;
struct certificates;

struct admin_options {
	const char *address;
	uint16_t port;                     /* 0: any free one */
	struct certificates *certificates; /* NULL: plain */
	bool is_insecure_allowed;          /* plain beyond loopback, too */
	const char *environment;
	int (*brokers)(void *ctx);    /* Kafka's that answered last */
	int (*controller)(void *ctx); /* Kafka's; -1: unknown */
	void *kafka_ctx;
	struct engine *engine;
	struct catalog *catalog;
	struct notices *notices;
	struct registry_client *registry; /* for pings alone: its time-out bounds how long /health may take */
	const struct metrics *metrics;
};

NODISCARD int admin_start(const struct admin_options *options, struct admin **ret_admin, struct error *err);
NODISCARD int admin_reload(struct admin *admin, struct error *err); /* after certificates_reload() */
uint16_t admin_port(const struct admin *admin);
void admin_free(struct admin *admin);
DEFINE_CLEANUP(struct admin *, admin_free)

#endif
