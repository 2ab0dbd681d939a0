/*
 * start.c - StartSaga: new rows, and what happens when the id or the idempotency key already exists.
 *
 * Why:     the unique keys of the table decide between clients, instances and repeated calls alike: a start is inserted,
 *          and only one that met a row is looked up and compared. A start whose commit had an unknown outcome takes the
 *          same path: the row that it meets may be its own.
 */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/definition/input_match.h"
#include "coordinator/engine/engine_state.h"
#include "lib/base/memory.h"

enum { START_TRIES_MAX = 20 };

/* ---- items ---- */

static char *put_text(char **place, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = *place;

	memcpy(copy, text, size);
	*place += size;
	return copy;
}

struct start_item *start_item_new(const struct start_request *request, start_done_fn *done, void *ctx)
{
	size_t size = sizeof(struct start_item) + request->label_count * sizeof(struct engine_label);
	struct start_item *item;
	struct engine_label *labels;
	char *place;

	size += strlen(request->idempotency_key) + strlen(request->key) + 2 + request->input.len;
	size += request->actor ? strlen(request->actor) + 1 : 0;
	for (size_t i = 0; i < request->label_count; i++)
		size += strlen(request->labels[i].name) + strlen(request->labels[i].value) + 2;
	item = xcalloc(1, size);
	labels = (struct engine_label *)(item + 1);
	place = (char *)(labels + request->label_count);
	item->request = *request;
	item->request.idempotency_key = put_text(&place, request->idempotency_key);
	item->request.key = put_text(&place, request->key);
	item->request.actor = request->actor ? put_text(&place, request->actor) : NULL;
	for (size_t i = 0; i < request->label_count; i++) {
		labels[i].name = put_text(&place, request->labels[i].name);
		labels[i].value = put_text(&place, request->labels[i].value);
	}
	item->request.labels = labels;
	if (request->input.len > 0)
		memcpy(place, request->input.data, request->input.len);
	item->request.input.data = (uint8_t *)place;
	item->done = done;
	item->ctx = ctx;
	item->has_id = request->has_saga_id;
	return item;
}

/* A saga without an idempotency key of the client's has its id for one. */
static void complete_item(struct engine *engine, struct start_item *item)
{
	struct start_request *request = &item->request;

	if (!item->has_id)
		request->saga_id = engine->ports.clock.new_id(engine->ports.clock.ctx);
	item->has_id = true;
	uuid_format(request->saga_id, item->id_text);
	if (request->idempotency_key[0] == 0)
		request->idempotency_key = item->id_text;
}

static void wait_for_next_round(struct engine *engine, struct start_item *item)
{
	item->next = NULL;
	*engine->starts_end = item;
	engine->starts_end = &item->next;
	engine->start_count++;
}

static struct start_item *take_all(struct engine *engine)
{
	struct start_item *all = engine->starts;

	engine->starts = NULL;
	engine->starts_end = &engine->starts;
	engine->start_count = 0;
	return all;
}

static void answer_one(struct engine *engine, struct start_item *item, const struct saga_view *view,
		       bool already_existed, const struct error *err)
{
	item->done(item->ctx, view, already_existed, err);
	metric_observe(engine->metrics.start_seconds, (double)(engine_now_us(engine) - item->queued_us) / 1e6);
	free(item);
}

void start_answer(struct engine *engine, struct start_item *item, const struct saga_view *view, bool already_existed,
		  const struct error *err)
{
	for (struct start_item *twin = item->twins, *next; twin; twin = next) {
		next = twin->next;
		answer_one(engine, twin, view, true, err);
	}
	answer_one(engine, item, view, already_existed, err);
}

/* ---- comparing ---- */

/* A digest is enough to find candidates; texts are compared before anything is concluded. */
static struct uuid key_digest(const char *definition, const char *idempotency_key)
{
	uint64_t hashes[2] = {14695981039346656037u, 1099511628211u};
	struct uuid digest;

	for (int part = 0; part < 2; part++) {
		for (const char *at = part ? idempotency_key : definition; *at; at++) {
			hashes[0] = (hashes[0] ^ (uint8_t)*at) * 1099511628211u;
			hashes[1] = (hashes[1] + (uint8_t)*at) * 0x9E3779B97F4A7C15u;
		}
		hashes[0] *= 31;
	}
	memcpy(digest.data, hashes, sizeof(digest.data));
	return digest;
}

static bool is_same_key(const struct start_request *a, const struct start_request *b)
{
	return strcmp(a->plan->definition.name, b->plan->definition.name) == 0 &&
	       strcmp(a->idempotency_key, b->idempotency_key) == 0;
}

/* Two starts of one turn that one row answers. */
static bool is_twin(const struct start_item *item, const struct start_item *other)
{
	return is_same_key(&item->request, &other->request) && strcmp(item->request.key, other->request.key) == 0 &&
	       bytes_equal(item->request.input, other->request.input) &&
	       (!item->request.has_saga_id || uuid_equal(item->request.saga_id, other->request.saga_id));
}

/* What a start wants otherwise than the saga that exists; NULL: nothing. */
static const char *difference(const struct start_request *request, const struct cached_saga *existing)
{
	if (strcmp(request->plan->definition.name, existing->plan->definition.name) != 0)
		return "definition";
	if (strcmp(request->idempotency_key, existing->idempotency_key) != 0)
		return "idempotency key";
	if (request->has_saga_id && !uuid_equal(request->saga_id, existing->node.id))
		return "saga id";
	if (strcmp(request->key, existing->key) != 0)
		return "key";
	if (!input_match(request->plan, request->input, existing->plan, existing->input))
		return "input";
	return NULL;
}

/* ---- new rows ---- */

static void write_log_row(struct store_log_row *row, const struct definition *definition, const struct saga *saga,
			  const struct saga_event *event, const char *milestone)
{
	row->saga_id = saga->id;
	row->step_id = event->step >= 0 ? definition->steps[event->step].id : "";
	row->entry = (struct saga_log_entry){
		.sequence = saga->version,
		.event = *event,
		.state = saga->state,
		.milestone = milestone,
	};
}

/* How it began, and which of its first commands wait for room. The saga, after that. */
static struct saga *write_first_log(struct engine *engine, const struct plan *plan, struct saga *saga,
				    const struct saga_event *event, struct saga_effects *effects,
				    struct store_change *change)
{
	struct held *held = NULL;
	const size_t count = hold_commands(engine, plan, event, saga, effects, &held);
	struct store_log_row *rows = arena_zalloc(&engine->arena, (count + 1) * sizeof(*rows));

	write_log_row(&rows[0], &plan->definition, saga, event, saga->milestone);
	for (size_t i = 0; i < count; i++) {
		saga = held[i].saga;
		write_log_row(&rows[i + 1], &plan->definition, saga, &held[i].event, NULL);
	}
	change->log = rows;
	change->log_count = count + 1;
	return saga;
}

/* The first version: running, or waiting for a later start. */
static struct saga *make_saga(struct engine *engine, const struct start_request *request, struct saga_event *ret_event,
			      struct saga_effects *ret_effects)
{
	const struct definition *definition = &request->plan->definition;
	int64_t now_us = engine_database_us(engine);
	int64_t start_us = request->start_us ? request->start_us : now_us + request->delay_us;

	struct saga *saga;

	if (start_us > now_us)
		saga = saga_schedule(definition, request->saga_id, now_us, start_us, &engine->arena, ret_event);
	else
		saga = saga_start(definition, request->saga_id, now_us, &engine->arena, ret_event, ret_effects);
	ret_event->actor = request->actor;
	return saga;
}

static void add_new_row(struct engine *engine, struct start_item *start)
{
	const struct start_request *request = &start->request;
	const struct saga_facts facts = {request->plan, request->key, request->input, request->labels,
					 request->label_count};
	struct turn_item *item = slice_add(engine->turn.filling);
	struct outgoing **outgoing_end = &item->outgoing;
	struct saga_effects effects = {0};
	struct saga_event event = {0};
	struct saga *saga = make_saga(engine, request, &event, &effects);
	struct store_change log = {0};

	saga = write_first_log(engine, request->plan, saga, &event, &effects, &log);
	item->start = start;
	item->saga = saga;
	item->start_row = (struct store_start){
		.definition_id = request->plan->id,
		.definition_name = request->plan->definition.name,
		.key = request->key,
		.idempotency_key = request->idempotency_key,
		.input = request->input,
		.labels = request->labels,
		.label_count = request->label_count,
		.created_us = saga->created_us,
	};
	buffer_clear(&engine->scratch);
	saga_encode(saga, &engine->scratch);
	item->change = (struct store_change){
		.saga_id = saga->id,
		.version = saga->version,
		.state = saga->state,
		.milestone = saga->milestone,
		.data = arena_bytes(&engine->arena, buffer_bytes(&engine->scratch)),
		.due_us = saga_due_us(saga),
		.updated_us = saga->updated_us,
		.ended_us = saga->ended_us,
		.open_row = open_row_of(saga, request->plan->id, 0),
		.is_open_row_new = true,
		.log = log.log,
		.log_count = log.log_count,
	};
	event_build_commands(engine, &facts, saga, &effects, (struct bytes){0}, &outgoing_end);
}

/* A twin that was tried before may have twins of its own. */
static void add_twin(struct start_item *item, struct start_item *twin)
{
	struct start_item *last = twin;

	twin->next = twin->twins;
	twin->twins = NULL;
	while (last->next)
		last = last->next;
	last->next = item->twins;
	item->twins = twin;
}

/* True: it waits for a later round, or is answered with another one. One transaction has one change a saga. */
static bool is_held_back(struct engine *engine, struct start_item *start)
{
	struct id_node *node;

	start->by_id.id = start->request.saga_id;
	start->by_key.id = key_digest(start->request.plan->definition.name, start->request.idempotency_key);
	for (node = id_table_find(&engine->start_keys, start->by_key.id); node; node = id_table_next(node)) {
		struct start_item *other = ID_TABLE_ENTRY(node, struct start_item, by_key);

		if (is_twin(start, other)) {
			add_twin(other, start);
			return true;
		}
		if (is_same_key(&start->request, &other->request)) {
			wait_for_next_round(engine, start);
			return true;
		}
	}
	if (id_table_find(&engine->start_ids, start->by_id.id) || id_table_find(&engine->groups, start->by_id.id)) {
		wait_for_next_round(engine, start);
		return true;
	}
	id_table_insert(&engine->start_ids, &start->by_id);
	id_table_insert(&engine->start_keys, &start->by_key);
	return false;
}

/* A start that was called before has its saga all the same: so it is looked up, and refused if there is none. */
static bool is_over_limit(struct engine *engine, struct start_item *start)
{
	const char *name = start->request.plan->definition.name;

	if (!open_limit_reached(&engine->open_limit, name))
		return false;
	sweep_recount(engine);
	start->limit = open_limit_reached(&engine->open_limit, name);
	start->is_conflicting = start->limit > 0;
	return start->is_conflicting;
}

/* Those that may be inserted in this round, in their order. All before the first of them is settled, which ends it. */
static struct start_item *screen_all(struct engine *engine)
{
	struct start_item *first = NULL;
	struct start_item **end = &first;

	for (struct start_item *start = take_all(engine), *next; start; start = next) {
		next = start->next;
		complete_item(engine, start);
		if (start->is_conflicting || is_over_limit(engine, start)) {
			wait_for_next_round(engine, start); /* it is looked up first */
		} else if (!is_held_back(engine, start)) {
			open_limit_add(&engine->open_limit, start->request.plan->definition.name, 1);
			*end = start;
			end = &start->next;
		}
	}
	*end = NULL;
	return first;
}

void start_begin_round(struct engine *engine)
{
	id_table_clear(&engine->start_ids);
	id_table_clear(&engine->start_keys);
	engine->turn.are_starts_taken = false;
}

void start_prepare(struct engine *engine, size_t max)
{
	struct turn *turn = &engine->turn;

	if (!turn->are_starts_taken)
		turn->starts = screen_all(engine);
	turn->are_starts_taken = true;
	while (turn->starts && turn->filling->count < max) {
		struct start_item *start = turn->starts;

		turn->starts = start->next;
		add_new_row(engine, start);
	}
}

void start_put_back(struct engine *engine)
{
	for (struct start_item *start = engine->turn.starts, *next; start; start = next) {
		next = start->next;
		open_limit_add(&engine->open_limit, start->request.plan->definition.name, -1);
		wait_for_next_round(engine, start);
	}
	engine->turn.starts = NULL;
}

/* ---- outcomes ---- */

static void answer_new(struct engine *engine, struct turn_item *item)
{
	struct start_item *start = item->start;
	const struct store_row row = {
		.saga_id = item->change.saga_id,
		.definition_id = item->start_row.definition_id,
		.version = item->change.version,
		.state = item->change.state,
		.data = item->change.data,
		.definition_name = item->start_row.definition_name,
		.key = item->start_row.key,
		.idempotency_key = item->start_row.idempotency_key,
		.input = item->start_row.input,
		.labels = item->start_row.labels,
		.label_count = item->start_row.label_count,
		.open_row = item->change.open_row,
	};
	const struct saga_view view = {
		.plan = start->request.plan,
		.saga = item->saga,
		.key = row.key,
		.idempotency_key = row.idempotency_key,
		.input = row.input,
		.labels = row.labels,
		.label_count = row.label_count,
	};
	struct cached_saga *cached = cache_put(&engine->cache, start->request.plan, &row, engine_now_us(engine));

	for (size_t i = 0; i < item->change.log_count; i++)
		cache_append_log(cached, &item->change.log[i].entry);
	hold_see(engine, start->request.plan, item->saga);
	metric_add(engine->metrics.started, 1);
	trace_saga(engine, cached, item->saga);
	event_note_end(engine, start->request.plan,
		       item->saga); /* a definition without steps that send is over at once */
	turn_send(engine, item->outgoing);
	start_answer(engine, start, &view, false, NULL);
}

static void answer_refused(struct engine *engine, struct start_item *start, const struct error *refusal)
{
	struct error err = *refusal;

	metric_add(engine->metrics.refused, 1);
	(void)error_prefix(&err, "cannot store saga '%s'", start->id_text);
	start_answer(engine, start, NULL, false, &err);
}

void start_settle(struct engine *engine, struct turn_item *item)
{
	struct start_item *start = item->start;

	if (item->result != ITEM_DONE)
		open_limit_add(&engine->open_limit, start->request.plan->definition.name, -1);
	switch (item->result) {
	case ITEM_DONE:
		answer_new(engine, item);
		break;
	case ITEM_CONFLICT:
		start->is_conflicting = true;
		wait_for_next_round(engine, start);
		break;
	case ITEM_REFUSED:
		answer_refused(engine, start, item->refusal);
		break;
	case ITEM_LOST:
		start->may_be_committed = true;
		wait_for_next_round(engine, start);
		break;
	}
}

/* ---- rows that exist ---- */

struct found {
	struct id_node node; /* digest of definition name and idempotency key */
	struct uuid saga_id; /* in the cache; no pointer, since reading a row again replaces its entry */
};

/* Our own row, made by a try whose outcome was unknown: its first command may not have been sent. */
static void send_first_again(struct engine *engine, const struct cached_saga *cached, const struct saga *saga)
{
	const struct saga_facts facts = {cached->plan, cached->key, cached->input, cached->labels, cached->label_count};
	struct outgoing *outgoing = NULL;
	struct outgoing **outgoing_end = &outgoing;
	struct saga_effects effects = {0};
	struct saga_event event;
	const struct saga *first;

	if (cached->version != 1 || saga->state == SAGA_STATE_SCHEDULED)
		return;
	first = saga_start(&cached->plan->definition, saga->id, saga->created_us, &engine->arena, &event, &effects);
	hold_unsent(engine, cached->plan, saga->id, &effects);
	event_build_commands(engine, &facts, first, &effects, (struct bytes){0}, &outgoing_end);
	turn_send(engine, outgoing);
}

static void answer_existing(struct engine *engine, struct start_item *start, struct cached_saga *cached)
{
	bool is_own = start->may_be_committed && uuid_equal(start->request.saga_id, cached->node.id);
	const struct saga *saga = turn_decode(cached, &engine->arena);
	struct saga_view view = turn_view(cached, saga);
	struct error err;

	if (!saga) {
		(void)error_set(&err, ERR_CORRUPT, "saga '%s' cannot be read; the coordinator's log says why",
				start->id_text);
		start_answer(engine, start, NULL, false, &err);
		return;
	}
	if (is_own) {
		metric_add(engine->metrics.started, 1);
		open_limit_add(&engine->open_limit, cached->plan->definition.name, 1);
		send_first_again(engine, cached, saga);
		hold_see(engine, cached->plan, saga);
	}
	start_answer(engine, start, &view, !is_own, NULL);
}

static void refuse_over_limit(struct engine *engine, struct start_item *start)
{
	struct error err;

	metric_add(engine->metrics.starts_refused, 1);
	(void)error_set(&err, ERR_QUOTA, "definition '%s' has %lld open sagas, which is its limit: try again later",
			start->request.plan->definition.name, (long long)start->limit);
	start_answer(engine, start, NULL, false, &err);
}

static void resolve(struct engine *engine, struct start_item *start, struct cached_saga *existing)
{
	const struct start_request *request = &start->request;
	char existing_id[UUID_TEXT_LEN + 1];
	const char *what;
	struct error err;

	start->is_conflicting = false;
	if (!existing && start->limit) {
		refuse_over_limit(engine, start);
		return;
	}
	if (!existing && ++start->tries < START_TRIES_MAX) {
		wait_for_next_round(engine, start); /* it was there and is gone, or is not visible yet: insert again */
		return;
	}
	if (!existing) {
		(void)error_set(&err, ERR_UNAVAILABLE, "saga '%s' exists but cannot be shown now, try again",
				start->id_text);
		start_answer(engine, start, NULL, false, &err);
		return;
	}
	what = difference(request, existing);
	if (!what) {
		answer_existing(engine, start, existing);
		return;
	}
	uuid_format(existing->node.id, existing_id);
	(void)error_set(&err, ERR_CONFLICT,
			"saga '%s' of definition '%s' with idempotency key '%s' exists already, with another %s",
			existing_id, existing->plan->definition.name, existing->idempotency_key, what);
	start_answer(engine, start, NULL, false, &err);
}

static struct cached_saga *existing_of(struct engine *engine, const struct id_table *by_key,
				       const struct start_request *request)
{
	const char *name = request->plan->definition.name;
	struct id_node *node = id_table_find(by_key, key_digest(name, request->idempotency_key));

	for (; node; node = id_table_next(node)) {
		struct cached_saga *cached =
			cache_find(&engine->cache, ID_TABLE_ENTRY(node, struct found, node)->saga_id);

		if (cached && strcmp(cached->plan->definition.name, name) == 0 &&
		    strcmp(cached->idempotency_key, request->idempotency_key) == 0)
			return cached;
	}
	return cache_find(&engine->cache, request->saga_id);
}

/* Reads the rows by key into the cache and `by_key`. */
static int find_rows(struct engine *engine, const struct store_key *keys, size_t count, struct id_table *by_key,
		     struct error *err)
{
	struct store_row *rows = NULL;
	size_t row_count = 0;

	if (engine->ports.store.find(engine->ports.store.ctx, keys, count, &engine->arena, &rows, &row_count, err) < 0)
		return -1;
	for (size_t i = 0; i < row_count; i++) {
		struct found *found = arena_zalloc(&engine->arena, sizeof(*found));

		found->saga_id = rows[i].saga_id;
		found->node.id = key_digest(rows[i].definition_name, rows[i].idempotency_key);
		if (turn_put_row(engine, &rows[i]))
			id_table_insert(by_key, &found->node);
	}
	return 0;
}

int start_resolve_conflicts(struct engine *engine, struct error *err)
{
	size_t max = engine->start_count;
	struct store_key *keys = arena_alloc(&engine->arena, (max + 1) * sizeof(*keys));
	struct uuid *ids = arena_alloc(&engine->arena, (max + 1) * sizeof(*ids));
	_cleanup_(id_table_release)
	struct id_table by_key = {0};
	size_t count = 0;

	for (const struct start_item *start = engine->starts; start; start = start->next) {
		if (!start->is_conflicting)
			continue;
		keys[count] = (struct store_key){start->request.plan->definition.name, start->request.idempotency_key};
		ids[count++] = start->request.saga_id;
	}
	if (count == 0)
		return 0;
	if (turn_load(engine, ids, count, err) < 0 || find_rows(engine, keys, count, &by_key, err) < 0)
		return -1;
	for (struct start_item *start = take_all(engine), *next; start; start = next) {
		next = start->next;
		if (start->is_conflicting)
			resolve(engine, start, existing_of(engine, &by_key, &start->request));
		else
			wait_for_next_round(engine, start);
	}
	return 0;
}

void start_give_up(struct engine *engine, bool is_ending)
{
	int64_t now_us = engine_now_us(engine);

	for (struct start_item *start = take_all(engine), *next; start; start = next) {
		bool was_tried = start->may_be_committed || start->is_conflicting;
		struct error err;

		next = start->next;
		if (was_tried && !is_ending && now_us - start->queued_us < START_WAIT_US) {
			wait_for_next_round(engine, start);
			continue;
		}
		(void)error_set(&err, ERR_UNAVAILABLE, "%s%s",
				is_ending ? "this coordinator is stopping" : "the coordinator's database is away",
				was_tried ? "; the saga may have been started: call again with the same idempotency key"
					  : "; nothing was started, try again");
		start_answer(engine, start, NULL, false, &err);
	}
}
