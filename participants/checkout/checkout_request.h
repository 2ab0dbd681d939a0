/*
 * checkout_request.h - what a customer sends to POST /checkout, checked as a whole.
 *
 * Guarantees: every wrong field is named, not just the first; amounts are exact.
 * Ownership:  texts live in the arena that was given.
 */
#ifndef PARTICIPANTS_CHECKOUT_CHECKOUT_REQUEST_H
#define PARTICIPANTS_CHECKOUT_CHECKOUT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/problems.h"

enum { CHECKOUT_ITEMS_MAX = 100, CHECKOUT_TEXT_BYTES_MAX = 255, CHECKOUT_QUANTITY_MAX = 1000000 };

struct checkout_item {
	const char *product_id;
	int32_t quantity;
	int64_t price_minor; /* of one; 0 where it was not given */
};

struct checkout_request {
	const char *user_id;
	int64_t total_amount_minor;
	const char *currency;
	struct checkout_item *items;
	size_t item_count;
	const char *customer_email;     /* "" without one */
	const bool *force_payment_fail; /* NULL: not said */
	const bool *force_inventory_fail;
	const char *traceparent; /* of the HTTP request, not its body; NULL: none, as the next */
	const char *tracestate;
};

/* -1: `problems` holds all that is wrong, with places as the customer wrote them: `items[2].quantity`. */
NODISCARD int checkout_request_parse(struct arena *arena, struct bytes body, struct checkout_request *ret_request,
				     struct problems *problems);

#endif
