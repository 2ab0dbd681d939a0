/*
 * method_role.h - the one table that says which role each method needs.
 *
 * Why:        who may do what must be seen at a glance and cannot be forgotten: a method that has no row is refused, to
 *             everybody, and a test compares the table with the descriptors of all services.
 */
#ifndef COORDINATOR_API_METHOD_ROLE_H
#define COORDINATOR_API_METHOD_ROLE_H

#include "lib/security/role.h"

/* `path` as gRPC has it: "/saga.v1.SagaService/StartSaga". False: nobody may call it. */
bool method_role(const char *path, enum role *ret_role);

/* The role's calls change something that is not a saga's start: they are told in the log, too. */
bool method_is_audited(enum role role);

#endif
