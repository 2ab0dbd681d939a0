/* outcomes.c - see outcomes.h. */
#include "tests/bench/load/outcomes.h"

#include "lib/rpc/rpc_stream.h"

enum { SLICE_MS = 100 };

int outcomes_watch(struct rpc_client *client, const struct outcomes_watch *watch, struct error *err)
{
	Saga__V1__WatchSagasRequest request = SAGA__V1__WATCH_SAGAS_REQUEST__INIT;
	Saga__V1__SagaFilter filter = SAGA__V1__SAGA_FILTER__INIT;
	const struct rpc_call call = {.method = "/saga.v1.SagaService/WatchSagas",
				      .request = &request.base,
				      .answer_type = &saga__v1__watch_sagas_response__descriptor};
	_cleanup_(rpc_stream_freep)
	struct rpc_stream *stream = NULL;

	filter.definition = (char *)watch->definition;
	request.filter = &filter;
	request.outcomes_only = true;
	request.position = (char *)watch->position;
	stream = rpc_stream_new(client, &call);
	while (!atomic_load(watch->is_stopping)) {
		ProtobufCMessage *answer = NULL;

		switch (rpc_stream_next(stream, SLICE_MS, &answer, NULL, err)) {
		case RPC_STREAM_MESSAGE:
			watch->take(watch->ctx, (const Saga__V1__WatchSagasResponse *)answer);
			protobuf_c_message_free_unpacked(answer, NULL);
			break;
		case RPC_STREAM_WAITING:
			break;
		case RPC_STREAM_ENDED:
			return 0;
		case RPC_STREAM_FAILED:
			return -1;
		}
	}
	return 0;
}
