/* stock_store.c - see stock_store.h. */
#include "participants/inventory/stock_store.h"

#include <stdlib.h>

#include "lib/base/memory.h"
#include "schema-registry/codec/value.h"

const struct pg_migration stock_migrations[] = {
	{"inventory_0001_stock",
	 "CREATE TABLE stock ("
	 " product_id text PRIMARY KEY,"
	 " available bigint NOT NULL CHECK (available >= 0),"
	 " reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0)"
	 ") WITH (fillfactor = 10);"
	 "INSERT INTO stock (product_id, available) VALUES ('prod-1', 100), ('prod-2', 50), ('prod-3', 25);"
	 "CREATE TABLE reservations ("
	 " order_id text PRIMARY KEY,"
	 " saga_id uuid,"
	 " items jsonb NOT NULL,"
	 " status text NOT NULL CHECK (status IN ('RESERVED', 'RELEASED', 'DEDUCTED', 'FAILED')),"
	 " created_at timestamptz NOT NULL DEFAULT now(),"
	 " updated_at timestamptz NOT NULL DEFAULT now()"
	 ") WITH (fillfactor = 60);"},
};
const size_t stock_migration_count = ARRAY_LEN(stock_migrations);

/* ---- reservations ---- */

static void print_items(const struct reservation *reservation, struct buffer *out)
{
	buffer_append_text(out, "[");
	for (size_t i = 0; i < reservation->item_count; i++) {
		const struct stock_item *item = &reservation->items[i];

		buffer_append_text(out, i > 0 ? ",{\"product_id\":" : "{\"product_id\":");
		buffer_append_json_string(out, item->product_id, strlen(item->product_id));
		buffer_append_format(out, ",\"quantity\":%lld}", (long long)item->quantity);
	}
	buffer_append_text(out, "]");
}

static int read_items(struct bytes json, struct arena *arena, struct reservation *reservation, struct error *err)
{
	struct value list;

	if (value_parse_json(json, arena, &list, err) < 0)
		return -1;
	reservation->item_count = list.kind == VALUE_LIST ? list.list.count : 0;
	reservation->items = arena_zalloc(arena, (reservation->item_count + 1) * sizeof(*reservation->items));
	for (size_t i = 0; i < reservation->item_count; i++) {
		struct bytes product = {0};

		if (!value_get_text(&list.list.items[i], "product_id", &product) ||
		    !value_get_int(&list.list.items[i], "quantity", &reservation->items[i].quantity))
			return error_set(err, ERR_CORRUPT, "the items of reservation '%s' cannot be read",
					 reservation->order_id);
		reservation->items[i].product_id = arena_strndup(arena, (const char *)product.data, product.len);
	}
	return 0;
}

static struct reservation *find(struct reservation *reservations, size_t count, struct bytes order_id,
				struct uuid saga_id)
{
	for (size_t i = 0; i < count; i++)
		if (uuid_equal(saga_id, reservations[i].saga_id) &&
		    bytes_equal_text(order_id, reservations[i].order_id))
			return &reservations[i];
	return NULL;
}

static void mark_inserted(const struct pg_result *result, struct reservation *reservations, size_t count)
{
	size_t next = 0; /* rows come back in the order they were given, with gaps */

	for (size_t i = 0; i < pg_rows(result); i++) {
		struct reservation *found =
			find(reservations + next, count - next, pg_get_bytes(result, i, 0), pg_get_uuid(result, i, 1));

		if (!found)
			found = find(reservations, count, pg_get_bytes(result, i, 0), pg_get_uuid(result, i, 1));
		if (found) {
			found->is_found = true;
			next = (size_t)(found - reservations) + 1;
		}
	}
}

enum { COLUMN_ORDER, COLUMN_SAGA, COLUMN_ITEMS, COLUMN_STATUS, COLUMN_COUNT };

int stock_store_insert(struct pg *pg, struct reservation *reservations, size_t count, struct error *err)
{
	static const enum pg_array_type types[COLUMN_COUNT] = {PG_ARRAY_TEXT, PG_ARRAY_UUID, PG_ARRAY_TEXT,
							       PG_ARRAY_TEXT};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	_cleanup_(buffer_release)
	struct buffer items = {0};
	struct pg_array columns[COLUMN_COUNT];
	struct pg_param params[COLUMN_COUNT];
	int rc;

	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_init(&columns[i], types[i]);
	for (size_t i = 0; i < count; i++) {
		reservations[i].is_found = false;
		buffer_clear(&items);
		print_items(&reservations[i], &items);
		pg_array_add_bytes(&columns[COLUMN_ORDER], bytes_of_text(reservations[i].order_id));
		pg_array_add_uuid(&columns[COLUMN_SAGA], &reservations[i].saga_id);
		pg_array_add_bytes(&columns[COLUMN_ITEMS], buffer_bytes(&items));
		pg_array_add_bytes(&columns[COLUMN_STATUS], bytes_of_text(reservations[i].status));
	}
	for (int i = 0; i < COLUMN_COUNT; i++)
		params[i] = pg_array_param(&columns[i]);
	rc = pg_exec(
		pg,
		"INSERT INTO reservations (order_id, saga_id, items, status)"
		" SELECT order_id, saga_id, items::jsonb, status"
		" FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) AS r(order_id, saga_id, items, status)"
		" ON CONFLICT (order_id) DO NOTHING RETURNING order_id, saga_id",
		params, COLUMN_COUNT, &result, err);
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_release(&columns[i]);
	if (rc < 0)
		return error_prefix(err, "insert reservations");
	mark_inserted(result, reservations, count);
	return 0;
}

int stock_store_lock_reservations(struct pg *pg, struct reservation *reservations, size_t count, struct arena *arena,
				  struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array orders;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param;

	pg_array_init(&orders, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		reservations[i].is_found = false;
		pg_array_add_bytes(&orders, bytes_of_text(reservations[i].order_id));
	}
	param = pg_array_param(&orders);
	if (pg_exec(pg,
		    "SELECT k.place, r.items::text, r.status FROM reservations AS r"
		    " JOIN unnest($1::text[]) WITH ORDINALITY AS k(order_id, place) ON r.order_id = k.order_id"
		    " ORDER BY r.order_id FOR UPDATE OF r",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "lock reservations");
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct reservation *reservation = &reservations[pg_get_int(result, i, 0) - 1];

		reservation->status = pg_get_text(result, i, 2, arena);
		reservation->is_found = true;
		/* The tree borrows from the text, so it is copied out of the result first. */
		if (read_items(arena_bytes(arena, pg_get_bytes(result, i, 1)), arena, reservation, err) < 0)
			return -1;
	}
	return 0;
}

int stock_store_move(struct pg *pg, const struct reservation *reservations, size_t count, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array orders;
	_cleanup_(pg_array_release)
	struct pg_array states;
	struct pg_param params[2];

	pg_array_init(&orders, PG_ARRAY_TEXT);
	pg_array_init(&states, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_bytes(&orders, bytes_of_text(reservations[i].order_id));
		pg_array_add_bytes(&states, bytes_of_text(reservations[i].status));
	}
	params[0] = pg_array_param(&orders);
	params[1] = pg_array_param(&states);
	if (count > 0 && pg_exec(pg,
				 "UPDATE reservations AS r SET status = m.status, updated_at = now()"
				 " FROM unnest($1::text[], $2::text[]) AS m(order_id, status)"
				 " WHERE r.order_id = m.order_id AND r.status <> m.status",
				 params, 2, NULL, err) < 0)
		return error_prefix(err, "update reservations");
	return 0;
}

/* ---- products ---- */

static int compare_stock(const void *left, const void *right)
{
	return strcmp(((const struct stock *)left)->product_id, ((const struct stock *)right)->product_id);
}

static struct stock_set list_products(const struct reservation *reservations, size_t count, struct arena *arena)
{
	struct stock_set set = {0};
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += reservations[i].item_count;
	set.products = arena_zalloc(arena, (total + 1) * sizeof(*set.products));
	total = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < reservations[i].item_count; j++)
			set.products[total++].product_id = reservations[i].items[j].product_id;
	qsort(set.products, total, sizeof(*set.products), compare_stock);
	for (size_t i = 0; i < total; i++)
		if (set.count == 0 || compare_stock(&set.products[set.count - 1], &set.products[i]) != 0)
			set.products[set.count++] = set.products[i];
	return set;
}

struct stock *stock_set_find(const struct stock_set *set, const char *product_id)
{
	struct stock key = {.product_id = product_id};

	return set->count > 0 ? bsearch(&key, set->products, set->count, sizeof(key), compare_stock) : NULL;
}

int stock_store_lock_products(struct pg *pg, const struct reservation *reservations, size_t count, struct arena *arena,
			      struct stock_set *ret_set, struct error *err)
{
	struct stock_set set = list_products(reservations, count, arena);
	_cleanup_(pg_array_release)
	struct pg_array names;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param;

	pg_array_init(&names, PG_ARRAY_TEXT);
	for (size_t i = 0; i < set.count; i++)
		pg_array_add_bytes(&names, bytes_of_text(set.products[i].product_id));
	param = pg_array_param(&names);
	if (set.count > 0 &&
	    pg_exec(pg,
		    "SELECT k.place, s.available, s.reserved FROM stock AS s"
		    " JOIN unnest($1::text[]) WITH ORDINALITY AS k(product_id, place) ON s.product_id = k.product_id"
		    " ORDER BY s.product_id FOR UPDATE OF s",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "lock stock");
	for (size_t i = 0; result && i < pg_rows(result); i++) {
		struct stock *stock = &set.products[pg_get_int(result, i, 0) - 1];

		stock->available = pg_get_int(result, i, 1);
		stock->reserved = pg_get_int(result, i, 2);
		stock->is_found = true;
	}
	*ret_set = set;
	return 0;
}

int stock_store_write_products(struct pg *pg, const struct stock_set *set, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array names;
	_cleanup_(pg_array_release)
	struct pg_array available;
	_cleanup_(pg_array_release)
	struct pg_array reserved;
	struct pg_param params[3];
	size_t count = 0;

	pg_array_init(&names, PG_ARRAY_TEXT);
	pg_array_init(&available, PG_ARRAY_INT8);
	pg_array_init(&reserved, PG_ARRAY_INT8);
	for (size_t i = 0; i < set->count; i++) {
		if (!set->products[i].is_changed)
			continue;
		pg_array_add_bytes(&names, bytes_of_text(set->products[i].product_id));
		pg_array_add_int(&available, set->products[i].available);
		pg_array_add_int(&reserved, set->products[i].reserved);
		count++;
	}
	if (count == 0)
		return 0;
	params[0] = pg_array_param(&names);
	params[1] = pg_array_param(&available);
	params[2] = pg_array_param(&reserved);
	if (pg_exec(pg,
		    "UPDATE stock AS s SET available = n.available, reserved = n.reserved"
		    " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n(product_id, available, reserved)"
		    " WHERE s.product_id = n.product_id",
		    params, 3, NULL, err) < 0)
		return error_prefix(err, "update stock");
	return 0;
}

/* ---- for HTTP ---- */

int stock_store_put(struct pg *pg, const char *product_id, int64_t available, struct stock *ret_stock,
		    struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[2] = {pg_text(product_id), pg_int8(available)};

	if (pg_exec(pg,
		    "INSERT INTO stock (product_id, available) VALUES ($1, $2)"
		    " ON CONFLICT (product_id) DO UPDATE SET available = excluded.available"
		    " RETURNING available, reserved",
		    params, 2, &result, err) < 0)
		return error_prefix(err, "put stock");
	*ret_stock = (struct stock){
		.product_id = product_id,
		.available = pg_get_int(result, 0, 0),
		.reserved = pg_get_int(result, 0, 1),
		.is_found = true,
	};
	return 0;
}

int stock_store_list(struct pg *pg, const char *product_id, struct arena *arena, struct stock_set *ret_set,
		     struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param = pg_text(product_id);
	struct stock_set set = {0};

	if (pg_exec(pg,
		    "SELECT product_id, available, reserved FROM stock WHERE $1 IS NULL OR product_id = $1"
		    " ORDER BY product_id",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "read stock");
	set.count = pg_rows(result);
	set.products = arena_zalloc(arena, (set.count + 1) * sizeof(*set.products));
	for (size_t i = 0; i < set.count; i++)
		set.products[i] = (struct stock){
			.product_id = pg_get_text(result, i, 0, arena),
			.available = pg_get_int(result, i, 1),
			.reserved = pg_get_int(result, i, 2),
			.is_found = true,
		};
	*ret_set = set;
	return 0;
}
