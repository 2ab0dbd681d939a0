/* registry_migrations.h - how the registry's tables come to be, step by step, for pg_migrate(). */
#ifndef SCHEMA_REGISTRY_SERVER_REGISTRY_MIGRATIONS_H
#define SCHEMA_REGISTRY_SERVER_REGISTRY_MIGRATIONS_H

#include <stddef.h>

#include "lib/pg/pg.h"

const struct pg_migration *registry_migrations(size_t *ret_count);

#endif
