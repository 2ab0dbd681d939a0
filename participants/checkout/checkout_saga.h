/*
 * checkout_saga.h - one checkout as a saga of the coordinator: started, and waited for.
 *
 * Guarantees: once started the saga is durable; nothing that happens here afterwards is a failure of the checkout.
 *             The same idempotency key with the same request is the same order and the same saga, since the order id is
 *             then made from the key.
 * Threads:    any; the calls block.
 */
#ifndef PARTICIPANTS_CHECKOUT_CHECKOUT_SAGA_H
#define PARTICIPANTS_CHECKOUT_CHECKOUT_SAGA_H

#include "lib/base/problems.h"
#include "lib/base/uuid.h"
#include "lib/rpc/rpc_client.h"
#include "participants/checkout/checkout_request.h"

enum checkout_status { CHECKOUT_RUNNING, CHECKOUT_COMPLETED, CHECKOUT_FAILED, CHECKOUT_STATUS_COUNT };

struct checkout_saga {
	enum checkout_status status;
	char saga_id[UUID_TEXT_LEN + 1];
	char order_id[UUID_TEXT_LEN + 1];
	char step[128]; /* the last thing that happened, `PAYMENT_FAILED` */
};

/* `idempotency_key` NULL: the order id serves, a new UUIDv7. ERR_INVALID: `problems` has what the coordinator found. */
NODISCARD int checkout_saga_start(struct rpc_client *coordinator, const struct checkout_request *request,
				  const char *idempotency_key, struct checkout_saga *ret_saga,
				  struct problems *problems, struct error *err);

/* Until the saga has ended or needs a person, `wait_ms` passed, or the process is asked to stop. Rides out an absence of
 * the coordinator. */
void checkout_saga_wait(struct rpc_client *coordinator, int64_t wait_ms, struct checkout_saga *saga);

#endif
