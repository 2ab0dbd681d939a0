/* method_role.c - see method_role.h. */
#include "coordinator/api/method_role.h"

#include <string.h>

#include "lib/base/memory.h"

static const struct {
	const char *path;
	enum role role;
} METHODS[] = {
	{"/saga.v1.SagaService/StartSaga", ROLE_STARTER},
	{"/saga.v1.SagaService/BatchStartSagas", ROLE_STARTER},
	{"/saga.v1.SagaService/GetSaga", ROLE_VIEWER},
	{"/saga.v1.SagaService/ListSagas", ROLE_VIEWER},
	{"/saga.v1.SagaService/GetSagaLog", ROLE_VIEWER},
	{"/saga.v1.SagaService/WatchSaga", ROLE_VIEWER},
	{"/saga.v1.SagaService/WatchSagas", ROLE_VIEWER},
	{"/saga.v1.SagaService/CancelSaga", ROLE_OPERATOR},
	{"/saga.v1.SagaService/PauseSaga", ROLE_OPERATOR},
	{"/saga.v1.SagaService/ResumeSaga", ROLE_OPERATOR},
	{"/saga.v1.SagaService/PauseDefinition", ROLE_OPERATOR},
	{"/saga.v1.SagaService/ResumeDefinition", ROLE_OPERATOR},
	{"/saga.v1.SagaService/PauseParticipant", ROLE_OPERATOR},
	{"/saga.v1.SagaService/ResumeParticipant", ROLE_OPERATOR},
	{"/saga.v1.SagaService/ListPauses", ROLE_VIEWER},
	{"/saga.v1.SagaService/RetrySaga", ROLE_OPERATOR},
	{"/saga.v1.SagaService/SkipStep", ROLE_OPERATOR},
	{"/saga.v1.SagaService/ResolveSaga", ROLE_OPERATOR},
	{"/saga.v1.SagaService/ListStuck", ROLE_VIEWER},
	{"/saga.v1.SagaService/SignalSaga", ROLE_STARTER},
	{"/saga.v1.SagaService/PutDefinition", ROLE_ADMIN},
	{"/saga.v1.SagaService/GetDefinition", ROLE_VIEWER},
	{"/saga.v1.SagaService/ListDefinitions", ROLE_VIEWER},
	{"/grpc.health.v1.Health/Check", ROLE_ANYBODY}, /* probes and balancers have no credential */
	{"/grpc.health.v1.Health/Watch", ROLE_ANYBODY},
	{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ROLE_VIEWER},
	{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ROLE_VIEWER},
};

bool method_role(const char *path, enum role *ret_role)
{
	for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
		if (strcmp(METHODS[i].path, path) == 0) {
			*ret_role = METHODS[i].role;
			return true;
		}
	}
	return false;
}

bool method_is_audited(enum role role)
{
	return role == ROLE_OPERATOR || role == ROLE_ADMIN;
}
