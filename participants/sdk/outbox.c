/* outbox.c - see outbox.h. */
#include "participants/sdk/outbox.h"

#include <stdio.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/uuid.h"
#include "lib/kafka/flight.h"

enum {
	BATCH_MAX = 500,
	LOOK_MS = 200,  /* between two looks at an empty table */
	AWAY_MS = 1000, /* after a failure */
	LOCK_KEY = 0x616d6f62,
};

const struct pg_migration outbox_migrations[] = {
	{"sdk_0002_outbox",
	 "CREATE TABLE saga_outbox ("
	 " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
	 " ce_id uuid NOT NULL,"
	 " topic text NOT NULL,"
	 " key text NOT NULL,"
	 " value jsonb NOT NULL,"
	 " correlation_id text NOT NULL,"
	 " traceparent text,"
	 " problem text,"
	 " created_at timestamptz NOT NULL DEFAULT now()"
	 ");"
	 "COMMENT ON TABLE saga_outbox IS 'facts that are still to be told; a row goes when Kafka has it';"
	 "COMMENT ON COLUMN saga_outbox.problem IS 'why it can never be sent; null: it can';"},
};
const size_t outbox_migration_count = ARRAY_LEN(outbox_migrations);

int outbox_put(struct pg *pg, const struct outbox_fact *fact, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer json = {0};
	struct uuid id = uuid_v7_new();
	struct pg_param params[6];

	value_print_json(fact->value, &json);
	params[0] = pg_uuid(&id);
	params[1] = pg_text(fact->topic);
	params[2] = pg_text(fact->key);
	params[3] = pg_jsonb(buffer_bytes(&json));
	params[4] = pg_text(fact->correlation_id ? fact->correlation_id : fact->key);
	params[5] = pg_text(fact->traceparent);
	if (pg_exec(pg,
		    "INSERT INTO saga_outbox (ce_id, topic, key, value, correlation_id, traceparent)"
		    " VALUES ($1, $2, $3, $4, $5, $6)",
		    params, ARRAY_LEN(params), NULL, err) < 0)
		return error_prefix(err, "put a fact into the outbox");
	return 0;
}

/* ---- the relay ---- */

/* What one transaction came to. */
struct outbox_batch {
	size_t told;
	size_t set_aside;
	char first_problem[320];
};

struct outbox_relay {
	struct outbox_relay_options options;
	struct pg *pg;
	struct arena arena;
	pthread_t thread;
	bool is_away; /* something was, and it was said */
	atomic_bool is_stopping;
	pthread_mutex_t mu;
	pthread_cond_t stopped;
	struct outbox_batch batch; /* the one in hand */
};

static void wait_ms(struct outbox_relay *relay, int64_t ms)
{
	int64_t deadline_us = clock_monotonic_us() + ms * 1000;
	bool is_over = false;

	(void)pthread_mutex_lock(&relay->mu);
	while (!atomic_load(&relay->is_stopping) && !is_over)
		is_over = !condition_wait_until(&relay->stopped, &relay->mu, deadline_us);
	(void)pthread_mutex_unlock(&relay->mu);
}

static const struct reply_schema *find_schema(const struct outbox_relay *relay, const char *topic)
{
	for (size_t i = 0; i < relay->options.schema_count; i++)
		if (strcmp(relay->options.schemas[i].topic, topic) == 0)
			return &relay->options.schemas[i];
	return NULL;
}

enum { COLUMN_ID, COLUMN_CE_ID, COLUMN_TOPIC, COLUMN_KEY, COLUMN_VALUE, COLUMN_CORRELATION, COLUMN_TRACE, COLUMN_TIME };

static void add(struct kafka_record *record, const char *name, const char *value)
{
	record->headers[record->header_count++] = (struct kafka_header){name, bytes_of_text(value)};
}

static void add_headers(const struct outbox_relay *relay, const struct pg_result *result, size_t row,
			const struct reply_schema *schema, struct arena *arena, struct kafka_record *record)
{
	const char *registry = relay->options.registry_url ? relay->options.registry_url : "";
	char *id = arena_alloc(arena, UUID_TEXT_LEN + 1);
	char *time = arena_alloc(arena, CLOCK_TEXT_LEN + 1);

	uuid_format(pg_get_uuid(result, row, COLUMN_CE_ID), id);
	clock_format(pg_get_int(result, row, COLUMN_TIME), time);
	add(record, "ce_specversion", "1.0");
	add(record, "ce_id", id);
	add(record, "ce_source", relay->options.service);
	add(record, "ce_type", schema->message);
	add(record, "ce_subject", pg_get_text(result, row, COLUMN_KEY, arena));
	add(record, "ce_time", time);
	add(record, "ce_dataschema", arena_format(arena, "%s/schemas/ids/%d", registry, (int)schema->id));
	add(record, "content-type",
	    schema->format == SCHEMA_FORMAT_PROTOBUF ? "application/protobuf" : "application/avro");
	add(record, "correlationid", pg_get_text(result, row, COLUMN_CORRELATION, arena));
	if (!pg_is_null(result, row, COLUMN_TRACE))
		add(record, "traceparent", pg_get_text(result, row, COLUMN_TRACE, arena));
}

/* -1: the fact can never be sent as it is. */
static int make_record(const struct outbox_relay *relay, const struct pg_result *result, size_t row,
		       struct arena *arena, struct kafka_record *ret_record, struct error *err)
{
	const char *topic = pg_get_text(result, row, COLUMN_TOPIC, arena);
	const struct reply_schema *schema = find_schema(relay, topic);
	struct kafka_record record = {.topic = topic, .has_value = true};
	struct value value = {0};

	if (!schema)
		return error_set(err, ERR_INVALID, "'%s' is no fact topic of this service", topic);
	if (value_parse_json(pg_get_bytes(result, row, COLUMN_VALUE), arena, &value, err) < 0 ||
	    reply_schema_encode(schema, &value, arena, &record.value, err) < 0)
		return -1;
	record.key = bytes_of_text(pg_get_text(result, row, COLUMN_KEY, arena));
	add_headers(relay, result, row, schema, arena, &record);
	*ret_record = record;
	return 0;
}

struct outbox_rows {
	const struct pg_result *result;
	bool *is_aside; /* stays in the table, with its problem */
};

static int set_aside(struct outbox_relay *relay, struct outbox_rows *rows, size_t row, const struct error *why,
		     struct error *err)
{
	int64_t id = pg_get_int(rows->result, row, COLUMN_ID);
	struct pg_param params[2] = {pg_int8(id), pg_text(why->msg)};

	if (pg_exec(relay->pg, "UPDATE saga_outbox SET problem = $2 WHERE id = $1", params, 2, NULL, err) < 0)
		return -1;
	rows->is_aside[row] = true;
	relay->batch.set_aside++;
	if (relay->batch.set_aside == 1)
		(void)snprintf(relay->batch.first_problem, sizeof(relay->batch.first_problem), "outbox_id=%lld err=%s",
			       (long long)id, why->msg);
	return 0;
}

/* A fact that Kafka refuses for good, such as one that is too large for its topic. What else it refuses may be allowed, or
 * created, later. */
static bool is_for_good(const struct error *why)
{
	return why->code == ERR_LIMIT || why->code == ERR_INVALID;
}

/* Hands the row's record to the producer, or leaves the row aside. */
static int send_row(struct outbox_relay *relay, struct outbox_rows *rows, size_t row, struct flight *flight,
		    struct error *err)
{
	struct kafka_record record;
	struct error why;

	if (make_record(relay, rows->result, row, &relay->arena, &record, &why) < 0)
		return set_aside(relay, rows, row, &why, err);
	flight_add(flight);
	if (kafka_produce(relay->options.producer, &record, flight, err) == 0)
		return 0;
	flight_confirm(flight, err);
	return -1;
}

static int send_together(struct outbox_relay *relay, struct outbox_rows *rows, struct error *err)
{
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(true);

	for (size_t i = 0; i < pg_rows(rows->result); i++)
		if (!rows->is_aside[i] && send_row(relay, rows, i, flight, err) < 0)
			return -1;
	return flight_land(flight, &relay->is_stopping, err);
}

/* The broker refuses a whole batch of records for one of them, so which one it is shows only when each goes alone. Those that had
 * arrived come twice. */
static int send_one_by_one(struct outbox_relay *relay, struct outbox_rows *rows, struct error *err)
{
	for (size_t i = 0; i < pg_rows(rows->result); i++) {
		_cleanup_(flight_releasep)
		struct flight *flight = flight_new(true);
		struct error why;

		if (rows->is_aside[i] || (send_row(relay, rows, i, flight, &why) == 0 &&
					  flight_land(flight, &relay->is_stopping, &why) == 0))
			continue;
		if (!is_for_good(&why)) {
			*err = why;
			return -1;
		}
		if (set_aside(relay, rows, i, &why, err) < 0)
			return -1;
	}
	return 0;
}

/* Sends the rows, in their order. */
static int send_rows(struct outbox_relay *relay, struct outbox_rows *rows, struct error *err)
{
	if (send_together(relay, rows, err) == 0)
		return 0;
	return is_for_good(err) ? send_one_by_one(relay, rows, err) : -1;
}

static int delete_told(struct outbox_relay *relay, const struct outbox_rows *rows, struct error *err)
{
	_cleanup_(pg_array_release)
	struct pg_array told;
	struct pg_param params[1];
	size_t count = 0;

	pg_array_init(&told, PG_ARRAY_INT8);
	for (size_t i = 0; i < pg_rows(rows->result); i++) {
		if (!rows->is_aside[i]) {
			pg_array_add_int(&told, pg_get_int(rows->result, i, COLUMN_ID));
			count++;
		}
	}
	params[0] = pg_array_param(&told);
	if (pg_exec(relay->pg, "DELETE FROM saga_outbox WHERE id = ANY($1)", params, 1, NULL, err) < 0)
		return -1;
	relay->batch.told = count;
	return 0;
}

/* Inside the transaction. The lock ends with it, so one instance sends at a time and the order stays. */
static int send_batch(struct outbox_relay *relay, size_t *ret_count, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *lock = NULL;
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;
	struct pg_param params[1] = {pg_int8(LOCK_KEY)};
	struct outbox_rows rows;

	if (pg_exec(relay->pg, "SELECT pg_try_advisory_xact_lock($1)", params, 1, &lock, err) < 0)
		return -1;
	*ret_count = 0;
	if (!pg_get_bool(lock, 0, 0))
		return 0;
	params[0] = pg_int8(BATCH_MAX);
	if (pg_exec(relay->pg,
		    "SELECT id, ce_id, topic, key, value::text, correlation_id, traceparent, created_at FROM "
		    "saga_outbox"
		    " WHERE problem IS NULL ORDER BY id LIMIT $1",
		    params, 1, &result, err) < 0)
		return -1;
	if (pg_rows(result) == 0)
		return 0;
	*ret_count = pg_rows(result);
	rows = (struct outbox_rows){result, arena_zalloc(&relay->arena, pg_rows(result) * sizeof(bool))};
	CRASH_POINT(OUTBOX_READ);
	if (send_rows(relay, &rows, err) < 0)
		return -1;
	CRASH_POINT(OUTBOX_SENT);
	return delete_told(relay, &rows, err);
}

/* After the commit: what was rolled back comes again, and counts once. */
static void note_batch(struct outbox_relay *relay)
{
	metric_add(relay->options.told, relay->batch.told);
	metric_add(relay->options.set_aside, relay->batch.set_aside);
	if (relay->batch.set_aside)
		log_error("fact_not_sent", "facts=%zu %s, leaving them in saga_outbox", relay->batch.set_aside,
			  LOG_TEXT(relay->batch.first_problem));
}

static int relay_once(struct outbox_relay *relay, size_t *ret_count, struct error *err)
{
	arena_clear(&relay->arena);
	relay->batch = (struct outbox_batch){0};
	if (pg_begin(relay->pg, err) < 0)
		return -1;
	if (send_batch(relay, ret_count, err) < 0) {
		pg_rollback(relay->pg);
		return -1;
	}
	if (*ret_count > 0)
		CRASH_POINT(OUTBOX_BEFORE_COMMIT);
	/* An unknown outcome needs no care: what still stands there is told once more. */
	if (pg_commit(relay->pg, NULL, err) < 0)
		return -1;
	if (*ret_count > 0)
		CRASH_POINT(OUTBOX_AFTER_COMMIT);
	note_batch(relay);
	return 0;
}

static void *run(void *arg)
{
	struct outbox_relay *relay = arg;

	while (!atomic_load(&relay->is_stopping)) {
		struct error err;
		size_t count = 0;

		if (relay_once(relay, &count, &err) < 0) {
			if (!relay->is_away)
				log_warn("outbox_waiting", "err=%s, trying again until it is back", LOG_TEXT(err.msg));
			relay->is_away = true;
			wait_ms(relay, AWAY_MS);
			continue;
		}
		relay->is_away = false;
		if (count == 0)
			wait_ms(relay, LOOK_MS);
	}
	return NULL;
}

static void init_sync(struct outbox_relay *relay)
{
	(void)pthread_mutex_init(&relay->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&relay->stopped);
}

static void release(struct outbox_relay *relay)
{
	pg_free(relay->pg);
	arena_release(&relay->arena);
	(void)pthread_cond_destroy(&relay->stopped);
	(void)pthread_mutex_destroy(&relay->mu);
	free(relay);
}

int outbox_relay_start(const struct outbox_relay_options *options, struct outbox_relay **ret_relay, struct error *err)
{
	struct outbox_relay *relay = xcalloc(1, sizeof(*relay));

	relay->options = *options;
	relay->pg = pg_new(options->postgres, options->service);
	arena_init(&relay->arena, 0);
	init_sync(relay);
	if (pthread_create(&relay->thread, NULL, run, relay) != 0) {
		release(relay);
		return error_set(err, ERR_LIMIT, "cannot start the outbox's thread: too many threads");
	}
	(void)pthread_setname_np(relay->thread, "outbox"); /* a name for people only */
	*ret_relay = relay;
	return 0;
}

void outbox_relay_stop(struct outbox_relay *relay)
{
	if (!relay)
		return;
	(void)pthread_mutex_lock(&relay->mu);
	atomic_store(&relay->is_stopping, true);
	(void)pthread_cond_broadcast(&relay->stopped);
	(void)pthread_mutex_unlock(&relay->mu);
}

void outbox_relay_free(struct outbox_relay *relay)
{
	if (!relay)
		return;
	outbox_relay_stop(relay);
	(void)pthread_join(relay->thread, NULL); /* joined once */
	release(relay);
}
