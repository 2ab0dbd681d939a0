/* topics.c - creating topics by the admin API, see kafka.h. */
#include <stdio.h>

#include "lib/kafka/kafka_config.h"

enum { REQUEST_TIMEOUT_MS = 15000 };

static int new_topic(const struct kafka_topic *topic, rd_kafka_NewTopic_t **ret_topic, struct error *err)
{
	char why[256] = "";
	char retention[24];
	rd_kafka_NewTopic_t *made =
		rd_kafka_NewTopic_new(topic->name, topic->partitions > 0 ? topic->partitions : -1,
				      topic->replication_factor > 0 ? topic->replication_factor : -1, why, sizeof(why));

	if (!made)
		return error_set(err, ERR_INVALID, "cannot create topic '%s': %s", topic->name, why);
	if (topic->retention_ms > 0) {
		(void)snprintf(retention, sizeof(retention), "%lld", (long long)topic->retention_ms); /* fits */
		(void)rd_kafka_NewTopic_set_config(made, "retention.ms", retention); /* fails only for no name */
	}
	*ret_topic = made;
	return 0;
}

static int read_result(rd_kafka_event_t *event, size_t *ret_created, struct error *err)
{
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **topics;
	size_t count = 0;
	size_t created = 0;

	if (rd_kafka_event_error(event) || !result)
		return kafka_error_set(err, rd_kafka_event_error(event), "cannot create topics",
				       rd_kafka_event_error_string(event));
	topics = rd_kafka_CreateTopics_result_topics(result, &count);
	for (size_t i = 0; i < count; i++) {
		rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);

		if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			continue;
		if (code) {
			(void)kafka_error_set(err, code, rd_kafka_topic_result_name(topics[i]),
					      rd_kafka_topic_result_error_string(topics[i]));
			return error_prefix(err, "cannot create topic");
		}
		created++;
	}
	*ret_created = created;
	return 0;
}

static int send_request(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t count, size_t *ret_created,
			struct error *err)
{
	_cleanup_(rd_kafka_queue_destroyp)
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	_cleanup_(rd_kafka_AdminOptions_destroyp)
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	_cleanup_(rd_kafka_event_destroyp)
	rd_kafka_event_t *event = NULL;
	char why[128];

	/* Both are within their ranges. The operation timeout makes the broker answer when the topics are there. */
	(void)rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_TIMEOUT_MS, why, sizeof(why));
	(void)rd_kafka_AdminOptions_set_operation_timeout(options, REQUEST_TIMEOUT_MS / 2, why, sizeof(why));
	rd_kafka_CreateTopics(rk, topics, count, options, queue);
	event = rd_kafka_queue_poll(queue, REQUEST_TIMEOUT_MS + 5000);
	if (!event)
		return error_set(err, ERR_TIMEOUT, "cannot create topics: no answer after %d ms (kafka)",
				 REQUEST_TIMEOUT_MS + 5000);
	return read_result(event, ret_created, err);
}

int kafka_create_topics(const struct kafka_options *options, const struct kafka_topic *topics, size_t count,
			size_t *ret_created, struct error *err)
{
	_cleanup_(rd_kafka_destroyp)
	rd_kafka_t *rk = NULL;
	_cleanup_(freep)
	rd_kafka_NewTopic_t **made = xcalloc(count + 1, sizeof(*made));
	rd_kafka_conf_t *conf = NULL;
	size_t made_count = 0;
	int rc = 0;

	if (count == 0) {
		*ret_created = 0;
		return 0;
	}
	if (kafka_config_new(options, NULL, 0, &conf, err) < 0 ||
	    kafka_client_new(RD_KAFKA_PRODUCER, conf, &rk, err) < 0)
		return -1;
	while (rc == 0 && made_count < count)
		rc = new_topic(&topics[made_count], &made[made_count], err) < 0 ? -1 : (made_count++, 0);
	if (rc == 0)
		rc = send_request(rk, made, count, ret_created, err);
	rd_kafka_NewTopic_destroy_array(made, made_count);
	return rc;
}
