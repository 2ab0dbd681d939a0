/* shipment_store.c - see shipment_store.h. */
#include "participants/shipping/shipment_store.h"

#include "lib/base/memory.h"

const struct pg_migration shipment_migrations[] = {
	{"shipping_0001_shipments", "CREATE TABLE shipments ("
				    " order_id text PRIMARY KEY,"
				    " saga_id uuid NOT NULL,"
				    " tracking_no text NOT NULL UNIQUE,"
				    " status text NOT NULL CHECK (status IN ('SHIPPED', 'CANCELLED')),"
				    " created_at timestamptz NOT NULL DEFAULT now()"
				    ");"},
};
const size_t shipment_migration_count = ARRAY_LEN(shipment_migrations);

enum { COLUMN_ORDER, COLUMN_SAGA, COLUMN_TRACKING, COLUMN_STATUS, COLUMN_COUNT };

int shipment_store_insert(struct pg *pg, struct shipment *shipments, size_t count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	static const enum pg_array_type types[COLUMN_COUNT] = {PG_ARRAY_TEXT, PG_ARRAY_UUID, PG_ARRAY_TEXT,
							       PG_ARRAY_TEXT};
	struct pg_array columns[COLUMN_COUNT];
	struct pg_param params[COLUMN_COUNT];
	int rc;

	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_init(&columns[i], types[i]);
	for (size_t i = 0; i < count; i++) {
		shipments[i].is_found = false;
		pg_array_add_bytes(&columns[COLUMN_ORDER], bytes_of_text(shipments[i].order_id));
		pg_array_add_uuid(&columns[COLUMN_SAGA], &shipments[i].saga_id);
		pg_array_add_bytes(&columns[COLUMN_TRACKING], bytes_of_text(shipments[i].tracking_no));
		pg_array_add_bytes(&columns[COLUMN_STATUS], bytes_of_text(shipments[i].status));
	}
	for (int i = 0; i < COLUMN_COUNT; i++)
		params[i] = pg_array_param(&columns[i]);
	/* The numbers are new and distinct, so they say which of the batch's shipments a row belongs to. */
	rc = pg_exec(pg,
		     "WITH new AS (INSERT INTO shipments (order_id, saga_id, tracking_no, status)"
		     " SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[])"
		     " ON CONFLICT (order_id) DO NOTHING RETURNING tracking_no)"
		     " SELECT place FROM unnest($3::text[]) WITH ORDINALITY AS k(tracking_no, place)"
		     " JOIN new USING (tracking_no)",
		     params, COLUMN_COUNT, &result, err);
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_release(&columns[i]);
	if (rc < 0)
		return error_prefix(err, "insert shipments");
	for (size_t i = 0; i < pg_rows(result); i++)
		shipments[pg_get_int(result, i, 0) - 1].is_found = true;
	return 0;
}

int shipment_store_cancel(struct pg *pg, struct shipment *shipments, size_t count, struct arena *arena,
			  struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array orders;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param;

	pg_array_init(&orders, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		shipments[i].is_found = false;
		pg_array_add_bytes(&orders, bytes_of_text(shipments[i].order_id));
	}
	param = pg_array_param(&orders);
	/* Locked in the order of their ids first, so that two instances never wait for each other in a circle. An order
	 * that is named twice is cancelled for the first of them. */
	if (pg_exec(pg,
		    "WITH held AS (SELECT order_id FROM shipments WHERE order_id = ANY($1) AND status = 'SHIPPED'"
		    " ORDER BY order_id FOR UPDATE),"
		    " moved AS (UPDATE shipments AS s SET status = 'CANCELLED' FROM held"
		    " WHERE s.order_id = held.order_id RETURNING s.order_id, s.tracking_no)"
		    " SELECT min(place), tracking_no FROM moved"
		    " JOIN unnest($1::text[]) WITH ORDINALITY AS k(order_id, place) USING (order_id)"
		    " GROUP BY tracking_no",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "cancel shipments");
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct shipment *shipment = &shipments[pg_get_int(result, i, 0) - 1];

		shipment->tracking_no = pg_get_text(result, i, 1, arena);
		shipment->is_found = true;
	}
	return 0;
}

int shipment_store_get(struct pg *pg, const char *order_id, struct arena *arena, struct shipment *ret_shipment,
		       struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct shipment shipment = {.order_id = order_id};
	struct pg_param param = pg_text(order_id);

	if (pg_exec(pg, "SELECT saga_id, tracking_no, status, created_at FROM shipments WHERE order_id = $1", &param, 1,
		    &result, err) < 0)
		return error_prefix(err, "read shipment");
	if (pg_rows(result) > 0) {
		shipment.saga_id = pg_get_uuid(result, 0, 0);
		shipment.tracking_no = pg_get_text(result, 0, 1, arena);
		shipment.status = pg_get_text(result, 0, 2, arena);
		shipment.created_us = pg_get_int(result, 0, 3);
		shipment.is_found = true;
	}
	*ret_shipment = shipment;
	return 0;
}
