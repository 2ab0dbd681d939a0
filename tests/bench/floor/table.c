/* table.c - see table.h. */
#include "tests/bench/floor/table.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/bytes.h"

/* As the coordinator's tables where that is for speed (room for HOT updates), without what only serves questions: no index but
 * the one that finds the row to change, and the inbox's, which is what makes an effect happen once. */
static const char TABLES[] = "SET client_min_messages = warning;"
			     "DROP TABLE IF EXISTS floor_saga, floor_log, floor_inbox;"
			     "CREATE TABLE floor_saga (id uuid PRIMARY KEY, version int NOT NULL, data bytea NOT NULL)"
			     " WITH (fillfactor = 50);"
			     "CREATE TABLE floor_log (id uuid NOT NULL, sequence int NOT NULL, data bytea NOT NULL);"
			     "CREATE TABLE floor_inbox (id uuid NOT NULL, reply int NOT NULL, data bytea NOT NULL,"
			     " PRIMARY KEY (id, reply))";

/* Plans are made once, before there are rows to learn from: one look into the index for each. */
static const char SESSION[] = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
			      "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

enum statement { STATEMENT_SAGA, STATEMENT_CHANGE, STATEMENT_LOG, STATEMENT_INBOX, STATEMENT_COUNT };

static const struct {
	const char *name;
	const char *sql;
} STATEMENTS[STATEMENT_COUNT] = {
	[STATEMENT_SAGA] = {"saga",
			    "INSERT INTO floor_saga SELECT unnest($1::uuid[]), unnest($2::int[]), unnest($3::bytea[])"},
	[STATEMENT_CHANGE] = {"change", "UPDATE floor_saga s SET version = c.version, data = c.data"
					" FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::int[]) AS version,"
					" unnest($3::bytea[]) AS data) AS c"
					" WHERE s.id = c.id"},
	[STATEMENT_LOG] = {"log",
			   "INSERT INTO floor_log SELECT unnest($1::uuid[]), unnest($2::int[]), unnest($3::bytea[])"},
	[STATEMENT_INBOX] =
		{"inbox", "INSERT INTO floor_inbox SELECT unnest($1::uuid[]), unnest($2::int[]), unnest($3::bytea[])"},
};

/* From so many rows on, COPY: it writes pages instead of rows, which saves CPU and WAL, but takes more round trips. */
enum { COPY_MIN = 500 };

static const char *const COPIES[STATEMENT_COUNT] = {
	[STATEMENT_SAGA] = "COPY floor_saga FROM STDIN (FORMAT binary)",
	[STATEMENT_LOG] = "COPY floor_log FROM STDIN (FORMAT binary)",
	[STATEMENT_INBOX] = "COPY floor_inbox FROM STDIN (FORMAT binary)",
};

/* What the next commit does with one table. All rows are alike: an id, a number, a filling. */
struct rows {
	struct row {
		struct uuid id;
		int32_t number;
	} * items;
	size_t count;
	size_t capacity;
	struct bytes filling;
};

struct table {
	PGconn *connection;
	struct rows rows[STATEMENT_COUNT];
	struct buffer encoded; /* of one statement at a time */
};

/* ---- life ---- */

static int fail(PGconn *connection, const char *what, struct error *err)
{
	return error_set(err, ERR_UNAVAILABLE, "%s: %s", what, PQerrorMessage(connection));
}

static int run_script(PGconn *connection, const char *sql, struct error *err)
{
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	return status == PGRES_COMMAND_OK ? 0 : fail(connection, "cannot set up the floor's tables", err);
}

int table_make_all(const char *conninfo, struct error *err)
{
	PGconn *connection = PQconnectdb(conninfo);
	int rc = PQstatus(connection) == CONNECTION_OK ? run_script(connection, TABLES, err)
						       : fail(connection, "cannot connect", err);

	PQfinish(connection);
	return rc;
}

static int prepare(PGconn *connection, struct error *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		PGresult *result = PQprepare(connection, STATEMENTS[i].name, STATEMENTS[i].sql, 0, NULL);
		ExecStatusType status = PQresultStatus(result);

		PQclear(result);
		if (status != PGRES_COMMAND_OK)
			return fail(connection, "cannot prepare", err);
	}
	return 0;
}

static struct bytes filling(size_t len)
{
	uint8_t *data = xmalloc(len + 1);

	memset(data, 'x', len);
	return (struct bytes){data, len};
}

int table_new(const char *conninfo, const struct table_sizes *sizes, struct table **ret_table, struct error *err)
{
	_cleanup_(table_freep)
	struct table *table = xcalloc(1, sizeof(*table));

	table->rows[STATEMENT_SAGA].filling = filling(sizes->row_bytes);
	table->rows[STATEMENT_CHANGE].filling = filling(sizes->row_bytes);
	table->rows[STATEMENT_LOG].filling = filling(sizes->log_bytes);
	table->rows[STATEMENT_INBOX].filling = filling(sizes->inbox_bytes);
	table->connection = PQconnectdb(conninfo);
	if (PQstatus(table->connection) != CONNECTION_OK)
		return fail(table->connection, "cannot connect", err);
	if (run_script(table->connection, SESSION, err) < 0 || prepare(table->connection, err) < 0)
		return -1;
	*ret_table = take_ptr(table);
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	PQfinish(table->connection);
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		free(table->rows[i].items);
		free((void *)table->rows[i].filling.data);
	}
	buffer_release(&table->encoded);
	free(table);
}

/* ---- rows ---- */

static void add(struct table *table, enum statement statement, struct uuid id, int32_t number)
{
	struct rows *rows = &table->rows[statement];

	if (rows->count == rows->capacity) {
		rows->capacity = rows->capacity ? rows->capacity * 2 : 1024;
		rows->items = xrealloc_array(rows->items, rows->capacity, sizeof(*rows->items));
	}
	rows->items[rows->count++] = (struct row){id, number};
}

void table_add_saga(struct table *table, struct uuid id)
{
	add(table, STATEMENT_SAGA, id, 1);
}

void table_add_change(struct table *table, struct uuid id, int32_t version)
{
	add(table, STATEMENT_CHANGE, id, version);
}

void table_add_log(struct table *table, struct uuid id, int32_t sequence)
{
	add(table, STATEMENT_LOG, id, sequence);
}

void table_add_inbox(struct table *table, struct uuid id, int32_t reply)
{
	add(table, STATEMENT_INBOX, id, reply);
}

/* ---- encoding; room was made before ---- */

static void put_int2(struct buffer *out, int16_t number)
{
	uint16_t value = htons((uint16_t)number);

	memcpy(out->data + out->len, &value, sizeof(value));
	out->len += sizeof(value);
}

static void put_int4(struct buffer *out, int32_t number)
{
	uint32_t value = htonl((uint32_t)number);

	memcpy(out->data + out->len, &value, sizeof(value));
	out->len += sizeof(value);
}

/* A value behind its length, as in arrays and in COPY. */
static void put_value(struct buffer *out, const void *data, size_t len)
{
	put_int4(out, (int32_t)len);
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void put_number(struct buffer *out, int32_t number)
{
	put_int4(out, sizeof(number));
	put_int4(out, number);
}

enum { COLUMN_ID, COLUMN_NUMBER, COLUMN_FILLING, COLUMNS };
static const Oid ELEMENTS[COLUMNS] = {2950, 23, 17}; /* uuid, int4, bytea */

static size_t row_size(const struct rows *rows)
{
	return sizeof(int16_t) + COLUMNS * sizeof(int32_t) + sizeof(struct uuid) + sizeof(int32_t) + rows->filling.len;
}

/* One dimension, from 1 on, without NULLs. */
static void put_array(struct buffer *out, const struct rows *rows, int column)
{
	put_int4(out, 1);
	put_int4(out, 0);
	put_int4(out, (int32_t)ELEMENTS[column]);
	put_int4(out, (int32_t)rows->count);
	put_int4(out, 1);
	for (size_t i = 0; i < rows->count; i++) {
		if (column == COLUMN_ID)
			put_value(out, rows->items[i].id.data, sizeof(rows->items[i].id.data));
		else if (column == COLUMN_NUMBER)
			put_number(out, rows->items[i].number);
		else
			put_value(out, rows->filling.data, rows->filling.len);
	}
}

static void put_copy(struct buffer *out, const struct rows *rows)
{
	static const char head[] = "PGCOPY\n\377\r\n"; /* with the NUL that ends it */

	memcpy(out->data, head, sizeof(head));
	out->len = sizeof(head);
	put_int4(out, 0);
	put_int4(out, 0);
	for (size_t i = 0; i < rows->count; i++) {
		put_int2(out, COLUMNS);
		put_value(out, rows->items[i].id.data, sizeof(rows->items[i].id.data));
		put_number(out, rows->items[i].number);
		put_value(out, rows->filling.data, rows->filling.len);
	}
	put_int2(out, -1);
}

/* ---- the commit ---- */

static int take_result(PGconn *connection, ExecStatusType wanted, struct error *err)
{
	PGresult *result = PQgetResult(connection);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	return status == wanted ? 0 : fail(connection, "the commit failed", err);
}

/* The first one begins the transaction in the same round trip. */
static int copy(struct table *table, enum statement statement, bool is_first, struct error *err)
{
	const struct rows *rows = &table->rows[statement];
	PGconn *connection = table->connection;
	struct buffer *out = &table->encoded;
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "%s%s", is_first ? "BEGIN;" : "", COPIES[statement]); /* fits */
	buffer_clear(out);
	buffer_reserve(out, 64 + rows->count * row_size(rows));
	put_copy(out, rows);
	if (!PQsendQuery(connection, sql) || (is_first && take_result(connection, PGRES_COMMAND_OK, err) < 0) ||
	    take_result(connection, PGRES_COPY_IN, err) < 0)
		return fail(connection, "cannot copy", err);
	if (PQputCopyData(connection, (const char *)out->data, (int)out->len) < 0 ||
	    PQputCopyEnd(connection, NULL) < 0 || take_result(connection, PGRES_COMMAND_OK, err) < 0)
		return fail(connection, "cannot copy", err);
	PQclear(PQgetResult(connection)); /* NULL */
	return 0;
}

static int send_statement(struct table *table, enum statement statement)
{
	const struct rows *rows = &table->rows[statement];
	const int formats[COLUMNS] = {1, 1, 1};
	struct buffer *out = &table->encoded;
	const char *values[COLUMNS];
	int lens[COLUMNS];
	size_t begin = 0;

	buffer_clear(out);
	buffer_reserve(out, 64 * COLUMNS + rows->count * row_size(rows));
	for (int i = 0; i < COLUMNS; i++) {
		put_array(out, rows, i);
		values[i] = (const char *)out->data + begin;
		lens[i] = (int)(out->len - begin);
		begin = out->len;
	}
	return PQsendQueryPrepared(table->connection, STATEMENTS[statement].name, COLUMNS, values, lens, formats, 1);
}

/* Results of `count` statements, each followed by NULL, then that of the sync. */
static int take_results(struct table *table, int count, struct error *err)
{
	int rc = 0;

	for (int i = 0; i < count; i++) {
		if (take_result(table->connection, PGRES_COMMAND_OK, err) < 0)
			rc = -1;
		PQclear(PQgetResult(table->connection)); /* NULL */
	}
	return rc < 0 ? -1 : take_result(table->connection, PGRES_PIPELINE_SYNC, err);
}

/* Those that were not copied, in one round trip. The server commits at the sync, or by the COMMIT where COPY began it. */
static int run_statements(struct table *table, const bool is_copied[STATEMENT_COUNT], bool has_begun, struct error *err)
{
	PGconn *connection = table->connection;
	int sent = 0;

	if (!PQenterPipelineMode(connection))
		return fail(connection, "cannot use pipeline mode", err);
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		if (is_copied[i] || table->rows[i].count == 0)
			continue;
		if (!send_statement(table, (enum statement)i))
			return fail(connection, "cannot send", err);
		sent++;
	}
	if (has_begun && !PQsendQueryParams(connection, "COMMIT", 0, NULL, NULL, NULL, NULL, 0))
		return fail(connection, "cannot send", err);
	if (!PQpipelineSync(connection))
		return fail(connection, "cannot send", err);
	if (take_results(table, sent + (has_begun ? 1 : 0), err) < 0)
		return -1;
	return PQexitPipelineMode(connection) ? 0 : fail(connection, "cannot leave pipeline mode", err);
}

int table_commit(struct table *table, struct error *err)
{
	bool is_copied[STATEMENT_COUNT] = {false};
	bool has_begun = false;
	size_t rows = 0;

	for (int i = 0; i < STATEMENT_COUNT; i++) {
		rows += table->rows[i].count;
		is_copied[i] = COPIES[i] && table->rows[i].count >= COPY_MIN;
		if (is_copied[i] && copy(table, (enum statement)i, !has_begun, err) < 0)
			return -1;
		has_begun |= is_copied[i];
	}
	if (rows > 0 && run_statements(table, is_copied, has_begun, err) < 0)
		return -1;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		table->rows[i].count = 0;
	return 0;
}
