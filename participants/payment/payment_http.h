/*
 * payment_http.h - GET /payments/{order}: the payment of an order, for people and tests.
 */
#ifndef PARTICIPANTS_PAYMENT_PAYMENT_HTTP_H
#define PARTICIPANTS_PAYMENT_PAYMENT_HTTP_H

#include "participants/sdk/service.h"

bool payment_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response);

#endif
