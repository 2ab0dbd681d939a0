/* no_definitions.c - nothing in these tests has definitions; watchers of single sagas are tested against a real coordinator. */
#include "coordinator/definition/catalog.h"

const struct plan *catalog_by_id(struct catalog *catalog, int32_t id)
{
	(void)catalog;
	(void)id;
	return NULL;
}

int32_t plan_find_step(const struct plan *plan, const char *step_id)
{
	(void)plan;
	(void)step_id;
	return -1;
}
