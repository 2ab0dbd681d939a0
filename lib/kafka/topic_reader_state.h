/*
 * topic_reader_state.h - what topic_reader.c and topic_scan.c share. Not for callers of topic_reader.h.
 */
#ifndef LIB_KAFKA_TOPIC_READER_STATE_H
#define LIB_KAFKA_TOPIC_READER_STATE_H

#include <librdkafka/rdkafka.h>

#include "lib/kafka/topic_reader.h"

struct topic_reader {
	rd_kafka_t *rk;
};

#endif
