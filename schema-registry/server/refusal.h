/*
 * refusal.h - why the registry says no: every error code of its API, with its HTTP status, in one table.
 *
 * Why:        clients decide by `error_code` (40401, 42201, …); the numbers and their meaning are Confluent's.
 * Ownership:  the message lives in the arena of the request.
 */
#ifndef SCHEMA_REGISTRY_SERVER_REFUSAL_H
#define SCHEMA_REGISTRY_SERVER_REFUSAL_H

/* REFUSAL(name, error_code, http_status) */
#define REFUSALS(REFUSAL)                                                                                              \
	REFUSAL(BAD_REQUEST, 400, 400)                                                                                 \
	REFUSAL(UNAUTHENTICATED, 401, 401)                                                                             \
	REFUSAL(DENIED, 403, 403)                                                                                      \
	REFUSAL(PATH_NOT_FOUND, 404, 404)                                                                              \
	REFUSAL(METHOD_NOT_ALLOWED, 405, 405)                                                                          \
	REFUSAL(NOT_ACCEPTABLE, 406, 406)                                                                              \
	REFUSAL(MEDIA_TYPE, 415, 415)                                                                                  \
	REFUSAL(TOO_MANY, 429, 429)                                                                                    \
	REFUSAL(SUBJECT_NOT_FOUND, 40401, 404)                                                                         \
	REFUSAL(VERSION_NOT_FOUND, 40402, 404)                                                                         \
	REFUSAL(SCHEMA_NOT_FOUND, 40403, 404)                                                                          \
	REFUSAL(SUBJECT_DELETED_ALREADY, 40404, 404)                                                                   \
	REFUSAL(SUBJECT_NOT_DELETED, 40405, 404)                                                                       \
	REFUSAL(VERSION_DELETED_ALREADY, 40406, 404)                                                                   \
	REFUSAL(VERSION_NOT_DELETED, 40407, 404)                                                                       \
	REFUSAL(LEVEL_NOT_SET, 40408, 404)                                                                             \
	REFUSAL(MODE_NOT_SET, 40409, 404)                                                                              \
	REFUSAL(INCOMPATIBLE, 409, 409)                                                                                \
	REFUSAL(INVALID_SCHEMA, 42201, 422)                                                                            \
	REFUSAL(INVALID_VERSION, 42202, 422)                                                                           \
	REFUSAL(INVALID_LEVEL, 42203, 422)                                                                             \
	REFUSAL(INVALID_MODE, 42204, 422)                                                                              \
	REFUSAL(NOT_PERMITTED, 42205, 422)                                                                             \
	REFUSAL(REFERENCE_EXISTS, 42206, 422)                                                                          \
	REFUSAL(ID_DOES_NOT_MATCH, 42207, 422)                                                                         \
	REFUSAL(INVALID_SUBJECT, 42208, 422)                                                                           \
	REFUSAL(SCHEMA_TOO_LARGE, 42209, 422)                                                                          \
	REFUSAL(INVALID_RULE_SET, 42210, 422)                                                                          \
	REFUSAL(CONTEXT_NOT_EMPTY, 42211, 422)                                                                         \
	REFUSAL(STORE, 50001, 500)                                                                                     \
	REFUSAL(STORE_TIMEOUT, 50002, 500)

enum refusal_code {
#define REFUSAL_MEMBER(name, error_code, status) REFUSAL_##name,
	REFUSALS(REFUSAL_MEMBER)
#undef REFUSAL_MEMBER
		REFUSAL_COUNT
};

struct refusal {
	enum refusal_code code;
	const char *message;
};

int refusal_error_code(enum refusal_code code);
int refusal_status(enum refusal_code code);

#endif
