/* payment_store.c - see payment_store.h. */
#include "participants/payment/payment_store.h"

#include "lib/base/memory.h"

const struct pg_migration payment_migrations[] = {
	{"payment_0001_payments",
	 "CREATE TABLE payments ("
	 " order_id text PRIMARY KEY,"
	 " payment_id text NOT NULL UNIQUE,"
	 " saga_id uuid,"
	 " amount_minor bigint NOT NULL,"
	 " currency text NOT NULL,"
	 " status text NOT NULL CHECK (status IN ('PENDING', 'CHARGED', 'FAILED', 'CANCELLED', 'REFUNDED')),"
	 " created_at timestamptz NOT NULL DEFAULT now(),"
	 " updated_at timestamptz NOT NULL DEFAULT now()"
	 ") WITH (fillfactor = 80);"
	 "COMMENT ON COLUMN payments.amount_minor IS 'in minor units of the currency';"},
};
const size_t payment_migration_count = ARRAY_LEN(payment_migrations);

enum { COLUMN_ORDER, COLUMN_PAYMENT, COLUMN_SAGA, COLUMN_AMOUNT, COLUMN_CURRENCY, COLUMN_STATUS, COLUMN_COUNT };

static struct payment *find(struct payment *payments, size_t count, struct bytes order_id, const struct uuid *saga_id)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal_text(order_id, payments[i].order_id) &&
		    (!saga_id || uuid_equal(*saga_id, payments[i].saga_id)))
			return &payments[i];
	return NULL;
}

/* Rows come back in the order they were asked for, so the wanted one is nearly always the next. */
static struct payment *find_from(struct payment *payments, size_t count, size_t *next, struct bytes order_id,
				 const struct uuid *saga_id)
{
	struct payment *found = find(payments + *next, count - *next, order_id, saga_id);

	if (!found)
		found = find(payments, count, order_id, saga_id);
	if (found)
		*next = (size_t)(found - payments) + 1;
	return found;
}

int payment_store_insert(struct pg *pg, struct payment *payments, size_t count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	static const enum pg_array_type types[COLUMN_COUNT] = {PG_ARRAY_TEXT, PG_ARRAY_TEXT, PG_ARRAY_UUID,
							       PG_ARRAY_INT8, PG_ARRAY_TEXT, PG_ARRAY_TEXT};
	struct pg_array columns[COLUMN_COUNT];
	struct pg_param params[COLUMN_COUNT];
	size_t next = 0;
	int rc;

	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_init(&columns[i], types[i]);
	for (size_t i = 0; i < count; i++) {
		payments[i].is_found = false;
		pg_array_add_bytes(&columns[COLUMN_ORDER], bytes_of_text(payments[i].order_id));
		pg_array_add_bytes(&columns[COLUMN_PAYMENT], bytes_of_text(payments[i].payment_id));
		pg_array_add_uuid(&columns[COLUMN_SAGA], &payments[i].saga_id);
		pg_array_add_int(&columns[COLUMN_AMOUNT], payments[i].amount_minor);
		pg_array_add_bytes(&columns[COLUMN_CURRENCY], bytes_of_text(payments[i].currency));
		pg_array_add_bytes(&columns[COLUMN_STATUS], bytes_of_text(payments[i].status));
	}
	for (int i = 0; i < COLUMN_COUNT; i++)
		params[i] = pg_array_param(&columns[i]);
	rc = pg_exec(pg,
		     "INSERT INTO payments (order_id, payment_id, saga_id, amount_minor, currency, status)"
		     " SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[])"
		     " ON CONFLICT (order_id) DO NOTHING RETURNING order_id, saga_id",
		     params, COLUMN_COUNT, &result, err);
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_release(&columns[i]);
	if (rc < 0)
		return error_prefix(err, "insert payments");
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct uuid saga_id = pg_get_uuid(result, i, 1);
		struct payment *payment = find_from(payments, count, &next, pg_get_bytes(result, i, 0), &saga_id);

		if (payment)
			payment->is_found = true;
	}
	return 0;
}

static void read_row(const struct pg_result *result, size_t row, struct arena *arena, struct payment *payment)
{
	payment->payment_id = pg_get_text(result, row, 1, arena); /* column 0 says whose row it is */
	payment->amount_minor = pg_get_int(result, row, 2);
	payment->currency = pg_get_text(result, row, 3, arena);
	payment->status = pg_get_text(result, row, 4, arena);
	payment->is_found = true;
}

int payment_store_lock(struct pg *pg, struct payment *payments, size_t count, struct arena *arena, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array orders;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param param;

	pg_array_init(&orders, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		payments[i].is_found = false;
		pg_array_add_bytes(&orders, bytes_of_text(payments[i].order_id));
	}
	param = pg_array_param(&orders);
	if (pg_exec(pg,
		    "SELECT k.place, p.payment_id, p.amount_minor, p.currency, p.status FROM payments AS p"
		    " JOIN unnest($1::text[]) WITH ORDINALITY AS k(order_id, place) ON p.order_id = k.order_id"
		    " ORDER BY p.order_id FOR UPDATE OF p",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "lock payments");
	for (size_t i = 0; i < pg_rows(result); i++)
		read_row(result, i, arena, &payments[pg_get_int(result, i, 0) - 1]);
	return 0;
}

int payment_store_move(struct pg *pg, const struct payment *payments, size_t count, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array orders;
	_cleanup_(pg_array_release)
	struct pg_array states;
	struct pg_param params[2];

	pg_array_init(&orders, PG_ARRAY_TEXT);
	pg_array_init(&states, PG_ARRAY_TEXT);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_bytes(&orders, bytes_of_text(payments[i].order_id));
		pg_array_add_bytes(&states, bytes_of_text(payments[i].status));
	}
	params[0] = pg_array_param(&orders);
	params[1] = pg_array_param(&states);
	if (pg_exec(pg,
		    "UPDATE payments AS p SET status = m.status, updated_at = now()"
		    " FROM unnest($1::text[], $2::text[]) AS m(order_id, status)"
		    " WHERE p.order_id = m.order_id AND p.status <> m.status",
		    params, 2, NULL, err) < 0)
		return error_prefix(err, "update payments");
	return 0;
}

int payment_store_get(struct pg *pg, const char *order_id, struct arena *arena, struct payment *ret_payment,
		      struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct payment payment = {.order_id = order_id};
	struct pg_param param = pg_text(order_id);

	if (pg_exec(pg, "SELECT order_id, payment_id, amount_minor, currency, status FROM payments WHERE order_id = $1",
		    &param, 1, &result, err) < 0)
		return error_prefix(err, "read payment");
	if (pg_rows(result) > 0)
		read_row(result, 0, arena, &payment);
	*ret_payment = payment;
	return 0;
}
