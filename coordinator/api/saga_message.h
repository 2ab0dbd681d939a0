/*
 * saga_message.h - the engine's view of a saga as the API's message.
 *
 * Ownership:  the message lives in the arena and borrows from the view: pack it before the view ends.
 * Texts:      reasons and details come from participants; bytes in them that are no UTF-8 become '?', since every client
 *             refuses a message with such a string.
 */
#ifndef COORDINATOR_API_SAGA_MESSAGE_H
#define COORDINATOR_API_SAGA_MESSAGE_H

#include "coordinator/api/status.h"
#include "coordinator/engine/read_port.h"
#include "lib/base/problems.h"
#include "saga/v1/saga.pb-c.h"

/* `has_history`: with the input and the log, too. Fails when the stored input cannot be decoded. */
NODISCARD int saga_message_make(const struct saga_view *view, bool has_history, struct arena *arena,
				Saga__V1__Saga **ret_message, struct error *err);
/* As above, but without steps. */
Saga__V1__Saga *saga_head_message_make(const struct saga_head *head, struct arena *arena);
Saga__V1__SagaEvent **saga_events_make(const struct saga_view *view, struct arena *arena); /* view->log_count */
Saga__V1__SagaEvent *saga_event_message_make(const struct store_log_row *row, struct arena *arena);

/* The text as it may stand in a message; NULL is "". */
char *message_text_make(const char *text, struct arena *arena);

/* Of any request with the id of a saga. */
void saga_id_check(const char *text, struct uuid *ret_id, struct problems *problems);
/* NOT_FOUND names the saga as its resource and says what ids look like; `texts` must live as long as the status. */
struct saga_error_texts {
	char id[UUID_TEXT_LEN + 1];
	char message[200];
};
struct status saga_error_status(struct uuid id, const struct error *err, struct saga_error_texts *texts);

bool timestamp_is_legal(const Google__Protobuf__Timestamp *time);                  /* as its own rules have it */
Google__Protobuf__Timestamp *timestamp_make(int64_t unix_us, struct arena *arena); /* NULL for 0: absent */

#endif
