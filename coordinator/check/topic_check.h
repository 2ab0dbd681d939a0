/*
 * topic_check.h - the topics of all definitions' commands and replies, read from the brokers, against sagas and inboxes.
 *
 * Why:        I7: each command was decided, each that was answered is there; I6: each final reply is the one in the inbox; I13:
 *             nothing is passed over.
 * Guarantees: joins no group and moves no offset. Offsets of groups are read before everything else, topics before the sagas and
 *             inboxes that they are compared with, so what goes on meanwhile is never taken for a violation.
 * Memory:     a batch of records, and `commands_max` hashes: where there are more commands, the topics are read again.
 */
#ifndef COORDINATOR_CHECK_TOPIC_CHECK_H
#define COORDINATOR_CHECK_TOPIC_CHECK_H

#include "coordinator/check/participant_check.h"
#include "lib/kafka/kafka.h"

struct topic_check {
	const struct check_listener *listener;
	struct kafka_options kafka;
	struct pg *pg; /* the coordinator's */
	struct definition_book *book;
	struct participant_check *participants;
	struct uuid after; /* sagas whose ids are greater */
	int64_t since_ms;  /* records from then on; 0: all */
	const char *coordinator_group;
	size_t commands_max;

	int64_t records; /* that were read */
	size_t topic_count;
	struct topic_list *topics; /* from topic_check_begin() on */
};

/* Lists the topics of the definitions in the book, and notes how far they have been read by those whom they are for. Before
 * the sagas are looked at. */
NODISCARD int topic_check_begin(struct topic_check *check, struct error *err);
/* -1: the coordinator's database or the brokers failed. */
NODISCARD int topic_check_run(struct topic_check *check, struct error *err);
void topic_check_release(struct topic_check *check);

#endif
