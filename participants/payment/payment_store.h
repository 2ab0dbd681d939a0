/*
 * payment_store.h - the payments table: one row an order, and the statements that move it.
 *
 * States: PENDING -> CHARGED, FAILED, CANCELLED; CHARGED -> REFUNDED. Money was taken where the row is CHARGED or REFUNDED,
 *         and given back where it is REFUNDED, so what stands in the books is the sum of the CHARGED rows.
 * Here:   every statement takes a whole batch and keeps its order.
 * Ownership: texts that are read live in the arena.
 */
#ifndef PARTICIPANTS_PAYMENT_PAYMENT_STORE_H
#define PARTICIPANTS_PAYMENT_PAYMENT_STORE_H

#include "lib/base/arena.h"
#include "lib/base/uuid.h"
#include "lib/pg/pg.h"

extern const struct pg_migration payment_migrations[];
extern const size_t payment_migration_count;

struct payment {
	const char *order_id;
	const char *payment_id;
	struct uuid saga_id;
	int64_t amount_minor;
	const char *currency;
	const char *status;
	bool is_found; /* written: the row was new; read or moved: there is such a row */
};

/* Inserts those whose order has no payment yet; `is_found` says which were. */
NODISCARD int payment_store_insert(struct pg *pg, struct payment *payments, size_t count, struct error *err);

/* Locks and reads the rows by order id, in that order. */
NODISCARD int payment_store_lock(struct pg *pg, struct payment *payments, size_t count, struct arena *arena,
				 struct error *err);

/* Writes each payment's `status` to its row. */
NODISCARD int payment_store_move(struct pg *pg, const struct payment *payments, size_t count, struct error *err);

/* One payment; `is_found` says whether there is one. */
NODISCARD int payment_store_get(struct pg *pg, const char *order_id, struct arena *arena, struct payment *ret_payment,
				struct error *err);

#endif
