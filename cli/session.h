/*
 * session.h - what every command of sagactl shares: the global flags, the connection, how failures are told.
 *
 * Why:        exit codes and messages must be alike in all commands, so they are made here alone.
 * Ownership:  the client belongs to the session; options are the process's.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/problems.h"
#include "lib/kafka/kafka_settings.h"
#include "lib/options/options.h"
#include "lib/rpc/rpc_client.h"
#include "lib/security/client_security.h"
#include "schema-registry/client/registry_client.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,       /* what was given is wrong: flags, files, input */
	EXIT_NOT_FOUND = 3,   /* no such saga, definition or subject */
	EXIT_UNDECIDED = 3,   /* of `check` and `schema check` alone */
	EXIT_UNAVAILABLE = 4, /* a server is away or too slow; the same command may work later */
	EXIT_COMPENSATED = 5, /* of those that wait for the end */
	EXIT_STUCK = 6,
	EXIT_UNFINISHED = 7,
	EXIT_ENVIRONMENT = 78,
	EXIT_INTERRUPTED = 130, /* as shells say of a process that SIGINT ended */
};

#define SESSION_NO_ANSWER "Deadline Exceeded" /* as libgrpc says it */

struct exit_meaning {
	enum exit_code code;
	const char *meaning;
};
extern const struct exit_meaning exit_meanings[]; /* for --help and the man page */
extern const size_t exit_meaning_count;

struct session {
	const char *address;
	struct client_security saga_security;
	const char *registry_url;
	struct client_security registry_security;
	struct kafka_settings kafka;
	const char *output;
	const char *colour;
	int64_t call_timeout_ms;
	struct rpc_client *client; /* made at the first call */
	bool has_answered;         /* the coordinator has: if it is away now, it may come back */
};

extern struct session session;                /* the one of this process: options need fixed places */
extern const struct option session_options[]; /* the global flags */
extern const size_t session_option_count;

/* Once the flags are read. -1: one of them is wrong, which has been said. */
NODISCARD int session_begin(struct session *session);
void session_release(struct session *session);
struct kafka_options session_kafka(const struct session *session);              /* borrows from the session */
struct registry_client_options session_registry(const struct session *session); /* the same */
bool session_wants_json(const struct session *session); /* or JSON lines: what is for programs */

/* The message as -o json or jsonl shows it. */
void session_print_json(const struct session *session, const ProtobufCMessage *message);

/* Several messages as -o json or jsonl shows them: an array, or a line each. Begins as {.session = …}. */
struct session_list {
	const struct session *session;
	size_t count;
};
void session_list_add(struct session_list *list, const ProtobufCMessage *message);
void session_list_end(struct session_list *list);

struct rpc_client *session_client(struct session *session);

/* Calls SagaService; the answer is the caller's. On failure everything known is said on standard error, violations one a
 * line, and *ret_exit is the code to leave with. `method` is the last part of the path. timeout_ms 0: --call-timeout. */
NODISCARD int session_call(struct session *session, const char *method, const ProtobufCMessage *request,
			   const ProtobufCMessageDescriptor *answer_type, int64_t timeout_ms,
			   ProtobufCMessage **ret_answer, enum exit_code *ret_exit);

/* Says the error and answers the exit code for it. */
enum exit_code session_fail(const struct error *err);
/* The same of a failed call, with each of its violations, and what to do when nobody answered. */
enum exit_code session_fail_call(const struct session *session, const struct error *err,
				 const struct rpc_failure *failure);
/* Each one on standard error, `file:line:col: error: …` where it begins with a place. */
void session_say_problems(const struct problems *problems);
enum exit_code exit_code_of(enum err_code code);

#endif
