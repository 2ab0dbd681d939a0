/*
 * catalog.c - see catalog.h.
 *
 * Locks:      `port_mu` before `mu`. port_mu is held across calls of the store, which wants one caller at a time; mu only
 *             guards the lists and is never held across a call of anything that may block.
 */
#include "coordinator/definition/catalog.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "coordinator/definition/plan_parts.h"
#include "lib/base/spelling.h"

enum { CHECKED_MAX = 64 };

struct catalog {
	struct definition_port port; /* called under port_mu */
	struct schema_source schemas;
	pthread_mutex_t port_mu;
	int32_t loaded_id; /* guarded by port_mu; all up to this one are here */
	pthread_mutex_t mu;
	struct plan **plans;               /* guarded by mu; by id, ascending */
	size_t count;                      /* guarded by mu */
	size_t capacity;                   /* guarded by mu */
	uint64_t generation;               /* guarded by mu */
	struct plan *checked[CHECKED_MAX]; /* guarded by mu; the answers to validate_only, the oldest overwritten */
	size_t checked_count;              /* guarded by mu; ever */
};

struct catalog *catalog_new_with(const struct definition_port *port, const struct schema_source *schemas)
{
	struct catalog *catalog = xcalloc(1, sizeof(*catalog));

	catalog->port = *port;
	catalog->schemas = *schemas;
	pthread_mutex_init(&catalog->port_mu, NULL);
	pthread_mutex_init(&catalog->mu, NULL);
	return catalog;
}

struct catalog *catalog_new(const struct definition_port *port, struct registry_client *registry)
{
	const struct schema_source schemas = schema_source_of_client(registry);

	return catalog_new_with(port, &schemas);
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->count; i++)
		plan_free(catalog->plans[i]);
	for (size_t i = 0; i < CHECKED_MAX; i++)
		plan_free(catalog->checked[i]);
	free(catalog->plans);
	pthread_mutex_destroy(&catalog->mu);
	pthread_mutex_destroy(&catalog->port_mu);
	free(catalog);
}

/* ---- the list; each takes mu ---- */
static const struct plan *find_by_id(struct catalog *catalog, int32_t id)
{
	const struct plan *found = NULL;

	pthread_mutex_lock(&catalog->mu);
	for (size_t i = 0; i < catalog->count && !found; i++)
		if (catalog->plans[i]->id == id)
			found = catalog->plans[i];
	pthread_mutex_unlock(&catalog->mu);
	return found;
}

/* Takes the plan; answers the one that is in the list, which is another one when somebody was quicker. */
static const struct plan *add_plan(struct catalog *catalog, struct plan *plan)
{
	size_t at;

	assert(plan->id > 0);
	pthread_mutex_lock(&catalog->mu);
	for (at = 0; at < catalog->count && catalog->plans[at]->id < plan->id; at++)
		;
	if (at < catalog->count && catalog->plans[at]->id == plan->id) {
		plan_free(plan);
	} else {
		if (catalog->count == catalog->capacity) {
			catalog->capacity = catalog->capacity ? catalog->capacity * 2 : 16;
			catalog->plans = xrealloc_array(catalog->plans, catalog->capacity, sizeof(*catalog->plans));
		}
		memmove(catalog->plans + at + 1, catalog->plans + at, (catalog->count - at) * sizeof(*catalog->plans));
		catalog->plans[at] = plan;
		catalog->count++;
		catalog->generation++;
	}
	plan = catalog->plans[at];
	pthread_mutex_unlock(&catalog->mu);
	return plan;
}

/* A plan that was only checked: the caller reads it at once, and so it is kept for CHECKED_MAX more checks. */
static const struct plan *keep_checked(struct catalog *catalog, struct plan *plan)
{
	struct plan **place;

	pthread_mutex_lock(&catalog->mu);
	place = &catalog->checked[catalog->checked_count++ % CHECKED_MAX];
	plan_free(*place);
	*place = plan;
	pthread_mutex_unlock(&catalog->mu);
	return plan;
}

static void set_creator(struct plan *plan, const char *creator)
{
	struct plan_memory *memory = (struct plan_memory *)plan;

	plan->creator = creator ? arena_strdup(&memory->arena, creator) : NULL;
}

/* ---- from the store ---- */
static int load_one(struct catalog *catalog, const struct stored_definition *stored, struct error *err)
{
	struct problems problems;
	struct plan *plan;
	char file_name[300];
	int result;

	if (find_by_id(catalog, stored->id))
		return 0;
	(void)snprintf(file_name, sizeof(file_name), "%s.yaml", stored->name); /* a cut name is still a name */
	problems_init(&problems);
	result = plan_bind(file_name, bytes_of_text(stored->source), stored->pins, stored->pin_count, &catalog->schemas,
			   &plan, &problems, err);
	problems_release(&problems);
	if (result < 0)
		return error_prefix(err, "load definition '%s' version %d", stored->name, stored->version);
	plan->id = stored->id;
	plan->definition.version = stored->version;
	plan->created_us = stored->created_us;
	set_creator(plan, stored->creator);
	(void)add_plan(catalog, plan); /* the list's own is found by id */
	return 0;
}

/* All that the store has after the last id up to which nothing is missing: what could not be loaded is tried again, and
 * does not keep the others from being loaded. Under port_mu. */
static int refresh(struct catalog *catalog, struct error *err)
{
	struct stored_definition *definitions;
	struct arena arena;
	size_t count = 0;
	int result;

	arena_init(&arena, 0);
	result = catalog->port.load(catalog->port.ctx, catalog->loaded_id, &arena, &definitions, &count, err);
	if (result < 0)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		struct error one;
		const bool is_loaded = load_one(catalog, &definitions[i], &one) == 0;

		if (is_loaded && result == 0)
			catalog->loaded_id = definitions[i].id;
		if (!is_loaded && result == 0) {
			*err = one; /* the first one is told */
			result = -1;
		}
	}
	arena_release(&arena);
	return result;
}

int catalog_refresh(struct catalog *catalog, struct error *err)
{
	int result;

	pthread_mutex_lock(&catalog->port_mu);
	result = refresh(catalog, err);
	pthread_mutex_unlock(&catalog->port_mu);
	return result;
}

/* ---- registering ---- */
static void describe_pins(const struct plan *plan, struct arena *arena, struct stored_definition *stored)
{
	stored->pins = arena_alloc(arena, (plan->schema_count + 1) * sizeof(*stored->pins));
	stored->pin_count = plan->schema_count;
	for (size_t i = 0; i < plan->schema_count; i++)
		stored->pins[i] = (struct plan_pin){.subject = plan->schemas[i]->subject,
						    .version = plan->schemas[i]->version,
						    .schema_id = plan->schemas[i]->schema_id};
}

/* Under port_mu. Takes the plan: it becomes the list's, or the version that was there already is answered. */
static int store_plan(struct catalog *catalog, struct plan *compiled, const char *creator, const struct plan **ret_plan,
		      bool *ret_created, struct error *err)
{
	_cleanup_(plan_freep)
	struct plan *plan = compiled;
	struct stored_definition stored = {.name = plan->definition.name, .source = plan->source, .creator = creator};
	struct arena arena;
	const struct plan *existing;
	int result;

	arena_init(&arena, 0);
	describe_pins(plan, &arena, &stored);
	result = catalog->port.put(catalog->port.ctx, &stored, &plan->id, &plan->definition.version, &plan->created_us,
				   ret_created, err);
	arena_release(&arena);
	if (result < 0)
		return error_prefix(err, "store definition '%s'", plan->definition.name);
	if (*ret_created) {
		set_creator(plan, creator);
		*ret_plan = add_plan(catalog, take_ptr(plan));
		return 0;
	}
	/* An earlier version keeps the schemas that it was bound to, so it is not this plan. */
	existing = find_by_id(catalog, plan->id);
	if (!existing && refresh(catalog, err) < 0)
		return -1;
	if (!existing)
		existing = find_by_id(catalog, plan->id);
	if (!existing)
		return error_set(err, ERR_INTERNAL, "definition '%s' version %d is stored, but cannot be read back",
				 plan->definition.name, plan->definition.version);
	*ret_plan = existing;
	return 0;
}

int catalog_put(struct catalog *catalog, const struct catalog_upload *upload, const struct plan **ret_plan,
		bool *ret_created, struct problems *problems, struct error *err)
{
	struct plan *plan;
	int result;

	if (plan_bind(upload->file_name, upload->source, NULL, 0, &catalog->schemas, &plan, problems, err) < 0)
		return -1;
	if (upload->validate_only) {
		*ret_created = false;
		*ret_plan = keep_checked(catalog, plan);
		return 0;
	}
	pthread_mutex_lock(&catalog->port_mu);
	result = store_plan(catalog, plan, upload->creator, ret_plan, ret_created, err);
	pthread_mutex_unlock(&catalog->port_mu);
	return result;
}

/* ---- look-ups ---- */
const struct plan *catalog_by_name(struct catalog *catalog, const char *name, int32_t version)
{
	const struct plan *found = NULL;

	pthread_mutex_lock(&catalog->mu);
	for (size_t i = 0; i < catalog->count; i++) {
		const struct plan *plan = catalog->plans[i];

		if (strcmp(plan->definition.name, name) != 0)
			continue;
		if (version ? plan->definition.version == version
			    : !found || plan->definition.version > found->definition.version)
			found = plan;
	}
	pthread_mutex_unlock(&catalog->mu);
	return found;
}

const struct plan *catalog_by_id(struct catalog *catalog, int32_t id)
{
	const struct plan *found = find_by_id(catalog, id);
	struct error err;

	if (found || catalog_refresh(catalog, &err) == 0)
		return found ? found : find_by_id(catalog, id);
	return find_by_id(catalog, id); /* another one may have failed to load */
}

static int compare_names(const void *a, const void *b)
{
	const struct plan *const *one = a;
	const struct plan *const *other = b;

	return strcmp((*one)->definition.name, (*other)->definition.name);
}

size_t catalog_list(struct catalog *catalog, struct arena *arena, const struct plan ***ret_plans)
{
	const struct plan **plans;
	size_t count = 0;

	pthread_mutex_lock(&catalog->mu);
	plans = arena_alloc(arena, (catalog->count + 1) * sizeof(*plans));
	for (size_t i = 0; i < catalog->count; i++) {
		size_t at = 0;

		while (at < count && compare_names(&plans[at], &catalog->plans[i]) != 0)
			at++;
		if (at == count)
			plans[count++] = catalog->plans[i];
		else if (plans[at]->definition.version < catalog->plans[i]->definition.version)
			plans[at] = catalog->plans[i];
	}
	pthread_mutex_unlock(&catalog->mu);
	qsort(plans, count, sizeof(*plans), compare_names);
	*ret_plans = plans;
	return count;
}

const char *catalog_nearest(struct catalog *catalog, const char *name, struct arena *arena)
{
	enum { NAMED_MAX = 3 };
	const struct plan **plans;
	const size_t count = catalog_list(catalog, arena, &plans);
	const char *text = "";
	size_t named = 0;

	for (size_t distance = 0; distance < SPELLING_BYTES_MAX && named < NAMED_MAX; distance++) {
		for (size_t i = 0; i < count && named < NAMED_MAX; i++) {
			const char *other = plans[i]->definition.name;

			if (spelling_distance(name, other) != distance || !spelling_is_near(name, other))
				continue;
			text = arena_format(arena, "%s%s'%s'", text, named ? ", " : "", other);
			named++;
		}
	}
	return text;
}

uint64_t catalog_generation(struct catalog *catalog)
{
	uint64_t generation;

	pthread_mutex_lock(&catalog->mu);
	generation = catalog->generation;
	pthread_mutex_unlock(&catalog->mu);
	return generation;
}

/* Distinct topics, gathered in an arena. */
struct topic_list {
	const char **topics;
	size_t count;
};

static void topic_list_add(struct topic_list *list, const char *topic)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->topics[i], topic) == 0)
			return;
	list->topics[list->count++] = topic;
}

size_t catalog_reply_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics)
{
	struct topic_list list = {0};
	size_t max = 1;

	pthread_mutex_lock(&catalog->mu);
	for (size_t i = 0; i < catalog->count; i++)
		max += catalog->plans[i]->reply_topic_count;
	list.topics = arena_alloc(arena, max * sizeof(*list.topics));
	for (size_t i = 0; i < catalog->count; i++)
		for (size_t j = 0; j < catalog->plans[i]->reply_topic_count; j++)
			topic_list_add(&list, catalog->plans[i]->reply_topics[j]);
	pthread_mutex_unlock(&catalog->mu);
	*ret_topics = list.topics;
	return list.count;
}

size_t catalog_event_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics)
{
	struct topic_list list = {0};
	size_t max = 1;

	pthread_mutex_lock(&catalog->mu);
	for (size_t i = 0; i < catalog->count; i++)
		max += catalog->plans[i]->definition.step_count;
	list.topics = arena_alloc(arena, max * sizeof(*list.topics));
	for (size_t i = 0; i < catalog->count; i++)
		for (size_t j = 0; j < catalog->plans[i]->definition.step_count; j++)
			if (catalog->plans[i]->steps[j].event)
				topic_list_add(&list, catalog->plans[i]->steps[j].event);
	pthread_mutex_unlock(&catalog->mu);
	*ret_topics = list.topics;
	return list.count;
}

size_t catalog_waiting_for(struct catalog *catalog, const char *topic, struct arena *arena, const char ***ret_names)
{
	struct topic_list names = {0};

	pthread_mutex_lock(&catalog->mu);
	names.topics = arena_alloc(arena, (catalog->count + 1) * sizeof(*names.topics));
	for (size_t i = 0; i < catalog->count; i++)
		if (plan_find_event(catalog->plans[i], topic) >= 0)
			topic_list_add(&names, catalog->plans[i]->definition.name);
	pthread_mutex_unlock(&catalog->mu);
	*ret_names = names.topics;
	return names.count;
}

static void add_command_topics(const struct plan *plan, struct topic_list *list)
{
	for (size_t i = 0; i < plan->definition.step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			if (plan->steps[i].commands[phase].topic)
				topic_list_add(list, plan->steps[i].commands[phase].topic);
}

size_t catalog_command_topics(struct catalog *catalog, struct arena *arena, const char ***ret_topics)
{
	struct topic_list list = {0};
	size_t max = 1;

	pthread_mutex_lock(&catalog->mu);
	for (size_t i = 0; i < catalog->count; i++)
		max += catalog->plans[i]->definition.step_count * STEP_PHASE_COUNT;
	list.topics = arena_alloc(arena, max * sizeof(*list.topics));
	for (size_t i = 0; i < catalog->count; i++)
		add_command_topics(catalog->plans[i], &list);
	pthread_mutex_unlock(&catalog->mu);
	*ret_topics = list.topics;
	return list.count;
}
