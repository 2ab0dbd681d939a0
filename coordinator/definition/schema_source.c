/* schema_source.c - see schema_source.h. */
#include "coordinator/definition/schema_source.h"

static int client_latest(void *ctx, const char *subject, int32_t *ret_id, int32_t *ret_version,
			 const struct schema **ret_schema, struct error *err)
{
	return registry_client_latest(ctx, subject, ret_id, ret_version, ret_schema, err);
}

static int client_by_id(void *ctx, int32_t id, const struct schema **ret_schema, struct error *err)
{
	return registry_client_by_id(ctx, id, ret_schema, err);
}

struct schema_source schema_source_of_client(struct registry_client *client)
{
	return (struct schema_source){.ctx = client, .latest = client_latest, .by_id = client_by_id};
}
