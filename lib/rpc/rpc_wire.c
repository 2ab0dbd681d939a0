/* rpc_wire.c - see rpc_wire.h. */
#include "lib/rpc/rpc_wire.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

void rpc_status_init(struct rpc_status *status)
{
	status->code = GRPC_STATUS_UNKNOWN;
	status->text = grpc_empty_slice();
	grpc_metadata_array_init(&status->trailing_metadata);
}

void rpc_status_release(struct rpc_status *status)
{
	grpc_metadata_array_destroy(&status->trailing_metadata);
	grpc_slice_unref(status->text);
}

grpc_op rpc_status_receive_op(struct rpc_status *status)
{
	return (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
			 .data.recv_status_on_client = {.trailing_metadata = &status->trailing_metadata,
							.status = &status->code,
							.status_details = &status->text}};
}

enum err_code rpc_code_of_status(int status)
{
	switch (status) {
	case GRPC_STATUS_OK:
		return ERR_NONE;
	case GRPC_STATUS_INVALID_ARGUMENT:
	case GRPC_STATUS_OUT_OF_RANGE:
		return ERR_INVALID;
	case GRPC_STATUS_NOT_FOUND:
		return ERR_NOT_FOUND;
	case GRPC_STATUS_ALREADY_EXISTS:
		return ERR_CONFLICT;
	case GRPC_STATUS_FAILED_PRECONDITION:
		return ERR_PRECONDITION;
	case GRPC_STATUS_RESOURCE_EXHAUSTED:
		return ERR_LIMIT;
	case GRPC_STATUS_DEADLINE_EXCEEDED:
		return ERR_TIMEOUT;
	case GRPC_STATUS_UNAVAILABLE:
	case GRPC_STATUS_CANCELLED:
	case GRPC_STATUS_ABORTED:
		return ERR_UNAVAILABLE;
	case GRPC_STATUS_UNAUTHENTICATED:
		return ERR_UNAUTHENTICATED;
	case GRPC_STATUS_PERMISSION_DENIED:
		return ERR_DENIED;
	case GRPC_STATUS_DATA_LOSS:
		return ERR_CORRUPT;
	default:
		return ERR_INTERNAL;
	}
}

void rpc_status_to_error(const struct rpc_status *status, const char *target, struct error *ret_err)
{
	enum err_code code = rpc_code_of_status((int)status->code);
	int len = (int)GRPC_SLICE_LENGTH(status->text);
	const char *text = (const char *)GRPC_SLICE_START_PTR(status->text);

	if (len == 0) {
		text = "no reason was given";
		len = (int)strlen(text);
	}
	if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT)
		(void)error_set(ret_err, code, "%s: %.*s", target, len, text);
	else
		(void)error_set(ret_err, code, "%.*s", len, text);
}

struct bytes rpc_status_details(const struct rpc_status *status)
{
	for (size_t i = 0; i < status->trailing_metadata.count; i++) {
		const grpc_metadata *entry = &status->trailing_metadata.metadata[i];

		if (grpc_slice_str_cmp(entry->key, "grpc-status-details-bin") == 0)
			return (struct bytes){GRPC_SLICE_START_PTR(entry->value), GRPC_SLICE_LENGTH(entry->value)};
	}
	return (struct bytes){0};
}

grpc_byte_buffer *rpc_message_pack(const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
	grpc_byte_buffer *buffer;

	(void)protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

ProtobufCMessage *rpc_message_unpack(grpc_byte_buffer *bytes, const ProtobufCMessageDescriptor *type,
				     const char *target, struct error *err)
{
	ProtobufCMessage *message = NULL;
	grpc_byte_buffer_reader reader;
	grpc_slice slice;

	if (bytes && grpc_byte_buffer_reader_init(&reader, bytes)) {
		slice = grpc_byte_buffer_reader_readall(&reader);
		message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
		grpc_slice_unref(slice);
		grpc_byte_buffer_reader_destroy(&reader);
	}
	if (!message)
		(void)error_set(err, ERR_CORRUPT, "%s answered something that is no %s", target, type->name);
	return message;
}
