/* virtual_store.c - a store in memory with a real one's ways to fail; each change that it takes is checked (check.c). */
#include <assert.h>
#include <stdlib.h>

#include "tests/simulation/plant.h"
#include "tests/simulation/simulation.h"

static const char POISON[] = "poison";

static int64_t database_us(const struct simulation *sim)
{
	return sim->now_us + DATABASE_AHEAD_US;
}

static int lost(struct error *err)
{
	return error_set(err, ERR_UNAVAILABLE, "the simulated store is away");
}

static bool is_away(struct instance *instance)
{
	struct simulation *sim = instance->sim;

	if (instance->is_dead || sim->is_over)
		return true;
	if (happens(sim, FAULT_STORE_AWAY))
		sim->store_away_us = sim->now_us + (int64_t)draw(sim, STREAM_STORE, 10 * SECOND_US);
	return sim->now_us < sim->store_away_us;
}

/* Over the first lane's connection. */
static int check_read(struct instance *instance, struct error *err)
{
	assert(!instance->begun[0].is_under_way);
	return is_away(instance) || happens(instance->sim, FAULT_READ_LOST) ? lost(err) : 0;
}

/* ---- rows ---- */
static struct life *find(struct simulation *sim, struct uuid id)
{
	for (size_t i = 0; i < sim->life_count; i++)
		if (sim->lives[i].exists && uuid_equal(sim->lives[i].id, id))
			return &sim->lives[i];
	return NULL;
}

static struct life *find_key(struct simulation *sim, const struct store_key *key)
{
	if (is_planted(PLANT_KEY_IGNORED))
		return NULL;
	for (size_t i = 0; i < sim->life_count; i++) {
		const struct store_row *row = &sim->lives[i].row;

		if (sim->lives[i].exists && strcmp(row->definition_name, key->definition_name) == 0 &&
		    strcmp(row->idempotency_key, key->idempotency_key) == 0)
			return &sim->lives[i];
	}
	return NULL;
}

static struct life *insert(struct simulation *sim, const struct store_change *change)
{
	const struct store_start *start = change->start;
	const struct store_key key = {start->definition_name, start->idempotency_key};
	struct life *life;

	if (find(sim, change->saga_id) || find_key(sim, &key))
		return NULL;
	life = life_of(sim, change->saga_id);
	life->exists = true;
	life->plan = shape_plan((size_t)start->definition_id - 1);
	life->row = (struct store_row){
		.saga_id = change->saga_id,
		.definition_id = start->definition_id,
		.definition_name = life->plan->definition.name,
		.key = arena_strdup(&sim->arena, start->key),
		.idempotency_key = arena_strdup(&sim->arena, start->idempotency_key),
		.input = arena_bytes(&sim->arena, start->input),
	};
	return life;
}

static void add_log(struct simulation *sim, struct life *life, const struct store_log_row *row)
{
	const size_t at = (size_t)row->entry.sequence - 1;
	struct store_log_row *log;
	uint64_t *digests;

	if (at >= life->log_max) {
		log = arena_zalloc(&sim->arena, (at + 8) * 2 * sizeof(*log));
		digests = arena_zalloc(&sim->arena, (at + 8) * 2 * sizeof(*digests));
		for (size_t i = 0; i < life->log_max; i++) {
			log[i] = life->log[i];
			digests[i] = life->digests[i];
		}
		life->log = log;
		life->digests = digests;
		life->log_max = (at + 8) * 2;
	}
	if (is_planted(PLANT_LOG_GAP) && draw(sim, STREAM_STORE, 50) == 0)
		return;
	log = &life->log[at];
	*log = *row;
	log->step_id = keep(sim, row->step_id);
	log->entry.milestone = keep(sim, row->entry.milestone);
	log->entry.event.milestone = keep(sim, row->entry.event.milestone);
	log->entry.event.reason = keep(sim, row->entry.event.reason);
	log->entry.event.detail = keep(sim, row->entry.event.detail);
	log->entry.event.actor = keep(sim, row->entry.event.actor);
	log->entry.event.reply = (struct bytes){0};
}

static bool apply_change(struct simulation *sim, const struct store_commit *commit, const struct store_change *change)
{
	struct life *life = change->start ? insert(sim, change) : find(sim, change->saga_id);

	if (!life)
		return false;
	if (!change->start && life->row.version != change->expected_version && !is_planted(PLANT_NO_FENCING))
		return false;
	check_change(sim, life, change);
	life->old_data = life->row.data;
	life->old_version = life->row.version;
	life->row.version = change->version;
	life->row.state = change->state;
	if (!is_planted(PLANT_ROW_NOT_WRITTEN) || change->start || draw(sim, STREAM_STORE, 20) > 0)
		life->row.data = arena_bytes(&sim->arena, change->data);
	life->due_us = change->due_us;
	if (change->is_open_row_new)
		life->row.open_row = change->open_row;
	life->instance = keep(sim, commit->instance); /* an engine that dies takes its name along */
	life->boot = commit->boot;
	for (size_t i = 0; i < change->log_count; i++)
		add_log(sim, life, &change->log[i]);
	life->digests[change->version - 1] = digest(life->row.data);
	mix(sim, change->saga_id.data, sizeof(change->saga_id.data));
	mix(sim, change->data.data, change->data.len);
	return true;
}

/* ---- the commit ---- */
static bool is_refused(const struct store_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++)
		for (size_t j = 0; j < commit->changes[i].log_count; j++) {
			const char *detail = commit->changes[i].log[j].entry.event.detail;

			if (detail && strcmp(detail, POISON) == 0)
				return true;
		}
	return false;
}

static void apply_all(struct simulation *sim, struct store_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++) {
		assert(i == 0 || uuid_compare(commit->changes[i - 1].saga_id, commit->changes[i].saga_id) < 0);
		commit->changes[i].outcome = apply_change(sim, commit, &commit->changes[i]) ? STORE_OUTCOME_DONE
											    : STORE_OUTCOME_CONFLICT;
	}
}

/* A planted bug: rolled back, and yet reported as committed. */
static bool is_rolled_back_unseen(const struct store_commit *commit)
{
	const enum plant plant = commit->changes[0].start ? PLANT_ACKNOWLEDGE_EARLY : PLANT_PRODUCE_EARLY;

	return is_planted(plant);
}

static enum store_result commit_now(struct instance *instance, struct store_commit *commit, struct error *err)
{
	struct simulation *sim = instance->sim;

	if (is_away(instance))
		return (void)lost(err), STORE_UNKNOWN;
	if (happens(sim, FAULT_CRASH_BEFORE_COMMIT)) {
		instance_die(instance);
		return (void)lost(err), STORE_UNKNOWN;
	}
	if (!sim->is_nested && happens(sim, FAULT_STALL_BEFORE_COMMIT))
		instance_stall(instance);
	if (happens(sim, FAULT_LOST_NOT_APPLIED))
		return (void)lost(err), STORE_UNKNOWN;
	if (happens(sim, FAULT_ROLLED_BACK)) {
		for (size_t i = 0; i < commit->count; i++)
			commit->changes[i].outcome = STORE_OUTCOME_DONE;
		return (void)lost(err), is_rolled_back_unseen(commit) ? STORE_COMMITTED : STORE_FAILED;
	}
	if (is_refused(commit)) {
		(void)error_set(err, ERR_INVALID, "the simulated store refuses this text");
		return STORE_REFUSED;
	}
	note(sim, "%s commits %zu", commit->instance, commit->count);
	apply_all(sim, commit);
	if (happens(sim, FAULT_LOST_APPLIED))
		return (void)lost(err), STORE_UNKNOWN;
	if (happens(sim, FAULT_CRASH_AFTER_COMMIT))
		instance_die(instance);
	return STORE_COMMITTED;
}

/* It is done at once, and others see it before the engine knows. */
static void commit_begin(void *ctx, int lane, struct store_commit *commit)
{
	struct instance *instance = ctx;
	struct begun_commit *begun = &instance->begun[lane];

	assert(!begun->is_under_way);
	begun->is_under_way = true;
	begun->result = commit_now(instance, commit, &begun->err);
}

static enum store_result commit_end(void *ctx, int lane, struct error *err)
{
	struct instance *instance = ctx;
	struct begun_commit *begun = &instance->begun[lane];

	assert(begun->is_under_way);
	begun->is_under_way = false;
	*err = begun->err;
	return begun->result;
}

/* ---- reads ---- */
static int now(void *ctx, int64_t *ret_now_us, struct error *err)
{
	struct instance *instance = ctx;

	*ret_now_us = database_us(instance->sim);
	return check_read(instance, err);
}

static struct store_row shown(struct simulation *sim, const struct life *life)
{
	struct store_row row = life->row;

	if (is_planted(PLANT_STALE_READ) && life->old_version > 0 && draw(sim, STREAM_STORE, 10) == 0) {
		row.version = life->old_version;
		row.data = life->old_data;
		row.state = life->log[row.version - 1].entry.state;
	}
	return row;
}

static int load(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_row **ret_rows,
		size_t *ret_count, struct error *err)
{
	struct instance *instance = ctx;

	*ret_rows = arena_alloc(arena, (count + 1) * sizeof(**ret_rows));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct life *life = find(instance->sim, ids[i]);

		if (life)
			(*ret_rows)[(*ret_count)++] = shown(instance->sim, life);
	}
	return check_read(instance, err);
}

static int find_rows(void *ctx, const struct store_key *keys, size_t count, struct arena *arena,
		     struct store_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct instance *instance = ctx;

	*ret_rows = arena_alloc(arena, (count + 1) * sizeof(**ret_rows));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct life *life = find_key(instance->sim, &keys[i]);

		if (life)
			(*ret_rows)[(*ret_count)++] = life->row;
	}
	return check_read(instance, err);
}

static int compare_id(const void *a, const void *b)
{
	return uuid_compare((*(const struct life *const *)a)->id, (*(const struct life *const *)b)->id);
}

static int compare_look(const void *a, const void *b)
{
	const int64_t left_us = (*(const struct life *const *)a)->row.open_row.look_us;
	const int64_t right_us = (*(const struct life *const *)b)->row.open_row.look_us;

	return left_us < right_us ? -1 : left_us > right_us ? 1 : compare_id(a, b);
}

/* All that have not ended. */
static size_t list_open(const struct simulation *sim, const struct life **lives)
{
	size_t count = 0;

	for (size_t i = 0; i < sim->life_count; i++)
		if (sim->lives[i].exists && sim->lives[i].row.open_row.look_us)
			lives[count++] = &sim->lives[i];
	return count;
}

static bool is_wanted(const struct life *life, const struct store_left *left, int64_t now_us)
{
	if (!left)
		return life->due_us && life->due_us <= now_us;
	return strcmp(life->instance, left->instance) == 0 && life->boot != left->boot &&
	       (life->row.open_row.look_us < left->near_us || life->row.open_row.is_patient);
}

/* `left` NULL: what is due. */
static void fill_page(struct simulation *sim, const struct store_look *look, const struct store_left *left,
		      struct arena *arena, struct store_page *ret_page)
{
	const struct life **lives = arena_alloc(arena, (sim->life_count + 1) * sizeof(const struct life *));
	struct store_page page = {.now_us = database_us(sim)};
	const int64_t before_us = left ? left->before_us : page.now_us + 1;
	const size_t count = list_open(sim, lives);
	size_t looked = 0;

	if (count > 1)
		qsort(lives, count, sizeof(*lives), compare_look);
	page.items = arena_alloc(arena, (count + 1) * sizeof(*page.items));
	for (size_t i = 0; i < count && !page.has_more; i++) {
		const struct life *life = lives[i];
		const int64_t look_us = life->row.open_row.look_us;

		if (look_us < look->from_us || look_us >= before_us)
			continue;
		if (looked == 0)
			page.first_us = look_us;
		if (is_wanted(life, left, page.now_us))
			page.items[page.count++] = (struct store_glance){life->id, life->row.version, life->row.state};
		page.has_more = ++looked == look->looked_max || page.count == look->found_max;
		page.next_us = look_us > look->from_us ? look_us : look->from_us + 1;
	}
	*ret_page = page;
}

static int due(void *ctx, const struct store_look *look, struct arena *arena, struct store_page *ret_page,
	       struct error *err)
{
	struct instance *instance = ctx;

	fill_page(instance->sim, look, NULL, arena, ret_page);
	return check_read(instance, err);
}

static int left_behind(void *ctx, const struct store_look *look, const struct store_left *left, struct arena *arena,
		       struct store_page *ret_page, struct error *err)
{
	struct instance *instance = ctx;

	fill_page(instance->sim, look, left, arena, ret_page);
	return check_read(instance, err);
}

static int glance(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_page *ret_page,
		  struct error *err)
{
	struct instance *instance = ctx;

	*ret_page = (struct store_page){.items = arena_alloc(arena, (count + 1) * sizeof(*ret_page->items)),
					.now_us = database_us(instance->sim)};
	for (size_t i = 0; i < count; i++) {
		const struct life *life = find(instance->sim, ids[i]);

		if (life)
			ret_page->items[ret_page->count++] =
				(struct store_glance){ids[i], life->row.version, life->row.state};
	}
	return check_read(instance, err);
}

static int load_log(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
		    struct store_log_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct instance *instance = ctx;
	size_t rows = 0;

	for (size_t i = 0; i < count; i++) {
		const struct life *life = find(instance->sim, ids[i]);

		rows += life ? (size_t)life->row.version : 0;
	}
	*ret_rows = arena_alloc(arena, (rows + 1) * sizeof(**ret_rows));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct life *life = find(instance->sim, ids[i]);

		for (int64_t j = 0; life && j < life->row.version; j++)
			(*ret_rows)[(*ret_count)++] = life->log[j];
	}
	return check_read(instance, err);
}

static int pauses(void *ctx, struct arena *arena, struct pause **ret_pauses, size_t *ret_count, struct error *err)
{
	struct instance *instance = ctx;

	if (check_read(instance, err) < 0)
		return -1;
	pauses_list(instance->sim, arena, ret_pauses, ret_count);
	instance->paused = instance->sim->paused;
	return 0;
}

static int count_open(void *ctx, struct uuid after, size_t looked_max, struct arena *arena,
		      struct store_counts *ret_counts, struct error *err)
{
	struct instance *instance = ctx;
	struct simulation *sim = instance->sim;
	const struct life **lives = arena_alloc(arena, (sim->life_count + 1) * sizeof(const struct life *));
	const size_t count = list_open(sim, lives);
	struct store_counts counts = {0};

	if (count > 1)
		qsort(lives, count, sizeof(*lives), compare_id);
	counts.items = arena_alloc(arena, (count + 1) * sizeof(*counts.items));
	for (size_t i = 0; i < count && counts.count < looked_max; i++) {
		const struct life *life = lives[i];

		if (uuid_compare(life->id, after) <= 0)
			continue;
		counts.items[counts.count++] = (struct store_count){life->plan->definition.name, life->row.state, 1, 0};
		counts.last = life->id;
	}
	counts.has_more = counts.count == looked_max;
	*ret_counts = counts;
	return check_read(instance, err);
}

struct store_port virtual_store(struct instance *instance)
{
	return (struct store_port){
		instance,    commit_begin, commit_end, now,        load,   find_rows, due,
		left_behind, glance,       load_log,   count_open, pauses, NULL}; /* no event comes */
}
