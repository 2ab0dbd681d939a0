/*
 * session.h - one request's unit of work: a connection, at most one transaction, memory, and the refusal if there is one.
 *
 * Why:        rules should read as rules: who takes the connection, who rolls back and who tries again is decided here.
 * Guarantees: the work runs again (SESSION_TURNS_MAX times in all) when the database asks for it (a lost connection, a
 *             deadlock, a conflict of two instances); so work must leave nothing behind but what it commits.
 * Errors:     functions of the registry return -1 after session_refuse() or session_failed() has said why.
 * Threads:    sessions of several threads run at once, each has its own connection; more wait for one.
 */
#ifndef SCHEMA_REGISTRY_SERVER_SESSION_H
#define SCHEMA_REGISTRY_SERVER_SESSION_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/pg/pg.h"
#include "schema-registry/server/refusal.h"
#include "schema-registry/server/schema_cache.h"
#include "schema-registry/server/subject.h"
#include "schema-registry/server/subject_cache.h"
#include "schema-registry/server/text_cache.h"

struct sessions; /* the connections and the caches that all sessions share */
struct session_keepsake;
struct session_subject;

struct session {
	struct pg *pg;
	struct schema_cache *cache;
	struct subject_cache *subjects;
	struct text_cache *texts;
	struct arena arena;
	struct session_subject
		*subjects_read; /* what this request saw of a subject stays so until it changes something */
	int turn;               /* from 0: what is tried at first without a lock is done under it in the second */
	struct refusal refusal;
	bool is_in_transaction;
	bool is_retriable; /* the refusal came from the database and may pass */
	struct session_keepsake *keepsakes;
};

struct sessions *sessions_new(const char *conninfo, int connections, struct metrics *metrics); /* may be NULL */
void sessions_free(struct sessions *sessions);
NODISCARD int sessions_migrate(struct sessions *sessions, int64_t wait_ms, struct error *err);
NODISCARD int sessions_ping(struct sessions *sessions, struct error *err);

/* Runs the work in a session; *session is released by session_release(). -1: session->refusal says why. */
NODISCARD int sessions_run(struct sessions *sessions, int (*work)(struct session *session, void *ctx), void *ctx,
			   struct session *session);
void session_release(struct session *session);

/* What is there of a subject since the request came, and in a transaction since it holds its lock. The same again when it
 * is asked for again, until session_begin() or session_commit(). */
NODISCARD int session_read_subject(struct session *session, struct subject subject,
				   const struct stored_subject **ret_subject);

/* Begins a transaction that nobody else changes the subject in. */
NODISCARD int session_begin(struct session *session, struct subject subject);

/* A commit whose outcome is unknown is tried again only where doing the work twice gives the same answer. */
NODISCARD int session_commit(struct session *session, bool is_repeatable);

/* All return -1; after the third the work runs again. */
int session_refuse(struct session *session, enum refusal_code code, const char *format, ...) PRINTF_LIKE(3, 4);
int session_failed(struct session *session, const struct error *err);
int session_overtaken(struct session *session);

/* Releases `thing` with the session, or before the work runs again. */
void session_keep(struct session *session, void (*release)(void *thing), void *thing);

#endif
