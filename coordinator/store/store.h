/*
 * store.h - sagas, their log and the definitions in Postgres: the engine's store port and the catalog's definition port.
 *
 * Guarantees: a commit is one statement, hence one transaction: rows that really changed, and the log of exactly those.
 * Threads:    the store port on the engine's thread, the definition port on any one thread at a time: each has a
 *             connection of its own, which connects when it is used and again after a loss.
 * Ownership:  ports borrow the store.
 */
#ifndef COORDINATOR_STORE_STORE_H
#define COORDINATOR_STORE_STORE_H

#include "coordinator/definition/catalog.h"
#include "coordinator/engine/pause_port.h"
#include "coordinator/engine/ports.h"
#include "coordinator/engine/read_port.h"
#include "coordinator/notice/notice_port.h"
#include "coordinator/retention/retention_port.h"

struct store;

struct store *store_new(const char *conninfo);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free)

/* Brings the tables up to date; waits for the database up to `wait_ms`. */
NODISCARD int store_migrate(struct store *store, int64_t wait_ms, struct error *err);

struct store_port store_saga_port(struct store *store);
struct definition_port store_definition_port(struct store *store);
/* Uses the same connection as the saga port: for another thread, make another store. */
struct read_port store_read_port(struct store *store);
/* Likewise. */
struct notice_port store_notice_port(struct store *store);
struct pause_port store_pause_port(struct store *store);
struct retention_port store_retention_port(struct store *store);
/* One more whom the commits of this store leave a row for each notice; before the first commit. */
void store_tell(struct store *store, const char *target);

#endif
