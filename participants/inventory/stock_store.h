/*
 * stock_store.h - the tables stock and reservations, and the statements that move goods between them.
 *
 * Rules:  stock rows are always locked in the order of their products, before anything is decided about them; so no two
 *         transactions wait for each other in a circle, and what is decided holds at the commit.
 * States: a reservation is RESERVED -> RELEASED or DEDUCTED, or FAILED from the start.
 * Ownership: texts that are read live in the arena.
 */
#ifndef PARTICIPANTS_INVENTORY_STOCK_STORE_H
#define PARTICIPANTS_INVENTORY_STOCK_STORE_H

#include "lib/base/arena.h"
#include "lib/base/uuid.h"
#include "lib/pg/pg.h"

extern const struct pg_migration stock_migrations[];
extern const size_t stock_migration_count;

struct stock_item {
	const char *product_id;
	int64_t quantity;
};

struct reservation {
	const char *order_id;
	struct uuid saga_id;
	struct stock_item *items;
	size_t item_count;
	const char *status;
	bool is_found; /* written: the row was new; read: there is such a row */
};

/* One product; `available` and `reserved` as they stand, and as they shall stand. */
struct stock {
	const char *product_id;
	int64_t available;
	int64_t reserved;
	bool is_found;
	bool is_changed;
};

/* All products of these reservations, sorted and distinct, locked and read. */
struct stock_set {
	struct stock *products;
	size_t count;
};

/* Inserts those whose order has no reservation yet; `is_found` says which were. */
NODISCARD int stock_store_insert(struct pg *pg, struct reservation *reservations, size_t count, struct error *err);
/* Locks and reads reservations by order id. */
NODISCARD int stock_store_lock_reservations(struct pg *pg, struct reservation *reservations, size_t count,
					    struct arena *arena, struct error *err);
/* Writes each one's `status`. */
NODISCARD int stock_store_move(struct pg *pg, const struct reservation *reservations, size_t count, struct error *err);

NODISCARD int stock_store_lock_products(struct pg *pg, const struct reservation *reservations, size_t count,
					struct arena *arena, struct stock_set *ret_set, struct error *err);
struct stock *stock_set_find(const struct stock_set *set, const char *product_id); /* NULL: not in the set */
/* Writes what is changed. */
NODISCARD int stock_store_write_products(struct pg *pg, const struct stock_set *set, struct error *err);

/* ---- for HTTP ---- */

/* Makes the product or sets what is available of it; what is reserved stays. */
NODISCARD int stock_store_put(struct pg *pg, const char *product_id, int64_t available, struct stock *ret_stock,
			      struct error *err);
/* One product, or all of them where product_id is NULL, by name. */
NODISCARD int stock_store_list(struct pg *pg, const char *product_id, struct arena *arena, struct stock_set *ret_set,
			       struct error *err);

#endif
