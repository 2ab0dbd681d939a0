/* rpc_message_fuzz.c - any bytes as a request to each method: decoding within bounds, and what the services read of it. */
#include "coordinator/api/bookmark.h"
#include "coordinator/api/filter_message.h"
#include "coordinator/api/message_reader.h"
#include "coordinator/api/struct_value.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"
#include "proto/saga/v1/saga_service.pb-c.h"
#include "tests/fuzz/fuzz.h"

static void read_start(const Saga__V1__StartSagaRequest *request, struct arena *arena)
{
	struct problems problems;
	struct value value;

	if (request->input_case != SAGA__V1__START_SAGA_REQUEST__INPUT_JSON)
		return;
	problems_init(&problems);
	if (struct_to_value(request->json, "input", arena, &value, &problems) < 0)
		CLAIM(problems.count > 0, "an input that is refused without a reason");
	else
		CLAIM(value_to_struct(&value, arena)->n_fields <= request->json->n_fields,
		      "more fields than were given");
	problems_release(&problems);
}

static void read_list(const Saga__V1__ListSagasRequest *request, struct arena *arena)
{
	struct problems problems;
	struct saga_filter filter;
	struct time_range range;
	uint8_t content[24];

	problems_init(&problems);
	filter_read(request->filter, arena, &filter, &problems);
	time_range_read(request->create_time, "create_time", arena, &range, &problems);
	if (problems.count == 0)
		(void)bookmark_read(BOOKMARK_LIST, filter_bind(bookmark_binding(), &filter), request->page_token,
				    content, sizeof(content));
	problems_release(&problems);
}

static void read_as(const ProtobufCMessageDescriptor *type, struct bytes bytes)
{
	_cleanup_(arena_release)
	struct arena arena;
	struct problems problems;
	ProtobufCMessage *message;
	struct error err;

	arena_init(&arena, 64 << 20);
	problems_init(&problems);
	if (message_read(type, bytes, &arena, &message, &problems, &err) == 0) {
		CLAIM(problems.count == 0, "taken with a problem: %s", problems.items[0].text);
		CLAIM(protobuf_c_message_check(message), "a message that protobuf-c would not send");
		if (type == &saga__v1__start_saga_request__descriptor)
			read_start((const Saga__V1__StartSagaRequest *)message, &arena);
		if (type == &saga__v1__list_sagas_request__descriptor)
			read_list((const Saga__V1__ListSagasRequest *)message, &arena);
	}
	problems_release(&problems);
}

/* The first byte chooses the method. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const ProtobufCServiceDescriptor *sagas = &saga__v1__saga_service__descriptor;
	const ProtobufCServiceDescriptor *reflection = &grpc__reflection__v1__server_reflection__descriptor;
	size_t method;

	if (len == 0)
		return 0;
	method = data[0] % (sagas->n_methods + reflection->n_methods);
	read_as(method < sagas->n_methods ? sagas->methods[method].input
					  : reflection->methods[method - sagas->n_methods].input,
		(struct bytes){data + 1, len - 1});
	return 0;
}
