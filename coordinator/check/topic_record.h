/*
 * topic_record.h - whose record it is, as its headers say, and what is wrong with it given what the coordinator and its
 * participant hold. Pure.
 *
 * Guarantees: right for a coordinator's row and an inbox that were read after the record: whoever sends has committed before.
 * Ownership:  a record's texts are copies in the arena.
 */
#ifndef COORDINATOR_CHECK_TOPIC_RECORD_H
#define COORDINATOR_CHECK_TOPIC_RECORD_H

#include "coordinator/check/participant_inbox.h"
#include "coordinator/check/saga_page.h"
#include "lib/kafka/kafka.h"

struct topic_record {
	struct uuid saga_id;
	const char *step_id;
	enum step_phase phase;
	int32_t attempt;
	const char *topic;
	int32_t partition;
	int64_t offset;
	struct bytes key;
	struct bytes value;  /* of replies */
	const char *outcome; /* of replies; NULL: no header says it; so the next */
	const char *reason;
	bool is_passed; /* the group that it is for has gone on behind it */
};

enum topic_record_kind {
	TOPIC_RECORD_FOREIGN,   /* it has no saga: a fact, or something else */
	TOPIC_RECORD_ILLEGIBLE, /* nobody can say whose it is */
	TOPIC_RECORD_LEGIBLE,
};

/* Where it stands is set in any case. `with_value`: the value is copied, too. */
enum topic_record_kind topic_record_read(const struct kafka_record *record, bool with_value, struct arena *arena,
					 struct topic_record *ret_record);

/* I7. `saga` NULL: the coordinator does not know it. NULL: nothing is wrong with the command. */
const char *topic_command_violation(const struct topic_record *record, const struct page_saga *saga,
				    struct arena *arena);

/* What the reply says: SUCCEEDED, REJECTED, …; COUNT: nothing that counts. */
enum saga_event_type topic_reply_outcome(const struct topic_record *record, const struct page_saga *saga);
/* I6, of a final reply. `reply` NULL: its inbox has no row of the command. */
const char *topic_reply_violation(const struct topic_record *record, const struct page_saga *saga,
				  const struct inbox_reply *reply, bool has_replies, struct arena *arena);

#endif
