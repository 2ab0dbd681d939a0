/* retry_relay.c - see retry_relay.h. */
#include "participants/sdk/retry_relay.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/kafka/flight.h"

enum {
	BATCH_MAX = 100,
	POLL_MS = 500,
	AWAY_MS = 1000,
};

struct retry_relay {
	struct retry_relay_options options;
	struct kafka_consumer *consumer;
	struct arena arena;
	pthread_t thread;
	bool is_running;
	bool is_away; /* something was, and it was said */
	atomic_bool is_stopping;
	pthread_mutex_t mu;
	pthread_cond_t stopped;
};

/* True when it is to stop. */
static bool wait_until(struct retry_relay *relay, int64_t deadline_us)
{
	bool is_over = false;

	(void)pthread_mutex_lock(&relay->mu);
	while (!atomic_load(&relay->is_stopping) && !is_over)
		is_over = !condition_wait_until(&relay->stopped, &relay->mu, deadline_us);
	(void)pthread_mutex_unlock(&relay->mu);
	return atomic_load(&relay->is_stopping);
}

/* NULL: not a topic of ours. */
static const char *command_topic(const struct retry_relay *relay, const char *retry_topic)
{
	const char *suffix = side_topic_suffix(relay->options.side);
	size_t len = strlen(retry_topic) - strlen(suffix);

	for (size_t i = 0; i < relay->options.handler_count; i++) {
		const char *topic = relay->options.handlers[i].command_topic;

		if (strlen(topic) == len && memcmp(topic, retry_topic, len) == 0)
			return topic;
	}
	return NULL;
}

static int compare_times(const void *left, const void *right)
{
	const struct kafka_record *a = *(const struct kafka_record *const *)left;
	const struct kafka_record *b = *(const struct kafka_record *const *)right;

	if (a->timestamp_ms != b->timestamp_ms)
		return a->timestamp_ms < b->timestamp_ms ? -1 : 1;
	return (a > b) - (a < b); /* then as they came */
}

/* In the order in which they are due, over all partitions. */
static const struct kafka_record **sort_batch(struct retry_relay *relay, const struct kafka_batch *batch)
{
	size_t count = kafka_batch_count(batch);
	const struct kafka_record **sorted = arena_alloc(&relay->arena, count * sizeof(struct kafka_record *));

	for (size_t i = 0; i < count; i++)
		sorted[i] = kafka_batch_record(batch, i);
	qsort(sorted, count, sizeof(struct kafka_record *), compare_times);
	return sorted;
}

/* When it is due, by the monotonic clock. A producer whose clock is ahead of ours makes no record, and so no batch, wait
 * longer than the topic says: longer than the group's poll interval, and the same batch would come again for ever. */
static int64_t due_us(const struct retry_relay *relay, const struct kafka_record *record, int64_t begun_us,
		      int64_t begun_real_ms)
{
	int64_t delay_ms = side_topic_delay_ms(relay->options.side);
	int64_t age_ms = record->timestamp_ms < begun_real_ms ? begun_real_ms - record->timestamp_ms : 0;

	return begun_us + (delay_ms - age_ms) * 1000;
}

/* No service of ours writes such a record there, but whoever may write to the topic can, and it would be the first of its
 * partition for ever. */
static struct kafka_record dead_letter(struct retry_relay *relay, const struct kafka_record *record, const char *topic)
{
	const struct side_note note = {
		.service = relay->options.service,
		.reason = DEAD_REASON_TOO_LARGE,
		.detail = "too large to be sent back to its command topic",
		.tries = side_topic_tries(record),
	};
	struct kafka_record dead = side_topic_record(SIDE_TOPIC_DEAD, record, &note, &relay->arena);

	dead.topic = side_topic_name(SIDE_TOPIC_DEAD, topic, &relay->arena);
	log_warn("command_dead", "topic=%s partition=%d offset=%lld reason=%s tries=%d detail=%s", record->topic,
		 (int)record->partition, (long long)record->offset, dead_reason_name(note.reason), note.tries,
		 LOG_TEXT(note.detail));
	return dead;
}

static int send_back(struct retry_relay *relay, const struct kafka_record *record, struct flight *flight,
		     struct error *err)
{
	const char *topic = command_topic(relay, record->topic);
	struct kafka_record made;

	if (!topic)
		return 0;
	made = side_topic_is_too_large(record) ? dead_letter(relay, record, topic)
					       : side_topic_original(record, topic, true);
	flight_add(flight);
	if (kafka_produce(relay->options.producer, &made, flight, err) == 0)
		return 0;
	flight_confirm(flight, err);
	return -1;
}

static int relay_batch(struct retry_relay *relay, const struct kafka_batch *batch, struct error *err)
{
	const struct kafka_record **sorted = sort_batch(relay, batch);
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(true);
	const int64_t begun_us = clock_monotonic_us();
	const int64_t begun_real_ms = clock_real_us() / 1000;

	for (size_t i = 0; i < kafka_batch_count(batch); i++) {
		int64_t wanted_us = due_us(relay, sorted[i], begun_us, begun_real_ms);

		if (wanted_us > clock_monotonic_us() && wait_until(relay, wanted_us))
			return error_set(err, ERR_UNAVAILABLE, "the participant is stopping");
		CRASH_POINT(RETRY_DUE);
		if (send_back(relay, sorted[i], flight, err) < 0)
			return -1;
	}
	return flight_land(flight, &relay->is_stopping, err);
}

static void note_away(struct retry_relay *relay, const struct error *err)
{
	if (!relay->is_away && !atomic_load(&relay->is_stopping))
		log_warn("retry_relay_waiting", "topics=*%s err=%s, trying again until it is back",
			 side_topic_suffix(relay->options.side), LOG_TEXT(err->msg));
	relay->is_away = true;
	(void)wait_until(relay, clock_monotonic_us() + AWAY_MS * 1000); /* the loop looks at is_stopping itself */
}

static void run_once(struct retry_relay *relay)
{
	_cleanup_(kafka_batch_freep)
	struct kafka_batch *batch = NULL;
	struct error err;

	/* Fenced: so is the service itself by the same name, and it ends the process. */
	if (kafka_consumer_poll(relay->consumer, BATCH_MAX, POLL_MS, &batch, &err) < 0) {
		note_away(relay, &err);
		return;
	}
	if (kafka_batch_count(batch) == 0)
		return;
	arena_clear(&relay->arena);
	if (relay_batch(relay, batch, &err) == 0) {
		CRASH_POINT(RETRY_SENT_BACK);
		kafka_batch_store_offsets(relay->consumer, batch);
		CRASH_POINT(RETRY_OFFSETS_STORED);
		relay->is_away = false;
		return;
	}
	kafka_batch_rewind(relay->consumer, batch);
	note_away(relay, &err);
}

static void *run(void *arg)
{
	struct retry_relay *relay = arg;

	while (!atomic_load(&relay->is_stopping))
		run_once(relay);
	kafka_consumer_free(relay->consumer); /* here, since it may take a while, and others close meanwhile */
	relay->consumer = NULL;
	return NULL;
}

static int open_consumer(struct retry_relay *relay, struct error *err)
{
	const struct retry_relay_options *options = &relay->options;
	_cleanup_(arena_release)
	struct arena arena;
	struct kafka_consumer_options consumer = {.member = options->instance, .topic_count = options->handler_count};
	struct kafka_options patient = *options->kafka;
	struct text_pair *properties;
	const char **topics;

	arena_init(&arena, 0);
	/* These topics are empty nearly always, so the broker is asked once a second; what comes is sent at once. */
	properties = arena_alloc(&arena, (patient.property_count + 1) * sizeof(*properties));
	properties[0] = (struct text_pair){"fetch.wait.max.ms", "1000"};
	for (size_t i = 0; i < patient.property_count; i++)
		properties[i + 1] = patient.properties[i];
	patient.properties = properties;
	patient.property_count++;
	topics = arena_alloc(&arena, options->handler_count * sizeof(*topics));
	for (size_t i = 0; i < options->handler_count; i++)
		topics[i] = side_topic_name(options->side, options->handlers[i].command_topic, &arena);
	consumer.topics = topics;
	consumer.group = arena_format(&arena, "%s%s", options->service, side_topic_suffix(options->side));
	return kafka_consumer_new(&patient, &consumer, &relay->consumer, err);
}

static void init_sync(struct retry_relay *relay)
{
	(void)pthread_mutex_init(&relay->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&relay->stopped);
}

int retry_relay_start(const struct retry_relay_options *options, struct retry_relay **ret_relay, struct error *err)
{
	struct retry_relay *relay = xcalloc(1, sizeof(*relay));

	assert(options->side != SIDE_TOPIC_DEAD);
	relay->options = *options;
	arena_init(&relay->arena, 0);
	init_sync(relay);
	if (open_consumer(relay, err) < 0) {
		retry_relay_free(relay);
		return -1;
	}
	if (pthread_create(&relay->thread, NULL, run, relay) != 0) {
		retry_relay_free(relay);
		return error_set(err, ERR_LIMIT, "cannot start a retry relay's thread: too many threads");
	}
	(void)pthread_setname_np(relay->thread, "retry-relay"); /* a name for people only */
	relay->is_running = true;
	*ret_relay = relay;
	return 0;
}

void retry_relay_stop(struct retry_relay *relay)
{
	if (!relay)
		return;
	(void)pthread_mutex_lock(&relay->mu);
	atomic_store(&relay->is_stopping, true);
	(void)pthread_cond_broadcast(&relay->stopped);
	(void)pthread_mutex_unlock(&relay->mu);
}

void retry_relay_free(struct retry_relay *relay)
{
	if (!relay)
		return;
	retry_relay_stop(relay);
	if (relay->is_running)
		(void)pthread_join(relay->thread, NULL); /* joined once */
	kafka_consumer_free(relay->consumer);
	arena_release(&relay->arena);
	(void)pthread_cond_destroy(&relay->stopped);
	(void)pthread_mutex_destroy(&relay->mu);
	free(relay);
}
