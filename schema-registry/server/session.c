/* session.c - see session.h. */
#include "schema-registry/server/session.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>

#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum { SESSION_TURNS_MAX = 4, SESSION_ARENA_BYTES_MAX = 0, PING_MS = 1500 };

/* An instance that stands still in a transaction, or was cut off, holds what it locked no longer than others try. */
static const char SERVER_OPTIONS[] = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=10s " PG_FIXED_PLANS;

struct sessions {
	struct schema_cache *cache;
	struct subject_cache *subjects;
	struct text_cache *texts;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct pg **idle; /* guarded by mu */
	int idle_count;   /* guarded by mu */
	int count;
	bool is_away; /* guarded by mu: the last thing that is known of the database, so that it is logged once */
};

struct session_subject {
	struct subject subject;
	const struct stored_subject *stored;
	struct session_subject *next;
};

struct session_keepsake {
	void (*release)(void *thing);
	void *thing;
	struct session_keepsake *next;
};

struct sessions *sessions_new(const char *conninfo, int connections, struct metrics *metrics)
{
	struct sessions *sessions = xcalloc(1, sizeof(*sessions));
	_cleanup_(freep)
	char *complete = pg_conninfo_complete(conninfo, SERVER_OPTIONS);

	assert(connections > 0);
	pthread_mutex_init(&sessions->mu, NULL);
	pthread_cond_init(&sessions->changed, NULL);
	sessions->cache = schema_cache_new(metrics);
	sessions->subjects = subject_cache_new();
	sessions->texts = text_cache_new();
	sessions->idle = xcalloc((size_t)connections, sizeof(*sessions->idle));
	for (int i = 0; i < connections; i++)
		sessions->idle[i] = pg_new(complete, "schema-registry");
	sessions->idle_count = sessions->count = connections;
	return sessions;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	assert(sessions->idle_count == sessions->count);
	for (int i = 0; i < sessions->count; i++)
		pg_free(sessions->idle[i]);
	free(sessions->idle);
	schema_cache_free(sessions->cache);
	subject_cache_free(sessions->subjects);
	text_cache_free(sessions->texts);
	pthread_cond_destroy(&sessions->changed);
	pthread_mutex_destroy(&sessions->mu);
	free(sessions);
}

/* The connection that was used last comes first: few stay open under a light load. */
static struct pg *take_connection(struct sessions *sessions)
{
	struct pg *pg;

	pthread_mutex_lock(&sessions->mu);
	while (sessions->idle_count == 0)
		pthread_cond_wait(&sessions->changed, &sessions->mu);
	pg = sessions->idle[--sessions->idle_count];
	pthread_mutex_unlock(&sessions->mu);
	return pg;
}

static void give_connection(struct sessions *sessions, struct pg *pg)
{
	pthread_mutex_lock(&sessions->mu);
	sessions->idle[sessions->idle_count++] = pg;
	pthread_cond_signal(&sessions->changed);
	pthread_mutex_unlock(&sessions->mu);
}

int sessions_migrate(struct sessions *sessions, int64_t wait_ms, struct error *err)
{
	struct pg *pg = take_connection(sessions);
	int result = store_migrate(pg, wait_ms, err);

	give_connection(sessions, pg);
	return result;
}

int sessions_ping(struct sessions *sessions, struct error *err)
{
	struct pg *pg = take_connection(sessions);
	int64_t answer_ms = pg_set_answer_ms(pg, PING_MS);
	int result = store_ping(pg, err);

	if (result < 0 && err->is_retriable) /* the connection may have ended long ago; the next one is new */
		result = store_ping(pg, err);
	(void)pg_set_answer_ms(pg, answer_ms);
	give_connection(sessions, pg);
	return result;
}

static void release_keepsakes(struct session *session)
{
	for (struct session_keepsake *at = session->keepsakes; at; at = at->next)
		at->release(at->thing);
	session->keepsakes = NULL;
}

/* One line when the database goes away, one when it is back. */
static void note_database(struct sessions *sessions, const struct session *session, int result)
{
	bool is_away = result < 0 && session->is_retriable;
	bool is_back = result == 0 && pg_is_connected(session->pg); /* not when the cache had the answer */
	bool was_away;

	pthread_mutex_lock(&sessions->mu);
	was_away = sessions->is_away;
	sessions->is_away = is_away || (was_away && !is_back);
	pthread_mutex_unlock(&sessions->mu);
	if (is_away && !was_away)
		log_warn("database_away", "err=%s instead=\"answering 50001, trying anew with each request\"",
			 LOG_TEXT(session->refusal.message));
	else if (was_away && is_back)
		log_info("database_back", "connections=%d", sessions->count);
}

int sessions_run(struct sessions *sessions, int (*work)(struct session *session, void *ctx), void *ctx,
		 struct session *session)
{
	int result = -1;

	*session = (struct session){.pg = take_connection(sessions),
				    .cache = sessions->cache,
				    .subjects = sessions->subjects,
				    .texts = sessions->texts};
	arena_init(&session->arena, SESSION_ARENA_BYTES_MAX);
	for (int turn = 0; turn < SESSION_TURNS_MAX && result < 0; turn++) {
		if (turn > 0) {
			release_keepsakes(session);
			arena_clear(&session->arena);
		}
		session->turn = turn;
		session->subjects_read = NULL;
		session->is_retriable = false;
		result = work(session, ctx);
		if (session->is_in_transaction)
			pg_rollback(session->pg);
		session->is_in_transaction = false;
		if (!session->is_retriable)
			break;
	}
	note_database(sessions, session, result);
	give_connection(sessions, session->pg);
	session->pg = NULL;
	return result;
}

void session_release(struct session *session)
{
	release_keepsakes(session);
	arena_release(&session->arena);
}

static void release_subject(void *entry)
{
	subject_entry_unref(entry);
}

static int read_subject(struct session *session, struct subject subject, const struct stored_subject **ret_stored)
{
	struct subject_entry *entry;
	struct stored_subject *fresh;
	struct error err;

	if (session->is_in_transaction) {
		fresh = arena_alloc(&session->arena, sizeof(*fresh));
		if (store_load_subject(session->pg, subject, &session->arena, fresh, &err) < 0)
			return session_failed(session, &err);
		*ret_stored = fresh;
		return 0;
	}
	if (subject_cache_get(session->subjects, session->pg, subject, &entry, &err) < 0)
		return session_failed(session, &err);
	session_keep(session, release_subject, entry);
	*ret_stored = subject_entry_stored(entry);
	return 0;
}

int session_read_subject(struct session *session, struct subject subject, const struct stored_subject **ret_stored)
{
	struct session_subject *read;

	for (read = session->subjects_read; read; read = read->next) {
		if (subject_equal(read->subject, subject)) {
			*ret_stored = read->stored;
			return 0;
		}
	}
	if (read_subject(session, subject, ret_stored) < 0)
		return -1;
	read = arena_alloc(&session->arena, sizeof(*read));
	*read = (struct session_subject){
		{arena_strdup(&session->arena, subject.context), arena_strdup(&session->arena, subject.name)},
		*ret_stored,
		session->subjects_read};
	session->subjects_read = read;
	return 0;
}

int session_begin(struct session *session, struct subject subject)
{
	struct error err;

	assert(!session->is_in_transaction);
	session->subjects_read = NULL;
	if (pg_begin(session->pg, &err) < 0)
		return session_failed(session, &err);
	session->is_in_transaction = true;
	if (store_lock_subject(session->pg, subject, &err) < 0)
		return session_failed(session, &err);
	return 0;
}

int session_commit(struct session *session, bool is_repeatable)
{
	bool is_unknown = false;
	struct error err;

	assert(session->is_in_transaction);
	session->subjects_read = NULL;
	session->is_in_transaction = false;
	CRASH_POINT(CHANGE_BEFORE_COMMIT);
	if (pg_commit(session->pg, &is_unknown, &err) == 0) {
		CRASH_POINT(CHANGE_AFTER_COMMIT);
		return 0;
	}
	session_failed(session, &err);
	if (is_unknown && !is_repeatable)
		session->is_retriable = false;
	return -1;
}

int session_refuse(struct session *session, enum refusal_code code, const char *format, ...)
{
	struct buffer text = {0};
	va_list args;

	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	session->refusal = (struct refusal){code, arena_strdup(&session->arena, buffer_text(&text))};
	buffer_release(&text);
	return -1;
}

int session_failed(struct session *session, const struct error *err)
{
	/* Two instances that met at a unique key: the loser finds the winner's row when it looks again. */
	session->is_retriable = err->is_retriable || err->code == ERR_CONFLICT;
	return session_refuse(session, err->code == ERR_TIMEOUT ? REFUSAL_STORE_TIMEOUT : REFUSAL_STORE,
			      "Error in the backend data store: %s", err->msg);
}

int session_overtaken(struct session *session)
{
	session->is_retriable = true;
	return session_refuse(session, REFUSAL_STORE,
			      "Error in the backend data store: others were faster each time; try again");
}

void session_keep(struct session *session, void (*release)(void *thing), void *thing)
{
	struct session_keepsake *keepsake = arena_alloc(&session->arena, sizeof(*keepsake));

	*keepsake = (struct session_keepsake){release, thing, session->keepsakes};
	session->keepsakes = keepsake;
}
