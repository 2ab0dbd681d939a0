/* record.c - what may be asked of a record, see kafka.h. */
#include "lib/kafka/kafka.h"

const struct bytes *kafka_record_header(const struct kafka_record *record, const char *name)
{
	for (size_t i = record->header_count; i-- > 0;)
		if (strcmp(record->headers[i].name, name) == 0)
			return &record->headers[i].value;
	return NULL;
}
