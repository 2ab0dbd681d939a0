/*
 * shipping_http.h - GET /shipments/{order}: the shipment of an order, for people and tests.
 */
#ifndef PARTICIPANTS_SHIPPING_SHIPPING_HTTP_H
#define PARTICIPANTS_SHIPPING_SHIPPING_HTTP_H

#include "participants/sdk/service.h"

bool shipping_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response);

#endif
