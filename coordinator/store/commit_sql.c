/*
 * commit_sql.c - see commit_sql.h. The parameters are commit.c's.
 *
 * unnest() is in the lists of what is selected, not after FROM: there each array would be spooled whole, row by row.
 *
 * A row to be changed is found by a look-up in the index for each change, and it must be so from the first plan on, which
 * is made while the table is empty: joined by `=`, such a plan (of a table that was vacuumed) reads all sagas for each
 * change, until somebody analyzes it. A comparison with an array of one is what no other order of joining can use.
 */
#include "coordinator/store/commit_sql.h"

#include <assert.h>

#include "lib/base/memory.h"

/* ---- what is sent, as rows ---- */

#define START_COLUMNS                                                                                                  \
	"(saga_id, definition_id, definition_name, key, idempotency_key, input, labels, state,"                        \
	"  milestone, version, data, due_at, created_at, updated_at, ended_at, sent_by, sent_boot)"
#define START_ROWS                                                                                                     \
	" SELECT c.saga_id, c.definition_id, c.definition_name, c.key, c.idempotency_key, c.input, c.labels::jsonb,"   \
	"  c.state, c.milestone, c.version, c.data, c.due_at, c.created_at, c.updated_at, c.ended_at,"                 \
	"  $47, $48"                                                                                                   \
	" FROM (SELECT unnest($1::uuid[]) AS saga_id, unnest($2::int[]) AS definition_id,"                             \
	"  unnest($3::text[]) AS definition_name, unnest($4::text[]) AS key, unnest($5::text[]) AS idempotency_key,"   \
	"  unnest($6::bytea[]) AS input, unnest($7::text[]) AS labels, unnest($8::smallint[]) AS state,"               \
	"  unnest($9::text[]) AS milestone, unnest($10::bigint[]) AS version, unnest($11::bytea[]) AS data,"           \
	"  unnest($12::timestamptz[]) AS due_at, unnest($13::timestamptz[]) AS created_at,"                            \
	"  unnest($14::timestamptz[]) AS updated_at, unnest($15::timestamptz[]) AS ended_at) AS c"
#define CHANGES                                                                                                        \
	" UPDATE saga s SET version = c.version, state = c.state, milestone = c.milestone, data = c.data,"             \
	"  due_at = c.due_at, updated_at = c.updated_at, ended_at = c.ended_at,"                                       \
	"  is_paused = c.is_paused, sent_by = $47, sent_boot = $48"                                                    \
	" FROM (SELECT unnest($16::uuid[]) AS saga_id, unnest($17::bigint[]) AS expected_version,"                     \
	"  unnest($18::bigint[]) AS version, unnest($19::smallint[]) AS state, unnest($20::text[]) AS milestone,"      \
	"  unnest($21::bytea[]) AS data, unnest($22::timestamptz[]) AS due_at,"                                        \
	"  unnest($23::timestamptz[]) AS updated_at, unnest($24::timestamptz[]) AS ended_at,"                          \
	"  unnest($46::boolean[]) AS is_paused) AS c"                                                                  \
	" WHERE s.saga_id = ANY (ARRAY[c.saga_id]) AND s.version = c.expected_version"
#define LOG_TABLE_COLUMNS                                                                                              \
	"(saga_id, sequence, at, event, step, phase, attempt, milestone, reason, detail, has_no_effect, reply, "       \
	"state, actor)"
#define LOG_ROWS                                                                                                       \
	" SELECT unnest($25::uuid[]) AS saga_id, unnest($26::bigint[]), unnest($27::timestamptz[]),"                   \
	"  unnest($28::smallint[]), unnest($29::text[]), unnest($30::smallint[]), unnest($31::int[]),"                 \
	"  unnest($32::text[]), unnest($33::text[]), unnest($34::text[]), unnest($35::boolean[]),"                     \
	"  unnest($36::bytea[]), unnest($37::smallint[]), unnest($38::text[])"
#define NOTICES                                                                                                        \
	" INSERT INTO saga_notice (saga_id, sequence, at, step, phase, reason, detail, target)"                        \
	" SELECT n.*, t.target FROM (SELECT unnest($39::uuid[]) AS saga_id, unnest($40::bigint[]),"                    \
	"  unnest($41::timestamptz[]), unnest($42::text[]), unnest($43::smallint[]), unnest($44::text[]),"             \
	"  unnest($45::text[])) AS n, unnest($49::text[]) AS t(target)"
#define OPEN_COLUMNS "(saga_id, look_at, definition_id, state, is_paused, is_patient)"
#define OPEN_ROWS                                                                                                      \
	" SELECT unnest($50::uuid[]) AS saga_id, unnest($51::timestamptz[]), unnest($52::int[]),"                      \
	"  unnest($53::smallint[]), unnest($54::boolean[]), unnest($55::boolean[])"
#define OR_NEW_OPEN_ROW                                                                                                \
	" ON CONFLICT (saga_id) DO UPDATE SET look_at = excluded.look_at, state = excluded.state,"                     \
	"  is_paused = excluded.is_paused, is_patient = excluded.is_patient"

/* ---- in hope ---- */

/*
 * All or nothing, so nothing is spooled and looked up again. Rows that were there already end it, and so does the last line,
 * as a number that is none, where some rows were not there as they were read. Rows of `saga` come first, starts before
 * changes as in the other text, so that two of these wait for each other in one order.
 */
#define HOPEFUL                                                                                                        \
	"WITH started AS (INSERT INTO saga " START_COLUMNS START_ROWS " RETURNING 1"                                   \
	"), changed AS (" CHANGES " RETURNING 1"                                                                       \
	"), fed AS ("                                                                                                  \
	" INSERT INTO saga_feed (xid, saga_ids, firsts, lasts, states)"                                                \
	" VALUES (pg_current_xact_id()::text::bigint, $1 || $16,"                                                      \
	"  array_fill(1::bigint, ARRAY[cardinality($1)]) || ARRAY(SELECT unnest($17) + 1), $10 || $18, $8 || $19)"     \
	" RETURNING xid"                                                                                               \
	"), logged AS (INSERT INTO saga_log " LOG_TABLE_COLUMNS LOG_ROWS "), noticed AS (" NOTICES
#define HOPEFUL_OPENED "), opened AS (INSERT INTO saga_open " OPEN_COLUMNS OPEN_ROWS
#define HOPEFUL_CLOSED                                                                                                 \
	"), closed AS ("                                                                                               \
	" DELETE FROM saga_open WHERE saga_id = ANY (ARRAY(SELECT e.saga_id FROM"                                      \
	"  (SELECT unnest($16) AS saga_id, unnest($24) AS ended_at) AS e WHERE e.ended_at IS NOT NULL))"
#define HOPEFUL_RESULT                                                                                                 \
	") SELECT CASE WHEN (SELECT count(*) FROM started) = cardinality($1)"                                          \
	"  AND (SELECT count(*) FROM changed) = cardinality($16) THEN (SELECT xid FROM fed)"                           \
	" ELSE ((SELECT xid FROM fed) || ': not all sagas are as they were read; their commit is made again')::"       \
	"bigint END"

/* ---- carefully ---- */

/*
 * What can be done, and what that was. `IN (…) IS TRUE` instead of a join: the planner cannot know how long the lists are,
 * and this form is a hash look-up for each log row whatever it guesses.
 */
static const char CAREFUL[] =
	"WITH started AS ("
	" INSERT INTO saga " START_COLUMNS START_ROWS
	" ON CONFLICT DO NOTHING RETURNING saga_id, 1::bigint AS first, version AS last, state, ended_at"
	"), changed AS (" CHANGES
	" RETURNING s.saga_id, c.expected_version + 1 AS first, s.version AS last, s.state, s.ended_at"
	"), done AS ("
	" SELECT * FROM started UNION ALL SELECT * FROM changed"
	"), fed AS ("
	" INSERT INTO saga_feed (xid, saga_ids, firsts, lasts, states)"
	" SELECT pg_current_xact_id()::text::bigint, array_agg(saga_id), array_agg(first), array_agg(last),"
	"  array_agg(state) FROM done HAVING count(*) > 0 RETURNING xid"
	"), logged AS ("
	" INSERT INTO saga_log " LOG_TABLE_COLUMNS " SELECT l.* FROM (" LOG_ROWS ") AS l"
	" WHERE (l.saga_id IN (SELECT saga_id FROM done)) IS TRUE"
	"), noticed AS (" NOTICES " WHERE (n.saga_id IN (SELECT saga_id FROM done)) IS TRUE"
	"), opened AS ("
	" INSERT INTO saga_open " OPEN_COLUMNS " SELECT r.* FROM (" OPEN_ROWS ") AS r"
	" WHERE (r.saga_id IN (SELECT saga_id FROM done)) IS TRUE" OR_NEW_OPEN_ROW "), closed AS ("
	" DELETE FROM saga_open WHERE saga_id = ANY (ARRAY(SELECT saga_id FROM changed WHERE ended_at IS NOT NULL))"
	") SELECT saga_id, NULL::bigint FROM done UNION ALL SELECT NULL, xid FROM fed";

const char *commit_sql_careful(void)
{
	return CAREFUL;
}

/* What a commit has none of is left out: each part costs a lone saga's commit its preparation. */
const char *commit_sql_hopeful(enum commit_opens opens, bool has_end)
{
	static const char *const texts[COMMIT_OPENS_COUNT][2] = {
		[COMMIT_OPENS_NONE] = {HOPEFUL HOPEFUL_RESULT, HOPEFUL HOPEFUL_CLOSED HOPEFUL_RESULT},
		[COMMIT_OPENS_NEW] = {HOPEFUL HOPEFUL_OPENED HOPEFUL_RESULT,
				      HOPEFUL HOPEFUL_OPENED HOPEFUL_CLOSED HOPEFUL_RESULT},
		[COMMIT_OPENS_ANY] = {HOPEFUL HOPEFUL_OPENED OR_NEW_OPEN_ROW HOPEFUL_RESULT,
				      HOPEFUL HOPEFUL_OPENED OR_NEW_OPEN_ROW HOPEFUL_CLOSED HOPEFUL_RESULT},
	};

	assert(opens < COMMIT_OPENS_COUNT);
	return texts[opens][has_end];
}
