/* store_state.h - what the parts of the store share: store.c, commit.c, saga_reader.c, definition_table.c. */
#ifndef COORDINATOR_STORE_STORE_STATE_H
#define COORDINATOR_STORE_STORE_STATE_H

#include "coordinator/store/store.h"
#include "lib/pg/pg.h"

enum { COMMIT_ARRAY_COUNT = 37 };

struct store {
	char *conninfo;
	struct pg *pg;                              /* the engine's */
	struct pg *definitions_pg;                  /* the catalog's */
	struct pg_array arrays[COMMIT_ARRAY_COUNT]; /* of a commit; kept for their memory */
	struct buffer labels;
};

/* ---- commit.c ---- */
void commit_init(struct store *store);
void commit_release(struct store *store);
enum store_result commit_run(void *ctx, struct store_commit *commit, struct error *err);

/* ---- saga_reader.c ---- */
int reader_now(void *ctx, int64_t *ret_now_us, struct error *err);
int reader_load(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err);
int reader_find(void *ctx, const struct store_key *keys, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err);
int reader_due(void *ctx, struct uuid after, size_t limit, struct arena *arena, struct store_page *ret_page,
	       struct error *err);
int reader_left_behind(void *ctx, const char *instance, int64_t boot, struct uuid after, size_t limit,
		       struct arena *arena, struct store_page *ret_page, struct error *err);
int reader_glance(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_page *ret_page,
		  struct error *err);
int reader_load_log(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
		    struct store_log_row **ret_rows, size_t *ret_count, struct error *err);
int reader_count_open(void *ctx, int64_t ret_counts[SAGA_STATE_COUNT], struct error *err);

/* ---- definition_table.c ---- */
int definition_table_put(void *ctx, const struct stored_definition *definition, int32_t *ret_id, int32_t *ret_version,
			 int64_t *ret_created_us, bool *ret_created, struct error *err);
int definition_table_load(void *ctx, int32_t after_id, struct arena *arena, struct stored_definition **ret_definitions,
			  size_t *ret_count, struct error *err);

#endif
