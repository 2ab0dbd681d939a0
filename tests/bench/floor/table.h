/*
 * table.h - the floor's rows: batches of changes, each one transaction, with parameters in binary form.
 *
 * Why:     group commit, one round trip: all statements of a batch travel together (pipeline mode) and form one transaction,
 *          which the server ends when it reaches the sync behind them.
 * Threads: a connection belongs to one thread.
 */
#ifndef TESTS_BENCH_FLOOR_TABLE_H
#define TESTS_BENCH_FLOOR_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/base/uuid.h"

struct table;

struct table_sizes {
	size_t row_bytes;
	size_t log_bytes;
	size_t inbox_bytes;
};

/* Drops and makes the tables; once, before any other. */
NODISCARD int table_make_all(const char *conninfo, struct error *err);

NODISCARD int table_new(const char *conninfo, const struct table_sizes *sizes, struct table **ret_table,
			struct error *err);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free)

/* What the next commit writes. */
void table_add_saga(struct table *table, struct uuid id);
void table_add_change(struct table *table, struct uuid id, int32_t version);
void table_add_log(struct table *table, struct uuid id, int32_t sequence);
void table_add_inbox(struct table *table, struct uuid id, int32_t reply);
/* Returns when it is durable. */
NODISCARD int table_commit(struct table *table, struct error *err);

#endif
