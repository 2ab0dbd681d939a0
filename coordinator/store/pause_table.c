/* pause_table.c - what operators have paused as a whole: engine/pause_port.h says what it promises. What has ended stays, for who
 * asks later who did what and why. */
#include "coordinator/store/store_state.h"

#define PAUSE_COLUMNS " kind, name, reason, actor, at "

static void read_pause(const struct pg_result *result, size_t row, struct arena *arena, struct pause *ret_pause)
{
	*ret_pause = (struct pause){
		.kind = (enum pause_kind)pg_get_int(result, row, 0),
		.name = pg_get_text(result, row, 1, arena),
		.reason = pg_get_text(result, row, 2, arena),
		.actor = pg_get_text(result, row, 3, arena),
		.time_us = pg_get_int(result, row, 4),
	};
}

/* The statement that inserts does not see what another one has inserted meanwhile: so it is read by the next one. */
int pause_table_begin(void *ctx, const struct pause *pause, struct arena *arena, struct pause *ret_pause,
		      bool *ret_is_new, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_int4(pause->kind), pg_text(pause->name), pg_text(pause->reason),
					  pg_text(pause->actor)};
	_cleanup_(pg_result_freep)
	struct pg_result *made = NULL;
	_cleanup_(pg_result_freep)
	struct pg_result *found = NULL;

	if (pg_exec(store->pg,
		    "INSERT INTO saga_pause (kind, name, reason, actor) VALUES ($1::int, $2, $3, $4)"
		    " ON CONFLICT (kind, name) WHERE ended_at IS NULL DO NOTHING RETURNING" PAUSE_COLUMNS,
		    params, ARRAY_LEN(params), &made, err) < 0)
		return error_prefix(err, "pause %s '%s'", pause_kind_name(pause->kind), pause->name);
	*ret_is_new = pg_rows(made) > 0;
	if (*ret_is_new) {
		read_pause(made, 0, arena, ret_pause);
		return 0;
	}
	if (pg_exec(store->pg,
		    "SELECT" PAUSE_COLUMNS "FROM saga_pause WHERE kind = $1::int AND name = $2 AND ended_at IS NULL",
		    params, 2, &found, err) < 0)
		return error_prefix(err, "pause %s '%s'", pause_kind_name(pause->kind), pause->name);
	if (pg_rows(found) == 0)
		return error_set(err, ERR_UNAVAILABLE, "somebody else ended the pause of %s '%s' just now: try again",
				 pause_kind_name(pause->kind), pause->name);
	read_pause(found, 0, arena, ret_pause);
	return 0;
}

int pause_table_end(void *ctx, const struct pause *pause, bool *ret_was_paused, struct error *err)
{
	struct store *store = ctx;
	const struct pg_param params[] = {pg_int4(pause->kind), pg_text(pause->name), pg_text(pause->reason),
					  pg_text(pause->actor)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(store->pg,
		    "UPDATE saga_pause SET ended_at = now(), ended_by = $4, end_reason = $3"
		    " WHERE kind = $1::int AND name = $2 AND ended_at IS NULL",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return error_prefix(err, "resume %s '%s'", pause_kind_name(pause->kind), pause->name);
	*ret_was_paused = pg_affected(result) > 0;
	return 0;
}

int pause_table_list(void *ctx, struct arena *arena, struct pause **ret_pauses, size_t *ret_count, struct error *err)
{
	struct store *store = ctx;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pause *pauses;

	if (pg_exec(store->pg, "SELECT" PAUSE_COLUMNS "FROM saga_pause WHERE ended_at IS NULL ORDER BY at, kind, name",
		    NULL, 0, &result, err) < 0)
		return error_prefix(err, "read what is paused");
	pauses = arena_alloc(arena, (pg_rows(result) + 1) * sizeof(*pauses));
	for (size_t i = 0; i < pg_rows(result); i++)
		read_pause(result, i, arena, &pauses[i]);
	*ret_pauses = pauses;
	*ret_count = pg_rows(result);
	return 0;
}
