/* channel.c - see channel.h. */
#include "tests/bench/floor/channel.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/kafka/kafka.h"
#include "tests/bench/floor/floor.h"

enum { BATCH_MAX = 10000, WATERMARK_MS = 10000, AGAIN_MS = 20, FLUSH_MS = 5000, GATHER_MS = 1 };

struct channel_clients {
	rd_kafka_t *producer;
	rd_kafka_t *consumer;
};

struct channel {
	struct channel_clients *clients;
	rd_kafka_topic_t *out;
	rd_kafka_topic_t *in;
	rd_kafka_queue_t *queue;
	int32_t partition;
	size_t record_bytes;
	rd_kafka_message_t *outgoing; /* BATCH_MAX of each */
	uint8_t *payloads;
	rd_kafka_message_t **incoming;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void)client;
	(void)opaque;
	if (message->err) /* reports are of errors alone, as the producer is set up */
		log_error("not_delivered", "err=%s", rd_kafka_err2name(message->err));
}

static int new_client(rd_kafka_type_t type, const char *const (*properties)[2], size_t count, rd_kafka_t **ret_client,
		      struct error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256] = "";

	for (size_t i = 0; i < count; i++)
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof(why)) != RD_KAFKA_CONF_OK) {
			rd_kafka_conf_destroy(conf);
			return error_set(err, ERR_INVALID, "%s", why);
		}
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	*ret_client = rd_kafka_new(type, conf, why, sizeof(why));
	if (*ret_client)
		return 0;
	rd_kafka_conf_destroy(conf); /* only a success takes it */
	return error_set(err, ERR_UNAVAILABLE, "%s", why);
}

int channel_clients_new(const char *brokers, const char *linger_ms, struct channel_clients **ret_clients,
			struct error *err)
{
	const char *const producer[][2] = {
		{"bootstrap.servers", brokers},
		{"acks", "all"},
		{"linger.ms", linger_ms},
		{"socket.nagle.disable", "true"},
		{"queue.buffering.max.messages", "2000000"},
		{"queue.buffering.max.kbytes", "2000000"},
		{"delivery.report.only.error", "true"},
	};
	const char *const consumer[][2] = {
		{"bootstrap.servers", brokers},         {"enable.auto.commit", "false"},  {"fetch.wait.max.ms", "100"},
		{"fetch.message.max.bytes", "8388608"}, {"socket.nagle.disable", "true"}, {"check.crcs", "false"},
	};
	_cleanup_(channel_clients_freep)
	struct channel_clients *clients = xcalloc(1, sizeof(*clients));

	if (new_client(RD_KAFKA_PRODUCER, producer, ARRAY_LEN(producer), &clients->producer, err) < 0 ||
	    new_client(RD_KAFKA_CONSUMER, consumer, ARRAY_LEN(consumer), &clients->consumer, err) < 0)
		return -1;
	*ret_clients = take_ptr(clients);
	return 0;
}

void channel_clients_free(struct channel_clients *clients)
{
	if (clients->producer) {
		(void)rd_kafka_flush(clients->producer, FLUSH_MS); /* what is left then is of no use */
		rd_kafka_destroy(clients->producer);
	}
	if (clients->consumer)
		rd_kafka_destroy(clients->consumer);
	free(clients);
}

/* ---- life ---- */

/* A topic that was made a moment ago has no leader for another moment. */
static int find_end(rd_kafka_t *client, const char *topic, int partition, int64_t *ret_end, struct error *err)
{
	int64_t until_us = clock_monotonic_us() + WATERMARK_MS * 1000;
	rd_kafka_resp_err_t code;
	int64_t low;

	for (;;) {
		code = rd_kafka_query_watermark_offsets(client, topic, partition, &low, ret_end, WATERMARK_MS);
		if (!code)
			return 0;
		if (clock_monotonic_us() > until_us)
			return error_set(err, ERR_UNAVAILABLE, "topic '%s': %s", topic, rd_kafka_err2str(code));
		(void)poll(NULL, 0, AGAIN_MS); /* only waits */
	}
}

int channel_new(struct channel_clients *clients, const char *topic, int partition, size_t record_bytes,
		struct channel **ret_channel, struct error *err)
{
	struct channel *channel;
	int64_t end;

	if (find_end(clients->consumer, topic, partition, &end, err) < 0)
		return -1;
	channel = xcalloc(1, sizeof(*channel));
	channel->clients = clients;
	channel->partition = partition;
	channel->record_bytes = record_bytes;
	channel->out = rd_kafka_topic_new(clients->producer, topic, NULL);
	channel->in = rd_kafka_topic_new(clients->consumer, topic, NULL);
	channel->queue = rd_kafka_queue_new(clients->consumer);
	channel->outgoing = xcalloc(BATCH_MAX, sizeof(*channel->outgoing));
	channel->incoming = xcalloc(BATCH_MAX, sizeof(rd_kafka_message_t *));
	channel->payloads = xcalloc(BATCH_MAX, record_bytes);
	for (size_t i = 0; i < BATCH_MAX; i++) {
		channel->outgoing[i].payload = channel->payloads + i * record_bytes;
		channel->outgoing[i].len = record_bytes;
	}
	if (rd_kafka_consume_start_queue(channel->in, partition, end, channel->queue) < 0) {
		channel_free(channel);
		return error_set(err, ERR_UNAVAILABLE, "cannot read topic '%s': %s", topic,
				 rd_kafka_err2str(rd_kafka_last_error()));
	}
	*ret_channel = channel;
	return 0;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	(void)rd_kafka_consume_stop(channel->in, channel->partition); /* fails where it was not started */
	rd_kafka_queue_destroy(channel->queue);
	rd_kafka_topic_destroy(channel->in);
	rd_kafka_topic_destroy(channel->out);
	free(channel->outgoing);
	free(channel->incoming);
	free(channel->payloads);
	free(channel);
}

/* ---- records ---- */

/* The client copies, so that the payloads serve the next call. */
static int send_batch(struct channel *channel, const struct floor_record *records, size_t count, struct error *err)
{
	int sent;

	for (size_t i = 0; i < count; i++)
		memcpy(channel->payloads + i * channel->record_bytes, &records[i], sizeof(records[i]));
	sent = rd_kafka_produce_batch(channel->out, channel->partition, RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK,
				      channel->outgoing, (int)count);
	if (sent == (int)count)
		return 0;
	return error_set(err, ERR_UNAVAILABLE, "%d of %zu records could be produced", sent, count);
}

int channel_send(struct channel *channel, const struct floor_record *records, size_t count, struct error *err)
{
	for (size_t at = 0; at < count; at += BATCH_MAX)
		if (send_batch(channel, records + at, count - at < BATCH_MAX ? count - at : BATCH_MAX, err) < 0)
			return -1;
	(void)rd_kafka_poll(channel->clients->producer, 0); /* the number of served events */
	return 0;
}

/* The batch call would wait until all are there, so it gets no time; the first one is waited for by itself. */
static size_t receive_some(struct channel *channel, struct floor_record *records, size_t max, int wait_ms)
{
	ssize_t got;
	size_t count = 0;

	channel->incoming[0] = rd_kafka_consume_queue(channel->queue, wait_ms);
	if (!channel->incoming[0])
		return 0;
	got = 1 + rd_kafka_consume_batch_queue(channel->queue, 0, channel->incoming + 1,
					       (max < BATCH_MAX ? max : BATCH_MAX) - 1);
	for (ssize_t i = 0; i < got; i++) {
		const rd_kafka_message_t *message = channel->incoming[i];

		if (!message->err && message->len == channel->record_bytes)
			memcpy(&records[count++], message->payload, sizeof(*records));
		rd_kafka_message_destroy(channel->incoming[i]);
	}
	return count;
}

size_t channel_receive(struct channel *channel, struct floor_record *records, size_t max, size_t wanted, int wait_ms)
{
	size_t count = receive_some(channel, records, max, wait_ms);
	size_t more = count;

	while (more > 0 && count < wanted) {
		more = receive_some(channel, records + count, max - count, GATHER_MS);
		count += more;
	}
	return count;
}
