/*
 * shipment_store.h - the shipments table: one row an order, and the statements that move it.
 *
 * States:    SHIPPED -> CANCELLED. A number of the carrier, once given, stays with the row.
 * Here:      every statement takes a whole batch and keeps its order.
 * Ownership: texts that are read live in the arena.
 */
#ifndef PARTICIPANTS_SHIPPING_SHIPMENT_STORE_H
#define PARTICIPANTS_SHIPPING_SHIPMENT_STORE_H

#include "lib/base/arena.h"
#include "lib/base/uuid.h"
#include "lib/pg/pg.h"

extern const struct pg_migration shipment_migrations[];
extern const size_t shipment_migration_count;

struct shipment {
	const char *order_id;
	struct uuid saga_id;
	const char *tracking_no;
	const char *status;
	int64_t created_us;
	bool is_found; /* written: the row was new; read: there is such a row */
};

/* Inserts those whose order has no shipment yet; `is_found` says which were. */
NODISCARD int shipment_store_insert(struct pg *pg, struct shipment *shipments, size_t count, struct error *err);
/* Cancels what is SHIPPED; `is_found` and the number are set for those alone. */
NODISCARD int shipment_store_cancel(struct pg *pg, struct shipment *shipments, size_t count, struct arena *arena,
				    struct error *err);
/* One shipment; `is_found` says whether there is one. */
NODISCARD int shipment_store_get(struct pg *pg, const char *order_id, struct arena *arena,
				 struct shipment *ret_shipment, struct error *err);

#endif
