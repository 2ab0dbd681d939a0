/* status.c - see status.h. Everything is built on the stack and in one arena, then packed. */
#include "coordinator/api/status.h"

#include <assert.h>
#include <ctype.h>

#include "google/rpc/error_details.pb-c.h"
#include "lib/base/memory.h"

enum { DETAILS_MAX = 6, VIOLATION_TEXT_BYTES_MAX = 400 };

/* ERR_TIMEOUT is a dependency's, not the call's own: to the client that is an absence, and a retry may help. */
static const struct code_row {
	grpc_status_code grpc;
	int64_t retry_after_ms;
	const char *reason;
} CODES[] = {
	[ERR_NONE] = {GRPC_STATUS_OK, 0, "NONE"},
	[ERR_INVALID] = {GRPC_STATUS_INVALID_ARGUMENT, 0, "INVALID"},
	[ERR_NOT_FOUND] = {GRPC_STATUS_NOT_FOUND, 0, "NOT_FOUND"},
	[ERR_CONFLICT] = {GRPC_STATUS_ALREADY_EXISTS, 0, "CONFLICT"},
	[ERR_PRECONDITION] = {GRPC_STATUS_FAILED_PRECONDITION, 0, "PRECONDITION"},
	[ERR_UNAVAILABLE] = {GRPC_STATUS_UNAVAILABLE, 1000, "UNAVAILABLE"},
	[ERR_TIMEOUT] = {GRPC_STATUS_UNAVAILABLE, 1000, "TIMEOUT"},
	[ERR_INCOMPATIBLE] = {GRPC_STATUS_FAILED_PRECONDITION, 0, "INCOMPATIBLE"},
	[ERR_LIMIT] = {GRPC_STATUS_RESOURCE_EXHAUSTED, 500, "LIMIT"},
	[ERR_CORRUPT] = {GRPC_STATUS_DATA_LOSS, 0, "CORRUPT"},
	[ERR_INTERNAL] = {GRPC_STATUS_INTERNAL, 0, "INTERNAL"},
	[ERR_UNAUTHENTICATED] = {GRPC_STATUS_UNAUTHENTICATED, 0, "UNAUTHENTICATED"},
	[ERR_DENIED] = {GRPC_STATUS_PERMISSION_DENIED, 0, "DENIED"},
	[ERR_QUOTA] = {GRPC_STATUS_RESOURCE_EXHAUSTED, 1000, "QUOTA_REACHED"},
};
_Static_assert(ARRAY_LEN(CODES) == ERR_CODE_COUNT, "a status for every code");

grpc_status_code status_grpc_code(enum err_code code)
{
	assert(code < ERR_CODE_COUNT);
	return CODES[code].grpc;
}

struct bytes status_message(const struct status *status)
{
	return (struct bytes){(const uint8_t *)status->message,
			      utf8_whole_len(status->message, strnlen(status->message, STATUS_MESSAGE_BYTES_MAX))};
}

static char *cut_copy(struct arena *arena, const char *text, size_t max)
{
	return arena_strndup(arena, text, utf8_whole_len(text, strnlen(text, max)));
}

static void add_detail(Google__Rpc__Status *out, const ProtobufCMessage *detail, struct arena *arena)
{
	size_t len = protobuf_c_message_get_packed_size(detail);
	Google__Protobuf__Any *any = arena_alloc(arena, sizeof(*any));

	assert(out->n_details < DETAILS_MAX);
	google__protobuf__any__init(any);
	any->type_url = arena_format(arena, "type.googleapis.com/%s", detail->descriptor->name);
	any->value.data = arena_alloc(arena, len);
	any->value.len = protobuf_c_message_pack(detail, any->value.data);
	out->details[out->n_details++] = any;
}

static void add_error_info(Google__Rpc__Status *out, const struct status *status, struct arena *arena)
{
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	Google__Rpc__ErrorInfo__MetadataEntry entries[STATUS_METADATA_MAX];
	Google__Rpc__ErrorInfo__MetadataEntry *pointers[STATUS_METADATA_MAX];
	const char *reason = status->reason ? status->reason : CODES[status->code].reason;

	info.reason = arena_strdup(arena, reason);
	info.domain = arena_strdup(arena, "saga.v1");
	info.metadata = pointers;
	for (size_t i = 0; i < STATUS_METADATA_MAX && status->metadata[i].name; i++) {
		google__rpc__error_info__metadata_entry__init(&entries[i]);
		entries[i].key = arena_strdup(arena, status->metadata[i].name);
		entries[i].value = cut_copy(arena, status->metadata[i].value, 255);
		pointers[info.n_metadata++] = &entries[i];
	}
	add_detail(out, &info.base, arena);
}

static void add_retry_info(Google__Rpc__Status *out, const struct status *status, struct arena *arena)
{
	int64_t delay_ms = status->retry_after_ms ? status->retry_after_ms : CODES[status->code].retry_after_ms;
	Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;

	if (delay_ms <= 0)
		return;
	delay.seconds = delay_ms / 1000;
	delay.nanos = (int32_t)(delay_ms % 1000) * 1000000;
	info.retry_delay = &delay;
	add_detail(out, &info.base, arena);
}

static void add_resource_info(Google__Rpc__Status *out, const struct status *status, struct arena *arena)
{
	Google__Rpc__ResourceInfo info = GOOGLE__RPC__RESOURCE_INFO__INIT;

	if (!status->resource.type)
		return;
	info.resource_type = arena_strdup(arena, status->resource.type);
	info.resource_name = cut_copy(arena, status->resource.name, 255);
	info.description = cut_copy(arena, status->message, VIOLATION_TEXT_BYTES_MAX);
	add_detail(out, &info.base, arena);
}

static void add_precondition(Google__Rpc__Status *out, const struct status *status, struct arena *arena)
{
	Google__Rpc__PreconditionFailure failure = GOOGLE__RPC__PRECONDITION_FAILURE__INIT;
	Google__Rpc__PreconditionFailure__Violation violation = GOOGLE__RPC__PRECONDITION_FAILURE__VIOLATION__INIT;
	Google__Rpc__PreconditionFailure__Violation *violations[] = {&violation};

	if (!status->precondition.type)
		return;
	violation.type = arena_strdup(arena, status->precondition.type);
	violation.subject = cut_copy(arena, status->precondition.subject, 255);
	violation.description = cut_copy(arena, status->precondition.description, VIOLATION_TEXT_BYTES_MAX);
	failure.violations = violations;
	failure.n_violations = 1;
	add_detail(out, &failure.base, arena);
}

static void add_quota(Google__Rpc__Status *out, const struct status *status, struct arena *arena)
{
	Google__Rpc__QuotaFailure failure = GOOGLE__RPC__QUOTA_FAILURE__INIT;
	Google__Rpc__QuotaFailure__Violation violation = GOOGLE__RPC__QUOTA_FAILURE__VIOLATION__INIT;
	Google__Rpc__QuotaFailure__Violation *violations[] = {&violation};

	if (!status->quota)
		return;
	violation.subject = cut_copy(arena, status->quota, 255);
	violation.description = cut_copy(arena, status->message, VIOLATION_TEXT_BYTES_MAX);
	failure.violations = violations;
	failure.n_violations = 1;
	add_detail(out, &failure.base, arena);
}

static Google__Rpc__BadRequest__FieldViolation *make_violation(struct arena *arena, const char *field,
							       const char *description)
{
	Google__Rpc__BadRequest__FieldViolation *violation = arena_alloc(arena, sizeof(*violation));

	google__rpc__bad_request__field_violation__init(violation);
	violation->field = cut_copy(arena, field, VIOLATION_TEXT_BYTES_MAX);
	violation->description = cut_copy(arena, description, VIOLATION_TEXT_BYTES_MAX);
	return violation;
}

static Google__Rpc__BadRequest__FieldViolation *violation_of(const struct status *status, const struct problem *problem,
							     struct arena *arena)
{
	if (!status->violations_field)
		return make_violation(arena, problem->place, problem->text);
	return make_violation(arena, status->violations_field,
			      arena_format(arena, "%s: %s", problem->place, problem->text));
}

static void add_bad_request(Google__Rpc__Status *out, const struct status *status, size_t room, struct arena *arena)
{
	const struct problems *problems = status->violations;
	Google__Rpc__BadRequest request = GOOGLE__RPC__BAD_REQUEST__INIT;
	Google__Rpc__BadRequest__FieldViolation *items[PROBLEMS_MAX + 1];
	size_t kept = problems ? problems_kept(problems) : 0;
	size_t used = 0;

	if (kept == 0)
		return;
	request.field_violations = items;
	for (size_t i = 0; i < kept; i++) {
		Google__Rpc__BadRequest__FieldViolation *item = violation_of(status, &problems->items[i], arena);

		used += protobuf_c_message_get_packed_size(&item->base) + 4;
		if (used > room)
			break;
		items[request.n_field_violations++] = item;
	}
	if (request.n_field_violations < problems->count) {
		size_t more = problems->count - request.n_field_violations;

		items[request.n_field_violations++] =
			make_violation(arena, "", arena_format(arena, "and %zu more problems", more));
	}
	add_detail(out, &request.base, arena);
}

Google__Rpc__Status *status_to_message(const struct status *status, struct arena *arena)
{
	Google__Rpc__Status *message = arena_alloc(arena, sizeof(*message));
	size_t len;

	google__rpc__status__init(message);
	message->code = (int32_t)status_grpc_code(status->code);
	message->message = cut_copy(arena, status->message, STATUS_MESSAGE_BYTES_MAX);
	message->details = arena_alloc(arena, DETAILS_MAX * sizeof(*message->details));
	add_error_info(message, status, arena);
	add_retry_info(message, status, arena);
	add_resource_info(message, status, arena);
	add_precondition(message, status, arena);
	add_quota(message, status, arena);
	/* The violations get what the others leave, less some bytes for the last line and the framing. */
	len = google__rpc__status__get_packed_size(message);
	add_bad_request(message, status,
			len + 200 < STATUS_DETAILS_BYTES_MAX ? STATUS_DETAILS_BYTES_MAX - len - 200 : 0, arena);
	return message;
}

void status_details(const struct status *status, struct buffer *out)
{
	Google__Rpc__Status *message;
	struct arena arena;

	arena_init(&arena, 0);
	message = status_to_message(status, &arena);
	buffer_reserve(out, google__rpc__status__get_packed_size(message));
	out->len += google__rpc__status__pack(message, out->data + out->len);
	arena_release(&arena);
}
