/* reflection_service.c - see reflection_service.h. One question, one answer, in order. */
#include "coordinator/api/reflection_service.h"

#include <assert.h>

#include "coordinator/api/descriptor_index.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "lib/base/memory.h"
#include "proto/descriptors.h"

enum { OUTSTANDING = 4, FILES_MAX = 32 };

typedef Grpc__Reflection__V1__ServerReflectionRequest ReflectionRequest;
typedef Grpc__Reflection__V1__ServerReflectionResponse ReflectionResponse;

struct reflection_service {
	struct descriptor_index *index;
};

static void answer_error(struct server_stream *stream, ReflectionResponse *response, grpc_status_code code, char *text)
{
	Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

	error.error_code = (int32_t)code;
	error.error_message = text;
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	response->error_response = &error;
	server_stream_send(stream, &response->base);
}

static void answer_file(struct server_stream *stream, ReflectionResponse *response, const struct descriptor_file *file,
			const char *asked, struct arena *arena)
{
	Grpc__Reflection__V1__FileDescriptorResponse answer = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
	const struct descriptor_file *files[FILES_MAX];
	ProtobufCBinaryData data[FILES_MAX];

	if (!file) {
		answer_error(stream, response, GRPC_STATUS_NOT_FOUND,
			     arena_format(arena, "'%.200s' is not known", asked));
		return;
	}
	answer.n_file_descriptor_proto = descriptor_file_closure(file, files, FILES_MAX);
	answer.file_descriptor_proto = data;
	for (size_t i = 0; i < answer.n_file_descriptor_proto; i++) {
		data[i].data = (uint8_t *)files[i]->bytes.data; /* only read by the packing */
		data[i].len = files[i]->bytes.len;
	}
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	response->file_descriptor_response = &answer;
	server_stream_send(stream, &response->base);
}

static void answer_services(struct server_stream *stream, ReflectionResponse *response,
			    const struct descriptor_index *index, struct arena *arena)
{
	Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	const char *const *names = descriptor_index_services(index, &list.n_service);

	list.service = arena_alloc(arena, list.n_service * sizeof(struct Grpc__Reflection__V1__ServiceResponse *));
	for (size_t i = 0; i < list.n_service; i++) {
		list.service[i] = arena_alloc(arena, sizeof(*list.service[i]));
		grpc__reflection__v1__service_response__init(list.service[i]);
		list.service[i]->name = arena_strdup(arena, names[i]);
	}
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response->list_services_response = &list;
	server_stream_send(stream, &response->base);
}

/* Nothing of ours has extensions: proto3 has none. */
static void answer_extension_numbers(struct server_stream *stream, ReflectionResponse *response,
				     const struct descriptor_index *index, char *type, struct arena *arena)
{
	Grpc__Reflection__V1__ExtensionNumberResponse numbers = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;

	if (!descriptor_index_is_message(index, type)) {
		answer_error(stream, response, GRPC_STATUS_NOT_FOUND,
			     arena_format(arena, "'%.200s' is no message that is known", type));
		return;
	}
	numbers.base_type_name = type;
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
	response->all_extension_numbers_response = &numbers;
	server_stream_send(stream, &response->base);
}

static void on_message(void *ctx, struct server_stream *stream, const ProtobufCMessage *message, struct arena *arena)
{
	const struct reflection_service *service = ctx;
	const struct descriptor_index *index = service->index;
	ReflectionRequest *request = (ReflectionRequest *)message;
	ReflectionResponse response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;

	response.valid_host = request->host;
	response.original_request = request;
	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		answer_file(stream, &response, descriptor_index_file(index, request->file_by_filename),
			    request->file_by_filename, arena);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		answer_file(stream, &response, descriptor_index_symbol(index, request->file_containing_symbol),
			    request->file_containing_symbol, arena);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
		answer_error(stream, &response, GRPC_STATUS_NOT_FOUND,
			     arena_format(arena, "'%.200s' has no extension %d",
					  request->file_containing_extension->containing_type,
					  request->file_containing_extension->extension_number));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		answer_extension_numbers(stream, &response, index, request->all_extension_numbers_of_type, arena);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		answer_services(stream, &response, index, arena);
		break;
	default:
		answer_error(stream, &response, GRPC_STATUS_INVALID_ARGUMENT,
			     arena_strdup(arena, "the request asks for nothing that is known"));
	}
}

static void on_sent(void *ctx, struct server_stream *stream)
{
	(void)ctx;
	server_stream_receive(stream);
}

static void on_half_closed(void *ctx, struct server_stream *stream)
{
	(void)ctx;
	server_stream_finish(stream, NULL);
}

static const struct server_stream_handler HANDLER = {
	.on_message = on_message, .on_sent = on_sent, .on_half_closed = on_half_closed};

struct reflection_service *reflection_service_new(struct rpc_server *server)
{
	static const char *const PATHS[] = {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
					    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
	struct reflection_service *service = xcalloc(1, sizeof(*service));
	struct error err;
	int rc;

	rc = descriptor_index_new((struct bytes){PROTO_DESCRIPTORS, PROTO_DESCRIPTORS_LEN}, &service->index, &err);
	assert(rc == 0); /* the build made them */
	for (size_t i = 0; i < ARRAY_LEN(PATHS); i++)
		rpc_server_add(server,
			       &(struct rpc_method){
				       .path = PATHS[i],
				       .kind = RPC_KIND_STREAM,
				       .outstanding = OUTSTANDING,
				       .request_type = &grpc__reflection__v1__server_reflection_request__descriptor,
				       .stream = &HANDLER,
				       .ctx = service});
	return service;
}

void reflection_service_free(struct reflection_service *service)
{
	if (!service)
		return;
	descriptor_index_free(service->index);
	free(service);
}
