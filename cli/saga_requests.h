/*
 * saga_requests.h - one thing asked of many sagas: a few one after the other, many with several calls in flight, a line of
 * progress on a terminal, and a summary that groups what was refused.
 */
#ifndef CLI_SAGA_REQUESTS_H
#define CLI_SAGA_REQUESTS_H

#include "cli/saga_choice.h"
#include "cli/session.h"

struct saga_requests {
	const char *command;                            /* "retry" */
	const char *done;                               /* "tried again" */
	const char *method;                             /* "RetrySaga" */
	const ProtobufCMessageDescriptor *request_type; /* has a text saga_id, which is set for each */
	const ProtobufCMessageDescriptor *answer_type;  /* begins with the saga */
	const char *was_before; /* what it means when the answer's second field is true; NULL: it has none */
	void (*fill)(ProtobufCMessage *request); /* all but saga_id; texts are borrowed */
};

/* Everything that is refused is said; the first refusal decides the exit code. Ends early when nobody answers, or on
 * Ctrl-C, after what is in flight. */
enum exit_code saga_requests_send(struct session *session, const struct saga_requests *requests,
				  const struct saga_choice *choice);

#endif
