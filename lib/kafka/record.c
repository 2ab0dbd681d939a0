/* record.c - what may be asked of a record, see kafka.h. */
#include <assert.h>

#include "lib/kafka/kafka_config.h"
#include "lib/kafka/side_topic.h"

const struct bytes *kafka_record_header(const struct kafka_record *record, const char *name)
{
	for (size_t i = record->header_count; i-- > 0;)
		if (record->headers[i].name[0] == name[0] && strcmp(record->headers[i].name, name) == 0)
			return &record->headers[i].value;
	return NULL;
}

/* Which of the names it is; `count`: none. */
static size_t find_single(const char *const *single, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (single[i][0] == name[0] && strcmp(single[i], name) == 0)
			return i;
	return count;
}

int kafka_record_check_headers(const struct kafka_record *record, const char *const *single, struct error *err)
{
	const struct bytes *seen[KAFKA_SINGLE_MAX] = {0};
	size_t single_count = 0;
	size_t bytes = 0;

	if (record->has_more_headers)
		return error_set(err, ERR_INVALID, "there are more than %d headers", KAFKA_HEADERS_READ_MAX);
	while (single[single_count])
		single_count++;
	assert(single_count <= KAFKA_SINGLE_MAX);
	for (size_t i = 0; i < record->header_count; i++) {
		const struct kafka_header *header = &record->headers[i];
		const size_t at = find_single(single, single_count, header->name);

		bytes += strlen(header->name) + header->value.len;
		if (at == single_count)
			continue;
		if (seen[at] && !bytes_equal(*seen[at], header->value))
			return error_set(err, ERR_INVALID, "header '%s' is there twice, with different values",
					 header->name);
		seen[at] = &header->value;
	}
	if (bytes > KAFKA_HEADER_BYTES_MAX)
		return error_set(err, ERR_INVALID, "the headers have %zu bytes, more than %d", bytes,
				 KAFKA_HEADER_BYTES_MAX);
	return 0;
}

static void read_headers(const rd_kafka_message_t *message, struct kafka_record *record)
{
	rd_kafka_headers_t *headers = NULL;
	const char *name;
	const void *value;
	size_t added = 0;
	size_t len;

	record->header_count = 0;
	record->has_more_headers = false;
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++) {
		const bool is_added = side_topic_is_added(name);

		if (is_added ? added == KAFKA_HEADERS_ADDED_MAX
			     : record->header_count - added == KAFKA_HEADERS_READ_MAX) {
			record->has_more_headers = true;
			return;
		}
		added += is_added;
		record->headers[record->header_count++] = (struct kafka_header){name, {value, value ? len : 0}};
	}
}

void kafka_record_read(const rd_kafka_message_t *message, struct kafka_record *record)
{
	record->topic = rd_kafka_topic_name(message->rkt);
	record->partition = message->partition;
	record->offset = message->offset;
	record->timestamp_ms = rd_kafka_message_timestamp(message, NULL);
	record->key = (struct bytes){message->key, message->key_len};
	record->value = (struct bytes){message->payload, message->len};
	record->has_value = message->payload != NULL;
	read_headers(message, record);
}
