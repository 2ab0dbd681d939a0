/* inbox.c - see inbox.h. */
#include "participants/sdk/inbox.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/memory.h"

/* The row is inserted empty and filled at the end of the same transaction; the free space keeps both on one page. Until then it
 * stays where it is, so its place is the quickest way back to it. */
const struct pg_migration inbox_migrations[] = {
	{"sdk_0001_inbox", "CREATE TABLE saga_inbox ("
			   " saga_id uuid NOT NULL,"
			   " step text NOT NULL,"
			   " phase smallint NOT NULL CHECK (phase IN (0, 1)),"
			   " outcome smallint NOT NULL,"
			   " reply_topic text,"
			   " reply_type text,"
			   " reply_format smallint,"
			   " reply_value bytea,"
			   " reason text,"
			   " detail text,"
			   " has_no_effect boolean NOT NULL DEFAULT false,"
			   " created_at timestamptz NOT NULL DEFAULT now(),"
			   " PRIMARY KEY (saga_id, step, phase)"
			   ") WITH (fillfactor = 60);"
			   "COMMENT ON TABLE saga_inbox IS 'every saga command handled here, with the reply it got';"
			   "COMMENT ON COLUMN saga_inbox.phase IS '0 forward, 1 compensation';"
			   "COMMENT ON COLUMN saga_inbox.outcome IS"
			   " '1 succeeded, 2 rejected, 3 tombstone: compensated before the forward command came';"},
};
const size_t inbox_migration_count = ARRAY_LEN(inbox_migrations);

/* ---- the rules ---- */

static int compare_rows(const void *left, const void *right)
{
	const struct inbox_row *a = left;
	const struct inbox_row *b = right;
	int order = uuid_compare(a->saga_id, b->saga_id);

	if (order == 0)
		order = strcmp(a->step, b->step);
	return order != 0 ? order : (int)a->is_compensation - (int)b->is_compensation;
}

struct inbox_row *inbox_plan_rows(struct inbox_entry *const *entries, size_t count, struct arena *arena,
				  size_t *ret_count)
{
	struct inbox_row *rows = arena_zalloc(arena, (2 * count + 1) * sizeof(*rows));
	size_t row_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct inbox_entry *entry = entries[i];

		rows[row_count++] = (struct inbox_row){
			.saga_id = entry->saga_id,
			.step = entry->step,
			.outcome = entry->is_compensation ? INBOX_OUTCOME_TOMBSTONE : INBOX_OUTCOME_OPEN,
		};
		if (entry->is_compensation)
			rows[row_count++] = (struct inbox_row){
				.saga_id = entry->saga_id,
				.step = entry->step,
				.is_compensation = true,
				.outcome = INBOX_OUTCOME_OPEN,
			};
	}
	qsort(rows, row_count, sizeof(*rows), compare_rows);
	for (size_t i = 1; i < row_count; i++)
		assert(compare_rows(&rows[i - 1], &rows[i]) < 0);
	*ret_count = row_count;
	return rows;
}

struct inbox_row *inbox_find_row(struct inbox_row *rows, size_t count, struct uuid saga_id, const char *step,
				 bool is_compensation)
{
	struct inbox_row key = {.saga_id = saga_id, .step = step, .is_compensation = is_compensation};

	return count > 0 ? bsearch(&key, rows, count, sizeof(*rows), compare_rows) : NULL;
}

void inbox_judge(struct inbox_entry *entry, struct inbox_row *rows, size_t count)
{
	const struct inbox_row *own = inbox_find_row(rows, count, entry->saga_id, entry->step, entry->is_compensation);
	const struct inbox_row *forward = inbox_find_row(rows, count, entry->saga_id, entry->step, false);

	assert(own && forward);
	entry->place = own->place;
	if (!own->is_inserted && own->outcome == INBOX_OUTCOME_TOMBSTONE) {
		entry->verdict = INBOX_CANCELLED;
	} else if (!own->is_inserted) {
		entry->verdict = INBOX_DONE;
		entry->reply = own->reply;
	} else if (entry->is_compensation && (forward->is_inserted || forward->outcome != INBOX_OUTCOME_SUCCEEDED)) {
		entry->verdict = INBOX_NO_EFFECT;
	} else {
		entry->verdict = INBOX_NEW;
	}
}

/* ---- the statements ---- */

struct key_arrays {
	struct pg_array sagas;
	struct pg_array steps;
	struct pg_array phases;
};

static void key_arrays_init(struct key_arrays *keys)
{
	pg_array_init(&keys->sagas, PG_ARRAY_UUID);
	pg_array_init(&keys->steps, PG_ARRAY_TEXT);
	pg_array_init(&keys->phases, PG_ARRAY_INT2);
}

static void key_arrays_release(struct key_arrays *keys)
{
	pg_array_release(&keys->sagas);
	pg_array_release(&keys->steps);
	pg_array_release(&keys->phases);
}

static void key_arrays_add(struct key_arrays *keys, const struct uuid *saga_id, const char *step, bool is_compensation)
{
	pg_array_add_uuid(&keys->sagas, saga_id);
	pg_array_add_bytes(&keys->steps, bytes_of_text(step));
	pg_array_add_int(&keys->phases, is_compensation ? 1 : 0);
}

static int insert_rows(struct pg *pg, struct inbox_row *rows, size_t count, struct arena *arena, struct error *err)
{
	_cleanup_(key_arrays_release)
	struct key_arrays keys;
	_cleanup_(pg_array_release)
	struct pg_array outcomes;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[4];

	key_arrays_init(&keys);
	pg_array_init(&outcomes, PG_ARRAY_INT2);
	for (size_t i = 0; i < count; i++) {
		key_arrays_add(&keys, &rows[i].saga_id, rows[i].step, rows[i].is_compensation);
		pg_array_add_int(&outcomes, (int64_t)rows[i].outcome);
	}
	params[0] = pg_array_param(&keys.sagas);
	params[1] = pg_array_param(&keys.steps);
	params[2] = pg_array_param(&keys.phases);
	params[3] = pg_array_param(&outcomes);
	if (pg_exec(pg,
		    "INSERT INTO saga_inbox (saga_id, step, phase, outcome)"
		    " SELECT unnest($1::uuid[]), unnest($2::text[]), unnest($3::smallint[]), unnest($4::smallint[])"
		    " ON CONFLICT DO NOTHING RETURNING saga_id, step, phase, ctid",
		    params, 4, &result, err) < 0)
		return -1;
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct bytes step = pg_get_bytes(result, i, 1);
		struct inbox_row *row = inbox_find_row(rows, count, pg_get_uuid(result, i, 0),
						       arena_strndup(arena, (const char *)step.data, step.len),
						       pg_get_int(result, i, 2) == 1);

		assert(row);
		row->is_inserted = true;
		row->place = pg_get_tid(result, i, 3);
	}
	return 0;
}

static void read_reply(const struct pg_result *result, size_t i, struct inbox_row *row, struct arena *arena)
{
	row->outcome = (enum inbox_outcome)pg_get_int(result, i, 3);
	row->reply = (struct inbox_reply){
		.outcome = row->outcome,
		.topic = pg_get_text(result, i, 4, arena),
		.type = pg_get_text(result, i, 5, arena),
		.format = pg_is_null(result, i, 6) ? 0 : (enum schema_format)pg_get_int(result, i, 6),
		.reason = pg_get_text(result, i, 8, arena),
		.detail = pg_get_text(result, i, 9, arena),
		.has_no_effect = pg_get_bool(result, i, 10),
	};
	if (!pg_is_null(result, i, 7))
		row->reply.value = arena_bytes(arena, pg_get_bytes(result, i, 7));
}

/* A new statement, so that it sees what another instance committed while the insert waited for it. */
static int read_others(struct pg *pg, struct inbox_row *rows, size_t count, struct arena *arena, struct error *err)
{
	_cleanup_(key_arrays_release)
	struct key_arrays keys;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[3];
	size_t wanted = 0;

	key_arrays_init(&keys);
	for (size_t i = 0; i < count; i++)
		if (!rows[i].is_inserted) {
			key_arrays_add(&keys, &rows[i].saga_id, rows[i].step, rows[i].is_compensation);
			wanted++;
		}
	if (wanted == 0)
		return 0;
	params[0] = pg_array_param(&keys.sagas);
	params[1] = pg_array_param(&keys.steps);
	params[2] = pg_array_param(&keys.phases);
	if (pg_exec(pg,
		    "SELECT saga_id, step, phase, outcome, reply_topic, reply_type, reply_format, reply_value, reason,"
		    " detail, has_no_effect FROM saga_inbox"
		    " JOIN unnest($1::uuid[], $2::text[], $3::smallint[]) AS k(saga_id, step, phase)"
		    " USING (saga_id, step, phase)",
		    params, 3, &result, err) < 0)
		return -1;
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct inbox_row *row = inbox_find_row(rows, count, pg_get_uuid(result, i, 0),
						       pg_get_text(result, i, 1, arena), pg_get_int(result, i, 2) == 1);

		assert(row && !row->is_inserted);
		read_reply(result, i, row, arena);
		wanted--;
	}
	if (wanted > 0)
		return error_set(err, ERR_UNAVAILABLE, "%zu inbox rows vanished between two statements", wanted);
	return 0;
}

int inbox_claim(struct pg *pg, struct inbox_entry *const *entries, size_t count, struct arena *arena, struct error *err)
{
	size_t row_count = 0;
	struct inbox_row *rows = inbox_plan_rows(entries, count, arena, &row_count);

	if (row_count == 0)
		return 0;
	if (insert_rows(pg, rows, row_count, arena, err) < 0 || read_others(pg, rows, row_count, arena, err) < 0)
		return error_prefix(err, "claim in the inbox");
	for (size_t i = 0; i < count; i++)
		inbox_judge(entries[i], rows, row_count);
	return 0;
}

static void add_text(struct pg_array *array, const char *text)
{
	if (text)
		pg_array_add_bytes(array, bytes_of_text(text));
	else
		pg_array_add_null(array);
}

enum {
	COLUMN_OUTCOME,
	COLUMN_TOPIC,
	COLUMN_TYPE,
	COLUMN_FORMAT,
	COLUMN_VALUE,
	COLUMN_REASON,
	COLUMN_DETAIL,
	COLUMN_NO_EFFECT,
	COLUMN_COUNT
};

static const enum pg_array_type column_types[COLUMN_COUNT] = {
	[COLUMN_OUTCOME] = PG_ARRAY_INT2, [COLUMN_TOPIC] = PG_ARRAY_TEXT,     [COLUMN_TYPE] = PG_ARRAY_TEXT,
	[COLUMN_FORMAT] = PG_ARRAY_INT2,  [COLUMN_VALUE] = PG_ARRAY_BYTEA,    [COLUMN_REASON] = PG_ARRAY_TEXT,
	[COLUMN_DETAIL] = PG_ARRAY_TEXT,  [COLUMN_NO_EFFECT] = PG_ARRAY_BOOL,
};

static void add_reply(struct pg_array columns[COLUMN_COUNT], const struct inbox_reply *reply)
{
	assert(reply->outcome == INBOX_OUTCOME_SUCCEEDED || reply->outcome == INBOX_OUTCOME_REJECTED);
	pg_array_add_int(&columns[COLUMN_OUTCOME], (int64_t)reply->outcome);
	add_text(&columns[COLUMN_TOPIC], reply->topic);
	add_text(&columns[COLUMN_TYPE], reply->type);
	pg_array_add_int(&columns[COLUMN_FORMAT], (int64_t)reply->format);
	pg_array_add_bytes(&columns[COLUMN_VALUE], reply->value);
	add_text(&columns[COLUMN_REASON], reply->reason);
	add_text(&columns[COLUMN_DETAIL], reply->detail);
	pg_array_add_int(&columns[COLUMN_NO_EFFECT], reply->has_no_effect);
}

static int update_rows(struct pg *pg, struct pg_array *places, struct pg_array columns[COLUMN_COUNT], struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[1 + COLUMN_COUNT];

	params[0] = pg_array_param(places);
	for (int i = 0; i < COLUMN_COUNT; i++)
		params[1 + i] = pg_array_param(&columns[i]);
	if (pg_exec(pg,
		    "UPDATE saga_inbox AS i SET outcome = r.outcome, reply_topic = r.topic, reply_type = r.type,"
		    " reply_format = r.format, reply_value = r.value, reason = r.reason, detail = r.detail,"
		    " has_no_effect = r.has_no_effect"
		    " FROM (SELECT unnest($1::tid[]) AS place, unnest($2::smallint[]) AS outcome,"
		    "  unnest($3::text[]) AS topic, unnest($4::text[]) AS type, unnest($5::smallint[]) AS format,"
		    "  unnest($6::bytea[]) AS value, unnest($7::text[]) AS reason, unnest($8::text[]) AS detail,"
		    "  unnest($9::boolean[]) AS has_no_effect) AS r"
		    " WHERE i.ctid = r.place AND i.outcome = 0",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return error_prefix(err, "store replies in the inbox");
	if (pg_affected(result) != (uint64_t)places->count)
		return error_set(err, ERR_INTERNAL, "%zu of %d replies found their inbox row",
				 (size_t)pg_affected(result), (int)places->count);
	return 0;
}

/* As if the command had never been looked for. */
static int delete_rows(struct pg *pg, struct key_arrays *keys, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	const struct pg_param params[] = {pg_array_param(&keys->sagas), pg_array_param(&keys->steps),
					  pg_array_param(&keys->phases)};

	if (pg_exec(pg,
		    "DELETE FROM saga_inbox AS i USING unnest($1::uuid[], $2::text[], $3::smallint[]) AS k(saga_id, "
		    "step, phase)"
		    " WHERE i.saga_id = k.saga_id AND i.step = k.step AND i.phase = k.phase",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return error_prefix(err, "take rows out of the inbox");
	return 0;
}

int inbox_store(struct pg *pg, struct inbox_entry *const *entries, size_t count, struct error *err)
{
	struct pg_array columns[COLUMN_COUNT];
	struct pg_array places;
	struct key_arrays open;
	int rc = 0;

	pg_array_init(&places, PG_ARRAY_TID);
	key_arrays_init(&open);
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_init(&columns[i], column_types[i]);
	for (size_t i = 0; i < count; i++) {
		const struct inbox_entry *entry = entries[i];

		if (entry->verdict != INBOX_NEW && entry->verdict != INBOX_NO_EFFECT)
			continue;
		if (entry->reply.outcome == INBOX_OUTCOME_OPEN) {
			key_arrays_add(&open, &entry->saga_id, entry->step, entry->is_compensation);
			continue;
		}
		pg_array_add_tid(&places, entry->place);
		add_reply(columns, &entry->reply);
	}
	if (places.count > 0)
		rc = update_rows(pg, &places, columns, err);
	if (rc == 0 && open.sagas.count > 0)
		rc = delete_rows(pg, &open, err);
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_release(&columns[i]);
	pg_array_release(&places);
	key_arrays_release(&open);
	return rc;
}
