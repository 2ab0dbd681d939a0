/*
 * schema_source.h - where plans get schemas from: the registry's client, or a test's own table.
 *
 * Why:        binding a definition needs two questions only, and its tests no HTTP.
 * Errors:     as registry_client.h. Schemas are borrowed and live as long as the source.
 */
#ifndef COORDINATOR_DEFINITION_SCHEMA_SOURCE_H
#define COORDINATOR_DEFINITION_SCHEMA_SOURCE_H

#include "schema-registry/client/registry_client.h"

struct schema_source {
	void *ctx;
	int (*latest)(void *ctx, const char *subject, int32_t *ret_id, int32_t *ret_version,
		      const struct schema **ret_schema, struct error *err);
	int (*by_id)(void *ctx, int32_t id, const struct schema **ret_schema, struct error *err);
};

struct schema_source schema_source_of_client(struct registry_client *client);

#endif
