/*
 * pg.h - one Postgres connection: statements with parameters, transactions, arrays for unnest(), migrations.
 *
 * Why:        libpq reports failures by strings and states; here every failure is a struct error that says whether a
 *             retry helps, and a commit whose outcome is unknown is told apart from one that failed.
 * Errors:     lost connection, 57P0x, 53xxx -> ERR_UNAVAILABLE; 40001, 40P01, 55P03 -> ERR_UNAVAILABLE; 57014 ->
 *             ERR_TIMEOUT; 23xxx -> ERR_CONFLICT; 22xxx -> ERR_INVALID; others ERR_INTERNAL. `pg_sqlstate()` has the exact
 *             state of the last failure.
 * Text:       SQL text holds no NUL and only valid UTF-8 (utf8_is_valid()); else Postgres refuses the statement (22021).
 * Threads:    one thread at a time. Every call blocks until the server has answered, but pg_send(). The text of statements must be a
 *             literal or outlive the call.
 * Ownership:  results are released by pg_result_free().
 */
#ifndef LIB_PG_PG_H
#define LIB_PG_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/base/uuid.h"

struct pg;
struct pg_result;

/* ERR_INVALID: libpq cannot read it. */
NODISCARD int pg_conninfo_check(const char *conninfo, struct error *err);
/*
 * For server_options below: the plan of a statement stays as it is. For programs whose few statements all look rows up by
 * index: a plan that was made for a small or empty table (a scan, a hash of the whole table) must not live on when it has grown.
 */
#define PG_FIXED_PLANS                                                                                                 \
	"-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off"                \
	" -c enable_mergejoin=off"

/* A user's conninfo (either form) with times after which a dead server is noticed, and these settings of the session; as it
 * is where it cannot be read: connecting says why. What the user says counts more. To be freed. */
char *pg_conninfo_complete(const char *conninfo, const char *server_options);
/* Connects at the first use, and again after a loss. `application` shows in pg_stat_activity. */
struct pg *pg_new(const char *conninfo, const char *application);
void pg_free(struct pg *pg);
DEFINE_CLEANUP(struct pg *, pg_free)

NODISCARD int pg_connect(struct pg *pg, struct error *err); /* no-op while connected */
bool pg_is_connected(const struct pg *pg);
/* How long a statement may go without an answer before the connection is given up (ERR_UNAVAILABLE; of a COMMIT the
 * outcome is unknown then); 0: for ever. 30 s at first, and for ever inside pg_migrate(). Answers what it was. */
int64_t pg_set_answer_ms(struct pg *pg, int64_t answer_ms);
const char *pg_sqlstate(const struct pg *pg); /* five characters, "" after a lost connection */

/* A parameter; all travel in binary form. Build them with the functions below. */
struct pg_param {
	uint32_t type_oid;
	bool is_null;
	const void *data; /* network byte order for numbers, kept in `inline_data` */
	size_t len;
	uint8_t inline_data[8];
};

struct pg_param pg_null(void);
struct pg_param pg_bool(bool value);
struct pg_param pg_int4(int32_t value);
struct pg_param pg_int8(int64_t value);
struct pg_param pg_text(const char *value); /* NULL is SQL NULL; borrowed, as in the next four */
struct pg_param pg_text_bytes(struct bytes value);
struct pg_param pg_bytea(struct bytes value);
struct pg_param pg_jsonb(struct bytes text);
struct pg_param pg_uuid(const struct uuid *value);
struct pg_param pg_timestamptz(int64_t unix_us); /* INT64_MAX: 'infinity', also in arrays and results */

/* Where a row is (its ctid), as the server writes it: until the end of the transaction that made or locked the row. */
struct pg_tid {
	uint8_t data[6];
};

/* A one-dimensional array parameter for unnest(): append in order, hand over by pg_array_param(). */
enum pg_array_type {
	PG_ARRAY_BOOL,
	PG_ARRAY_INT2,
	PG_ARRAY_INT4,
	PG_ARRAY_INT8,
	PG_ARRAY_TEXT,
	PG_ARRAY_BYTEA,
	PG_ARRAY_UUID,
	PG_ARRAY_TIMESTAMPTZ,
	PG_ARRAY_TID,
};
struct pg_array {
	enum pg_array_type type;
	int32_t count;
	int32_t nulls;
	int32_t last_nulls; /* of them at the end */
	struct buffer body;
};
void pg_array_init(struct pg_array *array, enum pg_array_type type);
void pg_array_release(struct pg_array *array);
void pg_array_clear(struct pg_array *array);
void pg_array_add_null(struct pg_array *array);
void pg_array_add_int(struct pg_array *array, int64_t value); /* BOOL, INT2, INT4, INT8, TIMESTAMPTZ (unix µs) */
void pg_array_add_bytes(struct pg_array *array, struct bytes value); /* TEXT, BYTEA */
void pg_array_add_uuid(struct pg_array *array, const struct uuid *value);
void pg_array_add_tid(struct pg_array *array, struct pg_tid value);
struct pg_param pg_array_param(struct pg_array *array); /* borrows until the array changes */
/* Without the NULLs at its end: the same where it is unnested beside a longer one, and less to read where nearly all are NULL. */
struct pg_param pg_array_short_param(struct pg_array *array);

/* Runs one statement, prepared once for each connection and text. Its plan is made anew at the 2nd, 4th, 8th … run; in a
 * transaction not before its end. `ret_result` may be NULL. */
NODISCARD int pg_exec(struct pg *pg, const char *sql, const struct pg_param *params, size_t param_count,
		      struct pg_result **ret_result, struct error *err);
/* The same in two parts, with other work in between: pg_send() returns when the server has all of the statement (parameters may
 * change then), pg_receive() waits for the answer. Between them the connection is for nothing else. After a failure of
 * pg_send() there is nothing to receive. */
NODISCARD int pg_send(struct pg *pg, const char *sql, const struct pg_param *params, size_t param_count,
		      struct error *err);
NODISCARD int pg_receive(struct pg *pg, struct pg_result **ret_result, struct error *err);
NODISCARD int pg_exec_script(struct pg *pg, const char *sql, struct error *err); /* several statements, no parameters */

NODISCARD int pg_begin(struct pg *pg, struct error *err);
void pg_rollback(struct pg *pg); /* a failure drops the connection, which rolls back, too */

/* An advisory lock of the session: whoever dies or is cut off makes room for another one. Held already it is counted up, which
 * costs nothing. */
NODISCARD int pg_try_lock(struct pg *pg, int64_t key, bool *ret_is_ours, struct error *err);

/* `ret_is_unknown` (may be NULL) is set true when the connection was lost during COMMIT: re-read before acting. After
 * any failure no transaction is open. A transaction in which a statement had failed -> ERR_PRECONDITION. */
NODISCARD int pg_commit(struct pg *pg, bool *ret_is_unknown, struct error *err);

/* Results: rows and columns from 0, values in binary form. The getters assert the column's type. */
void pg_result_free(struct pg_result *result);
DEFINE_CLEANUP(struct pg_result *, pg_result_free)
size_t pg_rows(const struct pg_result *result);
uint64_t pg_affected(const struct pg_result *result);
bool pg_is_null(const struct pg_result *result, size_t row, int column);
bool pg_get_bool(const struct pg_result *result, size_t row, int column);
int64_t pg_get_int(const struct pg_result *result, size_t row, int column); /* int2, int4, int8; timestamptz: unix µs */
struct bytes pg_get_bytes(const struct pg_result *result, size_t row, int column); /* text, bytea, json(b) text */
char *pg_get_text(const struct pg_result *result, size_t row, int column,
		  struct arena *arena); /* a copy in the arena; NULL for SQL NULL */
struct uuid pg_get_uuid(const struct pg_result *result, size_t row, int column);
struct pg_tid pg_get_tid(const struct pg_result *result, size_t row, int column);

/*
 * Brings a database's tables up to date: each migration once, in order, each in a transaction of its own, all under an
 * advisory lock, so that several processes may start at once and one that is killed half-way does no harm.
 * Recorded in schema_migration(name, applied_at). Waits for the database up to `wait_ms`.
 */
struct pg_migration {
	const char *name; /* "0001_initial" */
	const char *sql;
};
NODISCARD int pg_migrate(struct pg *pg, const struct pg_migration *migrations, size_t count, int64_t wait_ms,
			 struct error *err);

#endif
