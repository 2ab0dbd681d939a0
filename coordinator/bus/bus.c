/* bus.c - see bus.h. */
#include "coordinator/bus/bus.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coordinator/bus/facts.h"
#include "coordinator/bus/held_batch.h"
#include "coordinator/bus/screen.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum {
	POLL_MS = 100,      /* while batches are with the engine: what it has done is noted in between */
	IDLE_POLL_MS = 250, /* else */
	RETRY_MS = 1000,    /* after a failed poll or subscription */
	PING_MS = 2000,     /* between two looks at the brokers */
	PING_WAIT_MS = 1000,
	BLOCKED_MS = 1000,        /* after a full queue: nothing is handed to librdkafka for so long */
	UNKNOWN_SCHEMA_MS = 500,  /* before a schema that the registry does not know is asked for again */
	LETTER_TROUBLE_MS = 5000, /* how long health speaks of a dead letter that could not be written */
	WARN_MS = 10000,          /* between two lines about commands that were not sent */
};

struct bus_metrics {
	struct metric *received;
	struct metric *sent;
	struct metric *not_sent;
	struct metric *lag;
	struct metric *is_up;
	struct metric *dead;
	struct metric *facts;
};

struct bus {
	struct kafka_options kafka;
	char *group;
	char *instance;
	struct screen *screen;
	struct engine *engine;
	struct bus_metrics metrics;
	size_t batch_max;
	size_t in_flight_max;
	struct kafka_producer *producer;
	_Atomic(struct kafka_consumer *) consumer; /* made by the thread, NULL before there is a topic */
	atomic_bool must_stop;
	atomic_bool is_paused;
	pthread_t thread;
	bool is_running;

	/* the thread's */
	struct held_batch *oldest;
	struct held_batch **newest_end;
	size_t in_flight;
	int64_t letters_at_ms; /* not before that a dead letter is sent; 0: at once */
	uint64_t generation;
	char **topics; /* of the subscription */
	size_t topic_count;
	struct facts facts;
	int64_t ping_at_ms;
	bool is_abandoned; /* a batch was not committed: no later offset may be stored */

	/* the engine thread's, in send() */
	int64_t blocked_until_ms;

	_Atomic int64_t warned_ms;
	_Atomic int64_t letter_warned_ms;
	pthread_mutex_t mu;
	pthread_cond_t changed; /* a batch is done, or the thread shall end */
	bool is_up;             /* guarded by mu, as all that follow */
	int brokers;
	char problem[160];
	char letter_problem[160];
	int64_t letters_waiting_until_ms;
};

static int64_t now_ms(void)
{
	return clock_monotonic_us() / 1000;
}

/* Waits for a change, or so long. */
static void wait_ms(struct bus *bus, int64_t ms)
{
	int64_t until_us = clock_monotonic_us() + ms * 1000;

	(void)pthread_mutex_lock(&bus->mu);
	if (!atomic_load(&bus->must_stop))
		(void)condition_wait_until(&bus->changed, &bus->mu, until_us);
	(void)pthread_mutex_unlock(&bus->mu);
}

static void wake(struct bus *bus)
{
	(void)pthread_mutex_lock(&bus->mu);
	(void)pthread_cond_broadcast(&bus->changed);
	(void)pthread_mutex_unlock(&bus->mu);
}

/* ---- commands out ---- */

/* One line in ten seconds is enough to say that a broker or topic is away; the metric counts them all. */
static void note_not_sent(struct bus *bus, size_t count, const struct error *err)
{
	int64_t last_ms = atomic_load(&bus->warned_ms);
	int64_t time_ms = now_ms();

	metric_add(bus->metrics.not_sent, count);
	if (time_ms - last_ms >= WARN_MS && atomic_compare_exchange_strong(&bus->warned_ms, &last_ms, time_ms))
		log_warn("commands_not_sent", "count=%zu err=%s, leaving them to the sweep", count, LOG_TEXT(err->msg));
}

static void on_letter_delivered(struct bus *bus, struct rejection *rejection, const struct error *err);

static void on_delivered(void *ctx, void *token, const struct error *err)
{
	struct bus *bus = ctx;

	if (token != bus) /* which stands for all commands */
		on_letter_delivered(bus, token, err);
	else if (err)
		note_not_sent(bus, 1, err);
	else {
		CRASH_POINT(COMMAND_DELIVERED);
		metric_add(bus->metrics.sent, 1);
	}
}

static int send_one(struct bus *bus, const struct bus_record *record, struct kafka_record *kafka, struct error *err)
{
	assert(record->header_count <= KAFKA_HEADERS_MAX);
	kafka->topic = record->topic;
	kafka->key = record->key;
	kafka->value = record->value;
	kafka->has_value = true;
	kafka->header_count = record->header_count;
	for (size_t i = 0; i < record->header_count; i++)
		kafka->headers[i] = (struct kafka_header){record->headers[i].name, record->headers[i].value};
	return kafka_produce(bus->producer, kafka, bus, err);
}

static void send_all(void *ctx, const struct bus_record *records, size_t count)
{
	struct bus *bus = ctx;
	struct kafka_record kafka = {0};
	struct error err;

	(void)error_set(&err, ERR_UNAVAILABLE, "the queue to the broker is full");
	if (now_ms() < bus->blocked_until_ms) {
		note_not_sent(bus, count, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			CRASH_POINT(COMMANDS_HALF_PRODUCED);
		if (send_one(bus, &records[i], &kafka, &err) == 0)
			continue;
		if (err.code != ERR_UNAVAILABLE) {
			note_not_sent(bus, 1, &err); /* this topic's or record's fault */
			continue;
		}
		/* The queue is full and stayed so: the engine must not stand still for each of the others. */
		bus->blocked_until_ms = now_ms() + BLOCKED_MS;
		note_not_sent(bus, count - i, &err);
		return;
	}
	CRASH_POINT(COMMANDS_PRODUCED);
}

static bool is_assigned(void *ctx, const char *topic)
{
	struct bus *bus = ctx;
	const struct kafka_consumer *consumer = atomic_load(&bus->consumer);

	return consumer && kafka_consumer_is_assigned(consumer, topic);
}

static bool health(void *ctx, char *ret_text, size_t text_len)
{
	struct bus *bus = ctx;
	bool is_up;

	(void)pthread_mutex_lock(&bus->mu);
	is_up = bus->is_up && now_ms() >= bus->letters_waiting_until_ms;
	(void)snprintf(ret_text, text_len, "%s", bus->is_up && !is_up ? bus->letter_problem : bus->problem);
	(void)pthread_mutex_unlock(&bus->mu);
	return is_up;
}

struct bus_port bus_engine_port(struct bus *bus)
{
	return (struct bus_port){.ctx = bus, .send = send_all, .is_assigned = is_assigned, .health = health};
}

int bus_brokers(struct bus *bus)
{
	int brokers;

	(void)pthread_mutex_lock(&bus->mu);
	brokers = bus->brokers;
	(void)pthread_mutex_unlock(&bus->mu);
	return brokers;
}

int bus_controller(struct bus *bus)
{
	return kafka_producer_controller(bus->producer);
}

/* ---- replies in ---- */

static void on_done(struct bus_batch *batch, bool is_committed)
{
	struct held_batch *held = (struct held_batch *)batch;
	struct bus *bus = held->bus;

	(void)pthread_mutex_lock(&bus->mu);
	held->is_done = true;
	held->is_committed = is_committed;
	(void)pthread_cond_broadcast(&bus->changed);
	(void)pthread_mutex_unlock(&bus->mu);
}

/* ---- dead letters ---- */

static void note_letter_failed(struct bus *bus, const struct error *err)
{
	int64_t last_ms = atomic_load(&bus->letter_warned_ms);
	int64_t time_ms = now_ms();

	(void)pthread_mutex_lock(&bus->mu);
	bus->letters_waiting_until_ms = time_ms + LETTER_TROUBLE_MS;
	(void)snprintf(bus->letter_problem, sizeof(bus->letter_problem), "dead letters cannot be written: %.120s",
		       err->msg);
	(void)pthread_mutex_unlock(&bus->mu);
	if (time_ms - last_ms >= WARN_MS && atomic_compare_exchange_strong(&bus->letter_warned_ms, &last_ms, time_ms))
		log_error("dead_letter_not_written", "err=%s, trying until it is; is the topic there?",
			  LOG_TEXT(err->msg));
}

/* The producer's thread, or the bus's. */
static void on_letter_delivered(struct bus *bus, struct rejection *rejection, const struct error *err)
{
	if (err) {
		note_letter_failed(bus, err);
	} else {
		CRASH_POINT(REPLY_LETTER_DELIVERED);
		metric_add(bus->metrics.dead, 1);
	}
	atomic_store(&rejection->state, err ? REJECTION_WAITING : REJECTION_SAFE);
	wake(bus);
}

static void send_letter(struct bus *bus, struct rejection *rejection)
{
	const struct side_note note = {
		.service = bus->group, .reason = rejection->reason, .detail = rejection->detail, .tries = 1};
	struct kafka_record record =
		side_topic_record(SIDE_TOPIC_DEAD, rejection->record, &note, &rejection->held->arena);
	struct error err;

	CRASH_POINT(REPLY_LETTER_DECIDED);
	atomic_store(&rejection->state, REJECTION_SENT);
	if (kafka_produce(bus->producer, &record, rejection, &err) < 0)
		on_letter_delivered(bus, rejection, &err);
}

/* True when all of the batch's dead letters are safe. What was not is sent again, once a second. */
static bool are_letters_safe(struct bus *bus, struct held_batch *held)
{
	bool may_send = bus->producer && now_ms() >= bus->letters_at_ms;
	bool is_safe = true;
	bool was_sent = false;

	for (struct rejection *rejection = held->rejections; rejection; rejection = rejection->next) {
		int state = atomic_load(&rejection->state);

		if (state == REJECTION_WAITING && may_send) {
			send_letter(bus, rejection);
			was_sent = true;
		}
		is_safe &= state == REJECTION_SAFE;
	}
	if (was_sent)
		bus->letters_at_ms = now_ms() + RETRY_MS;
	else if (is_safe)
		bus->letters_at_ms = 0;
	return is_safe;
}

/* ---- settling ---- */

/* Only the oldest ones that are done: a later offset would speak for earlier records, too. */
static void settle_done(struct bus *bus)
{
	for (struct held_batch *held; (held = bus->oldest);) {
		bool is_done;

		(void)pthread_mutex_lock(&bus->mu);
		is_done = held->is_done;
		(void)pthread_mutex_unlock(&bus->mu);
		if (!is_done || (held->is_committed && !are_letters_safe(bus, held)))
			return;
		bus->is_abandoned |= !held->is_committed;
		if (!bus->is_abandoned) {
			CRASH_POINT(REPLIES_SETTLED);
			kafka_batch_store_offsets(atomic_load(&bus->consumer), held->kafka);
			CRASH_POINT(REPLY_OFFSETS_STORED);
		}
		bus->oldest = held->next;
		if (!bus->oldest)
			bus->newest_end = &bus->oldest;
		bus->in_flight -= kafka_batch_count(held->kafka);
		held_batch_free(held);
	}
}

/* A schema may be registered a moment after its first record, so an unknown one is asked for twice. */
static int look_at(struct bus *bus, const struct kafka_record *record, bool *was_patient, enum dead_reason *ret_reason,
		   struct error *err)
{
	if (screen_check(bus->screen, record, ret_reason, err) == 0)
		return 0;
	if (*ret_reason != DEAD_REASON_UNKNOWN_SCHEMA || *was_patient)
		return -1;
	*was_patient = true; /* once a batch: poison shall not hold up the others for long */
	wait_ms(bus, UNKNOWN_SCHEMA_MS);
	return screen_check(bus->screen, record, ret_reason, err);
}

static void screen_batch(struct bus *bus, struct held_batch *held)
{
	bool was_patient = false;

	for (size_t i = 0; i < kafka_batch_count(held->kafka); i++) {
		enum dead_reason reason = DEAD_REASON_UNDECODABLE;
		struct kafka_record record;
		struct error err;

		kafka_batch_look(held->kafka, i, &record);
		if (facts_is_ignored(&bus->facts, &record)) {
			metric_add(bus->metrics.facts, 1);
			continue;
		}
		if (look_at(bus, &record, &was_patient, &reason, &err) == 0) {
			held_batch_add(held, i, &record);
			continue;
		}
		log_warn("reply_dead", "topic=%s partition=%d offset=%lld reason=%s detail=%s", record.topic,
			 (int)record.partition, (long long)record.offset, dead_reason_name(reason), LOG_TEXT(err.msg));
		held_batch_reject(held, i, reason, err.msg);
	}
}

static void hand_over(struct bus *bus, struct kafka_batch *kafka)
{
	struct held_batch *held;

	if (kafka_batch_count(kafka) == 0) {
		kafka_batch_free(kafka);
		return;
	}
	CRASH_POINT(REPLIES_POLLED);
	held = held_batch_new(bus, kafka);
	held->batch.done = on_done;
	screen_batch(bus, held);
	*bus->newest_end = held;
	bus->newest_end = &held->next;
	bus->in_flight += kafka_batch_count(kafka);
	metric_add(bus->metrics.received, kafka_batch_count(kafka));
	engine_deliver(bus->engine, &held->batch);
}

static int subscribe(struct bus *bus, const char *const *topics, size_t count, struct error *err)
{
	struct kafka_consumer *consumer = atomic_load(&bus->consumer);
	const struct kafka_consumer_options options = {
		.group = bus->group, .member = bus->instance, .topics = topics, .topic_count = count};

	if (consumer)
		return kafka_consumer_subscribe(consumer, topics, count, err);
	if (kafka_consumer_new(&bus->kafka, &options, &consumer, err) < 0)
		return -1;
	atomic_store(&bus->consumer, consumer);
	return 0;
}

/* A subscription makes the group give out its partitions anew, so one to the same topics would only hold up replies. */
static bool is_news(const struct bus *bus, const char *const *topics, size_t count)
{
	if (count == 0 || count != bus->topic_count)
		return count > 0;
	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i], bus->topics[i]) != 0)
			return true;
	return false;
}

static void keep_topics(struct bus *bus, const char *const *topics, size_t count)
{
	for (size_t i = 0; i < bus->topic_count; i++)
		free(bus->topics[i]);
	bus->topics = xrealloc_array(bus->topics, count + 1, sizeof(*bus->topics));
	for (size_t i = 0; i < count; i++)
		bus->topics[i] = xstrdup(topics[i]);
	bus->topic_count = count;
}

/* Follows the catalog: reads what its replies come on, and learns what its commands go to. */
static int keep_subscribed(struct bus *bus, struct error *err)
{
	uint64_t generation = catalog_generation(bus->facts.catalog);
	_cleanup_(arena_release)
	struct arena arena;
	const char **topics = NULL;
	size_t count;

	arena_init(&arena, 0);
	if (generation == bus->generation)
		return 0;
	count = catalog_reply_topics(bus->facts.catalog, &arena, &topics);
	if (is_news(bus, topics, count)) {
		if (subscribe(bus, topics, count, err) < 0)
			return -1;
		keep_topics(bus, topics, count);
		log_info("bus_subscribed", "topics=%zu", count);
	}
	count = catalog_command_topics(bus->facts.catalog, &arena, &topics);
	kafka_producer_prepare(bus->producer, topics, count);
	bus->generation = generation;
	return 0;
}

static void ping(struct bus *bus)
{
	struct error err = {0};
	int brokers = 0;
	bool is_up;
	bool was_up;

	if (now_ms() < bus->ping_at_ms)
		return;
	is_up = kafka_producer_ping(bus->producer, PING_WAIT_MS, &brokers, &err) == 0;
	bus->ping_at_ms = now_ms() + PING_MS;
	metric_set(bus->metrics.is_up, is_up);
	if (atomic_load(&bus->consumer))
		metric_set(bus->metrics.lag, kafka_consumer_lag(atomic_load(&bus->consumer)));
	(void)pthread_mutex_lock(&bus->mu);
	was_up = bus->is_up;
	bus->is_up = is_up;
	bus->brokers = brokers;
	(void)snprintf(bus->problem, sizeof(bus->problem), "%.*s", (int)sizeof(bus->problem) - 1, is_up ? "" : err.msg);
	(void)pthread_mutex_unlock(&bus->mu);
	if (is_up && !was_up)
		log_info("broker_found", "brokers=%d", brokers);
	if (!is_up && was_up)
		log_warn("broker_lost", "err=%s, sagas wait until it is back", LOG_TEXT(err.msg));
}

/* The thread cannot return this to main: nothing of this process may go on under the name that another one has now. */
static void end_process(const struct bus *bus, const struct error *err)
{
	log_error("bus_fenced",
		  "instance=%s err=%s, ending this process: another one runs under the same --instance, give each its "
		  "own",
		  bus->instance, LOG_TEXT(err->msg));
	_exit(EXIT_FAILURE);
}

static void read_replies(struct bus *bus)
{
	const int64_t poll_ms = bus->oldest ? POLL_MS : IDLE_POLL_MS;
	struct kafka_batch *kafka = NULL;
	struct error err;

	if (kafka_consumer_poll(atomic_load(&bus->consumer), bus->batch_max, poll_ms, &kafka, &err) == 0) {
		hand_over(bus, kafka);
		return;
	}
	if (err.code == ERR_CONFLICT)
		end_process(bus, &err);
	log_warn("bus_poll_failed", "err=%s, trying again in %d ms", LOG_TEXT(err.msg), RETRY_MS);
	wait_ms(bus, RETRY_MS);
}

static void *run(void *arg)
{
	struct bus *bus = arg;
	struct error err;

	while (!atomic_load(&bus->must_stop)) {
		settle_done(bus);
		ping(bus);
		if (keep_subscribed(bus, &err) < 0) {
			log_warn("bus_not_subscribed", "err=%s, trying again in %d ms", LOG_TEXT(err.msg), RETRY_MS);
			wait_ms(bus, RETRY_MS);
		} else if (!atomic_load(&bus->consumer) || atomic_load(&bus->is_paused) ||
			   bus->in_flight >= bus->in_flight_max) {
			wait_ms(bus, POLL_MS);
		} else {
			read_replies(bus);
		}
	}
	settle_done(bus);
	return NULL;
}

/* ---- life ---- */

int bus_new(const struct bus_options *options, struct bus **ret_bus, struct error *err)
{
	_cleanup_(bus_freep)
	struct bus *bus = xcalloc(1, sizeof(*bus));

	assert(options->instance);
	bus->kafka = kafka_options_copy(&options->kafka);
	bus->group = xstrdup(options->group ? options->group : "saga-coordinator");
	bus->instance = xstrdup(options->instance);
	bus->screen = screen_new(options->registry);
	bus->batch_max = options->batch_max ? options->batch_max : 1000;
	bus->in_flight_max = options->in_flight_max ? options->in_flight_max : 20000;
	bus->newest_end = &bus->oldest;
	bus->generation = UINT64_MAX;
	bus->facts.catalog = options->catalog;
	atomic_store(&bus->warned_ms, now_ms() - WARN_MS);
	atomic_store(&bus->letter_warned_ms, now_ms() - WARN_MS);
	(void)snprintf(bus->problem, sizeof(bus->problem), "not asked yet");
	(void)pthread_mutex_init(&bus->mu, NULL); /* cannot fail on Linux */
	condition_init(&bus->changed);
	bus->metrics = (struct bus_metrics){
		.received = metrics_counter(options->metrics, "saga_replies_received_total", NULL,
					    "Records read from reply topics."),
		.sent = metrics_counter(options->metrics, "saga_commands_sent_total", NULL,
					"Commands that the broker has acknowledged."),
		.not_sent = metrics_counter(options->metrics, "saga_commands_not_sent_total", NULL,
					    "Commands that did not reach the broker; the sweep sends them again."),
		.lag = metrics_gauge(options->metrics, "saga_consumer_lag_records", NULL,
				     "Records of this instance's reply partitions that are not read yet."),
		.is_up = metrics_gauge(options->metrics, "saga_broker_up", NULL, "1 while the brokers answer."),
		.facts = metrics_counter(options->metrics, "saga_facts_ignored_total", NULL,
					 "Events that are no replies, and that no definition waits for."),
		.dead = metrics_counter(options->metrics, "saga_replies_dead_total", NULL,
					"Replies that were put to the dead letters."),
	};
	if (kafka_producer_new(&bus->kafka, on_delivered, bus, &bus->producer, err) < 0)
		return -1;
	*ret_bus = take_ptr(bus);
	return 0;
}

int bus_run(struct bus *bus, struct engine *engine, struct error *err)
{
	assert(!bus->is_running);
	bus->engine = engine;
	if (pthread_create(&bus->thread, NULL, run, bus) != 0)
		return error_set(err, ERR_LIMIT, "cannot start the bus's thread: too many threads");
	(void)pthread_setname_np(bus->thread, "saga-bus"); /* a name for people only */
	bus->is_running = true;
	return 0;
}

void bus_stop_intake(struct bus *bus)
{
	atomic_store(&bus->is_paused, true);
	wake(bus);
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	atomic_store(&bus->must_stop, true);
	wake(bus);
	if (bus->is_running)
		(void)pthread_join(bus->thread, NULL); /* joined once */
	/* First, since it reports on dead letters that are part of the batches; what is safe now may be stored. */
	kafka_producer_free(bus->producer);
	bus->producer = NULL;
	settle_done(bus);
	while (bus->oldest) {
		struct held_batch *held = bus->oldest;

		bus->oldest = held->next;
		held_batch_free(held);
	}
	kafka_consumer_free(atomic_load(&bus->consumer));
	screen_free(bus->screen);
	keep_topics(bus, NULL, 0);
	free(bus->topics);
	facts_release(&bus->facts);
	kafka_options_release(&bus->kafka);
	(void)pthread_cond_destroy(&bus->changed);
	(void)pthread_mutex_destroy(&bus->mu);
	free(bus->group);
	free(bus->instance);
	free(bus);
}
