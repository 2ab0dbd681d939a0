/* order_store.c - see order_store.h. */
#include "participants/order/order_store.h"

#include "lib/base/memory.h"

const struct pg_migration order_migrations[] = {
	{"order_0001_orders",
	 "CREATE TABLE orders ("
	 " order_id text PRIMARY KEY,"
	 " user_id text NOT NULL,"
	 " total_amount bigint NOT NULL,"
	 " currency text NOT NULL,"
	 " items jsonb NOT NULL,"
	 " status text NOT NULL CHECK (status IN ('PENDING', 'CONFIRMED', 'CANCELLED')),"
	 " created_at timestamptz NOT NULL DEFAULT now(),"
	 " updated_at timestamptz NOT NULL DEFAULT now(),"
	 " saga_id uuid"
	 ") WITH (fillfactor = 60);"
	 "COMMENT ON COLUMN orders.total_amount IS 'in minor units of the currency';"
	 "COMMENT ON COLUMN orders.saga_id IS 'the saga that made it; null: made by POST /orders';"},
};
const size_t order_migration_count = ARRAY_LEN(order_migrations);

enum {
	COLUMN_ORDER,
	COLUMN_USER,
	COLUMN_TOTAL,
	COLUMN_CURRENCY,
	COLUMN_ITEMS,
	COLUMN_STATUS,
	COLUMN_SAGA,
	COLUMN_COUNT
};

static const enum pg_array_type column_types[COLUMN_COUNT] = {
	PG_ARRAY_TEXT, PG_ARRAY_TEXT, PG_ARRAY_INT8, PG_ARRAY_TEXT, PG_ARRAY_TEXT, PG_ARRAY_TEXT, PG_ARRAY_UUID};

static void add_order(struct pg_array columns[COLUMN_COUNT], const struct order *order)
{
	pg_array_add_bytes(&columns[COLUMN_ORDER], bytes_of_text(order->order_id));
	pg_array_add_bytes(&columns[COLUMN_USER], bytes_of_text(order->user_id));
	pg_array_add_int(&columns[COLUMN_TOTAL], order->total_amount_minor);
	pg_array_add_bytes(&columns[COLUMN_CURRENCY], bytes_of_text(order->currency));
	pg_array_add_bytes(&columns[COLUMN_ITEMS], order->items);
	pg_array_add_bytes(&columns[COLUMN_STATUS], bytes_of_text(order->status));
	if (order->has_saga)
		pg_array_add_uuid(&columns[COLUMN_SAGA], &order->saga_id);
	else
		pg_array_add_null(&columns[COLUMN_SAGA]);
}

/* Rows come back in the order they were given, with gaps where there was a row already. */
static void mark_inserted(const struct pg_result *result, struct order *orders, size_t count)
{
	size_t at = 0;

	for (size_t row = 0; row < pg_rows(result); row++) {
		while (at < count && !bytes_equal_text(pg_get_bytes(result, row, 0), orders[at].order_id))
			at++;
		if (at < count)
			orders[at++].is_found = true;
	}
}

int order_store_insert(struct pg *pg, struct order *orders, size_t count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_array columns[COLUMN_COUNT];
	struct pg_param params[COLUMN_COUNT];
	int rc;

	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_init(&columns[i], column_types[i]);
	for (size_t i = 0; i < count; i++) {
		orders[i].is_found = false;
		add_order(columns, &orders[i]);
	}
	for (int i = 0; i < COLUMN_COUNT; i++)
		params[i] = pg_array_param(&columns[i]);
	rc = pg_exec(
		pg,
		"INSERT INTO orders (order_id, user_id, total_amount, currency, items, status, saga_id)"
		" SELECT order_id, user_id, total_amount, currency, items::jsonb, status, saga_id"
		" FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::uuid[])"
		" AS o(order_id, user_id, total_amount, currency, items, status, saga_id)"
		" ON CONFLICT (order_id) DO NOTHING RETURNING order_id",
		params, COLUMN_COUNT, &result, err);
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_release(&columns[i]);
	if (rc < 0)
		return error_prefix(err, "insert orders");
	mark_inserted(result, orders, count);
	return 0;
}

int order_store_lock(struct pg *pg, struct order *orders, size_t count, struct arena *arena, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array ids;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param;

	pg_array_init(&ids, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		orders[i].is_found = false;
		pg_array_add_bytes(&ids, bytes_of_text(orders[i].order_id));
	}
	param = pg_array_param(&ids);
	if (pg_exec(pg,
		    "SELECT k.place, o.status FROM orders AS o"
		    " JOIN unnest($1::text[]) WITH ORDINALITY AS k(order_id, place) ON o.order_id = k.order_id"
		    " ORDER BY o.order_id FOR UPDATE OF o",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "lock orders");
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct order *order = &orders[pg_get_int(result, i, 0) - 1];

		order->status = pg_get_text(result, i, 1, arena);
		order->is_found = true;
	}
	return 0;
}

int order_store_move(struct pg *pg, const struct order *orders, size_t count, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array ids;
	_cleanup_(pg_array_release)
	struct pg_array states;
	struct pg_param params[2];

	pg_array_init(&ids, PG_ARRAY_TEXT);
	pg_array_init(&states, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_bytes(&ids, bytes_of_text(orders[i].order_id));
		pg_array_add_bytes(&states, bytes_of_text(orders[i].status));
	}
	params[0] = pg_array_param(&ids);
	params[1] = pg_array_param(&states);
	if (count > 0 && pg_exec(pg,
				 "UPDATE orders AS o SET status = m.status, updated_at = now()"
				 " FROM unnest($1::text[], $2::text[]) AS m(order_id, status)"
				 " WHERE o.order_id = m.order_id AND o.status <> m.status",
				 params, 2, NULL, err) < 0)
		return error_prefix(err, "update orders");
	return 0;
}

int order_store_get(struct pg *pg, const char *order_id, struct arena *arena, struct order *ret_order,
		    struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct order order = {.order_id = order_id};
	struct pg_param param = pg_text(order_id);

	if (pg_exec(pg,
		    "SELECT user_id, total_amount, currency, items::text, status, saga_id, created_at, updated_at"
		    " FROM orders WHERE order_id = $1",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "read order");
	if (pg_rows(result) > 0) {
		order.user_id = pg_get_text(result, 0, 0, arena);
		order.total_amount_minor = pg_get_int(result, 0, 1);
		order.currency = pg_get_text(result, 0, 2, arena);
		order.items = arena_bytes(arena, pg_get_bytes(result, 0, 3));
		order.status = pg_get_text(result, 0, 4, arena);
		order.has_saga = !pg_is_null(result, 0, 5);
		if (order.has_saga)
			order.saga_id = pg_get_uuid(result, 0, 5);
		order.created_us = pg_get_int(result, 0, 6);
		order.updated_us = pg_get_int(result, 0, 7);
		order.is_found = true;
	}
	*ret_order = order;
	return 0;
}

int order_store_move_from(struct pg *pg, const char *order_id, const char *from, const char *to, bool *ret_is_moved,
			  struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[3] = {pg_text(order_id), pg_text(from), pg_text(to)};

	if (pg_exec(pg, "UPDATE orders SET status = $3, updated_at = now() WHERE order_id = $1 AND status = $2", params,
		    3, &result, err) < 0)
		return error_prefix(err, "update order");
	*ret_is_moved = pg_affected(result) > 0;
	return 0;
}
