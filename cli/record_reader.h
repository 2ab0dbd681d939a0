/*
 * record_reader.h - some records of one partition, read by nobody's group: nothing is committed.
 */
#ifndef CLI_RECORD_READER_H
#define CLI_RECORD_READER_H

#include "lib/kafka/kafka.h"

enum { RECORD_READER_LAST = -1 }; /* offset: the last `count` records */

struct record_range {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t count;
	int64_t timeout_ms; /* for all of it */
};

/* Calls `take` for each record, in order, until `count` are there or the partition ends; -1 from it ends it, too. Topic or
 * partition unknown -> ERR_NOT_FOUND. */
NODISCARD int record_reader_run(const struct kafka_options *options, const struct record_range *range,
				int (*take)(void *ctx, const struct kafka_record *record, struct error *err), void *ctx,
				struct error *err);

#endif
