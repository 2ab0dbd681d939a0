/* table.c - see table.h. */
#include "tests/bench/floor/table.h"

#include <libpq-fe.h>
#include <string.h>

#include "lib/pg/pg.h"

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
	[STATEMENT_SAGA] = {"saga", "INSERT INTO floor_saga SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])"},
	[STATEMENT_CHANGE] = {"change", "UPDATE floor_saga s SET version = c.version, data = c.data"
					" FROM unnest($1::uuid[], $2::int[], $3::bytea[]) AS c(id, version, data)"
					" WHERE s.id = c.id"},
	[STATEMENT_LOG] = {"log", "INSERT INTO floor_log SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])"},
	[STATEMENT_INBOX] = {"inbox",
			     "INSERT INTO floor_inbox SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])"},
};

enum { COLUMNS = 3 };

struct table {
	PGconn *connection;
	struct pg_array columns[STATEMENT_COUNT][COLUMNS];
	struct bytes data[STATEMENT_COUNT]; /* what fills the rows */
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
	static const enum pg_array_type types[COLUMNS] = {PG_ARRAY_UUID, PG_ARRAY_INT4, PG_ARRAY_BYTEA};
	_cleanup_(table_freep)
	struct table *table = xcalloc(1, sizeof(*table));

	for (int i = 0; i < STATEMENT_COUNT; i++)
		for (int j = 0; j < COLUMNS; j++)
			pg_array_init(&table->columns[i][j], types[j]);
	table->data[STATEMENT_SAGA] = table->data[STATEMENT_CHANGE] = filling(sizes->row_bytes);
	table->data[STATEMENT_LOG] = filling(sizes->log_bytes);
	table->data[STATEMENT_INBOX] = filling(sizes->inbox_bytes);
	table->connection = PQconnectdb(conninfo);
	if (PQstatus(table->connection) != CONNECTION_OK)
		return fail(table->connection, "cannot connect", err);
	if (run_script(table->connection, SESSION, err) < 0 || prepare(table->connection, err) < 0)
		return -1;
	if (!PQenterPipelineMode(table->connection))
		return fail(table->connection, "cannot use pipeline mode", err);
	*ret_table = take_ptr(table);
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	PQfinish(table->connection);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		for (int j = 0; j < COLUMNS; j++)
			pg_array_release(&table->columns[i][j]);
	free((void *)table->data[STATEMENT_SAGA].data); /* the changes' is the same */
	free((void *)table->data[STATEMENT_LOG].data);
	free((void *)table->data[STATEMENT_INBOX].data);
	free(table);
}

/* ---- rows ---- */

static void add(struct table *table, enum statement statement, struct uuid id, int32_t number)
{
	struct pg_array *columns = table->columns[statement];

	pg_array_add_uuid(&columns[0], &id);
	pg_array_add_int(&columns[1], number);
	pg_array_add_bytes(&columns[2], table->data[statement]);
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

/* ---- the commit ---- */

static int send_statement(struct table *table, enum statement statement)
{
	const char *values[COLUMNS];
	int lens[COLUMNS];
	int formats[COLUMNS];

	for (int i = 0; i < COLUMNS; i++) {
		struct pg_param param = pg_array_param(&table->columns[statement][i]);

		values[i] = param.data;
		lens[i] = (int)param.len;
		formats[i] = 1;
	}
	return PQsendQueryPrepared(table->connection, STATEMENTS[statement].name, COLUMNS, values, lens, formats, 1);
}

/* Results of `count` statements, each followed by NULL, then that of the sync. */
static int take_results(struct table *table, int count, struct error *err)
{
	int rc = 0;

	for (int i = 0; i <= count; i++) {
		PGresult *result = PQgetResult(table->connection);
		ExecStatusType status = PQresultStatus(result);

		PQclear(result);
		if (rc == 0 && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC)
			rc = fail(table->connection, "the commit failed", err);
		if (i < count)
			PQclear(PQgetResult(table->connection)); /* NULL */
	}
	return rc;
}

int table_commit(struct table *table, struct error *err)
{
	int sent = 0;

	for (int i = 0; i < STATEMENT_COUNT; i++) {
		if (table->columns[i][0].count == 0)
			continue;
		if (!send_statement(table, (enum statement)i))
			return fail(table->connection, "cannot send", err);
		sent++;
		for (int j = 0; j < COLUMNS; j++)
			pg_array_clear(&table->columns[i][j]); /* libpq has copied it */
	}
	if (sent == 0)
		return 0;
	if (!PQpipelineSync(table->connection))
		return fail(table->connection, "cannot send", err);
	return take_results(table, sent, err);
}
