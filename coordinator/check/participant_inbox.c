/* participant_inbox.c - see participant_inbox.h. */
#include "coordinator/check/participant_inbox.h"

#include <string.h>

#include "lib/base/memory.h"

enum { ANSWER_MS = 10 * 60 * 1000 };

bool participant_inbox_takes(const struct participant_inbox *inbox, const char *topic)
{
	for (size_t i = 0; i < inbox->name_count; i++) {
		const size_t len = strlen(inbox->names[i]);

		if (strncmp(topic, inbox->names[i], len) == 0 && (topic[len] == 0 || topic[len] == '.'))
			return true;
	}
	return false;
}

/* ---- columns ---- */

static bool has_column(const struct pg_result *columns, const char *name)
{
	for (size_t i = 0; i < pg_rows(columns); i++)
		if (bytes_equal_text(pg_get_bytes(columns, i, 0), name))
			return true;
	return false;
}

static int find_cut(struct participant_inbox *inbox, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;

	if (pg_exec(inbox->pg,
		    "SELECT coalesce(has_table_privilege(to_regclass('saga_inbox_cut')::oid, 'SELECT'), false)", NULL,
		    0, &rows, err) < 0)
		return -1;
	inbox->has_cut = pg_get_bool(rows, 0, 0);
	return 0;
}

/* Rows leave and the mark moves in one transaction, so it is asked after the rows were. */
static int read_cut(struct participant_inbox *inbox, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;

	if (!inbox->has_cut)
		return 0;
	if (pg_exec(inbox->pg, "SELECT coalesce(max(before), 'epoch') FROM saga_inbox_cut", NULL, 0, &rows, err) < 0)
		return -1;
	inbox->cut_us = pg_get_int(rows, 0, 0);
	return 0;
}

bool participant_inbox_is_cut(const struct participant_inbox *inbox, struct uuid saga_id)
{
	return uuid_version(saga_id) == 7 && (int64_t)uuid_v7_unix_ms(saga_id) * 1000 < inbox->cut_us;
}

int participant_inbox_open(struct participant_inbox *inbox, struct error *err)
{
	static const char *const needed[] = {"saga_id", "step", "phase", "outcome", "has_no_effect"};
	_cleanup_(pg_result_freep)
	struct pg_result *columns = NULL;

	inbox->pg = pg_new(inbox->conninfo, "sagactl check");
	(void)pg_set_answer_ms(inbox->pg, ANSWER_MS);
	if (pg_exec(inbox->pg,
		    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass('saga_inbox') AND attnum > 0"
		    " AND NOT attisdropped",
		    NULL, 0, &columns, err) < 0)
		return -1;
	if (pg_rows(columns) == 0)
		return error_set(err, ERR_NOT_FOUND,
				 "its database has no table or view saga_inbox that this login may see: "
				 "docs/wire-contract.md, section 10, says what it has to show");
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!has_column(columns, needed[i]))
			return error_set(err, ERR_NOT_FOUND, "its saga_inbox has no column '%s'", needed[i]);
	inbox->has_replies = has_column(columns, "reply_topic") && has_column(columns, "reply_value") &&
			     has_column(columns, "reason");
	inbox->has_times = has_column(columns, "created_at");
	return find_cut(inbox, err);
}

void participant_inbox_close(struct participant_inbox *inbox)
{
	pg_free(inbox->pg);
	inbox->pg = NULL;
}

/* ---- rows ---- */

/* The key's index gives this order, so the groups cost next to nothing. */
#define READ(time)                                                                                                     \
	"SELECT saga_id, coalesce(step::text, ''), coalesce(phase, -1)::int4, coalesce(max(outcome), -1)::int4,"       \
	" coalesce(bool_and(has_no_effect), false), count(*), coalesce(" time "::timestamptz, 'epoch')"                \
	" FROM saga_inbox WHERE (saga_id, step, phase) > ($1::uuid, $2::text, $3::int4) AND saga_id <= $4"             \
	" GROUP BY saga_id, step, phase ORDER BY saga_id, step, phase LIMIT $5"

int participant_inbox_read(struct participant_inbox *inbox, const struct inbox_cursor *cursor, struct uuid last,
			   struct arena *arena, struct inbox_entry **ret_entries, size_t *ret_count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;
	const struct pg_param params[] = {pg_uuid(&cursor->saga_id), pg_text(cursor->step_id),
					  pg_int4((int32_t)cursor->phase), pg_uuid(&last), pg_int8(INBOX_PAGE_ROWS)};
	struct inbox_entry *entries;

	if (pg_exec(inbox->pg, inbox->has_times ? READ("max(created_at)") : READ("NULL"), params, ARRAY_LEN(params),
		    &rows, err) < 0 ||
	    read_cut(inbox, err) < 0)
		return -1;
	entries = arena_alloc(arena, (pg_rows(rows) + 1) * sizeof(*entries));
	for (size_t i = 0; i < pg_rows(rows); i++)
		entries[i] = (struct inbox_entry){
			.saga_id = pg_get_uuid(rows, i, 0),
			.step_id = pg_get_text(rows, i, 1, arena),
			.phase = pg_get_int(rows, i, 2),
			.outcome = pg_get_int(rows, i, 3),
			.has_no_effect = pg_get_bool(rows, i, 4),
			.count = pg_get_int(rows, i, 5),
			.created_us = pg_get_int(rows, i, 6),
		};
	*ret_entries = entries;
	*ret_count = pg_rows(rows);
	return 0;
}

/* ---- certain rows ---- */

#define FIND(reply_columns)                                                                                            \
	"SELECT k.place, coalesce(i.outcome, -1)::int4, " reply_columns                                                \
	" FROM unnest($1::uuid[], $2::text[], $3::int4[]) WITH ORDINALITY AS k(saga_id, step, phase, place)"           \
	" JOIN saga_inbox i ON i.saga_id = k.saga_id AND i.step = k.step AND i.phase = k.phase"

static int ask_for(struct participant_inbox *inbox, const struct inbox_key *keys, size_t count,
		   struct pg_result **ret_rows, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array sagas;
	_cleanup_(pg_array_release)
	struct pg_array steps;
	_cleanup_(pg_array_release)
	struct pg_array phases;
	struct pg_param params[3];

	pg_array_init(&sagas, PG_ARRAY_UUID);
	pg_array_init(&steps, PG_ARRAY_TEXT);
	pg_array_init(&phases, PG_ARRAY_INT4);
	for (size_t i = 0; i < count; i++) {
		pg_array_add_uuid(&sagas, &keys[i].saga_id);
		pg_array_add_bytes(&steps, bytes_of_text(keys[i].step_id));
		pg_array_add_int(&phases, keys[i].phase);
	}
	params[0] = pg_array_param(&sagas);
	params[1] = pg_array_param(&steps);
	params[2] = pg_array_param(&phases);
	return pg_exec(inbox->pg,
		       inbox->has_replies ? FIND("i.reply_topic::text, i.reply_value, i.reason::text")
					  : FIND("NULL::text, NULL::bytea, NULL::text"),
		       params, ARRAY_LEN(params), ret_rows, err);
}

int participant_inbox_find(struct participant_inbox *inbox, const struct inbox_key *keys, size_t count,
			   struct arena *arena, const struct inbox_reply ***ret_replies, struct error *err)
{
	const struct inbox_reply **replies = arena_zalloc(arena, (count + 1) * sizeof(*replies));
	_cleanup_(pg_result_freep)
	struct pg_result *rows = NULL;

	if (count > 0 && (ask_for(inbox, keys, count, &rows, err) < 0 || read_cut(inbox, err) < 0))
		return -1;
	for (size_t i = 0; rows && i < pg_rows(rows); i++) {
		struct inbox_reply *reply = arena_alloc(arena, sizeof(*reply));

		*reply = (struct inbox_reply){
			.outcome = pg_get_int(rows, i, 1),
			.topic = pg_get_text(rows, i, 2, arena),
			.value = arena_bytes(arena, pg_get_bytes(rows, i, 3)),
			.reason = pg_get_text(rows, i, 4, arena),
		};
		replies[pg_get_int(rows, i, 0) - 1] = reply;
	}
	*ret_replies = replies;
	return 0;
}
