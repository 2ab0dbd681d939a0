/* pg.c - see pg.h: the connection, its prepared statements and transactions. */
#include "lib/pg/pg.h"

#include <assert.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/pg/pg_value.h"

enum {
	PARAMS_MAX = 64,
	/* Statements are literals, so a program has few of them; text beyond that is run without being kept. */
	STATEMENTS_MAX = 512,
	BUCKETS = 256,
	ANSWER_DEFAULT_MS = 30000,
	READ_MS = 1000, /* for an answer that is there already */
};

struct statement {
	struct statement *next;
	char *sql;
	char name[16];
	unsigned long uses;
	size_t param_count;
	uint32_t type_oids[PARAMS_MAX];
};

struct pg {
	char *conninfo;
	char *application;
	PGconn *connection; /* NULL: not connected */
	char sqlstate[6];
	bool is_in_transaction;
	bool is_dismissed;                  /* the server has said that it ends this connection */
	int64_t answer_ms;                  /* how long a statement may go without an answer; 0: for ever */
	bool is_mute;                       /* the last statement had none in that time */
	bool is_sent;                       /* between pg_send() and pg_receive() */
	int64_t sent_until_us;              /* when its answer is overdue */
	struct statement *buckets[BUCKETS]; /* prepared on this connection, by the hash of their text */
	unsigned statement_count;
	bool has_old_plans;
	struct buffer scratch; /* jsonb parameters with their version byte */
};

struct pg *pg_new(const char *conninfo, const char *application)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));

	assert(conninfo);
	assert(application);
	pg->conninfo = xstrdup(conninfo);
	pg->application = xstrdup(application);
	pg->answer_ms = ANSWER_DEFAULT_MS;
	return pg;
}

int64_t pg_set_answer_ms(struct pg *pg, int64_t answer_ms)
{
	int64_t before_ms = pg->answer_ms;

	assert(answer_ms >= 0);
	pg->answer_ms = answer_ms;
	return before_ms;
}

/* What the server prepared for us ends with the connection. */
static void disconnect(struct pg *pg)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct statement *statement; (statement = pg->buckets[i]);) {
			pg->buckets[i] = statement->next;
			free(statement->sql);
			free(statement);
		}
	}
	pg->statement_count = 0;
	pg->has_old_plans = false;
	PQfinish(pg->connection);
	pg->connection = NULL;
}

void pg_free(struct pg *pg)
{
	if (!pg)
		return;
	disconnect(pg);
	buffer_release(&pg->scratch);
	free(pg->conninfo);
	free(pg->application);
	free(pg);
}

bool pg_is_connected(const struct pg *pg)
{
	return pg->connection && PQstatus(pg->connection) == CONNECTION_OK;
}

const char *pg_sqlstate(const struct pg *pg)
{
	return pg->sqlstate;
}

/* The first line of what libpq says, without its line end: messages here are one line. */
static int first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

/* "already exists, skipping" and the like are not printed by a library. What comes unasked and is fatal is the server's
 * farewell. */
static void on_notice(void *ctx, const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	struct pg *pg = ctx;

	pg->is_dismissed |= severity && strcmp(severity, "FATAL") == 0;
}

/* A service's file may ask for it, and only fills in what has no value yet. */
static bool may_ask_for_gss(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	bool is_asked = getenv("PGGSSENCMODE") || getenv("PGSERVICE");

	for (const PQconninfoOption *option = options; option && option->keyword; option++)
		is_asked |= option->val && strcmp(option->keyword, "service") == 0;
	PQconninfoFree(options);
	return is_asked;
}

int pg_connect(struct pg *pg, struct error *err)
{
	/* The later entry counts, so the conninfo overrides what stands before it. A peer that vanished without a word
	 * is given up after 20 s. Encryption by Kerberos is for who asks for it: looking for a ticket each time reads its
	 * libraries and files, a megabyte of memory, on machines that have none. */
	const char *const names[] = {
		"application_name", "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", "gssencmode",      "dbname",          "client_encoding",     NULL};
	const char *const values[] = {
		pg->application, "5",    "10", "5", "2", "20000", may_ask_for_gss(pg->conninfo) ? NULL : "disable",
		pg->conninfo,    "UTF8", NULL};
	const char *text;

	if (pg_is_connected(pg))
		return 0;
	disconnect(pg);
	pg->connection = PQconnectdbParams(names, values, 1);
	if (!pg->connection)
		abort(); /* out of memory */
	if (PQstatus(pg->connection) == CONNECTION_OK) {
		(void)PQsetNoticeReceiver(pg->connection, on_notice, pg);
		pg->is_dismissed = false;
		if (PQsetnonblocking(pg->connection, 1) != 0)
			abort(); /* only for a connection that is none */
		return 0;
	}
	pg->sqlstate[0] = 0;
	text = PQerrorMessage(pg->connection);
	(void)error_set(err, ERR_UNAVAILABLE, "cannot connect to postgres: %.*s", first_line(text), text);
	disconnect(pg);
	return -1;
}

/* ---- failures ---- */

static enum err_code code_of_sqlstate(const char *state)
{
	static const struct {
		const char *prefix;
		enum err_code code;
	} table[] = {
		{"57014", ERR_TIMEOUT},     /* cancelled, for instance by statement_timeout */
		{"57P0", ERR_UNAVAILABLE},  /* shutting down, starting up */
		{"53", ERR_UNAVAILABLE},    /* disk full, too many connections */
		{"08", ERR_UNAVAILABLE},    /* connection */
		{"40001", ERR_UNAVAILABLE}, /* serialization failure */
		{"40P01", ERR_UNAVAILABLE}, /* deadlock */
		{"55P03", ERR_UNAVAILABLE}, /* lock not available */
		{"25006", ERR_UNAVAILABLE}, /* read-only: a standby answered during a failover */
		{"23", ERR_CONFLICT},       {"22", ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0)
			return table[i].code;
	}
	return ERR_INTERNAL;
}

/* Turns a failed (or absent) result into the error, and releases it. */
static int fail(struct pg *pg, PGresult *result, struct error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	if (!text)
		text = PQerrorMessage(pg->connection);
	if (pg->is_mute) {
		pg->is_mute = false;
		pg->sqlstate[0] = 0;
		(void)error_set(err, ERR_UNAVAILABLE, "postgres did not answer within %lld ms",
				(long long)pg->answer_ms);
		PQclear(result);
		disconnect(pg);
		return -1;
	}
	if (!pg_is_connected(pg)) {
		pg->sqlstate[0] = 0;
		(void)error_set(err, ERR_UNAVAILABLE, "lost the connection to postgres: %.*s", first_line(text), text);
		PQclear(result);
		disconnect(pg);
		return -1;
	}
	(void)snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", state ? state : "XX000");
	(void)error_set(err, code_of_sqlstate(pg->sqlstate), "postgres refused the statement: %.*s%s%.*s (sqlstate %s)",
			first_line(text), text, detail ? "; " : "", detail ? first_line(detail) : 0,
			detail ? detail : "", pg->sqlstate);
	PQclear(result);
	return -1;
}

/* Gives the result on success, releases it on failure. */
static int check(struct pg *pg, PGresult *result, PGresult **ret_result, struct error *err)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		*ret_result = result;
		return 0;
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		assert(false && "COPY is not spoken here");
		break;
	default:
		break;
	}
	return fail(pg, result, err);
}

/* An idle connection that the server closed, or is about to close, is noticed before a statement is entrusted to it, so
 * that a restart of the server costs nobody a failed call. */
static void notice_closed(struct pg *pg)
{
	while (pg_is_connected(pg)) {
		struct pollfd wait = {.fd = PQsocket(pg->connection), .events = POLLIN};

		if (poll(&wait, 1, 0) <= 0)
			return;
		if (PQconsumeInput(pg->connection) == 0) {
			disconnect(pg);
			return;
		}
		PQfreemem(PQnotifies(pg->connection)); /* nobody listens; it has libpq look at what came */
		if (pg->is_dismissed)
			disconnect(pg);
	}
}

/* A connection that is lost inside a transaction is not replaced: the rest of it would run on its own. */
static int make_ready(struct pg *pg, struct error *err)
{
	assert(!pg->is_sent);
	if (!pg->is_in_transaction) {
		notice_closed(pg);
		return pg_connect(pg, err);
	}
	if (pg_is_connected(pg))
		return 0;
	pg->sqlstate[0] = 0;
	return error_set(err, ERR_UNAVAILABLE, "the connection to postgres was lost in this transaction");
}

/* ---- waiting ---- */

/* False: no answer in time, or the connection is gone. */
static bool wait_for_socket(struct pg *pg, short events, int64_t until_us)
{
	int64_t left_ms = pg->answer_ms == 0 ? -1 : (until_us - clock_monotonic_us() + 999) / 1000;
	struct pollfd wait = {.fd = PQsocket(pg->connection), .events = events};

	if (pg->answer_ms != 0 && left_ms <= 0) {
		pg->is_mute = true;
		return false;
	}
	(void)poll(&wait, 1, (int)left_ms); /* whatever woke it, the caller looks */
	return !(wait.revents & (POLLIN | POLLHUP | POLLERR)) || PQconsumeInput(pg->connection) != 0;
}

/* False: the server did not take it all in time, or the connection is gone. */
static bool flush(struct pg *pg, int64_t until_us)
{
	bool is_fine = true;

	while (is_fine && PQflush(pg->connection) > 0)
		is_fine = wait_for_socket(pg, POLLIN | POLLOUT, until_us);
	return is_fine;
}

/* False: no whole answer in time. True: there is one, or the connection is gone; both are PQgetResult()'s to tell. */
static bool wait_for_answer(struct pg *pg, int64_t until_us)
{
	bool is_fine = flush(pg, until_us);

	while (is_fine && PQisBusy(pg->connection))
		is_fine = wait_for_socket(pg, POLLIN, until_us);
	return !pg->is_mute;
}

static int64_t answer_until_us(const struct pg *pg)
{
	return clock_monotonic_us() + pg->answer_ms * 1000;
}

/* What has come meanwhile is still to be read. */
static int64_t sent_until_us(const struct pg *pg)
{
	const int64_t soon_us = clock_monotonic_us() + READ_MS * 1000;

	return pg->sent_until_us > soon_us ? pg->sent_until_us : soon_us;
}

/* The last result of what was sent, as PQexec() gives it; NULL: the connection failed or stayed mute. A server that is
 * stopped, or whose disk hangs, keeps the connection but says nothing; it must not keep us, too. */
static PGresult *receive(struct pg *pg, int is_sent)
{
	const int64_t until_us = pg->is_sent ? sent_until_us(pg) : answer_until_us(pg);
	PGresult *last = NULL;
	PGresult *next;

	if (!is_sent)
		return NULL;
	while (wait_for_answer(pg, until_us) && (next = PQgetResult(pg->connection))) {
		PQclear(last);
		last = next;
		if (PQresultStatus(last) == PGRES_COPY_IN || PQresultStatus(last) == PGRES_COPY_OUT)
			return last; /* refused by check() */
	}
	if (!pg->is_mute)
		return last;
	PQclear(last);
	return NULL;
}

/* ---- statements ---- */

static size_t bucket_of(const char *sql)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *at = sql; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return hash % BUCKETS;
}

/* A NULL without a type fits whatever type the statement was prepared with. */
static bool fits(const struct statement *statement, const char *sql, const struct pg_param *params, size_t param_count)
{
	if (statement->param_count != param_count || strcmp(statement->sql, sql) != 0)
		return false;
	for (size_t i = 0; i < param_count; i++) {
		if (params[i].type_oid != statement->type_oids[i] && params[i].type_oid != 0)
			return false;
	}
	return true;
}

/*
 * A plan is for the tables as they were when it was made: in a program that has just been set up they were empty, where any
 * index and any order is as good as the others. So plans are made anew at the 2nd, 4th, 8th … use of a statement;
 * not inside a transaction, whose first statement may have to be the caller's, but before what follows it.
 */
static void count_use(struct pg *pg, struct statement *statement)
{
	statement->uses++;
	if ((statement->uses & (statement->uses - 1)) == 0)
		pg->has_old_plans = true;
}

static int drop_old_plans(struct pg *pg, struct error *err)
{
	PGresult *result = NULL;

	if (!pg->has_old_plans || pg->is_in_transaction)
		return 0;
	pg->has_old_plans = false;
	if (check(pg, receive(pg, PQsendQuery(pg->connection, "DISCARD PLANS")), &result, err) < 0)
		return -1;
	PQclear(result);
	return 0;
}

/* The prepared statement; *ret is NULL where no more are kept. */
static int prepare(struct pg *pg, const char *sql, const struct pg_param *params, size_t param_count,
		   const struct statement **ret_statement, struct error *err)
{
	struct statement **bucket = &pg->buckets[bucket_of(sql)];
	struct statement *statement = *bucket;
	PGresult *result = NULL;

	while (statement && !fits(statement, sql, params, param_count))
		statement = statement->next;
	*ret_statement = statement;
	if (statement) {
		count_use(pg, statement);
		return drop_old_plans(pg, err);
	}
	if (pg->statement_count >= STATEMENTS_MAX)
		return 0;

	statement = xcalloc(1, sizeof(*statement));
	statement->param_count = param_count;
	statement->uses = 1;
	for (size_t i = 0; i < param_count; i++)
		statement->type_oids[i] = params[i].type_oid;
	(void)snprintf(statement->name, sizeof(statement->name), "s%u", pg->statement_count);
	if (check(pg,
		  receive(pg,
			  PQsendPrepare(pg->connection, statement->name, sql, (int)param_count, statement->type_oids)),
		  &result, err) < 0) {
		free(statement);
		return -1;
	}
	PQclear(result);
	statement->sql = xstrdup(sql);
	statement->next = *bucket;
	*bucket = statement;
	pg->statement_count++;
	*ret_statement = statement;
	return 0;
}

/* The parameters as libpq wants them: four parallel arrays. */
struct wire_params {
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX];
	int formats[PARAMS_MAX];
	uint32_t type_oids[PARAMS_MAX];
};

static void fill_params(struct pg *pg, const struct pg_param *params, size_t param_count, struct wire_params *ret_wire)
{
	size_t jsonb_bytes = 0;

	for (size_t i = 0; i < param_count; i++)
		jsonb_bytes += params[i].type_oid == PG_OID_JSONB ? params[i].len + 1 : 0;
	buffer_clear(&pg->scratch);
	buffer_reserve(&pg->scratch, jsonb_bytes); /* once, so that pointers into it stay */
	for (size_t i = 0; i < param_count; i++) {
		const struct pg_param *param = &params[i];
		const void *value = param->data ? param->data : param->inline_data;
		size_t len = param->len;

		if (param->type_oid == PG_OID_JSONB && !param->is_null) {
			size_t start = pg->scratch.len;

			buffer_append_byte(&pg->scratch, 1);
			buffer_append(&pg->scratch, param->data, param->len);
			value = pg->scratch.data + start;
			len++;
		}
		assert(len <= INT32_MAX);
		ret_wire->values[i] = param->is_null ? NULL : value;
		ret_wire->lengths[i] = (int)len;
		ret_wire->formats[i] = 1;
		ret_wire->type_oids[i] = param->type_oid;
	}
}

/* Hands it to libpq; *ret_is_sent as PQsendQuery() answers. */
static int begin_statement(struct pg *pg, const char *sql, const struct pg_param *params, size_t param_count,
			   int *ret_is_sent, struct error *err)
{
	const struct statement *statement = NULL;
	struct wire_params wire;

	assert(param_count <= PARAMS_MAX);
	if (make_ready(pg, err) < 0 || prepare(pg, sql, params, param_count, &statement, err) < 0)
		return -1;
	fill_params(pg, params, param_count, &wire);
	if (statement)
		*ret_is_sent = PQsendQueryPrepared(pg->connection, statement->name, (int)param_count, wire.values,
						   wire.lengths, wire.formats, 1);
	else
		*ret_is_sent = PQsendQueryParams(pg->connection, sql, (int)param_count, wire.type_oids, wire.values,
						 wire.lengths, wire.formats, 1);
	return 0;
}

/* Waits for the answer. */
static int end_statement(struct pg *pg, int is_sent, struct pg_result **ret_result, struct error *err)
{
	PGresult *result = NULL;

	if (check(pg, receive(pg, is_sent), &result, err) < 0)
		return -1;
	if (ret_result) {
		*ret_result = xcalloc(1, sizeof(**ret_result));
		(*ret_result)->pq = result;
	} else {
		PQclear(result);
	}
	return 0;
}

int pg_exec(struct pg *pg, const char *sql, const struct pg_param *params, size_t param_count,
	    struct pg_result **ret_result, struct error *err)
{
	int is_sent = 0;

	if (begin_statement(pg, sql, params, param_count, &is_sent, err) < 0)
		return -1;
	return end_statement(pg, is_sent, ret_result, err);
}

int pg_send(struct pg *pg, const char *sql, const struct pg_param *params, size_t param_count, struct error *err)
{
	int is_sent = 0;

	if (begin_statement(pg, sql, params, param_count, &is_sent, err) < 0)
		return -1;
	if (!is_sent || !flush(pg, answer_until_us(pg)))
		return fail(pg, is_sent && !pg->is_mute ? PQgetResult(pg->connection) : NULL, err);
	pg->is_sent = true;
	pg->sent_until_us = answer_until_us(pg);
	return 0;
}

int pg_receive(struct pg *pg, struct pg_result **ret_result, struct error *err)
{
	int rc;

	assert(pg->is_sent);
	rc = end_statement(pg, 1, ret_result, err);
	pg->is_sent = false;
	return rc;
}

static int run_plain(struct pg *pg, const char *sql, struct error *err)
{
	PGresult *result = NULL;

	if (check(pg, receive(pg, PQsendQuery(pg->connection, sql)), &result, err) < 0)
		return -1;
	PQclear(result);
	return 0;
}

int pg_exec_script(struct pg *pg, const char *sql, struct error *err)
{
	if (make_ready(pg, err) < 0)
		return -1;
	return run_plain(pg, sql, err);
}

/* ---- transactions ---- */

int pg_begin(struct pg *pg, struct error *err)
{
	assert(!pg->is_in_transaction);
	if (make_ready(pg, err) < 0 || drop_old_plans(pg, err) < 0 ||
	    run_plain(pg, "BEGIN ISOLATION LEVEL READ COMMITTED", err) < 0)
		return -1;
	pg->is_in_transaction = true;
	return 0;
}

void pg_rollback(struct pg *pg)
{
	struct error ignored;

	pg->is_in_transaction = false;
	if (pg_is_connected(pg) && run_plain(pg, "ROLLBACK", &ignored) < 0)
		disconnect(pg);
}

int pg_try_lock(struct pg *pg, int64_t key, bool *ret_is_ours, struct error *err)
{
	const struct pg_param param = pg_int8(key);
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (pg_exec(pg, "SELECT pg_try_advisory_lock($1)", &param, 1, &result, err) < 0)
		return -1;
	*ret_is_ours = pg_get_bool(result, 0, 0);
	return 0;
}

int pg_commit(struct pg *pg, bool *ret_is_unknown, struct error *err)
{
	PGresult *result = NULL;
	bool is_ready;
	bool is_committed;

	assert(pg->is_in_transaction);
	if (ret_is_unknown)
		*ret_is_unknown = false;
	is_ready = make_ready(pg, err) == 0;
	pg->is_in_transaction = false;
	if (!is_ready)
		return -1; /* lost before COMMIT was sent: nothing was committed */
	if (check(pg, receive(pg, PQsendQuery(pg->connection, "COMMIT")), &result, err) < 0) {
		/* With the connection gone even an SQLSTATE proves nothing: the server may have ended us after it
		 * committed. */
		if (ret_is_unknown)
			*ret_is_unknown = !pg_is_connected(pg);
		return -1;
	}
	/* COMMIT of a transaction in which a statement failed is answered ROLLBACK, without any error. */
	is_committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
	PQclear(result);
	if (!is_committed)
		return error_set(err, ERR_PRECONDITION,
				 "postgres rolled the transaction back: a statement in it failed");
	return 0;
}
