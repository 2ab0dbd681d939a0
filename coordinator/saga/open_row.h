/*
 * open_row.h - what the table of open sagas says of one: the little by which sweeps, counts and lists go.
 *
 * Why:        very many sagas may wait for weeks, and reading the rows of all of them to learn that nothing is due takes longer than
 *             there is. The table of open ones is a hundredth as large, and no step need write it: `look_us` is a lower bound of
 *             the time at which a saga is due, and follows it only when that has gone off far.
 * Guarantees: look_us <= due < look_us + OPEN_ROW_SLACK_US; of what is never due it is INT64_MAX.
 *             A saga with a command in flight is patient, or due within OPEN_ROW_PATIENT_US of its last change.
 */
#ifndef COORDINATOR_SAGA_OPEN_ROW_H
#define COORDINATOR_SAGA_OPEN_ROW_H

#include "coordinator/saga/saga.h"

#define OPEN_ROW_SLACK_US INT64_C(30000000)
#define OPEN_ROW_PATIENT_US INT64_C(60000000)

struct open_row {
	int64_t look_us; /* nothing is due before */
	int32_t definition_id;
	enum saga_state state;
	bool is_paused;
	bool is_patient; /* a command is in flight, and it is long until it is sent again */
};

/* What is to be stored of a saga: empty, if it has ended. `stored_look_us` is what is stored now; 0: nothing. */
struct open_row open_row_of(const struct saga *saga, int32_t definition_id, int64_t stored_look_us);
bool open_row_equals(const struct open_row *a, const struct open_row *b);

#endif
