/*
 * service.h - what every service's main() does alike: options, log, signals, metrics, health, HTTP, the participant.
 *
 * Why:        the services differ in their tables, handlers and routes; all else is the same and stands here once.
 * Guarantees: a service that is cut off from Kafka, database or registry goes on, answers what it can and says
 *             `degraded`. SIGTERM ends it after the batch and the requests in hand.
 * Threads:    handlers of commands run on the participant's thread, `handle` on several threads of the HTTP server, each
 *             with a connection of its own.
 */
#ifndef PARTICIPANTS_SDK_SERVICE_H
#define PARTICIPANTS_SDK_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http/http_server.h"
#include "lib/options/options.h"
#include "lib/pg/pg.h"
#include "participants/sdk/participant.h"

/* False: there is no such resource. */
typedef bool service_handle_fn(void *ctx, struct pg *pg, const struct http_request *request,
			       struct http_response *response);

struct service {
	const char *name; /* "payment-service": Kafka group, ce_source, database application */
	const char *summary;
	const char *default_port;
	const struct option *options; /* of its own, beside those of all services */
	size_t option_count;
	const struct pg_migration *migrations;
	size_t migration_count;
	const struct command_handler *handlers;
	size_t handler_count;
	const char *const *fact_topics; /* NULL-terminated: of facts born by HTTP (outbox.h); NULL: none */
	service_handle_fn *handle;      /* NULL: no resources of its own */
	void *ctx;                      /* for handlers and `handle` */
};

/* The exit status of the process. */
int service_main(const struct service *service, int argc, char **argv);

/* The path has `count` parts, the first of which is `first`. */
bool service_path_is(const struct http_request *request, const char *first, size_t count);
/* The body as a JSON object, or NULL with the response filled in. */
const struct value *service_json_body(const struct http_request *request, struct arena *arena,
				      struct http_response *response);

#endif
