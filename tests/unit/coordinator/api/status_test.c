/* status_test.c - every code has its gRPC status, and details say what a client can act on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coordinator/api/status.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

static Google__Rpc__Status *details_of(const struct status *status)
{
	struct buffer out = {0};
	Google__Rpc__Status *message;

	status_details(status, &out);
	assert_true(out.len <= STATUS_DETAILS_BYTES_MAX + STATUS_MESSAGE_BYTES_MAX);
	message = google__rpc__status__unpack(NULL, out.len, out.data);
	assert_non_null(message);
	buffer_release(&out);
	return message;
}

static const Google__Protobuf__Any *find_detail(const Google__Rpc__Status *message, const char *name)
{
	for (size_t i = 0; i < message->n_details; i++) {
		if (strcmp(strrchr(message->details[i]->type_url, '/') + 1, name) == 0)
			return message->details[i];
	}
	return NULL;
}

static void maps_each_code_to_its_grpc_status(void **state)
{
	static const grpc_status_code EXPECTED[ERR_CODE_COUNT] = {
		[ERR_NONE] = GRPC_STATUS_OK,
		[ERR_INVALID] = GRPC_STATUS_INVALID_ARGUMENT,
		[ERR_NOT_FOUND] = GRPC_STATUS_NOT_FOUND,
		[ERR_CONFLICT] = GRPC_STATUS_ALREADY_EXISTS,
		[ERR_PRECONDITION] = GRPC_STATUS_FAILED_PRECONDITION,
		[ERR_UNAVAILABLE] = GRPC_STATUS_UNAVAILABLE,
		[ERR_TIMEOUT] = GRPC_STATUS_UNAVAILABLE,
		[ERR_INCOMPATIBLE] = GRPC_STATUS_FAILED_PRECONDITION,
		[ERR_LIMIT] = GRPC_STATUS_RESOURCE_EXHAUSTED,
		[ERR_CORRUPT] = GRPC_STATUS_DATA_LOSS,
		[ERR_INTERNAL] = GRPC_STATUS_INTERNAL,
		[ERR_UNAUTHENTICATED] = GRPC_STATUS_UNAUTHENTICATED,
		[ERR_DENIED] = GRPC_STATUS_PERMISSION_DENIED,
		[ERR_QUOTA] = GRPC_STATUS_RESOURCE_EXHAUSTED,
	};

	(void)state;
	for (enum err_code code = ERR_NONE; code < ERR_CODE_COUNT; code++)
		assert_int_equal(status_grpc_code(code), EXPECTED[code]);
}

static void tells_when_to_retry_only_where_a_retry_can_help(void **state)
{
	(void)state;
	for (enum err_code code = ERR_INVALID; code < ERR_CODE_COUNT; code++) {
		Google__Rpc__Status *message = details_of(&(struct status){.code = code, .message = "x"});
		bool is_expected = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_LIMIT ||
				   code == ERR_QUOTA;

		assert_int_equal(find_detail(message, "google.rpc.RetryInfo") != NULL, is_expected);
		google__rpc__status__free_unpacked(message, NULL);
	}
}

static void keeps_retry_info_out_where_the_caller_says_so(void **state)
{
	Google__Rpc__Status *message;

	(void)state;
	message = details_of(&(struct status){.code = ERR_LIMIT, .message = "x", .retry_after_ms = -1});
	assert_null(find_detail(message, "google.rpc.RetryInfo"));
	google__rpc__status__free_unpacked(message, NULL);
}

static void names_reason_domain_and_metadata(void **state)
{
	Google__Rpc__Status *message = details_of(&(struct status){.code = ERR_NOT_FOUND,
								   .message = "no such thing",
								   .reason = "THING_NOT_FOUND",
								   .metadata = {{"thing", "x1"}}});
	const Google__Protobuf__Any *any = find_detail(message, "google.rpc.ErrorInfo");
	Google__Rpc__ErrorInfo *info;

	(void)state;
	assert_non_null(any);
	info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
	assert_string_equal(info->reason, "THING_NOT_FOUND");
	assert_string_equal(info->domain, "saga.v1");
	assert_int_equal(info->n_metadata, 1);
	assert_string_equal(info->metadata[0]->key, "thing");
	assert_string_equal(info->metadata[0]->value, "x1");
	assert_int_equal(message->code, GRPC_STATUS_NOT_FOUND);
	assert_string_equal(message->message, "no such thing");
	google__rpc__error_info__free_unpacked(info, NULL);
	google__rpc__status__free_unpacked(message, NULL);
}

static Google__Rpc__BadRequest *bad_request_of(const struct status *status)
{
	Google__Rpc__Status *message = details_of(status);
	const Google__Protobuf__Any *any = find_detail(message, "google.rpc.BadRequest");
	Google__Rpc__BadRequest *request;

	assert_non_null(any);
	request = google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
	google__rpc__status__free_unpacked(message, NULL);
	return request;
}

static void lists_every_violation(void **state)
{
	struct problems problems;
	Google__Rpc__BadRequest *request;

	(void)state;
	problems_init(&problems);
	problems_add(&problems, "saga_id", "is no UUID");
	problems_add(&problems, "input.items[2].quantity", "is negative");
	request = bad_request_of(&(struct status){.code = ERR_INVALID, .message = "x", .violations = &problems});
	assert_int_equal(request->n_field_violations, 2);
	assert_string_equal(request->field_violations[1]->field, "input.items[2].quantity");
	assert_string_equal(request->field_violations[1]->description, "is negative");
	google__rpc__bad_request__free_unpacked(request, NULL);
	problems_release(&problems);
}

static void counts_the_violations_that_do_not_fit_into_metadata(void **state)
{
	struct problems problems;
	Google__Rpc__BadRequest *request;
	const char *last;

	(void)state;
	problems_init(&problems);
	for (int i = 0; i < 250; i++)
		problems_add(&problems, "input.a_rather_long_name_of_a_field",
			     "is wrong in a way that takes many words");
	request = bad_request_of(&(struct status){.code = ERR_INVALID, .message = "x", .violations = &problems});
	assert_in_range(request->n_field_violations, 10, PROBLEMS_MAX);
	last = request->field_violations[request->n_field_violations - 1]->description;
	assert_int_equal(strtol(last + strlen("and "), NULL, 10), 250 - (long)request->n_field_violations + 1);
	google__rpc__bad_request__free_unpacked(request, NULL);
	problems_release(&problems);
}

static void cuts_a_long_message_between_characters(void **state)
{
	char text[STATUS_MESSAGE_BYTES_MAX + 10];
	struct status status = {.code = ERR_INTERNAL, .message = text};
	struct bytes cut;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + STATUS_MESSAGE_BYTES_MAX - 1, "\xc3\xa4", 2); /* the limit is inside of this letter */
	text[sizeof(text) - 1] = 0;
	cut = status_message(&status);
	assert_int_equal(cut.len, STATUS_MESSAGE_BYTES_MAX - 1);
	assert_true(utf8_is_valid(cut.data, cut.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_each_code_to_its_grpc_status),
		cmocka_unit_test(tells_when_to_retry_only_where_a_retry_can_help),
		cmocka_unit_test(keeps_retry_info_out_where_the_caller_says_so),
		cmocka_unit_test(names_reason_domain_and_metadata),
		cmocka_unit_test(lists_every_violation),
		cmocka_unit_test(counts_the_violations_that_do_not_fit_into_metadata),
		cmocka_unit_test(cuts_a_long_message_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
