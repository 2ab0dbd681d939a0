/*
 * kafka_config.h - librdkafka's configuration from ours, and its errors as struct error; inside lib/kafka only.
 *
 * Why:        every client of ours is set up alike, and what librdkafka says while it works lands in our log.
 * Ownership:  a made configuration belongs to its caller until rd_kafka_new() takes it.
 */
#ifndef LIB_KAFKA_KAFKA_CONFIG_H
#define LIB_KAFKA_KAFKA_CONFIG_H

#include <librdkafka/rdkafka.h>

#include "lib/kafka/kafka.h"

/* Our settings in the order given, then the user's own properties, which win. */
NODISCARD int kafka_config_new(const struct kafka_options *options, const struct text_pair *settings,
			       size_t setting_count, rd_kafka_conf_t **ret_conf, struct error *err);
DEFINE_CLEANUP(rd_kafka_conf_t *, rd_kafka_conf_destroy)
DEFINE_CLEANUP(rd_kafka_t *, rd_kafka_destroy)
DEFINE_CLEANUP(rd_kafka_queue_t *, rd_kafka_queue_destroy)
DEFINE_CLEANUP(rd_kafka_event_t *, rd_kafka_event_destroy)
DEFINE_CLEANUP(rd_kafka_AdminOptions_t *, rd_kafka_AdminOptions_destroy)

/* Takes the configuration also when it fails. */
NODISCARD int kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_rk, struct error *err);

/* Without an error; the record borrows from the message. */
void kafka_record_read(const rd_kafka_message_t *message, struct kafka_record *ret_record);

/* Sets `*err` by the kind of librdkafka's error; `what` says what was tried. Returns -1. */
int kafka_error_set(struct error *err, rd_kafka_resp_err_t code, const char *what, const char *detail);

#endif
