/* descriptor_index_test.c - reflection finds what the API declares, in the bytes that the compiler wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "coordinator/api/descriptor_index.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/descriptors.h"

static int set_up(void **state)
{
	struct descriptor_index *index;
	struct error err;

	if (descriptor_index_new((struct bytes){PROTO_DESCRIPTORS, PROTO_DESCRIPTORS_LEN}, &index, &err))
		return -1;
	*state = index;
	return 0;
}

static int tear_down(void **state)
{
	descriptor_index_free(*state);
	return 0;
}

static void lists_the_services(void **state)
{
	size_t count;
	const char *const *names = descriptor_index_services(*state, &count);
	int found = 0;

	assert_int_equal(count, 4);
	for (size_t i = 0; i < count; i++)
		found += !strcmp(names[i], "saga.v1.SagaService") || !strcmp(names[i], "grpc.health.v1.Health") ||
			 !strcmp(names[i], "grpc.reflection.v1.ServerReflection") ||
			 !strcmp(names[i], "grpc.reflection.v1alpha.ServerReflection");
	assert_int_equal(found, 4);
}

static void finds_the_file_of_every_kind_of_symbol(void **state)
{
	static const struct {
		const char *symbol;
		const char *file;
	} CASES[] = {
		{"saga.v1.SagaService", "saga/v1/saga_service.proto"},
		{"saga.v1.SagaService.StartSaga", "saga/v1/saga_service.proto"},
		{"saga.v1.StartSagaRequest", "saga/v1/saga_service.proto"},
		{"saga.v1.StartSagaRequest.input", "saga/v1/saga_service.proto"},
		{"saga.v1.StartSagaRequest.json", "saga/v1/saga_service.proto"},
		{"saga.v1.SagaState", "saga/v1/saga.proto"},
		{"saga.v1.SAGA_STATE_STUCK", "saga/v1/saga.proto"},
		{"google.protobuf.Struct.FieldsEntry", "google/protobuf/struct.proto"},
		{"google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"},
		{"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
	};

	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		const struct descriptor_file *file = descriptor_index_symbol(*state, CASES[i].symbol);

		assert_non_null(file);
		assert_string_equal(file->name, CASES[i].file);
	}
}

static void does_not_find_what_is_not_there(void **state)
{
	assert_null(descriptor_index_symbol(*state, "saga.v1"));
	assert_null(descriptor_index_symbol(*state, "saga.v1.SagaService.StopSaga"));
	assert_null(descriptor_index_symbol(*state, ""));
	assert_null(descriptor_index_file(*state, "saga/v1/other.proto"));
	assert_false(descriptor_index_is_message(*state, "saga.v1.SagaService"));
	assert_true(descriptor_index_is_message(*state, "saga.v1.Saga"));
}

static void serves_files_that_decode_to_their_names(void **state)
{
	const struct descriptor_file *file = descriptor_index_file(*state, "saga/v1/saga.proto");
	Google__Protobuf__FileDescriptorProto *proto;

	assert_non_null(file);
	proto = google__protobuf__file_descriptor_proto__unpack(NULL, file->bytes.len, file->bytes.data);
	assert_non_null(proto);
	assert_string_equal(proto->name, "saga/v1/saga.proto");
	assert_string_equal(proto->package, "saga.v1");
	google__protobuf__file_descriptor_proto__free_unpacked(proto, NULL);
}

static void adds_each_import_once_after_the_file_itself(void **state)
{
	const struct descriptor_file *files[16];
	size_t count = descriptor_file_closure(descriptor_index_file(*state, "saga/v1/saga_service.proto"), files, 16);

	assert_int_equal(count, 8); /* itself, definition, saga, status, any, duration, struct, timestamp */
	assert_string_equal(files[0]->name, "saga/v1/saga_service.proto");
	for (size_t i = 0; i < count; i++) {
		for (size_t k = i + 1; k < count; k++)
			assert_ptr_not_equal(files[i], files[k]);
	}
}

static void refuses_bytes_that_are_no_descriptors(void **state)
{
	struct descriptor_index *index = NULL;
	struct error err;

	(void)state;
	assert_int_equal(descriptor_index_new(bytes_of_text("nonsense"), &index, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_null(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_the_services),
		cmocka_unit_test(finds_the_file_of_every_kind_of_symbol),
		cmocka_unit_test(does_not_find_what_is_not_there),
		cmocka_unit_test(serves_files_that_decode_to_their_names),
		cmocka_unit_test(adds_each_import_once_after_the_file_itself),
		cmocka_unit_test(refuses_bytes_that_are_no_descriptors),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
