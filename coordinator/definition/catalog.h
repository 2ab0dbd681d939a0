/*
 * catalog.h - all definitions that this coordinator knows, compiled; the truth is in the store.
 *
 * Threads:    look-ups from any thread without blocking, but for catalog_by_id() of a definition that another instance
 *             registered since: it reads store and registry once. catalog_put() blocks (store, registry).
 * Ownership:  plans are the catalog's and live as long as it does.
 */
#ifndef COORDINATOR_DEFINITION_CATALOG_H
#define COORDINATOR_DEFINITION_CATALOG_H

#include "coordinator/definition/plan.h"

struct catalog;
struct schema_source; /* schema_source.h */

/* What is stored of a definition. Texts are the arena's that the port was given. */
struct stored_definition {
	int32_t id;
	const char *name;
	int32_t version;
	const char *source;
	int64_t created_us;
	const char *creator; /* NULL: not known */
	struct plan_pin *pins;
	size_t pin_count;
};

/* Where definitions are kept; store/ implements it. Called by one thread at a time. */
struct definition_port {
	void *ctx;
	/* The next version of the name, unless its newest has exactly this source: then that one, *ret_created false. */
	int (*put)(void *ctx, const struct stored_definition *definition, int32_t *ret_id, int32_t *ret_version,
		   int64_t *ret_created_us, bool *ret_created, struct error *err);
	/* All with id > after_id, ascending. */
	int (*load)(void *ctx, int32_t after_id, struct arena *arena, struct stored_definition **ret_definitions,
		    size_t *ret_count, struct error *err);
};

struct catalog *catalog_new(const struct definition_port *port, struct registry_client *registry);
/* The same with schemas from anywhere; copies both structs. */
struct catalog *catalog_new_with(const struct definition_port *port, const struct schema_source *schemas);
void catalog_free(struct catalog *catalog);
DEFINE_CLEANUP(struct catalog *, catalog_free)

/* Loads what the store has and this catalog has not. Called at start and by the sweep. */
NODISCARD int catalog_refresh(struct catalog *catalog, struct error *err);

struct catalog_upload {
	const char *file_name; /* for messages */
	struct bytes source;
	const char *creator; /* stays with the version that it makes, if it makes one */
	bool validate_only;  /* nothing is stored, and the plan lives until 64 more definitions were validated */
};
NODISCARD int catalog_put(struct catalog *catalog, const struct catalog_upload *upload, const struct plan **ret_plan,
			  bool *ret_created, struct problems *problems, struct error *err);

const struct plan *catalog_by_name(struct catalog *catalog, const char *name, int32_t version); /* 0: newest; or NULL */
const struct plan *catalog_by_id(struct catalog *catalog, int32_t id);                          /* or NULL */
/* The newest version of each, ordered by name; the array is the arena's. */
size_t catalog_list(struct catalog *catalog, struct arena *arena, const struct plan ***ret_plans);
/* Up to 3 names like `name`, as `'checkout', 'check-in'`; "" when none is near. */
const char *catalog_nearest(struct catalog *catalog, const char *name, struct arena *arena);
/* Grows with every definition added: the bus subscribes anew when it changes. */
uint64_t catalog_generation(struct catalog *catalog);
/* Every reply topic of every definition, and every topic of an event that one waits for; distinct. */
size_t catalog_reply_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics);
/* Every topic of an event that some version of a definition waits for, likewise. */
size_t catalog_event_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics);
/* The names of the definitions that wait, in some version, for events on that topic; distinct. */
size_t catalog_waiting_for(struct catalog *catalog, const char *topic, struct arena *arena, const char ***ret_names);
/* Every command topic, compensations included, likewise. */
size_t catalog_command_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics);

#endif
