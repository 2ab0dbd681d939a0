/*
 * checkout_health.h - GET /health and /readyz of checkout, whose only dependency is the coordinator.
 */
#ifndef PARTICIPANTS_CHECKOUT_CHECKOUT_HEALTH_H
#define PARTICIPANTS_CHECKOUT_CHECKOUT_HEALTH_H

#include "lib/http/http_server.h"
#include "participants/checkout/checkout_front.h"

void checkout_health_show(const struct checkout_front_options *options,
			  struct http_response *response); /* always 200 */
void checkout_health_ready(const struct checkout_front_options *options,
			   struct http_response *response); /* 200 or 503 */

#endif
