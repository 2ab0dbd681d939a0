/*
 * role.h - what an identity may do: few roles, each with what it includes.
 *
 * Why:        a caller has roles, a method needs one, and one table a server says which (method_role.c, rest_routes.c).
 */
#ifndef LIB_SECURITY_ROLE_H
#define LIB_SECURITY_ROLE_H

#include <stdbool.h>
#include <stddef.h>

enum role {
	ROLE_ANYBODY, /* nobody has to say who they are */
	ROLE_VIEWER,
	ROLE_STARTER,  /* includes viewer */
	ROLE_OPERATOR, /* includes starter */
	ROLE_SCHEMA_READER,
	ROLE_SCHEMA_WRITER, /* includes schema-reader */
	ROLE_ADMIN,         /* includes all */
	ROLE_COUNT
};

/* A set of roles, one bit each. */
typedef unsigned role_set;
#define ROLE_BIT(role) (1u << (role))

const char *role_name(enum role role);
/* False: there is no such role, or it cannot be given (ROLE_ANYBODY). */
bool role_parse(const char *text, size_t len, enum role *ret_role);
/* Somebody with these roles may do what needs `needed`. */
bool role_is_enough(role_set roles, enum role needed);

#endif
