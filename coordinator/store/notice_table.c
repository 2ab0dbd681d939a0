/*
 * notice_table.c - what people are still to be told: notice/notice_port.h says what it promises. Rows are made by commit.c.
 */
#include "coordinator/store/store_state.h"

enum { TRIES_SHIFT_MAX = 9 }; /* 1 s, doubled so often: at most about eight minutes between two tries of one notice */

static const char CLAIM_SQL[] =
	"WITH due AS ("
	" SELECT saga_id, sequence FROM saga_notice WHERE target = $1 AND due_at <= now()"
	" ORDER BY due_at, saga_id LIMIT $2 FOR UPDATE SKIP LOCKED"
	"), taken AS ("
	" UPDATE saga_notice n SET due_at = now() + $3 * interval '1 ms' FROM due"
	" WHERE n.saga_id = due.saga_id AND n.sequence = due.sequence AND n.target = $1"
	" RETURNING n.saga_id, n.sequence, n.at, n.step, n.phase, n.reason, n.detail, n.tries,"
	"  (extract(epoch FROM now() - n.at) * 1000)::bigint AS age_ms"
	") SELECT t.*, d.id, d.name, d.version, s.key FROM taken t JOIN saga s ON s.saga_id = t.saga_id"
	"  JOIN definition d ON d.id = s.definition_id ORDER BY t.at, t.saga_id, t.sequence";

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static void read_notice(const struct pg_result *result, size_t row, struct arena *arena, struct notice *ret_notice)
{
	*ret_notice = (struct notice){
		.saga_id = pg_get_uuid(result, row, 0),
		.sequence = pg_get_int(result, row, 1),
		.time_us = pg_get_int(result, row, 2),
		.step_id = pg_get_text(result, row, 3, arena),
		.phase = (enum step_phase)pg_get_int(result, row, 4),
		.reason = text_or_empty(pg_get_text(result, row, 5, arena)),
		.detail = text_or_empty(pg_get_text(result, row, 6, arena)),
		.tries = (int32_t)pg_get_int(result, row, 7),
		.age_ms = pg_get_int(result, row, 8),
		.definition_id = (int32_t)pg_get_int(result, row, 9),
		.definition = pg_get_text(result, row, 10, arena),
		.definition_version = (int32_t)pg_get_int(result, row, 11),
		.key = pg_get_text(result, row, 12, arena),
	};
}

int notice_table_claim(void *ctx, const char *target, size_t limit, int64_t lease_ms, struct arena *arena,
		       struct notice **ret_notices, size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_text(target), pg_int8((int64_t)limit), pg_int8(lease_ms)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct notice *notices;

	if (pg_exec(store->pg, CLAIM_SQL, params, ARRAY_LEN(params), &result, err) < 0)
		return error_prefix(err, "take the notices of '%s'", target);
	notices = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*notices));
	for (size_t i = 0; i < pg_rows(result); i++)
		read_notice(result, i, arena, &notices[i]);
	*ret_notices = notices;
	*ret_count = pg_rows(result);
	return 0;
}

/* ---- settling ---- */

/* The columns of the notices with one of two outcomes, for unnest(). */
struct settled {
	struct pg_array ids;
	struct pg_array sequences;
	struct pg_array waits_ms;
};

static void settled_init(struct settled *settled)
{
	pg_array_init(&settled->ids, PG_ARRAY_UUID);
	pg_array_init(&settled->sequences, PG_ARRAY_INT8);
	pg_array_init(&settled->waits_ms, PG_ARRAY_INT8);
}

static void settled_release(struct settled *settled)
{
	pg_array_release(&settled->ids);
	pg_array_release(&settled->sequences);
	pg_array_release(&settled->waits_ms);
}

static int64_t wait_ms(const struct notice *notice)
{
	return INT64_C(1000) << (notice->tries < TRIES_SHIFT_MAX ? notice->tries : TRIES_SHIFT_MAX);
}

static void settled_add(struct settled *settled, const struct notice *notice, enum notice_outcome outcome)
{
	pg_array_add_uuid(&settled->ids, &notice->saga_id);
	pg_array_add_int(&settled->sequences, notice->sequence);
	pg_array_add_int(&settled->waits_ms, outcome == NOTICE_FAILED ? wait_ms(notice) : 0);
}

static int settle_with(struct store *store, const char *sql, const char *target, struct settled *settled,
		       size_t param_count, struct error *err)
{
	const struct pg_param params[] = {pg_text(target), pg_array_param(&settled->ids),
					  pg_array_param(&settled->sequences), pg_array_param(&settled->waits_ms)};

	if (settled->ids.count == 0)
		return 0;
	if (pg_exec(store->pg, sql, params, param_count, NULL, err) < 0)
		return error_prefix(err, "note what became of notices of '%s'", target);
	return 0;
}

static int settle_both(struct store *store, const char *target, struct settled *over, struct settled *again,
		       struct error *err)
{
	if (settle_with(store,
			"DELETE FROM saga_notice n USING unnest($2::uuid[], $3::bigint[]) AS o(saga_id, sequence)"
			" WHERE n.saga_id = o.saga_id AND n.sequence = o.sequence AND n.target = $1",
			target, over, 3, err) < 0)
		return -1;
	return settle_with(store,
			   "UPDATE saga_notice n SET due_at = now() + a.wait_ms * interval '1 ms',"
			   " tries = n.tries + (a.wait_ms > 0)::int"
			   " FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS a(saga_id, sequence, wait_ms)"
			   " WHERE n.saga_id = a.saga_id AND n.sequence = a.sequence AND n.target = $1",
			   target, again, 4, err);
}

int notice_table_settle(void *ctx, const char *target, const struct notice *notices,
			const enum notice_outcome *outcomes, size_t count, struct error *err)
{
	struct settled over;
	struct settled again;
	int result;

	settled_init(&over);
	settled_init(&again);
	for (size_t i = 0; i < count; i++) {
		const bool is_over = outcomes[i] == NOTICE_SENT || outcomes[i] == NOTICE_GIVEN_UP;

		settled_add(is_over ? &over : &again, &notices[i], outcomes[i]);
	}
	result = settle_both(ctx, target, &over, &again, err);
	settled_release(&over);
	settled_release(&again);
	return result;
}

/* ---- the rest ---- */
int notice_table_count(void *ctx, const char *target, int64_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param param = pg_text(target);
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg, "SELECT count(*) FROM saga_notice WHERE target = $1", &param, 1, &result, err) < 0)
		return -1;
	*ret_count = pg_get_int(result, 0, 0);
	return 0;
}

int notice_table_forget(void *ctx, int64_t older_than_ms, int64_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param param = pg_int8(older_than_ms);
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg, "DELETE FROM saga_notice WHERE at < now() - $1 * interval '1 ms'", &param, 1, &result,
		    err) < 0)
		return -1;
	*ret_count = (int64_t)pg_affected(result);
	return 0;
}
