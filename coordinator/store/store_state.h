/* store_state.h - what the parts of the store share: store.c, and the files that the sections below name. */
#ifndef COORDINATOR_STORE_STORE_STATE_H
#define COORDINATOR_STORE_STORE_STATE_H

#include "coordinator/store/store.h"
#include "lib/pg/pg.h"

enum { COMMIT_ARRAY_COUNT = 52 };

/* A commit under way. */
struct commit_lane {
	struct pg *pg;
	struct store_commit *commit;
	bool is_careful; /* the statement that was sent */
	int sent;        /* of pg_send(): < 0 with `err` */
	struct error err;
};

struct store {
	char *conninfo;
	struct pg *pg; /* the engine's, for all but commits; the first lane's, too */
	struct commit_lane lanes[STORE_LANES];
	int careful_commits;                        /* that the next ones are to be */
	struct pg *definitions_pg;                  /* the catalog's */
	struct pg_array arrays[COMMIT_ARRAY_COUNT]; /* of a commit; kept for their memory */
	struct pg_array notice_targets;             /* of every commit */
	struct buffer labels;
};

/* ---- commit.c ---- */
void commit_init(struct store *store);
void commit_release(struct store *store);
void commit_begin(void *ctx, int lane, struct store_commit *commit);
enum store_result commit_end(void *ctx, int lane, struct error *err);

/* ---- saga_reader.c ---- */
int reader_now(void *ctx, int64_t *ret_now_us, struct error *err);
int reader_load(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err);
int reader_find(void *ctx, const struct store_key *keys, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err);
int reader_find_waiting(void *ctx, const struct store_waiting *waiting, size_t count, struct arena *arena,
			struct store_match **ret_matches, size_t *ret_count, struct error *err);
int reader_due(void *ctx, const struct store_look *look, struct arena *arena, struct store_page *ret_page,
	       struct error *err);
int reader_left_behind(void *ctx, const struct store_look *look, const struct store_left *left, struct arena *arena,
		       struct store_page *ret_page, struct error *err);
int reader_glance(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_page *ret_page,
		  struct error *err);
int reader_load_log(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
		    struct store_log_row **ret_rows, size_t *ret_count, struct error *err);
int reader_count_open(void *ctx, struct uuid after, size_t looked_max, struct arena *arena,
		      struct store_counts *ret_counts, struct error *err);

void row_labels(struct bytes json, struct arena *arena, const struct engine_label **ret_labels, size_t *ret_count);
#define LOG_COLUMNS                                                                                                    \
	" l.saga_id, l.sequence, l.at, l.event, l.step, l.phase, l.attempt, l.milestone, l.reason, l.detail,"          \
	" l.has_no_effect, l.state, l.actor "
/* Of a result whose first columns are LOG_COLUMNS. */
void row_log(const struct pg_result *result, struct arena *arena, struct store_log_row **ret_rows, size_t *ret_count);

/* ---- saga_list.c ---- */
#define HEAD_COLUMNS                                                                                                   \
	" s.saga_id, d.version, substring(s.data FOR 8192), s.definition_name, s.key, s.idempotency_key, s.labels "
/* Reads the columns above; ERR_CORRUPT names the saga. */
NODISCARD int head_read(const struct pg_result *result, size_t row, struct arena *arena, struct saga_head *ret_head,
			struct error *err);
/* The labels as JSON for `@>`; empty: none. */
struct bytes filter_labels(const struct saga_filter *filter, struct arena *arena);
void filter_states(const struct saga_filter *filter, struct pg_array *ret_states); /* any: all of them */
int list_sagas(void *ctx, const struct list_request *request, struct arena *arena, struct list_page *ret_page,
	       struct error *err);
int list_log(void *ctx, struct uuid saga_id, int64_t after, size_t limit, struct arena *arena,
	     struct store_log_row **ret_rows, size_t *ret_count, struct error *err);

/* ---- feed.c ---- */
int feed_bounds(void *ctx, struct feed_bounds *ret_bounds, struct error *err);
int feed_read(void *ctx, const struct feed_query *query, struct arena *arena, struct feed_entry **ret_entries,
	      size_t *ret_count, struct error *err);
int feed_xids(void *ctx, int64_t from, int64_t horizon, size_t limit, struct arena *arena, int64_t **ret_xids,
	      size_t *ret_count, struct error *err);
int feed_heads(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct saga_head **ret_heads,
	       size_t *ret_count, struct error *err);
int feed_log(void *ctx, const struct feed_entry *entries, size_t count, struct arena *arena,
	     struct store_log_row **ret_rows, size_t *ret_count, struct error *err);
int snapshot_begin(struct store *store,
		   struct error *err); /* until pg_rollback() all is read as of its first statement */
int list_read(struct store *store, const struct list_request *request, struct arena *arena, struct list_page *ret_page,
	      struct error *err); /* within that */
int feed_snapshot(void *ctx, const struct saga_filter *filter, const struct uuid *after, size_t limit,
		  struct arena *arena, struct feed_snapshot *ret_snapshot, struct error *err);
int feed_trim(void *ctx, int64_t keep_ms, bool *ret_has_more, struct error *err);

/* ---- notice_table.c ---- */
int notice_table_claim(void *ctx, const char *target, size_t limit, int64_t lease_ms, struct arena *arena,
		       struct notice **ret_notices, size_t *ret_count, struct error *err);
int notice_table_settle(void *ctx, const char *target, const struct notice *notices,
			const enum notice_outcome *outcomes, size_t count, struct error *err);
int notice_table_count(void *ctx, const char *target, int64_t *ret_count, struct error *err);
int notice_table_forget(void *ctx, int64_t older_than_ms, int64_t *ret_count, struct error *err);

/* ---- pause_table.c ---- */
int pause_table_begin(void *ctx, const struct pause *pause, struct arena *arena, struct pause *ret_pause,
		      bool *ret_is_new, struct error *err);
int pause_table_end(void *ctx, const struct pause *pause, bool *ret_was_paused, struct error *err);
int pause_table_list(void *ctx, struct arena *arena, struct pause **ret_pauses, size_t *ret_count, struct error *err);

/* ---- definition_table.c ---- */
int definition_table_put(void *ctx, const struct stored_definition *definition, int32_t *ret_id, int32_t *ret_version,
			 int64_t *ret_created_us, bool *ret_created, struct error *err);
int definition_table_load(void *ctx, int32_t after_id, struct arena *arena, struct stored_definition **ret_definitions,
			  size_t *ret_count, struct error *err);

/* ---- retention_table.c ---- */
int retention_claim(void *ctx, bool *ret_is_ours, struct error *err);
int retention_find(void *ctx, struct uuid after, int64_t keep_ms, struct arena *arena, struct leaving_page *ret_page,
		   struct error *err);
int retention_remove(void *ctx, const struct leaving_saga *sagas, size_t count, int64_t *ret_removed,
		     struct error *err);

#endif
