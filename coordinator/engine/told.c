/*
 * told.c - events that somebody tells by himself, on Kafka, and the sagas that wait for them.
 *
 * Why:     to the core an event is a signal: it may come before its step begins, counts once, and is kept with its value. What is
 *          left is to find out whose it is: the saga that it names in a header, else all open sagas that have the record's key
 *          and a definition that waits for events on its topic.
 * Order:   the sagas are looked for after the record was read, so whoever tells something after a start was acknowledged reaches
 *          that saga. What nobody waits for then is dropped: to keep it for sagas to come would mean to keep everything.
 * Offsets: as of replies, after the commit for every saga that it was for. A record that is read again is a duplicate to
 *          each of them.
 */
#include <assert.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/log.h"

enum { PUT_OFF_US = 1000 * 1000 };

/* ---- records ---- */

bool told_take(struct engine *engine, struct delivery *delivery, const struct bus_record *record)
{
	struct told *told;
	const char **definitions;
	struct error err;
	size_t count;

	if (!record_is_told(record))
		return false;
	count = catalog_waiting_for(engine->catalog, record->topic, &delivery->arena, &definitions);
	if (count == 0)
		return false;
	metric_add(engine->metrics.told, 1);
	told = arena_zalloc(&delivery->arena, sizeof(*told));
	if (record_read_told(record, &delivery->arena, &told->event, &err) < 0) {
		event_reject(engine, delivery->batch, record, BUS_REJECT_HEADERS, err.msg);
		return true;
	}
	told->delivery = delivery;
	told->record = record;
	told->definitions = definitions;
	told->definition_count = count;
	work_list_init(&told->works);
	delivery->unsettled++;
	*engine->told_end = told;
	engine->told_end = &told->next;
	return true;
}

void told_forget(struct engine *engine)
{
	engine->told = NULL;
	engine->told_end = &engine->told;
}

int64_t told_next_turn_us(const struct engine *engine)
{
	return engine->told ? engine->told_at_us : INT64_MAX;
}

/* ---- whose are they? ---- */

/* What is asked of the store, and for which event. */
struct search {
	struct store_waiting *waiting;
	struct told **of;
	struct store_match *matches;
	size_t match_count;
};

static int search_keys(struct engine *engine, struct search *search, struct error *err)
{
	const struct store_port *store = &engine->ports.store;
	size_t count = 0;
	size_t max = 1;

	for (const struct told *told = engine->told; told; told = told->next)
		max += told->definition_count;
	search->waiting = arena_alloc(&engine->arena, max * sizeof(*search->waiting));
	search->of = arena_alloc(&engine->arena, max * sizeof(struct told *));
	for (struct told *told = engine->told; told; told = told->next) {
		for (size_t i = 0; i < told->definition_count && !told->event.has_saga_id; i++) {
			search->of[count] = told;
			search->waiting[count++] = (struct store_waiting){told->definitions[i], told->event.key};
		}
	}
	if (count == 0)
		return 0;
	return store->find_waiting(store->ctx, search->waiting, count, &engine->arena, &search->matches,
				   &search->match_count, err);
}

/* A saga that events name, once, however many they are. */
struct named {
	struct id_node node;
	bool is_found;
	int32_t definition_id;
};

static struct named *find_named(const struct id_table *table, struct uuid id)
{
	struct id_node *node = id_table_find(table, id);

	return node ? ID_TABLE_ENTRY(node, struct named, node) : NULL;
}

static void add_named(struct engine *engine, struct id_table *table, struct uuid id)
{
	struct named *named = arena_zalloc(&engine->arena, sizeof(*named));

	named->node.id = id;
	id_table_insert(table, &named->node);
}

static int load_named(struct engine *engine, const struct id_table *table, const struct uuid *ids, size_t count,
		      struct error *err)
{
	const struct store_port *store = &engine->ports.store;
	struct store_row *rows = NULL;
	size_t row_count = 0;

	if (count > 0 && store->load(store->ctx, ids, count, &engine->arena, &rows, &row_count, err) < 0)
		return -1;
	for (size_t i = 0; i < row_count; i++) {
		struct named *named = find_named(table, rows[i].saga_id);

		named->is_found = true;
		named->definition_id = rows[i].definition_id;
	}
	return 0;
}

/* Those that name their saga. */
static int search_ids(struct engine *engine, struct search *search, struct error *err)
{
	_cleanup_(id_table_release)
	struct id_table table = {0};
	struct uuid *ids;
	size_t count = 0;
	size_t max = 1;

	for (const struct told *told = engine->told; told; told = told->next)
		max += told->event.has_saga_id;
	ids = arena_alloc(&engine->arena, max * sizeof(*ids));
	search->of = arena_alloc(&engine->arena, max * sizeof(struct told *));
	search->matches = arena_alloc(&engine->arena, max * sizeof(*search->matches));
	for (const struct told *told = engine->told; told; told = told->next) {
		if (!told->event.has_saga_id || find_named(&table, told->event.saga_id))
			continue;
		add_named(engine, &table, told->event.saga_id);
		ids[count++] = told->event.saga_id;
	}
	if (load_named(engine, &table, ids, count, err) < 0)
		return -1;
	for (struct told *told = engine->told; told; told = told->next) {
		const struct named *named = told->event.has_saga_id ? find_named(&table, told->event.saga_id) : NULL;
		const size_t at = search->match_count;

		if (!named || !named->is_found)
			continue;
		search->of[at] = told;
		search->matches[at] = (struct store_match){at, told->event.saga_id, named->definition_id};
		search->match_count++;
	}
	return 0;
}

/* ---- works ---- */

/* Definitions that cannot be loaded now: each is asked for once a turn, since the answer may take as long as the
 * registry does. */
struct missing {
	int32_t *ids;
	size_t count;
};

static bool is_missing(struct engine *engine, struct missing *missing, int32_t definition_id)
{
	for (size_t i = 0; i < missing->count; i++)
		if (missing->ids[i] == definition_id)
			return true;
	if (catalog_by_id(engine->catalog, definition_id))
		return false;
	missing->ids[missing->count++] = definition_id;
	return true;
}

/* A definition that is missing since the registry is away may wait for it: nothing is lost but time. */
static void put_off(struct engine *engine, const struct search *search, struct missing *missing)
{
	for (size_t i = 0; i < search->match_count; i++)
		if (is_missing(engine, missing, search->matches[i].definition_id))
			search->of[search->matches[i].index]->is_put_off = true;
}

static void add_works(struct engine *engine, const struct search *search)
{
	for (size_t i = 0; i < search->match_count; i++) {
		const struct store_match *match = &search->matches[i];
		struct told *told = search->of[match->index];
		const struct plan *plan;
		struct work *work;

		if (told->is_put_off)
			continue;
		plan = catalog_by_id(engine->catalog, match->definition_id);
		if (!plan || plan_find_event(plan, told->record->topic) < 0)
			continue; /* another version than the one that waits for it */
		work = arena_zalloc(&told->delivery->arena, sizeof(*work));
		work->kind = WORK_TOLD;
		work->saga_id = match->saga_id;
		work->delivery = told->delivery;
		work->record = told->record;
		work->told = &told->event;
		work->reply.ce_id = told->event.ce_id;
		told->delivery->unsettled++;
		work_list_add(&told->works, work);
	}
}

static void note_unmatched(struct engine *engine, const struct told *told)
{
	metric_add(engine->metrics.told_unmatched, 1);
	log_debug("event_unmatched", "event=%s", LOG_TEXT(told->event.text));
}

/* Those that were put off are looked for again, all others go to their sagas, in the order in which they came, or are
 * nobody's. */
static void settle_found(struct engine *engine)
{
	struct told *first = engine->told;

	told_forget(engine);
	for (struct told *told = first, *next; told; told = next) {
		next = told->next;
		told->next = NULL;
		if (told->is_put_off) {
			told->is_put_off = false;
			*engine->told_end = told;
			engine->told_end = &told->next;
			engine->told_at_us = engine_now_us(engine) + PUT_OFF_US;
			continue;
		}
		if (told->works.first)
			work_list_join(&engine->works, &told->works);
		else
			note_unmatched(engine, told);
		event_settle_record(engine, told->delivery); /* may end with it, if it is nobody's */
	}
}

void told_run(struct engine *engine)
{
	struct search by_key = {0};
	struct search by_id = {0};
	struct missing missing = {0};
	struct error err;

	if (!engine->told || engine_now_us(engine) < engine->told_at_us)
		return;
	if (search_keys(engine, &by_key, &err) < 0 || search_ids(engine, &by_id, &err) < 0) {
		engine_lost_store(engine, &err);
		return;
	}
	missing.ids = arena_alloc(&engine->arena, (by_key.match_count + by_id.match_count + 1) * sizeof(*missing.ids));
	put_off(engine, &by_key, &missing);
	put_off(engine, &by_id, &missing);
	add_works(engine, &by_key);
	add_works(engine, &by_id);
	settle_found(engine);
}

/* ---- signals ---- */

void told_note_ignored(struct engine *engine, const struct work *work, const char *why)
{
	char id[UUID_TEXT_LEN + 1];

	metric_add(engine->metrics.told_no_effect, 1);
	uuid_format(work->saga_id, id);
	log_debug("event_ignored", "saga=%s event=%s why=%s", id, LOG_TEXT(work->told->text), LOG_TEXT(why));
}

bool told_event(struct engine *engine, const struct plan *plan, const struct work *work, struct saga_event *ret_event)
{
	const int32_t step = plan_find_event(plan, work->record->topic);
	struct error err;

	assert(step >= 0); /* or it would not be this saga's */
	if (event_check_kept(engine, plan, work->record, &err) < 0) {
		event_reject(engine, work->delivery->batch, work->record, BUS_REJECT_VALUE, err.msg);
		return false;
	}
	*ret_event = (struct saga_event){
		.type = SAGA_EVENT_SIGNALLED, .step = step, .detail = work->told->text, .reply = work->record->value};
	return true;
}
