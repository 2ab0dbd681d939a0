/* method_role_test.c - every method of every service has a role, and the server holds to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <grpc/status.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/api/definition_service.h"
#include "coordinator/api/descriptor_index.h"
#include "coordinator/api/health_service.h"
#include "coordinator/api/method_role.h"
#include "coordinator/api/reflection_service.h"
#include "coordinator/api/rpc_server.h"
#include "coordinator/api/request_service.h"
#include "coordinator/api/saga_service.h"
#include "coordinator/api/start_service.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "lib/base/memory.h"
#include "lib/rpc/rpc_client.h"
#include "lib/security/access.h"
#include "proto/descriptors.h"
#include "saga/v1/saga_service.pb-c.h"
#include "tests/unit/coordinator/api/fake_backend.h"

enum { CALL_MS = 10000, REFUSAL_MS = 2000, PATH_BYTES_MAX = 160 };

/* What each method is for, said once more: a change of the table must be meant. */
static const struct {
	const char *method;
	enum role role;
} EXPECTED[] = {
	{"saga.v1.SagaService/StartSaga", ROLE_STARTER},
	{"saga.v1.SagaService/BatchStartSagas", ROLE_STARTER},
	{"saga.v1.SagaService/GetSaga", ROLE_VIEWER},
	{"saga.v1.SagaService/ListSagas", ROLE_VIEWER},
	{"saga.v1.SagaService/GetSagaLog", ROLE_VIEWER},
	{"saga.v1.SagaService/WatchSaga", ROLE_VIEWER},
	{"saga.v1.SagaService/WatchSagas", ROLE_VIEWER},
	{"saga.v1.SagaService/CancelSaga", ROLE_OPERATOR},
	{"saga.v1.SagaService/PauseSaga", ROLE_OPERATOR},
	{"saga.v1.SagaService/ResumeSaga", ROLE_OPERATOR},
	{"saga.v1.SagaService/PauseDefinition", ROLE_OPERATOR},
	{"saga.v1.SagaService/ResumeDefinition", ROLE_OPERATOR},
	{"saga.v1.SagaService/PauseParticipant", ROLE_OPERATOR},
	{"saga.v1.SagaService/ResumeParticipant", ROLE_OPERATOR},
	{"saga.v1.SagaService/ListPauses", ROLE_VIEWER},
	{"saga.v1.SagaService/RetrySaga", ROLE_OPERATOR},
	{"saga.v1.SagaService/SkipStep", ROLE_OPERATOR},
	{"saga.v1.SagaService/ResolveSaga", ROLE_OPERATOR},
	{"saga.v1.SagaService/ListStuck", ROLE_VIEWER},
	{"saga.v1.SagaService/SignalSaga", ROLE_STARTER},
	{"saga.v1.SagaService/PutDefinition", ROLE_ADMIN},
	{"saga.v1.SagaService/GetDefinition", ROLE_VIEWER},
	{"saga.v1.SagaService/ListDefinitions", ROLE_VIEWER},
	{"grpc.health.v1.Health/Check", ROLE_ANYBODY},
	{"grpc.health.v1.Health/Watch", ROLE_ANYBODY},
	{"grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ROLE_VIEWER},
	{"grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ROLE_VIEWER},
};

static const ProtobufCServiceDescriptor *const SERVICES[] = {
	&saga__v1__saga_service__descriptor,
	&grpc__health__v1__health__descriptor,
	&grpc__reflection__v1__server_reflection__descriptor,
	&grpc__reflection__v1alpha__server_reflection__descriptor,
};

static enum role expected_role(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++) {
		if (strcmp(EXPECTED[i].method, path + 1) == 0)
			return EXPECTED[i].role;
	}
	print_error("%s: nobody has decided who may call it: add it to method_role.c and to this test\n", path);
	fail();
	return ROLE_ADMIN;
}

static void path_of(const ProtobufCServiceDescriptor *service, unsigned method, char ret_path[PATH_BYTES_MAX])
{
	(void)snprintf(ret_path, PATH_BYTES_MAX, "/%s/%s", service->name, service->methods[method].name);
}

/* ---- the table ---- */

static void every_method_of_the_descriptors_has_its_role(void **state)
{
	char path[PATH_BYTES_MAX];
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(SERVICES); i++) {
		for (unsigned j = 0; j < SERVICES[i]->n_methods; j++) {
			enum role role = ROLE_ADMIN;

			path_of(SERVICES[i], j, path);
			assert_true(method_role(path, &role));
			assert_int_equal(role, expected_role(path));
			count++;
		}
	}
	assert_int_equal(count, ARRAY_LEN(EXPECTED)); /* nor is there a row for what does not exist */
}

static void every_service_that_reflection_shows_is_looked_at(void **state)
{
	_cleanup_(descriptor_index_freep)
	struct descriptor_index *index = NULL;
	const char *const *names;
	struct error err;
	size_t count;

	(void)state;
	assert_int_equal(descriptor_index_new((struct bytes){PROTO_DESCRIPTORS, PROTO_DESCRIPTORS_LEN}, &index, &err),
			 0);
	names = descriptor_index_services(index, &count);
	for (size_t i = 0; i < count; i++) {
		bool is_found = false;

		for (size_t j = 0; j < ARRAY_LEN(SERVICES); j++)
			is_found = is_found || strcmp(SERVICES[j]->name, names[i]) == 0;
		if (!is_found)
			print_error("%s is missing in SERVICES\n", names[i]);
		assert_true(is_found);
	}
}

static void a_method_without_a_row_is_for_nobody(void **state)
{
	enum role role;

	(void)state;
	assert_false(method_role("/saga.v1.SagaService/DropEverything", &role));
	assert_false(method_role("saga.v1.SagaService/StartSaga", &role));
	assert_false(method_role("", &role));
}

/* ---- the server ---- */

struct fixture {
	char address[64];
	char access_path[64];
	char tokens[ROLE_COUNT][TOKEN_TEXT_LEN + 1];
	struct access *access;
	struct engine *engine;
	struct rpc_server *server;
	struct start_service *starts;
	struct saga_service *sagas;
	struct request_service *requests;
	struct definition_service *definitions;
	struct health_service *health;
	struct reflection_service *reflection;
};

static bool is_serving(void *ctx)
{
	(void)ctx;
	return true;
}

static void write_access_file(struct fixture *fixture)
{
	FILE *file = fopen(fixture->access_path, "w");

	assert_non_null(file);
	for (int role = ROLE_VIEWER; role < ROLE_COUNT; role++) {
		uint8_t hash[TOKEN_HASH_BYTES];
		char text[TOKEN_HASH_TEXT_LEN + 1];

		token_new(fixture->tokens[role]);
		token_hash(fixture->tokens[role], TOKEN_TEXT_LEN, hash);
		token_hash_format(hash, text);
		assert_true(fprintf(file, "token the-%s %s %s\n", role_name((enum role)role),
				    role_name((enum role)role), text) > 0);
	}
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	struct fixture *fixture = test_calloc(1, sizeof(*fixture));
	struct error err;

	(void)snprintf(fixture->address, sizeof(fixture->address), "unix:/tmp/method_role_test.%d", (int)getpid());
	(void)snprintf(fixture->access_path, sizeof(fixture->access_path), "/tmp/method_role_test.%d.access",
		       (int)getpid());
	write_access_file(fixture);
	if (access_new(fixture->access_path, &fixture->access, &err) < 0)
		return -1;
	fixture->engine = fake_backend_start();
	fixture->server = rpc_server_new(NULL);
	rpc_server_secure(fixture->server, NULL, fixture->access);
	fixture->starts = start_service_new(fixture->server, NULL, fixture->engine);
	fixture->sagas = saga_service_new(fixture->server, fixture->engine);
	fixture->requests = request_service_new(fixture->server, fixture->engine);
	fixture->definitions = definition_service_new(fixture->server, NULL, fixture->engine);
	fixture->health = health_service_new(fixture->server, is_serving, NULL);
	fixture->reflection = reflection_service_new(fixture->server);
	if (rpc_server_start(fixture->server, fixture->address, false, &err))
		return -1;
	rpc_server_open(fixture->server);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	health_service_stop(fixture->health);
	rpc_server_stop_intake(fixture->server);
	fake_backend_stop(fixture->engine);
	rpc_server_drain(fixture->server, CALL_MS);
	rpc_server_free(fixture->server);
	start_service_free(fixture->starts);
	saga_service_free(fixture->sagas);
	request_service_free(fixture->requests);
	definition_service_free(fixture->definitions);
	health_service_free(fixture->health);
	reflection_service_free(fixture->reflection);
	access_free(fixture->access);
	(void)unlink(fixture->access_path);
	(void)unlink(fixture->address + strlen("unix:")); /* gRPC may have done it */
	test_free(fixture);
	return 0;
}

/* The status of a call with an empty request; token NULL: none. A stream that stays open answers by its time-out. */
static int call(const struct fixture *fixture, const char *path, const ProtobufCMethodDescriptor *method,
		const char *token, struct error *err)
{
	struct client_security security = {.token = token};
	_cleanup_(rpc_client_freep)
	struct rpc_client *client = NULL;
	ProtobufCMessage *request = test_malloc(method->input->sizeof_message);
	ProtobufCMessage *answer = NULL;
	struct rpc_failure failure = {0};
	int status = GRPC_STATUS_OK;

	assert_int_equal(rpc_client_new_secure(fixture->address, &security, &client, err), 0);
	protobuf_c_message_init(method->input, request);
	if (rpc_client_call_explained(client,
				      &(struct rpc_call){.method = path,
							 .request = request,
							 .answer_type = method->output,
							 .timeout_ms = REFUSAL_MS},
				      &answer, &failure, err) < 0)
		status = failure.status;
	else
		protobuf_c_message_free_unpacked(answer, NULL);
	buffer_release(&failure.details);
	test_free(request);
	return status;
}

static bool is_refusal(int status)
{
	return status == GRPC_STATUS_UNAUTHENTICATED || status == GRPC_STATUS_PERMISSION_DENIED;
}

static void check_method(const struct fixture *fixture, const char *path, const ProtobufCMethodDescriptor *method)
{
	enum role needed = expected_role(path);
	struct error err;

	if (needed == ROLE_ANYBODY) {
		assert_false(is_refusal(call(fixture, path, method, NULL, &err)));
		return;
	}
	assert_int_equal(call(fixture, path, method, NULL, &err), GRPC_STATUS_UNAUTHENTICATED);
	assert_int_equal(call(fixture, path, method, "amends_wrong", &err), GRPC_STATUS_UNAUTHENTICATED);
	for (int role = ROLE_VIEWER; role < ROLE_COUNT; role++) {
		int status = call(fixture, path, method, fixture->tokens[role], &err);

		if (role_is_enough(ROLE_BIT(role), needed)) {
			assert_false(is_refusal(status));
		} else {
			assert_int_equal(status, GRPC_STATUS_PERMISSION_DENIED);
			assert_non_null(strstr(err.msg, role_name(needed)));
		}
	}
}

/* A method that is declared and not served yet has nothing to refuse; the table is checked for it all the same. */
static void the_server_refuses_every_role_that_is_not_enough(void **state)
{
	const struct fixture *fixture = *state;
	char path[PATH_BYTES_MAX];
	int checked = 0;

	for (size_t i = 0; i < ARRAY_LEN(SERVICES); i++) {
		for (unsigned j = 0; j < SERVICES[i]->n_methods; j++) {
			const ProtobufCMethodDescriptor *method = &SERVICES[i]->methods[j];
			struct error err;

			path_of(SERVICES[i], j, path);
			if (call(fixture, path, method, fixture->tokens[ROLE_ADMIN], &err) == GRPC_STATUS_UNIMPLEMENTED)
				continue;
			check_method(fixture, path, method);
			checked++;
		}
	}
	assert_true(checked >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_of_the_descriptors_has_its_role),
		cmocka_unit_test(every_service_that_reflection_shows_is_looked_at),
		cmocka_unit_test(a_method_without_a_row_is_for_nobody),
		cmocka_unit_test_setup_teardown(the_server_refuses_every_role_that_is_not_enough, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("method_role", tests, NULL, NULL);
}
