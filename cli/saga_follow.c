/* saga_follow.c - see saga_follow.h. */
#include "cli/saga_follow.h"

#include "lib/base/memory.h"

static void open_stream(struct saga_follow *follow)
{
	Saga__V1__WatchSagaRequest request = SAGA__V1__WATCH_SAGA_REQUEST__INIT;
	struct rpc_call call = {.method = "/saga.v1.SagaService/WatchSaga",
				.request = &request.base,
				.answer_type = &saga__v1__watch_saga_response__descriptor};

	request.saga_id = (char *)follow->saga_id;
	request.after_sequence = follow->event_count > 0 ? follow->events[follow->event_count - 1]->sequence : 0;
	follow->stream = rpc_stream_new(session_client(follow->session), &call);
}

void saga_follow_begin(struct saga_follow *follow, struct session *session_, const char *saga_id, int64_t until_us)
{
	*follow = (struct saga_follow){.session = session_, .saga_id = saga_id, .reconnect = {.until_us = until_us}};
	open_stream(follow);
}

void saga_follow_release(struct saga_follow *follow)
{
	rpc_stream_free(follow->stream);
	for (size_t i = 0; i < follow->message_count; i++)
		protobuf_c_message_free_unpacked(follow->messages[i], NULL);
	free(follow->messages);
	free(follow->events);
	buffer_release(&follow->failure.details);
	*follow = (struct saga_follow){0};
}

static enum saga_follow_result take_message(struct saga_follow *follow, ProtobufCMessage *answer)
{
	const Saga__V1__WatchSagaResponse *message = (Saga__V1__WatchSagaResponse *)answer;

	follow->messages = xrealloc_array(follow->messages, follow->message_count + 1, sizeof(*follow->messages));
	follow->messages[follow->message_count++] = answer;
	follow->message = message;
	follow->saga = message->saga ? message->saga : follow->saga;
	follow->events =
		xrealloc_array(follow->events, follow->event_count + message->n_events + 1, sizeof(*follow->events));
	for (size_t i = 0; i < message->n_events; i++)
		follow->events[follow->event_count++] = message->events[i];
	reconnect_succeed(&follow->reconnect);
	follow->session->has_answered = true;
	return follow->saga ? SAGA_FOLLOW_CHANGED : SAGA_FOLLOW_QUIET;
}

static enum saga_follow_result lose(struct saga_follow *follow)
{
	rpc_stream_free(follow->stream);
	follow->stream = NULL;
	return reconnect_lose(&follow->reconnect) ? SAGA_FOLLOW_LOST : SAGA_FOLLOW_QUIET;
}

enum saga_follow_result saga_follow_next(struct saga_follow *follow, int64_t wait_ms)
{
	ProtobufCMessage *answer;

	if (!follow->stream && !reconnect_wait(&follow->reconnect, wait_ms))
		return SAGA_FOLLOW_QUIET;
	if (!follow->stream)
		open_stream(follow);
	switch (rpc_stream_next(follow->stream, wait_ms, &answer, &follow->failure, &follow->err)) {
	case RPC_STREAM_MESSAGE:
		return take_message(follow, answer);
	case RPC_STREAM_WAITING:
		return SAGA_FOLLOW_QUIET;
	case RPC_STREAM_ENDED:
		return lose(follow);
	case RPC_STREAM_FAILED:
		break;
	}
	/* A coordinator that was there may come back; one that never was will not by itself. */
	if (!follow->session->has_answered || !reconnect_may_help(&follow->reconnect, &follow->err))
		return SAGA_FOLLOW_FAILED;
	buffer_release(&follow->failure.details);
	return lose(follow);
}
