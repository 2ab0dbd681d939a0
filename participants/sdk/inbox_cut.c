/* inbox_cut.c - see inbox_cut.h. */
#include "participants/sdk/inbox_cut.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/chore.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

enum {
	PIECE_ROWS = 2000,
	LOOK_MIN_MS = 1000, /* from one walk to the next; in between a hundredth of what is kept */
	LOOK_MAX_MS = 10 * 60 * 1000,
	AWAY_MS = 5000,
	REST = 4, /* times what the piece took */
	LOCK_KEY = 0x616d6f69,
};

/* Who compares databases has to know what may be gone. It is no secret. */
const struct pg_migration inbox_cut_migrations[] = {
	{"sdk_0003_inbox_cut", "CREATE TABLE saga_inbox_cut (before timestamptz NOT NULL);"
			       "INSERT INTO saga_inbox_cut VALUES ('epoch');"
			       "COMMENT ON TABLE saga_inbox_cut IS"
			       " 'rows of saga_inbox that were written before this time may be gone';"
			       "GRANT SELECT ON saga_inbox_cut TO PUBLIC;"},
};
const size_t inbox_cut_migration_count = ARRAY_LEN(inbox_cut_migrations);

struct inbox_cut {
	struct inbox_cut_options options;
	struct pg *pg;
	struct chore *chore;
	bool is_away; /* and it was said */
};

/* From the least key to those of sagas that are too young. */
struct walk {
	struct uuid after;
	bool has_more;
	int64_t removed;
};

bool inbox_is_too_old(int64_t begun_us, int64_t keep_ms, int64_t now_us)
{
	return keep_ms > 0 && begun_us > 0 && (now_us - begun_us) / 1000 > keep_ms;
}

/* The rows of the last saga that did not fit are found by the next walk. */
static int cut_piece(struct inbox_cut *cut, struct walk *walk, struct error *err)
{
	const struct pg_param params[] = {pg_uuid(&walk->after), pg_int8(cut->options.keep_ms + INBOX_CUT_MARGIN_MS),
					  pg_int8(PIECE_ROWS)};
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct uuid last;

	if (pg_exec(cut->pg,
		    "WITH time AS MATERIALIZED (SELECT now() - $2::bigint * interval '1 ms' AS before"
		    "), looked AS MATERIALIZED (SELECT saga_id, step, phase, created_at FROM saga_inbox"
		    "  WHERE saga_id > $1 ORDER BY saga_id, step, phase LIMIT $3"
		    "), gone AS (DELETE FROM saga_inbox i USING looked l, time WHERE l.created_at < time.before"
		    "  AND get_byte(uuid_send(l.saga_id), 6) >> 4 = 7"
		    "  AND i.saga_id = l.saga_id AND i.step = l.step AND i.phase = l.phase RETURNING i.saga_id"
		    "), noted AS (UPDATE saga_inbox_cut c SET before = greatest(c.before, time.before) FROM time"
		    "  WHERE EXISTS (SELECT FROM gone)"
		    ") SELECT saga_id, (SELECT count(*) FROM looked), (SELECT count(*) FROM gone), time.before"
		    " FROM looked, time ORDER BY saga_id DESC LIMIT 1",
		    params, ARRAY_LEN(params), &result, err) < 0)
		return -1;
	if (pg_rows(result) == 0) {
		walk->has_more = false;
		return 0;
	}
	last = pg_get_uuid(result, 0, 0);
	walk->after = last;
	walk->removed += pg_get_int(result, 0, 2);
	walk->has_more = pg_get_int(result, 0, 1) == PIECE_ROWS &&
			 (uuid_version(last) != 7 || (int64_t)uuid_v7_unix_ms(last) * 1000 < pg_get_int(result, 0, 3));
	metric_add(cut->options.removed, (uint64_t)pg_get_int(result, 0, 2));
	return 0;
}

static int walk_all(struct inbox_cut *cut, struct chore *chore, struct walk *walk, struct error *err)
{
	walk->has_more = true;
	while (walk->has_more) {
		const int64_t begun_us = clock_monotonic_us();

		if (cut_piece(cut, walk, err) < 0)
			return -1;
		if (chore_rest(chore, ((clock_monotonic_us() - begun_us) / 1000 + 1) * REST))
			return 0;
	}
	return 0;
}

static int64_t round_once(void *ctx, struct chore *chore)
{
	struct inbox_cut *cut = ctx;
	const int64_t part_ms = cut->options.keep_ms / 100;
	struct walk walk = {0};
	bool is_ours = false;
	struct error err;

	if (pg_try_lock(cut->pg, LOCK_KEY, &is_ours, &err) < 0 || (is_ours && walk_all(cut, chore, &walk, &err) < 0)) {
		if (!cut->is_away && !atomic_load(chore_is_stopping(chore)))
			log_warn("inbox_cut_waiting", "err=%s, trying again until it is back", LOG_TEXT(err.msg));
		cut->is_away = true;
		return AWAY_MS;
	}
	cut->is_away = false;
	if (walk.removed > 0)
		log_info("inbox_cut", "rows=%lld", (long long)walk.removed);
	return part_ms < LOOK_MIN_MS ? LOOK_MIN_MS : part_ms < LOOK_MAX_MS ? part_ms : LOOK_MAX_MS;
}

int inbox_cut_start(const struct inbox_cut_options *options, struct inbox_cut **ret_cut, struct error *err)
{
	struct inbox_cut *cut = xcalloc(1, sizeof(*cut));
	const struct chore_options chore = {.name = "inbox cut", .round = round_once, .ctx = cut};

	assert(options->keep_ms > 0);
	cut->options = *options;
	cut->pg = pg_new(options->postgres, options->service);
	if (chore_start(&chore, &cut->chore, err) < 0) {
		pg_free(cut->pg);
		free(cut);
		return -1;
	}
	*ret_cut = cut;
	return 0;
}

void inbox_cut_free(struct inbox_cut *cut)
{
	if (!cut)
		return;
	chore_free(cut->chore);
	pg_free(cut->pg);
	free(cut);
}
