/*
 * service_health.h - GET /health and GET /readyz of a service.
 *
 * Why: `degraded` means that something is away and the service answers what it can; it is no reason to restart it. Ready
 *      means that it may be sent requests: its tables are there and its database answers.
 */
#ifndef PARTICIPANTS_SDK_SERVICE_HEALTH_H
#define PARTICIPANTS_SDK_SERVICE_HEALTH_H

#include "lib/http/http_server.h"
#include "lib/pg/pg.h"
#include "participants/sdk/participant.h"

struct service_health {
	const char *service;
	const char *environment;
	int port;
	struct participant *participant;
	struct pg *pg; /* of the calling thread */
};

void service_health_print(const struct service_health *health, struct buffer *out);
void service_ready_print(const struct service_health *health, struct http_response *response);

#endif
