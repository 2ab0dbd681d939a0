/*
 * inventory_http.h - GET /stock, GET /stock/{product}, PUT /stock/{product} {"available": N}.
 */
#ifndef PARTICIPANTS_INVENTORY_INVENTORY_HTTP_H
#define PARTICIPANTS_INVENTORY_INVENTORY_HTTP_H

#include "participants/sdk/service.h"

extern const char *const inventory_fact_topics[]; /* NULL-terminated */

bool inventory_http_handle(void *ctx, struct pg *pg, const struct http_request *request,
			   struct http_response *response);

#endif
