/*
 * order_request.h - the body of POST /orders, checked, and an order as JSON.
 */
#ifndef PARTICIPANTS_ORDER_ORDER_REQUEST_H
#define PARTICIPANTS_ORDER_ORDER_REQUEST_H

#include "lib/base/problems.h"
#include "participants/order/order_store.h"
#include "schema-registry/codec/value.h"

/* Makes a PENDING order with a new id. -1: all that is wrong is in `problems`. */
NODISCARD int order_request_read(const struct value *body, struct arena *arena, struct order *ret_order,
				 struct problems *problems);

/* The order as it is answered, amounts as decimals. ERR_CORRUPT: its items cannot be read. */
NODISCARD int order_request_print(const struct order *order, struct arena *arena, struct buffer *out,
				  struct error *err);

#endif
