/*
 * order_http.h - orders over HTTP: POST /orders (alias /create-order), GET /orders/{id}, PATCH /orders/{id}/status.
 *
 * Rules:  amounts are decimals outside and minor units inside, converted exactly. An order that a saga made is that saga's
 *         until it is CONFIRMED or CANCELLED: its status cannot be changed here meanwhile.
 */
#ifndef PARTICIPANTS_ORDER_ORDER_HTTP_H
#define PARTICIPANTS_ORDER_ORDER_HTTP_H

#include "participants/sdk/service.h"

bool order_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response);

#endif
