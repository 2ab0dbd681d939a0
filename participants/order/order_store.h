/*
 * order_store.h - the orders table: one row an order, and the statements that move it.
 *
 * States:    PENDING -> CONFIRMED or CANCELLED. A cancellation wins over everything: it undoes.
 * Ownership: texts that are read live in the arena.
 */
#ifndef PARTICIPANTS_ORDER_ORDER_STORE_H
#define PARTICIPANTS_ORDER_ORDER_STORE_H

#include "lib/base/arena.h"
#include "lib/base/uuid.h"
#include "lib/pg/pg.h"

extern const struct pg_migration order_migrations[];
extern const size_t order_migration_count;

struct order {
	const char *order_id;
	const char *user_id;
	int64_t total_amount_minor;
	const char *currency;
	struct bytes items; /* JSON: [{"product_id", "quantity", "price_minor"}] */
	const char *status;
	struct uuid saga_id;
	bool has_saga; /* false: made by HTTP */
	int64_t created_us;
	int64_t updated_us;
	bool is_found; /* written: the row was new; read: there is such a row */
};

/* Inserts those that are not there yet; `is_found` says which were new. */
NODISCARD int order_store_insert(struct pg *pg, struct order *orders, size_t count, struct error *err);
/* Locks the rows by order id and reads their status. */
NODISCARD int order_store_lock(struct pg *pg, struct order *orders, size_t count, struct arena *arena,
			       struct error *err);
/* Writes each one's `status`. */
NODISCARD int order_store_move(struct pg *pg, const struct order *orders, size_t count, struct error *err);

/* The whole of one order. */
NODISCARD int order_store_get(struct pg *pg, const char *order_id, struct arena *arena, struct order *ret_order,
			      struct error *err);
/* From one status to another, atomically; *ret_is_moved false: it was not `from` any more. */
NODISCARD int order_store_move_from(struct pg *pg, const char *order_id, const char *from, const char *to,
				    bool *ret_is_moved, struct error *err);

#endif
