/*
 * passed_over.h - records that a group has gone on behind although nothing shows what became of them (I13).
 *
 * Why:        a command that is not in the inbox may be in a side topic, or may have been answered `retriable`, and these are
 *             read in no certain order with it. So the suspects wait until all topics are read.
 * Limits:     SUSPECTS_MAX of them, and so many traces as are given; what is beyond is said to be undecided.
 */
#ifndef COORDINATOR_CHECK_PASSED_OVER_H
#define COORDINATOR_CHECK_PASSED_OVER_H

#include "coordinator/check/hash_set.h"
#include "coordinator/check/topic_record.h"
#include "coordinator/check/violation.h"

enum { SUSPECTS_MAX = 100000 };

struct suspect;

struct passed_over {
	struct arena arena;
	struct suspect *suspects;
	size_t count;
	struct hash_set commands; /* that left a trace elsewhere */
	struct hash_set places;   /* of records that are dead letters */
	bool is_full;
};

void passed_over_init(struct passed_over *passed, size_t traces_max);
void passed_over_release(struct passed_over *passed);

void passed_over_suspect(struct passed_over *passed, const struct topic_record *record, bool is_legible,
			 int64_t timestamp_ms);
void passed_over_trace_command(struct passed_over *passed, const struct topic_record *record);
void passed_over_trace_place(struct passed_over *passed, const char *topic, int32_t partition, int64_t offset);

/* Reports those without a trace. `dead_since_ms`: from when on the dead letters of a topic are all there. */
void passed_over_report(struct passed_over *passed, int64_t (*dead_since_ms)(void *ctx, const char *topic), void *ctx,
			const struct check_listener *listener);

#endif
