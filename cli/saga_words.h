/*
 * saga_words.h - states, times and durations as people read them, everywhere alike.
 */
#ifndef CLI_SAGA_WORDS_H
#define CLI_SAGA_WORDS_H

#include "cli/session.h"
#include "cli/table.h"
#include "proto/saga/v1/saga.pb-c.h"

const char *saga_state_word(Saga__V1__SagaState state); /* "RUNNING" */
enum table_colour saga_state_colour(Saga__V1__SagaState state);
bool saga_state_is_final(Saga__V1__SagaState state);       /* nothing more happens */
enum exit_code saga_state_exit(Saga__V1__SagaState state); /* for who waited for the end */

const char *step_state_word(Saga__V1__StepState state);
enum table_colour step_state_colour(Saga__V1__StepState state);
bool step_state_is_busy(Saga__V1__StepState state); /* its time runs */
/* One character, beyond ASCII where the terminal can. */
const char *step_state_symbol(Saga__V1__StepState state, bool has_symbols);

const char *step_phase_suffix(Saga__V1__StepPhase phase); /* "", " (compensation)", " (inquiry)" */

int64_t time_us(const Google__Protobuf__Timestamp *time); /* 0 where there is none */
/* "12.3 ms", "4.567 s", "2 min 05 s", "3 h 07 min", "2 d 03 h"; below zero counts as zero. */
void duration_append(struct buffer *out, int64_t duration_us);

#endif
