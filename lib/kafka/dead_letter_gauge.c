/* dead_letter_gauge.c - see dead_letter_gauge.h. */
#include "lib/kafka/dead_letter_gauge.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/kafka/kafka_config.h"
#include "lib/kafka/open_letters.h"
#include "lib/kafka/side_topic.h"

enum {
	POLL_MS = 250,
	ASK_MS = 1500,             /* how long one question to the brokers may take */
	LOOK_US = 10 * 1000 * 1000 /* between two looks at topics and what was deleted from them */
};

/* These topics are empty nearly always: the broker is asked once a second, and little memory is set aside. */
static const struct text_pair settings[] = {
	{"enable.auto.commit", "false"},        {"auto.offset.reset", "earliest"},
	{"allow.auto.create.topics", "false"},  {"fetch.wait.max.ms", "1000"},
	{"fetch.message.max.bytes", "262144"},  {"queued.min.messages", "100"},
	{"queued.max.messages.kbytes", "2048"}, {"reconnect.backoff.max.ms", "2000"},
	{"log.connection.close", "false"},
};

/* A partition that is being read. */
struct source {
	rd_kafka_topic_t *topic;
	int32_t partition;
};

struct dead_letter_gauge {
	struct dead_letter_gauge_options options;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue; /* of all sources */
	struct source *sources;
	size_t source_count;
	struct open_letters letters;
	struct arena arena;
	int64_t look_at_us;
	pthread_t thread;
	bool is_running;
	atomic_bool must_stop;
};

/* ---- which partitions ---- */

static bool is_read(const struct dead_letter_gauge *gauge, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < gauge->source_count; i++)
		if (gauge->sources[i].partition == partition &&
		    strcmp(rd_kafka_topic_name(gauge->sources[i].topic), topic) == 0)
			return true;
	return false;
}

static void begin_reading(struct dead_letter_gauge *gauge, const char *topic, int32_t partition)
{
	struct source source = {rd_kafka_topic_new(gauge->rk, topic, NULL), partition};

	if (!source.topic)
		return; /* another look follows */
	if (rd_kafka_consume_start_queue(source.topic, partition, RD_KAFKA_OFFSET_BEGINNING, gauge->queue) != 0) {
		rd_kafka_topic_destroy(source.topic);
		return;
	}
	gauge->sources = xrealloc_array(gauge->sources, gauge->source_count + 1, sizeof(*gauge->sources));
	gauge->sources[gauge->source_count++] = source;
}

static bool is_wanted(const char *const *topics, size_t count, const char *name)
{
	const char *suffix = side_topic_suffix(SIDE_TOPIC_DEAD);
	size_t len = strlen(name);
	size_t suffix_len = strlen(suffix);

	if (len <= suffix_len || strcmp(name + len - suffix_len, suffix) != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strlen(topics[i]) == len - suffix_len && memcmp(topics[i], name, len - suffix_len) == 0)
			return true;
	return false;
}

/* False: no broker answers. */
static bool follow_topics(struct dead_letter_gauge *gauge)
{
	const struct rd_kafka_metadata *metadata = NULL;
	const char **topics = NULL;
	size_t count;

	arena_clear(&gauge->arena);
	count = gauge->options.topics(gauge->options.ctx, &gauge->arena, &topics);
	if (count == 0)
		return true;
	if (rd_kafka_metadata(gauge->rk, 1, NULL, &metadata, ASK_MS))
		return false;
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];

		for (int j = 0; j < topic->partition_cnt && is_wanted(topics, count, topic->topic); j++)
			if (!is_read(gauge, topic->topic, topic->partitions[j].id))
				begin_reading(gauge, topic->topic, topic->partitions[j].id);
	}
	rd_kafka_metadata_destroy(metadata);
	return true;
}

/* ---- what is in them ---- */

static void show(const struct dead_letter_gauge *gauge)
{
	metric_set(gauge->options.gauge, (int64_t)gauge->letters.count);
}

/* Asks only where something is open, which is seldom. */
static void forget_deleted(struct dead_letter_gauge *gauge)
{
	for (size_t i = 0; i < gauge->letters.partition_count && !atomic_load(&gauge->must_stop); i++) {
		struct letter_partition *partition = &gauge->letters.partitions[i];
		int64_t low = 0;
		int64_t high = 0;

		if (partition->open_count == 0)
			continue;
		if (rd_kafka_query_watermark_offsets(gauge->rk, partition->topic, partition->partition, &low, &high,
						     ASK_MS))
			return; /* the brokers are away, or the topic is; the next look asks again */
		open_letters_trim(&gauge->letters, partition, low);
	}
	show(gauge);
}

static void look(struct dead_letter_gauge *gauge)
{
	if (clock_monotonic_us() < gauge->look_at_us)
		return;
	/* librdkafka 2.0 asks for offsets without end while no broker answers, whatever time it is given, and a drain would wait. */
	if (follow_topics(gauge))
		forget_deleted(gauge);
	gauge->look_at_us = clock_monotonic_us() + LOOK_US;
}

static void read_one(struct dead_letter_gauge *gauge)
{
	rd_kafka_message_t *message = rd_kafka_consume_queue(gauge->queue, POLL_MS);

	if (!message)
		return;
	if (!message->err) {
		struct kafka_record record = {0};

		kafka_record_read(message, &record);
		open_letters_read(&gauge->letters, &record);
		show(gauge);
	}
	rd_kafka_message_destroy(message);
}

static void *run(void *arg)
{
	struct dead_letter_gauge *gauge = arg;

	while (!atomic_load(&gauge->must_stop)) {
		look(gauge);
		(void)rd_kafka_poll(gauge->rk, 0); /* serves what is no record, such as logged errors */
		read_one(gauge);
	}
	return NULL;
}

/* ---- life ---- */

int dead_letter_gauge_start(const struct dead_letter_gauge_options *options, struct dead_letter_gauge **ret_gauge,
			    struct error *err)
{
	_cleanup_(dead_letter_gauge_freep)
	struct dead_letter_gauge *gauge = xcalloc(1, sizeof(*gauge));
	rd_kafka_conf_t *conf = NULL;

	gauge->options = *options;
	gauge->options.kafka = NULL; /* borrowed until we return */
	arena_init(&gauge->arena, 0);
	if (kafka_config_new(options->kafka, settings, ARRAY_LEN(settings), &conf, err) < 0 ||
	    kafka_client_new(RD_KAFKA_CONSUMER, conf, &gauge->rk, err) < 0)
		return -1;
	gauge->queue = rd_kafka_queue_new(gauge->rk);
	if (pthread_create(&gauge->thread, NULL, run, gauge) != 0)
		return error_set(err, ERR_LIMIT, "cannot start the thread that counts dead letters: too many threads");
	(void)pthread_setname_np(gauge->thread, "dead-letters"); /* a name for people only */
	gauge->is_running = true;
	*ret_gauge = take_ptr(gauge);
	return 0;
}

void dead_letter_gauge_free(struct dead_letter_gauge *gauge)
{
	if (!gauge)
		return;
	atomic_store(&gauge->must_stop, true);
	if (gauge->is_running)
		(void)pthread_join(gauge->thread, NULL); /* joined once */
	for (size_t i = 0; i < gauge->source_count; i++) {
		(void)rd_kafka_consume_stop(gauge->sources[i].topic, gauge->sources[i].partition); /* it was started */
		rd_kafka_topic_destroy(gauge->sources[i].topic);
	}
	if (gauge->queue)
		rd_kafka_queue_destroy(gauge->queue);
	if (gauge->rk)
		rd_kafka_destroy(gauge->rk);
	free(gauge->sources);
	open_letters_release(&gauge->letters);
	arena_release(&gauge->arena);
	free(gauge);
}
