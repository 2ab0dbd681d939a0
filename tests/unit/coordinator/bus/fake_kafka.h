/*
 * fake_kafka.h - what the bus calls of lib/kafka, over one log in memory that all topics share.
 *
 * Why:        joining a group costs three seconds and more with librdkafka's mock cluster, which the tests of lib/kafka
 *             use; here a test decides to the record what the brokers do.
 * Guarantees: a consumer begins at the committed offset, at its start and after each subscription. Storing offsets out
 *             of order, or freeing a consumer before its batches, ends the process.
 * Threads:    functions with fake_kafka_ in their name are the test's; the others are called by bus and test.
 */
#ifndef TESTS_UNIT_COORDINATOR_BUS_FAKE_KAFKA_H
#define TESTS_UNIT_COORDINATOR_BUS_FAKE_KAFKA_H

#include "lib/kafka/kafka.h"

void fake_kafka_reset(void);
void fake_kafka_append(const char *topic, const char *value);      /* a record, with the header saga-step */
void fake_kafka_append_fact(const char *topic, const char *value); /* which is nobody's reply */
size_t fake_kafka_committed(void);                                 /* the group's offset */
void fake_kafka_set_down(bool is_down);                            /* no broker answers a ping */
void fake_kafka_fail_poll(enum err_code code);                     /* the next poll; 0: none */
void fake_kafka_fail_produce(const char *topic, enum err_code code);
size_t fake_kafka_produce_calls(void);
const struct kafka_record *fake_kafka_produced(void); /* the last one that was taken, until the reset; NULL: none */
bool fake_kafka_is_prepared(const char *topic);

#endif
