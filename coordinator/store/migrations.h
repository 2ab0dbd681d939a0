/*
 * migrations.h - the coordinator's tables and views, as they came to be.
 *
 * A migration that was released is never changed; what is to be different is a new one.
 */
#ifndef COORDINATOR_STORE_MIGRATIONS_H
#define COORDINATOR_STORE_MIGRATIONS_H

#include "lib/pg/pg.h"

extern const struct pg_migration STORE_MIGRATIONS[];
extern const size_t STORE_MIGRATION_COUNT;

#endif
