/* rpc_details.c - see rpc_details.h. */
#include "lib/rpc/rpc_details.h"

#include "proto/google/rpc/error_details.pb-c.h"
#include "proto/google/rpc/status.pb-c.h"

static const char BAD_REQUEST_URL[] = "type.googleapis.com/google.rpc.BadRequest";
static const char RETRY_INFO_URL[] = "type.googleapis.com/google.rpc.RetryInfo";

/* Parsed, or NULL; to be freed by protobuf_c_message_free_unpacked(). */
static ProtobufCMessage *parse(const ProtobufCMessageDescriptor *type, const void *data, size_t len)
{
	return protobuf_c_message_unpack(type, NULL, len, data);
}

/* The first detail of that type at or after *index, which is moved behind it; NULL: no more. */
static ProtobufCMessage *next_detail(const Google__Rpc__Status *status, const char *url,
				     const ProtobufCMessageDescriptor *type, size_t *index)
{
	while (*index < status->n_details) {
		const Google__Protobuf__Any *any = status->details[(*index)++];
		ProtobufCMessage *detail =
			strcmp(any->type_url, url) == 0 ? parse(type, any->value.data, any->value.len) : NULL;

		if (detail)
			return detail;
	}
	return NULL;
}

void rpc_details_add_problems(struct bytes details, struct problems *problems)
{
	ProtobufCMessage *message = parse(&google__rpc__status__descriptor, details.data, details.len);
	ProtobufCMessage *detail;
	size_t index = 0;

	if (!message)
		return;
	while ((detail = next_detail((Google__Rpc__Status *)message, BAD_REQUEST_URL,
				     &google__rpc__bad_request__descriptor, &index))) {
		const Google__Rpc__BadRequest *bad_request = (Google__Rpc__BadRequest *)detail;

		for (size_t i = 0; i < bad_request->n_field_violations; i++)
			problems_add(problems, bad_request->field_violations[i]->field, "%s",
				     bad_request->field_violations[i]->description);
		protobuf_c_message_free_unpacked(detail, NULL);
	}
	protobuf_c_message_free_unpacked(message, NULL);
}

int64_t rpc_details_retry_after_ms(struct bytes details)
{
	ProtobufCMessage *message = parse(&google__rpc__status__descriptor, details.data, details.len);
	ProtobufCMessage *detail = NULL;
	int64_t delay_ms = -1;
	size_t index = 0;

	if (message)
		detail = next_detail((Google__Rpc__Status *)message, RETRY_INFO_URL,
				     &google__rpc__retry_info__descriptor, &index);
	if (detail) {
		const Google__Protobuf__Duration *delay = ((Google__Rpc__RetryInfo *)detail)->retry_delay;

		if (delay && delay->seconds >= 0 && delay->seconds < INT32_MAX && delay->nanos >= 0 &&
		    delay->nanos <= 999999999)
			delay_ms = delay->seconds * 1000 + delay->nanos / 1000000;
		protobuf_c_message_free_unpacked(detail, NULL);
	}
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
	return delay_ms;
}
