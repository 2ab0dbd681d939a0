/*
 * participant.c - see participant.h: what stands around a turn: start-up, Kafka, waiting for what is away, health.
 *
 * While something is away the loop goes on: it reads a batch, cannot handle it, rewinds it, waits up to 2 s. So
 * the group does not throw the member out, and no record is lost or skipped.
 */
#include "participants/sdk/participant.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/kafka/dead_letter_gauge.h"
#include "lib/kafka/flight.h"
#include "participants/sdk/command_span.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/incoming.h"
#include "participants/sdk/inbox_cut.h"
#include "participants/sdk/outbox.h"
#include "participants/sdk/reply_schema.h"
#include "participants/sdk/retry_relay.h"
#include "participants/sdk/turn.h"

enum {
	BATCH_MAX_DEFAULT = 500,
	TRIES_MAX_DEFAULT = 10,
	POLL_WAIT_MS = 200,
	AWAY_FIRST_MS = 250,
	AWAY_MAX_MS = 2000,
	BATCH_BYTES_MAX = 512 * 1024 * 1024,
	PING_MS = 1000,
	LAG_US = 1000 * 1000,        /* between two looks at the lag */
	HUNG_US = 300 * 1000 * 1000, /* longer than the waits of one batch together */
};

struct participant {
	struct participant_options options;
	struct pg *pg;
	struct kafka_producer *producer;
	struct kafka_consumer *consumer;
	struct reply_schema *reply_schemas;
	size_t reply_schema_count;
	const char **command_types; /* by handler */
	struct retry_relay *relays[SIDE_TOPIC_DEAD];
	struct outbox_relay *outbox;
	struct inbox_cut *inbox_cut;
	struct dead_letter_gauge *letter_gauge;
	struct turn turn;
	struct arena arena;
	struct unconfirmed {
		struct kafka_batch *batch; /* NULL: none */
		struct flight *replies;
		int64_t begun_us;
	} unconfirmed; /* committed and answered, but the broker has not confirmed all of its answers */
	struct metric *batches;
	struct metric *batch_seconds;
	struct metric *batch_commands;
	struct metric *open_letters;
	struct metric *lag;
	struct metric *inbox_removed;
	struct metric *facts_told;
	struct metric *facts_set_aside;
	int64_t lag_at_us; /* when it is next looked up */
	int64_t away_ms;   /* the last wait; 0: nothing is away */

	atomic_bool is_stopping;
	atomic_bool is_ready;
	_Atomic int64_t batch_begun_us; /* monotonic; 0: none is in hand */
	atomic_int brokers;
	atomic_int controller;
	pthread_mutex_t mu;
	pthread_cond_t stopped;
	char away_text[200];        /* guarded by mu; the beginning of what was logged about it */
	char database_problem[200]; /* guarded by mu */
};

/* ---- life ---- */

static void register_metrics(struct participant *participant)
{
	static const double BATCH_BOUNDS[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};
	static const char name[] = "participant_commands_total";
	static const char help[] = "Commands by what became of them.";
	static const char FACTS_HELP[] = "Facts of the outbox by what became of them.";
	struct metrics *metrics = participant->options.metrics;

	participant->turn.metrics = (struct turn_metrics){
		.succeeded = metrics_counter(metrics, name, "result=\"succeeded\"", help),
		.rejected = metrics_counter(metrics, name, "result=\"rejected\"", help),
		.duplicate = metrics_counter(metrics, name, "result=\"duplicate\"", help),
		.cancelled = metrics_counter(metrics, name, "result=\"cancelled_before\"", help),
		.no_effect = metrics_counter(metrics, name, "result=\"no_effect\"", help),
		.inquiry = metrics_counter(metrics, "participant_inquiries_total", NULL,
					   "Inquiries that were answered, by whatever outcome."),
		.retriable = metrics_counter(metrics, name, "result=\"retriable\"", help),
		.later = metrics_counter(metrics, name, "result=\"retried_later\"", help),
		.dead = metrics_counter(metrics, name, "result=\"dead_letter\"", help),
		.transactions_failed = metrics_counter(metrics, "participant_transactions_failed_total", NULL,
						       "Transactions that were rolled back and tried again."),
	};
	participant->batch_commands = metrics_histogram(metrics, "participant_batch_commands", NULL,
							"Records in one batch.", BATCH_BOUNDS, ARRAY_LEN(BATCH_BOUNDS));
	participant->lag = metrics_gauge(metrics, "participant_consumer_lag_records", NULL,
					 "Records of this instance's command partitions that are not read yet.");
	participant->facts_told = metrics_counter(metrics, "participant_facts_total", "result=\"told\"", FACTS_HELP);
	participant->facts_set_aside =
		metrics_counter(metrics, "participant_facts_total", "result=\"set_aside\"", FACTS_HELP);
	participant->inbox_removed =
		metrics_counter(metrics, "participant_inbox_removed_total", NULL,
				"Rows of the inbox that this instance has let go, as --inbox-keep says.");
	participant->open_letters = metrics_gauge(metrics, "participant_dead_letters_open", NULL,
						  "Dead letters of this service's command topics that are neither "
						  "replayed nor dropped; every instance counts all of them.");
	participant->batches = metrics_counter(metrics, "participant_batches_total", NULL, "Batches handled.");
	participant->batch_seconds = metrics_histogram(
		metrics, "participant_batch_seconds", NULL,
		"From reading a batch to the confirmation of its replies, the next batch's work included.",
		METRIC_SECONDS_BOUNDS, METRIC_SECONDS_BOUND_COUNT);
}

static bool wait_or_stop(void *ctx, int64_t ms)
{
	struct participant *participant = ctx;
	int64_t deadline_us = clock_monotonic_us() + ms * 1000;
	bool is_over = false;

	(void)pthread_mutex_lock(&participant->mu);
	while (!atomic_load(&participant->is_stopping) && !is_over)
		is_over = !condition_wait_until(&participant->stopped, &participant->mu, deadline_us);
	(void)pthread_mutex_unlock(&participant->mu);
	return atomic_load(&participant->is_stopping);
}

static void init_sync(struct participant *participant)
{
	(void)pthread_mutex_init(&participant->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&participant->stopped);
}

struct participant *participant_new(const struct participant_options *options)
{
	struct participant *participant = xcalloc(1, sizeof(*participant));

	assert(options->service && options->registry && options->metrics && options->handler_count > 0);
	participant->options = *options;
	if (participant->options.batch_max == 0)
		participant->options.batch_max = BATCH_MAX_DEFAULT;
	if (options->postgres)
		participant->pg = pg_new(options->postgres, options->service);
	arena_init(&participant->arena, BATCH_BYTES_MAX);
	init_sync(participant);
	atomic_store(&participant->controller, -1);
	register_metrics(participant);
	participant->turn.pg = participant->pg;
	participant->turn.registry = options->registry;
	participant->turn.handlers = options->handlers;
	participant->turn.handler_count = options->handler_count;
	participant->turn.handler_ctx = options->ctx;
	participant->turn.service = options->service;
	participant->turn.keep_ms = options->postgres ? options->inbox_keep_ms : 0;
	participant->turn.tries_max = options->tries_max > 0 ? options->tries_max : TRIES_MAX_DEFAULT;
	participant->command_types = xcalloc(options->handler_count, sizeof(*participant->command_types));
	participant->turn.command_types = participant->command_types;
	participant->turn.wait = wait_or_stop;
	participant->turn.wait_ctx = participant;
	return participant;
}

void participant_stop(struct participant *participant)
{
	(void)pthread_mutex_lock(&participant->mu);
	atomic_store(&participant->is_stopping, true);
	(void)pthread_cond_broadcast(&participant->stopped);
	(void)pthread_mutex_unlock(&participant->mu);
}

void participant_free(struct participant *participant)
{
	if (!participant)
		return;
	kafka_consumer_free(participant->consumer); /* while the relays close theirs */
	for (size_t i = 0; i < ARRAY_LEN(participant->relays); i++)
		retry_relay_free(participant->relays[i]);
	outbox_relay_free(participant->outbox);
	inbox_cut_free(participant->inbox_cut);
	dead_letter_gauge_free(participant->letter_gauge);
	kafka_producer_free(participant->producer);
	pg_free(participant->pg);
	free(participant->reply_schemas);
	free(participant->command_types);
	arena_release(&participant->arena);
	(void)pthread_cond_destroy(&participant->stopped);
	(void)pthread_mutex_destroy(&participant->mu);
	free(participant);
}

/* ---- start-up ---- */

static int migrate(struct participant *participant, struct error *err)
{
	if (!participant->pg)
		return 0;
	if (pg_migrate(participant->pg, inbox_migrations, inbox_migration_count, 0, err) < 0 ||
	    pg_migrate(participant->pg, outbox_migrations, outbox_migration_count, 0, err) < 0 ||
	    pg_migrate(participant->pg, inbox_cut_migrations, inbox_cut_migration_count, 0, err) < 0)
		return -1;
	return pg_migrate(participant->pg, participant->options.migrations, participant->options.migration_count, 0,
			  err);
}

static bool is_loaded(const struct participant *participant, const char *topic)
{
	for (size_t i = 0; i < participant->reply_schema_count; i++)
		if (strcmp(participant->reply_schemas[i].topic, topic) == 0)
			return true;
	return false;
}

/* A command topic carries one message, under whatever schema id. */
static int load_command_types(struct participant *participant, struct error *err)
{
	for (size_t i = 0; i < participant->options.handler_count; i++) {
		struct reply_schema loaded;

		if (participant->command_types[i])
			continue;
		if (reply_schema_load(participant->options.registry, participant->options.handlers[i].command_topic,
				      &loaded, err) < 0)
			return -1;
		participant->command_types[i] = schema_type_name(loaded.type);
	}
	return 0;
}

static int load_topic(struct participant *participant, const char *topic, struct error *err)
{
	struct reply_schema loaded;

	if (is_loaded(participant, topic))
		return 0;
	if (reply_schema_load(participant->options.registry, topic, &loaded, err) < 0)
		return -1;
	participant->reply_schemas = xrealloc_array(participant->reply_schemas, participant->reply_schema_count + 1,
						    sizeof(*participant->reply_schemas));
	participant->reply_schemas[participant->reply_schema_count++] = loaded;
	return 0;
}

static int load_schemas(struct participant *participant, struct error *err)
{
	if (load_command_types(participant, err) < 0)
		return -1;
	for (size_t i = 0; i < participant->options.handler_count; i++)
		for (const char *const *topic = participant->options.handlers[i].reply_topics; *topic; topic++)
			if (load_topic(participant, *topic, err) < 0)
				return -1;
	for (const char *const *topic = participant->options.fact_topics; topic && *topic; topic++)
		if (load_topic(participant, *topic, err) < 0)
			return -1;
	participant->turn.reply_schemas = participant->reply_schemas;
	participant->turn.reply_schema_count = participant->reply_schema_count;
	return 0;
}

static void prepare_reply_topics(struct participant *participant)
{
	for (size_t i = 0; i < participant->reply_schema_count; i++)
		kafka_producer_prepare(participant->producer, &participant->reply_schemas[i].topic, 1);
}

static void on_delivered(void *ctx, void *token, const struct error *err)
{
	(void)ctx;
	flight_confirm(token, err);
}

static int open_kafka(struct participant *participant, struct error *err)
{
	_cleanup_(freep)
	const char **topics = xcalloc(participant->options.handler_count, sizeof(*topics));
	struct kafka_consumer_options consumer = {
		.group = participant->options.service,
		.member = participant->options.instance,
		.topics = topics,
		.topic_count = participant->options.handler_count,
	};

	for (size_t i = 0; i < participant->options.handler_count; i++)
		topics[i] = participant->options.handlers[i].command_topic;
	if (kafka_consumer_new(&participant->options.kafka, &consumer, &participant->consumer, err) < 0)
		return -1;
	log_info("participant_ready", "topics=%zu reply_topics=%zu", participant->options.handler_count,
		 participant->reply_schema_count);
	return 0;
}

static int open_outbox(struct participant *participant, struct error *err)
{
	const struct outbox_relay_options options = {
		.service = participant->options.service,
		.postgres = participant->options.postgres,
		.registry_url = participant->options.registry_url,
		.producer = participant->producer,
		.schemas = participant->reply_schemas,
		.schema_count = participant->reply_schema_count,
		.told = participant->facts_told,
		.set_aside = participant->facts_set_aside,
	};

	return outbox_relay_start(&options, &participant->outbox, err);
}

static int open_inbox_cut(struct participant *participant, struct error *err)
{
	const struct inbox_cut_options options = {
		.service = participant->options.service,
		.postgres = participant->options.postgres,
		.keep_ms = participant->options.inbox_keep_ms,
		.removed = participant->inbox_removed,
	};

	if (!participant->pg || options.keep_ms == 0)
		return 0;
	return inbox_cut_start(&options, &participant->inbox_cut, err);
}

static int open_relays(struct participant *participant, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(participant->relays); i++) {
		const struct retry_relay_options options = {
			.side = (enum side_topic)i,
			.service = participant->options.service,
			.instance = participant->options.instance,
			.kafka = &participant->options.kafka,
			.handlers = participant->options.handlers,
			.handler_count = participant->options.handler_count,
			.producer = participant->producer,
		};

		if (retry_relay_start(&options, &participant->relays[i], err) < 0)
			return -1;
	}
	return participant->pg && participant->options.fact_topics ? open_outbox(participant, err) : 0;
}

static size_t command_topics(void *ctx, struct arena *arena, const char ***ret_topics)
{
	const struct participant *participant = ctx;
	size_t count = participant->options.handler_count;

	*ret_topics = arena_alloc(arena, (count + 1) * sizeof(**ret_topics));
	for (size_t i = 0; i < count; i++)
		(*ret_topics)[i] = participant->options.handlers[i].command_topic;
	return count;
}

static int open_letter_gauge(struct participant *participant, struct error *err)
{
	const struct dead_letter_gauge_options options = {.kafka = &participant->options.kafka,
							  .topics = command_topics,
							  .ctx = participant,
							  .gauge = participant->open_letters};

	return dead_letter_gauge_start(&options, &participant->letter_gauge, err);
}

/* The producer comes first: health asks it for the brokers while the rest is still waited for. */
static int open_producer(struct participant *participant, struct error *err)
{
	struct kafka_producer *producer = NULL;

	if (kafka_producer_new(&participant->options.kafka, on_delivered, participant, &producer, err) < 0)
		return -1;
	(void)pthread_mutex_lock(&participant->mu);
	participant->producer = producer;
	(void)pthread_mutex_unlock(&participant->mu);
	return 0;
}

static void keep_problem(struct participant *participant, const char *away, const char *database)
{
	(void)pthread_mutex_lock(&participant->mu);
	(void)snprintf(participant->away_text, sizeof(participant->away_text), "%.199s", away); /* cut on purpose */
	(void)snprintf(participant->database_problem, sizeof(participant->database_problem), "%.199s", database);
	(void)pthread_mutex_unlock(&participant->mu);
}

/* Logs when something goes away or another thing does, and once when all is back; waits in between. */
static void note_away(struct participant *participant, const struct error *err)
{
	bool is_database = participant->pg && !pg_is_connected(participant->pg);

	/* This thread alone writes the text, so it may read it without the lock. */
	if (strncmp(participant->away_text, err->msg, sizeof(participant->away_text) - 1) != 0)
		log_warn("participant_waiting", "err=%s, trying again until it is back", LOG_TEXT(err->msg));
	participant->away_ms = participant->away_ms == 0 ? AWAY_FIRST_MS : participant->away_ms * 2;
	if (participant->away_ms > AWAY_MAX_MS)
		participant->away_ms = AWAY_MAX_MS;
	keep_problem(participant, err->msg, is_database ? err->msg : "");
	(void)wait_or_stop(participant, participant->away_ms); /* the loops look at is_stopping themselves */
}

static void note_back(struct participant *participant)
{
	if (participant->away_ms == 0)
		return;
	participant->away_ms = 0;
	keep_problem(participant, "", "");
	log_info("participant_resumed", "service=%s", participant->options.service);
}

/* Waits for database, schemas and their subjects; only wrong Kafka settings are beyond waiting. */
static int start(struct participant *participant, struct error *err)
{
	if (open_producer(participant, err) < 0)
		return -1;
	while (!atomic_load(&participant->is_stopping)) {
		struct error away;

		if (migrate(participant, &away) == 0 && load_schemas(participant, &away) == 0)
			break;
		note_away(participant, &away);
	}
	note_back(participant);
	prepare_reply_topics(participant);
	if (open_kafka(participant, err) < 0 || open_relays(participant, err) < 0 ||
	    open_inbox_cut(participant, err) < 0)
		return -1;
	return open_letter_gauge(participant, err);
}

/* ---- the loop ---- */

static int send_record(struct participant *participant, const struct kafka_record *record, struct flight *flight,
		       struct error *err)
{
	flight_add(flight);
	if (kafka_produce(participant->producer, record, flight, err) == 0)
		return 0;
	flight_confirm(flight, err);
	return -1;
}

/* Nothing that goes to a side topic may be acknowledged before it is safe there. */
static int send_letters(struct participant *participant, const struct turn_result *result, struct error *err)
{
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(true);

	if (result->letter_count > 0)
		CRASH_POINT(LETTERS_DECIDED);
	for (size_t i = 0; i < result->letter_count; i++) {
		const struct turn_letter *letter = &result->letters[i];
		struct kafka_record record =
			side_topic_record(letter->side, letter->record, &letter->note, &participant->arena);

		if (send_record(participant, &record, flight, err) < 0)
			return error_prefix(err, "put a record aside");
	}
	if (flight_land(flight, &participant->is_stopping, err) < 0)
		return error_prefix(err, "put a record aside");
	if (result->letter_count > 0)
		CRASH_POINT(LETTERS_DELIVERED);
	turn_note_letters(&participant->turn, result);
	return 0;
}

static int send_replies(struct participant *participant, const struct turn_result *result, struct flight *flight,
			struct error *err)
{
	for (size_t i = 0; i < result->count; i++) {
		struct kafka_record record;

		if (!result->items[i].outcome)
			continue;
		record = incoming_reply(&result->items[i], participant->options.service,
					participant->options.registry_url, &participant->arena);
		if (send_record(participant, &record, flight, err) < 0 && err->is_retriable)
			return -1;
	}
	CRASH_POINT(ANSWERS_PRODUCED);
	return 0;
}

static void drop_unconfirmed(struct participant *participant)
{
	flight_release(participant->unconfirmed.replies);
	kafka_batch_free(participant->unconfirmed.batch);
	participant->unconfirmed = (struct unconfirmed){0};
}

/* Only now may its offsets speak for it. After a failure it is still there, to be read again. */
static int confirm_answers(struct participant *participant, struct error *err)
{
	const struct unconfirmed *one = &participant->unconfirmed;

	if (!one->batch)
		return 0;
	if (flight_land(one->replies, &participant->is_stopping, err) < 0)
		return -1;
	CRASH_POINT(ANSWERS_DELIVERED);
	kafka_batch_store_offsets(participant->consumer, one->batch);
	CRASH_POINT(COMMAND_OFFSETS_STORED);
	metric_add(participant->batches, 1);
	metric_observe(participant->batch_commands, (double)kafka_batch_count(one->batch));
	metric_observe(participant->batch_seconds, (double)(clock_monotonic_us() - one->begun_us) / 1e6);
	drop_unconfirmed(participant);
	note_back(participant);
	return 0;
}

/* What is not confirmed is answered from the inbox when it is read again. The newest is rewound first. */
static void read_again(struct participant *participant, struct kafka_batch *batch, const struct error *why)
{
	if (batch)
		kafka_batch_rewind(participant->consumer, batch);
	if (participant->unconfirmed.batch)
		kafka_batch_rewind(participant->consumer, participant->unconfirmed.batch);
	drop_unconfirmed(participant);
	note_away(participant, why);
}

/* Commits and answers. While the broker confirms the answers the next batch is done, so there are two in hand at most. */
static int handle_batch(struct participant *participant, struct kafka_batch *batch, struct flight *replies,
			struct error *err)
{
	struct turn_result result;
	int64_t begin_real_us = clock_real_us();

	if (turn_run(&participant->turn, batch, &participant->arena, &result, err) < 0)
		return -1;
	command_spans_add(participant->options.spans, participant->options.service, result.items, result.count,
			  begin_real_us, &participant->arena);
	/* Letters first: who is told that a command is dead shall find it. */
	if (send_letters(participant, &result, err) < 0 || send_replies(participant, &result, replies, err) < 0 ||
	    confirm_answers(participant, err) < 0)
		return -1;
	return 0;
}

static void note_lag(struct participant *participant)
{
	int64_t now_us = clock_monotonic_us();

	if (now_us < participant->lag_at_us)
		return;
	participant->lag_at_us = now_us + LAG_US;
	metric_set(participant->lag, kafka_consumer_lag(participant->consumer));
}

static int run_once(struct participant *participant, struct error *err)
{
	_cleanup_(kafka_batch_freep)
	struct kafka_batch *batch = NULL;
	_cleanup_(flight_releasep)
	struct flight *replies = NULL;
	int64_t wait_ms = participant->unconfirmed.batch ? 0 : POLL_WAIT_MS;
	int64_t begun_us;
	struct error away;
	int rc;

	if (kafka_consumer_poll(participant->consumer, participant->options.batch_max, wait_ms, &batch, err) < 0)
		return -1;
	note_lag(participant);
	if (kafka_batch_count(batch) == 0) {
		if (confirm_answers(participant, &away) < 0)
			read_again(participant, NULL, &away);
		return 0;
	}
	CRASH_POINT(COMMANDS_POLLED);
	arena_clear(&participant->arena);
	replies = flight_new(false);
	begun_us = clock_monotonic_us();
	atomic_store(&participant->batch_begun_us, begun_us);
	rc = handle_batch(participant, batch, replies, &away);
	atomic_store(&participant->batch_begun_us, 0);
	if (rc == 0) {
		participant->unconfirmed = (struct unconfirmed){take_ptr(batch), take_ptr(replies), begun_us};
		return 0;
	}
	if (!atomic_load(&participant->is_stopping))
		read_again(participant, batch, &away); /* else their offsets are not stored, which is enough */
	return 0;
}

/* Before the consumer ends: else they would be read, and answered, once more. */
static void end_unconfirmed(struct participant *participant)
{
	struct error err;

	if (confirm_answers(participant, &err) < 0)
		log_warn("answers_not_confirmed", "err=%s, their commands will be read again", LOG_TEXT(err.msg));
	drop_unconfirmed(participant);
}

int participant_run(struct participant *participant, struct error *err)
{
	int rc = start(participant, err);

	atomic_store(&participant->is_ready, rc == 0);
	while (rc == 0 && !atomic_load(&participant->is_stopping))
		rc = run_once(participant, err);
	end_unconfirmed(participant);
	atomic_store(&participant->is_ready, false);
	for (size_t i = 0; i < ARRAY_LEN(participant->relays); i++)
		retry_relay_stop(participant->relays[i]);
	outbox_relay_stop(participant->outbox);
	return rc;
}

/* ---- health ---- */

static void put_text(char *place, size_t len, const char *text)
{
	(void)snprintf(place, len, "%s", text); /* a cut text is still a text */
}

static void ask_kafka(struct participant *participant, char *ret_kafka, size_t kafka_len)
{
	struct kafka_producer *producer;
	struct error err;
	int brokers = 0;

	(void)pthread_mutex_lock(&participant->mu);
	producer = participant->producer; /* stays until participant_free() */
	(void)pthread_mutex_unlock(&participant->mu);
	if (!producer) {
		put_text(ret_kafka, kafka_len, "starting");
		return;
	}
	if (kafka_producer_ping(producer, PING_MS, &brokers, &err) < 0) {
		atomic_store(&participant->brokers, 0);
		put_text(ret_kafka, kafka_len, err.msg);
		return;
	}
	atomic_store(&participant->brokers, brokers);
	atomic_store(&participant->controller, kafka_producer_controller(producer));
	put_text(ret_kafka, kafka_len, "");
}

void participant_health(struct participant *participant, bool *ret_is_ready, char *ret_database, size_t database_len,
			char *ret_kafka, size_t kafka_len, char *ret_registry, size_t registry_len)
{
	struct error err;

	*ret_is_ready = atomic_load(&participant->is_ready);
	(void)pthread_mutex_lock(&participant->mu);
	put_text(ret_database, database_len, participant->database_problem);
	(void)pthread_mutex_unlock(&participant->mu);
	ask_kafka(participant, ret_kafka, kafka_len);
	put_text(ret_registry, registry_len,
		 registry_client_ping(participant->options.registry, &err) < 0 ? err.msg : "");
}

void participant_waiting_for(struct participant *participant, char *ret_text, size_t len)
{
	(void)pthread_mutex_lock(&participant->mu);
	put_text(ret_text, len, participant->away_text);
	(void)pthread_mutex_unlock(&participant->mu);
}

bool participant_is_alive(const struct participant *participant)
{
	int64_t begun_us = atomic_load(&participant->batch_begun_us);

	return begun_us == 0 || clock_monotonic_us() - begun_us < HUNG_US;
}

bool participant_is_ready(const struct participant *participant)
{
	return atomic_load(&participant->is_ready);
}

void participant_brokers(const struct participant *participant, int *ret_count, int *ret_controller)
{
	*ret_count = atomic_load(&participant->brokers);
	*ret_controller = atomic_load(&participant->controller);
}
