/* record.c - what may be asked of a record, see kafka.h. */
#include "lib/kafka/kafka.h"

const struct bytes *kafka_record_header(const struct kafka_record *record, const char *name)
{
	for (size_t i = record->header_count; i-- > 0;)
		if (strcmp(record->headers[i].name, name) == 0)
			return &record->headers[i].value;
	return NULL;
}

static int check_single(const struct kafka_record *record, const char *name, struct error *err)
{
	const struct bytes *last = kafka_record_header(record, name);

	for (size_t i = 0; last && i < record->header_count; i++)
		if (strcmp(record->headers[i].name, name) == 0 && !bytes_equal(record->headers[i].value, *last))
			return error_set(err, ERR_INVALID, "header '%s' is there twice, with different values", name);
	return 0;
}

int kafka_record_check_headers(const struct kafka_record *record, const char *const *single, struct error *err)
{
	size_t bytes = 0;

	if (record->has_more_headers)
		return error_set(err, ERR_INVALID, "there are more than %d headers", KAFKA_HEADERS_READ_MAX);
	for (size_t i = 0; i < record->header_count; i++)
		bytes += strlen(record->headers[i].name) + record->headers[i].value.len;
	if (bytes > KAFKA_HEADER_BYTES_MAX)
		return error_set(err, ERR_INVALID, "the headers have %zu bytes, more than %d", bytes,
				 KAFKA_HEADER_BYTES_MAX);
	for (; *single; single++)
		if (check_single(record, *single, err) < 0)
			return -1;
	return 0;
}
