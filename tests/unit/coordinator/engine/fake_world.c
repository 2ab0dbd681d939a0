/* fake_world.c - see fake_world.h. */
#include "tests/unit/coordinator/engine/fake_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"

#define DATABASE_AHEAD_US INT64_C(1000000000000)

/* ---- the plan, in place of definition/ ---- */

#define POLICIES                                                                                                       \
	{                                                                                                              \
		{.timeout_ms = 30000,                                                                                  \
		 .resend_ms = 3000,                                                                                    \
		 .resend_max_ms = 60000,                                                                               \
		 .retry_backoff_ms = 300,                                                                              \
		 .retry_backoff_max_ms = 30000,                                                                        \
		 .attempts_max = 10},                                                                                  \
			{.timeout_ms = 3600000,                                                                        \
			 .resend_ms = 3000,                                                                            \
			 .resend_max_ms = 60000,                                                                       \
			 .retry_backoff_ms = 300,                                                                      \
			 .retry_backoff_max_ms = 30000,                                                                \
			 .attempts_max = 3},                                                                           \
	}

static const struct step_definition step_definitions[] = {
	{.id = "create",
	 .has_compensation = true,
	 .policy = POLICIES,
	 .timed_out_milestone = {"CREATE_TIMED_OUT", "CREATE_UNDO_TIMED_OUT"}},
	{.id = "charge",
	 .has_compensation = true,
	 .policy = POLICIES,
	 .timed_out_milestone = {"CHARGE_TIMED_OUT", "CHARGE_UNDO_TIMED_OUT"}},
	{.id = "confirm", .kind = STEP_KIND_PIVOT, .policy = POLICIES, .timed_out_milestone = {"CONFIRM_TIMED_OUT"}},
};

static const struct plan_schema schema = {.subject = "x-value",
					  .version = 1,
					  .schema_id = 7,
					  .message = "fake.Command",
					  .message_type = "Command",
					  .content_type = "application/protobuf"};

static const struct plan_step plan_steps[] = {
	{.commands = {{.topic = "create.command", .schema = &schema},
		      {.topic = "uncreate.command", .schema = &schema}}},
	{.commands = {{.topic = "charge.command", .schema = &schema}, {.topic = "refund.command", .schema = &schema}},
	 .is_reply_kept = true},
	{.commands = {{.topic = "confirm.command", .schema = &schema}, {.topic = NULL}}},
};

static const char *const reply_topics[] = {"replies"};

const struct plan FAKE_PLAN = {
	.definition = {.name = "fake", .version = 1, .steps = step_definitions, .step_count = 3},
	.id = 1,
	.source = "",
	.key_field = "key",
	.steps = plan_steps,
	.reply_topics = reply_topics,
	.reply_topic_count = 1,
};

static const struct step_definition waiting_definitions[] = {
	{.id = "create", .has_compensation = true, .policy = POLICIES},
	{.id = "approval", .action = STEP_ACTION_SIGNAL, .has_value = true, .policy = POLICIES},
	{.id = "confirm", .kind = STEP_KIND_PIVOT, .policy = POLICIES},
};

static const struct plan_step waiting_steps[] = {
	{.commands = {{.topic = "create.command", .schema = &schema},
		      {.topic = "uncreate.command", .schema = &schema}}},
	{.signal = "approved", .value = &schema},
	{.commands = {{.topic = "confirm.command", .schema = &schema}, {.topic = NULL}}},
};

const struct plan FAKE_WAITING_PLAN = {
	.definition = {.name = "waiting", .version = 1, .steps = waiting_definitions, .step_count = 3},
	.id = 2,
	.source = "",
	.key_field = "key",
	.steps = waiting_steps,
	.reply_topics = reply_topics,
	.reply_topic_count = 1,
};

static const struct step_definition event_definitions[] = {
	{.id = "create", .has_compensation = true, .policy = POLICIES},
	{.id = "paid", .action = STEP_ACTION_SIGNAL, .has_value = true, .policy = POLICIES},
	{.id = "confirm", .kind = STEP_KIND_PIVOT, .policy = POLICIES},
};

static const struct plan_step event_steps[] = {
	{.commands = {{.topic = "create.command", .schema = &schema},
		      {.topic = "uncreate.command", .schema = &schema}}},
	{.event = "invoice.paid", .value = &schema},
	{.commands = {{.topic = "confirm.command", .schema = &schema}, {.topic = NULL}}},
};

const struct plan FAKE_EVENT_PLAN = {
	.definition = {.name = "event", .version = 1, .steps = event_definitions, .step_count = 3},
	.id = 3,
	.source = "",
	.key_field = "key",
	.steps = event_steps,
	.reply_topics = reply_topics,
	.reply_topic_count = 1,
};

static struct fake_world *current; /* for the functions of catalog.h, which have no world */

const struct plan *catalog_by_id(struct catalog *catalog, int32_t id)
{
	(void)catalog;
	if (current->is_definition_away) {
		current->vain_asks++;
		return NULL;
	}
	return id == FAKE_PLAN.id           ? &FAKE_PLAN
	       : id == FAKE_WAITING_PLAN.id ? &FAKE_WAITING_PLAN
	       : id == FAKE_EVENT_PLAN.id   ? &FAKE_EVENT_PLAN
					    : NULL;
}

size_t catalog_waiting_for(struct catalog *catalog, const char *topic, struct arena *arena, const char ***ret_names)
{
	(void)catalog;
	*ret_names = arena_alloc(arena, sizeof(**ret_names));
	(*ret_names)[0] = FAKE_EVENT_PLAN.definition.name;
	return plan_find_event(&FAKE_EVENT_PLAN, topic) >= 0;
}

int32_t plan_find_event(const struct plan *plan, const char *topic)
{
	for (size_t i = 0; i < plan->definition.step_count; i++)
		if (plan->steps[i].event && strcmp(plan->steps[i].event, topic) == 0)
			return (int32_t)i;
	return -1;
}

int catalog_refresh(struct catalog *catalog, struct error *err)
{
	(void)catalog;
	(void)err;
	return 0;
}

int32_t plan_find_signal(const struct plan *plan, const char *signal)
{
	for (size_t i = 0; i < plan->definition.step_count; i++)
		if (plan->steps[i].signal && strcmp(plan->steps[i].signal, signal) == 0)
			return (int32_t)i;
	return -1;
}

/* Any JSON text but `null` will do, and stays as it is. */
int plan_encode_signal(const struct plan *plan, int32_t step, struct bytes json, struct buffer *out,
		       struct problems *problems)
{
	assert(plan->steps[step].value);
	if (json.len > 0 && !bytes_equal_text(json, "null")) {
		buffer_append(out, json.data, json.len);
		return 0;
	}
	problems_add(problems, "value", "is required");
	problems_add(problems, "value.by", "is required, too");
	return -1;
}

int32_t plan_find_step(const struct plan *plan, const char *step_id)
{
	return definition_find_step(&plan->definition, step_id);
}

const struct plan_reply *plan_find_reply(const struct plan *plan, int32_t step, enum step_phase phase,
					 const char *topic, struct bytes outcome)
{
	static const struct plan_reply known[] = {
		{"replies", SAGA_EVENT_SUCCEEDED, "DONE"},
		{"replies", SAGA_EVENT_REJECTED, "REFUSED"},
		{"replies", SAGA_EVENT_RETRIABLE, NULL},
		{"replies", SAGA_EVENT_ACCEPTED, NULL},
	};

	(void)plan;
	(void)step;
	(void)phase;
	(void)topic;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (bytes_equal_text(outcome, saga_event_name(known[i].outcome)))
			return &known[i];
	return NULL;
}

int plan_build_command(const struct plan *plan, const struct saga *saga, struct bytes input, int32_t step,
		       enum step_phase phase, struct arena *arena, struct buffer *out, struct error *err)
{
	(void)saga;
	(void)input;
	(void)arena;
	(void)err;
	buffer_append_format(out, "%s/%s", plan->definition.steps[step].id, step_phase_name(phase));
	return 0;
}

/* ---- the store ---- */

static const char *keep_text(struct fake_world *world, const char *text)
{
	return text ? arena_strdup(&world->arena, text) : NULL;
}

static struct fake_row *find_row(struct fake_world *world, struct uuid id)
{
	for (size_t i = 0; i < world->row_count; i++)
		if (uuid_equal(world->rows[i].row.saga_id, id))
			return &world->rows[i];
	return NULL;
}

static struct fake_row *find_key(struct fake_world *world, const char *name, const char *key)
{
	for (size_t i = 0; i < world->row_count; i++)
		if (strcmp(world->rows[i].row.definition_name, name) == 0 &&
		    strcmp(world->rows[i].row.idempotency_key, key) == 0)
			return &world->rows[i];
	return NULL;
}

static bool is_refused(const struct fake_world *world, const struct store_change *change)
{
	if (world->refused_key && change->start && strcmp(change->start->key, world->refused_key) == 0)
		return true;
	for (size_t i = 0; i < change->log_count && world->refused_detail; i++) {
		const char *detail = change->log[i].entry.event.detail;

		if (detail && strcmp(detail, world->refused_detail) == 0)
			return true;
	}
	return false;
}

static struct fake_row *insert_row(struct fake_world *world, const struct store_change *change)
{
	const struct store_start *start = change->start;
	struct fake_row *row;

	if (find_row(world, change->saga_id) || find_key(world, start->definition_name, start->idempotency_key))
		return NULL;
	assert(world->row_count < FAKE_ROWS_MAX);
	row = &world->rows[world->row_count++];
	row->row = (struct store_row){
		.saga_id = change->saga_id,
		.definition_id = start->definition_id,
		.definition_name = keep_text(world, start->definition_name),
		.key = keep_text(world, start->key),
		.idempotency_key = keep_text(world, start->idempotency_key),
		.input = arena_bytes(&world->arena, start->input),
	};
	return row;
}

static void keep_notices(struct fake_world *world, const struct store_change *change)
{
	for (size_t i = 0; i < change->notice_count; i++) {
		world->last_notice = change->notices[i];
		world->last_notice.step_id = keep_text(world, world->last_notice.step_id);
		world->last_notice.reason = keep_text(world, world->last_notice.reason);
		world->last_notice.detail = keep_text(world, world->last_notice.detail);
		world->notice_count++;
	}
}

static bool apply_change(struct fake_world *world, const struct store_commit *commit, const struct store_change *change)
{
	struct fake_row *row = change->start ? insert_row(world, change) : find_row(world, change->saga_id);

	if (!row || (!change->start && row->row.version != change->expected_version))
		return false;
	row->row.version = change->version;
	row->row.state = change->state;
	row->row.data = arena_bytes(&world->arena, change->data);
	row->due_us = change->due_us;
	if (change->is_open_row_new)
		row->row.open_row = change->open_row;
	assert(open_row_equals(&row->row.open_row, &change->open_row)); /* else it was not known what is stored */
	(void)snprintf(row->instance, sizeof(row->instance), "%s", commit->instance);
	row->boot = commit->boot;
	for (size_t i = 0; i < change->log_count; i++) {
		struct store_log_row *log = &world->log[world->log_count++];

		assert(world->log_count <= FAKE_LOG_MAX);
		*log = change->log[i];
		log->step_id = keep_text(world, log->step_id);
		log->entry.event.milestone = keep_text(world, log->entry.event.milestone);
		log->entry.event.reason = keep_text(world, log->entry.event.reason);
		log->entry.event.detail = keep_text(world, log->entry.event.detail);
		log->entry.event.actor = keep_text(world, log->entry.event.actor);
		world->last_value_bytes = log->entry.event.reply.len;
		log->entry.event.reply = (struct bytes){0};
		log->entry.milestone = keep_text(world, log->entry.milestone);
		log->entry.event.step = -1;
	}
	keep_notices(world, change);
	return true;
}

static enum store_result commit_now(struct fake_world *world, struct store_commit *commit, struct error *err)
{
	enum fake_fault fault = world->fault;

	assert(commit->count > 0);
	world->commits++;
	(void)error_set(err, ERR_UNAVAILABLE, "the fake store says no");
	if (world->is_store_away)
		return STORE_UNKNOWN;
	world->fault = FAULT_NONE;
	if (fault == FAULT_ROLLED_BACK)
		return STORE_FAILED;
	if (fault == FAULT_LOST_NOT_APPLIED)
		return STORE_UNKNOWN;
	if (world->slow_count > 0 && commit->count > world->slow_count) {
		(void)error_set(err, ERR_TIMEOUT, "the fake store is too slow");
		return STORE_FAILED;
	}
	for (size_t i = 0; i < commit->count; i++) {
		assert(i == 0 || uuid_compare(commit->changes[i - 1].saga_id, commit->changes[i].saga_id) < 0);
		if (is_refused(world, &commit->changes[i])) {
			(void)error_set(err, ERR_INVALID, "the fake store refuses it");
			return STORE_REFUSED;
		}
	}
	for (size_t i = 0; i < commit->count; i++)
		commit->changes[i].outcome = apply_change(world, commit, &commit->changes[i]) ? STORE_OUTCOME_DONE
											      : STORE_OUTCOME_CONFLICT;
	return fault == FAULT_LOST_APPLIED ? STORE_UNKNOWN : STORE_COMMITTED;
}

/* As late as can be: the engine must not count on anything before the end. */
static void store_commit_begin(void *ctx, int lane, struct store_commit *commit)
{
	struct fake_world *world = ctx;

	assert(!world->under_way[lane]);
	world->under_way[lane] = commit;
	world->were_two_under_way |= world->under_way[!lane] != NULL;
}

static enum store_result store_commit_end(void *ctx, int lane, struct error *err)
{
	struct fake_world *world = ctx;
	struct store_commit *commit = world->under_way[lane];

	assert(commit);
	world->under_way[lane] = NULL;
	return commit_now(world, commit, err);
}

/* Reads come over the first lane's connection, so there is none while that has a commit. */
static int check_store(const struct fake_world *world, struct error *err)
{
	assert(!world->under_way[0]);
	return world->is_store_away ? error_set(err, ERR_UNAVAILABLE, "the fake store is away") : 0;
}

static int store_now(void *ctx, int64_t *ret_now_us, struct error *err)
{
	struct fake_world *world = ctx;

	*ret_now_us = world->now_us + DATABASE_AHEAD_US;
	return check_store(world, err);
}

static int store_load(void *ctx, const struct uuid *ids, size_t count, struct arena *arena, struct store_row **ret_rows,
		      size_t *ret_count, struct error *err)
{
	struct fake_world *world = ctx;

	world->loads++;
	*ret_rows = arena_alloc(arena, (count + 1) * sizeof(**ret_rows));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct fake_row *row = find_row(world, ids[i]);

		if (row)
			(*ret_rows)[(*ret_count)++] = row->row;
	}
	world->rows_loaded += *ret_count;
	return check_store(world, err);
}

static int store_find(void *ctx, const struct store_key *keys, size_t count, struct arena *arena,
		      struct store_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct fake_world *world = ctx;

	*ret_rows = arena_alloc(arena, (count + 1) * sizeof(**ret_rows));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct fake_row *row = find_key(world, keys[i].definition_name, keys[i].idempotency_key);

		if (row)
			(*ret_rows)[(*ret_count)++] = row->row;
	}
	return check_store(world, err);
}

static int compare_id(const void *a, const void *b)
{
	return uuid_compare((*(const struct fake_row *const *)a)->row.saga_id,
			    (*(const struct fake_row *const *)b)->row.saga_id);
}

static int compare_look(const void *a, const void *b)
{
	const int64_t left_us = (*(const struct fake_row *const *)a)->row.open_row.look_us;
	const int64_t right_us = (*(const struct fake_row *const *)b)->row.open_row.look_us;

	return left_us < right_us ? -1 : left_us > right_us ? 1 : compare_id(a, b);
}

/* Which rows a page takes. */
struct page_filter {
	const struct store_look *look;
	bool is_due;
	const struct store_left *left; /* NULL: whoever changed it */
};

static bool is_looked_at(const struct page_filter *filter, const struct fake_row *row, int64_t now_us)
{
	const int64_t look_us = row->row.open_row.look_us;

	return look_us >= filter->look->from_us &&
	       (filter->is_due ? look_us <= now_us : look_us < filter->left->before_us);
}

static bool is_wanted(const struct page_filter *filter, const struct fake_row *row, int64_t now_us)
{
	const struct store_left *left = filter->left;
	const struct open_row *open = &row->row.open_row;

	if (filter->is_due)
		return row->due_us != 0 && row->due_us <= now_us;
	return strcmp(row->instance, left->instance) == 0 && row->boot != left->boot &&
	       (open->look_us < left->near_us || open->is_patient);
}

/* All that have not ended. */
static size_t list_open(struct fake_world *world, const struct fake_row **rows)
{
	size_t count = 0;

	for (size_t i = 0; i < world->row_count; i++)
		if (world->rows[i].row.open_row.look_us)
			rows[count++] = &world->rows[i];
	return count;
}

static size_t looked_max(const struct fake_world *world, size_t asked)
{
	return world->looked_max > 0 && world->looked_max < asked ? world->looked_max : asked;
}

static void fill_page(struct fake_world *world, const struct page_filter *filter, struct arena *arena,
		      struct store_page *ret_page)
{
	const struct store_look *look = filter->look;
	const struct fake_row **rows = arena_alloc(arena, (world->row_count + 1) * sizeof(const struct fake_row *));
	struct store_page page = {.now_us = world->now_us + DATABASE_AHEAD_US};
	const size_t count = list_open(world, rows);
	size_t looked = 0;

	qsort(rows, count, sizeof(*rows), compare_look);
	page.items = arena_alloc(arena, (count + 1) * sizeof(*page.items));
	for (size_t i = 0; i < count && !page.has_more; i++) {
		const struct store_row *row = &rows[i]->row;

		if (!is_looked_at(filter, rows[i], page.now_us))
			continue;
		if (looked == 0)
			page.first_us = row->open_row.look_us;
		if (is_wanted(filter, rows[i], page.now_us))
			page.items[page.count++] = (struct store_glance){row->saga_id, row->version, row->state};
		page.has_more = ++looked == looked_max(world, look->looked_max) || page.count == look->found_max;
		page.next_us = row->open_row.look_us > look->from_us ? row->open_row.look_us : look->from_us + 1;
	}
	*ret_page = page;
}

static int store_due(void *ctx, const struct store_look *look, struct arena *arena, struct store_page *ret_page,
		     struct error *err)
{
	struct fake_world *world = ctx;

	world->due_from_us = look->from_us;
	fill_page(world, &(struct page_filter){.look = look, .is_due = true}, arena, ret_page);
	return check_store(world, err);
}

static int store_left_behind(void *ctx, const struct store_look *look, const struct store_left *left,
			     struct arena *arena, struct store_page *ret_page, struct error *err)
{
	struct fake_world *world = ctx;

	fill_page(world, &(struct page_filter){.look = look, .left = left}, arena, ret_page);
	return check_store(world, err);
}

static int store_glance(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
			struct store_page *ret_page, struct error *err)
{
	struct fake_world *world = ctx;

	*ret_page = (struct store_page){.items = arena_alloc(arena, (count + 1) * sizeof(*ret_page->items))};
	for (size_t i = 0; i < count; i++) {
		const struct fake_row *row = find_row(world, ids[i]);

		if (row)
			ret_page->items[ret_page->count++] =
				(struct store_glance){ids[i], row->row.version, row->row.state};
	}
	return check_store(world, err);
}

static int store_load_log(void *ctx, const struct uuid *ids, size_t count, struct arena *arena,
			  struct store_log_row **ret_rows, size_t *ret_count, struct error *err)
{
	struct fake_world *world = ctx;

	world->log_loads++;
	*ret_rows = arena_alloc(arena, (count * world->log_count + 1) * sizeof(**ret_rows));
	*ret_count = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < world->log_count; j++)
			if (uuid_equal(world->log[j].saga_id, ids[i]))
				(*ret_rows)[(*ret_count)++] = world->log[j];
	return check_store(world, err);
}

static int store_pauses(void *ctx, struct arena *arena, struct pause **ret_pauses, size_t *ret_count, struct error *err)
{
	struct fake_world *world = ctx;

	if (world->is_store_away)
		return error_set(err, ERR_UNAVAILABLE, "the fake store is away");
	*ret_pauses = arena_copy(arena, &world->pause, sizeof(world->pause));
	*ret_count = world->pause.name ? 1 : 0;
	return 0;
}

static int store_count_open(void *ctx, struct uuid after, size_t asked, struct arena *arena,
			    struct store_counts *ret_counts, struct error *err)
{
	struct fake_world *world = ctx;
	const struct fake_row **rows = arena_alloc(arena, (world->row_count + 1) * sizeof(const struct fake_row *));
	const size_t count = list_open(world, rows);
	struct store_counts counts = {0};

	qsort(rows, count, sizeof(*rows), compare_id);
	counts.items = arena_alloc(arena, (count + 1) * sizeof(*counts.items));
	for (size_t i = 0; i < count && counts.count < looked_max(world, asked); i++) {
		const struct store_row *row = &rows[i]->row;

		if (uuid_compare(row->saga_id, after) <= 0)
			continue;
		counts.items[counts.count++] = (struct store_count){row->definition_name, row->state, 1, 0};
		counts.last = row->saga_id;
	}
	counts.has_more = counts.count == looked_max(world, asked);
	*ret_counts = counts;
	return check_store(world, err);
}

/* The last ones first: the database may answer in any order. */
static int store_find_waiting(void *ctx, const struct store_waiting *waiting, size_t count, struct arena *arena,
			      struct store_match **ret_matches, size_t *ret_count, struct error *err)
{
	struct fake_world *world = ctx;

	*ret_matches = arena_alloc(arena, (count * world->row_count + 1) * sizeof(**ret_matches));
	*ret_count = 0;
	for (size_t i = count; i-- > 0;) {
		for (size_t j = 0; j < world->row_count; j++) {
			const struct store_row *row = &world->rows[j].row;

			if (!saga_state_is_terminal(row->state) && strcmp(row->key, waiting[i].key) == 0 &&
			    strcmp(row->definition_name, waiting[i].definition_name) == 0)
				(*ret_matches)[(*ret_count)++] =
					(struct store_match){i, row->saga_id, row->definition_id};
		}
	}
	return check_store(world, err);
}

/* ---- bus and clock ---- */

static const char *header_text(struct fake_world *world, const struct bus_record *record, const char *name)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (strcmp(record->headers[i].name, name) == 0)
			return arena_strndup(&world->arena, (const char *)record->headers[i].value.data,
					     record->headers[i].value.len);
	return "";
}

static void bus_send(void *ctx, const struct bus_record *records, size_t count)
{
	struct fake_world *world = ctx;

	for (size_t i = 0; i < count; i++) {
		struct fake_sent *sent = &world->sent[world->sent_count++];
		struct bus_header *headers =
			arena_alloc(&world->arena, (records[i].header_count + 1) * sizeof(*headers));

		assert(world->sent_count <= FAKE_SENT_MAX);
		sent->record = records[i];
		sent->record.key = arena_bytes(&world->arena, records[i].key);
		sent->record.value = arena_bytes(&world->arena, records[i].value);
		for (size_t j = 0; j < records[i].header_count; j++)
			headers[j] = (struct bus_header){records[i].headers[j].name,
							 arena_bytes(&world->arena, records[i].headers[j].value)};
		sent->record.headers = headers;
		sent->step = header_text(world, &sent->record, "saga-step");
		sent->saga_id = header_text(world, &sent->record, "saga-id");
		sent->attempt = header_text(world, &sent->record, "saga-attempt");
		sent->is_compensation = strcmp(header_text(world, &sent->record, "saga-phase"), "compensation") == 0;
	}
}

static bool bus_is_assigned(void *ctx, const char *topic)
{
	(void)topic;
	return ((struct fake_world *)ctx)->is_assigned;
}

static bool bus_health(void *ctx, char *ret_text, size_t text_len)
{
	(void)ctx;
	(void)snprintf(ret_text, text_len, "%s", "");
	return true;
}

static int64_t clock_now(void *ctx)
{
	return ((struct fake_world *)ctx)->now_us;
}

static struct uuid clock_new_id(void *ctx)
{
	(void)ctx;
	return uuid_v7_new();
}

/* ---- the world ---- */

struct fake_world *fake_world_new(void)
{
	struct fake_world *world = xcalloc(1, sizeof(*world));

	arena_init(&world->arena, 0);
	world->now_us = 5000000;
	world->is_assigned = true;
	world->ports = (struct engine_ports){
		.store = {world, store_commit_begin, store_commit_end, store_now, store_load, store_find, store_due,
			  store_left_behind, store_glance, store_load_log, store_count_open, store_pauses,
			  store_find_waiting},
		.bus = {world, bus_send, bus_is_assigned, bus_health},
		.clock = {world, clock_now, clock_now, clock_new_id},
	};
	current = world;
	return world;
}

void fake_world_free(struct fake_world *world)
{
	for (size_t i = 0; i < world->engine_count; i++)
		metrics_free(world->metrics[i]);
	arena_release(&world->arena);
	free(world);
}

struct engine *fake_engine_new(struct fake_world *world, const char *instance)
{
	struct engine_options options = {.instance = instance, .ports = &world->ports, .registry = "http://registry"};

	assert(world->engine_count < FAKE_ENGINES_MAX);
	options.metrics = world->metrics[world->engine_count++] = metrics_new();
	options.in_flight.max = world->in_flight_max;
	options.open.max = world->open_max;
	options.slice_changes = world->slice_changes;
	world->now_us++; /* each run of an instance has another boot */
	return engine_new(&options);
}

void fake_turns(struct engine *engine)
{
	for (int i = 0; i < 20; i++) {
		(void)engine_turn(engine); /* when it wants the next one: the test decides */
		if (engine_is_idle(engine))
			break;
	}
}

void fake_pass(struct fake_world *world, struct engine *engine, int64_t ms)
{
	for (int64_t passed = 0; passed < ms; passed += 50) {
		world->now_us += 50 * 1000;
		(void)engine_turn(engine); /* as above */
	}
}

const struct fake_row *fake_find_row(struct fake_world *world, struct uuid id)
{
	return find_row(world, id);
}

size_t fake_log_count(struct fake_world *world, struct uuid id)
{
	size_t count = 0;

	for (size_t i = 0; i < world->log_count; i++)
		count += uuid_equal(world->log[i].saga_id, id);
	return count;
}

int64_t fake_log_gaps(struct fake_world *world)
{
	int64_t gaps = 0;

	for (size_t i = 0; i < world->row_count; i++) {
		int64_t next = 1;

		for (size_t j = 0; j < world->log_count; j++)
			if (uuid_equal(world->log[j].saga_id, world->rows[i].row.saga_id))
				gaps += world->log[j].entry.sequence != next++;
		gaps += next - 1 != world->rows[i].row.version;
	}
	return gaps;
}

const struct fake_sent *fake_last_sent(struct fake_world *world, struct uuid id)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(id, text);
	for (size_t i = world->sent_count; i-- > 0;)
		if (strcmp(world->sent[i].saga_id, text) == 0)
			return &world->sent[i];
	return NULL;
}

size_t fake_sent_of(struct fake_world *world, struct uuid id, const char *step, bool is_compensation)
{
	char text[UUID_TEXT_LEN + 1];
	size_t count = 0;

	uuid_format(id, text);
	for (size_t i = 0; i < world->sent_count; i++)
		count += strcmp(world->sent[i].saga_id, text) == 0 && strcmp(world->sent[i].step, step) == 0 &&
			 world->sent[i].is_compensation == is_compensation;
	return count;
}

struct fake_batch {
	struct bus_batch batch;
	struct fake_world *world;
};

static void batch_done(struct bus_batch *batch, bool is_committed)
{
	struct fake_batch *fake = (struct fake_batch *)batch;

	if (is_committed)
		fake->world->batches_done++;
	else
		fake->world->batches_abandoned++;
}

static void batch_reject(struct bus_batch *batch, const struct bus_record *record, enum bus_reject reject,
			 const char *detail)
{
	struct fake_batch *fake = (struct fake_batch *)batch;

	assert(record >= batch->records && record < batch->records + batch->count && *detail);
	fake->world->rejected[reject]++;
}

void fake_deliver(struct fake_world *world, struct engine *engine, const struct bus_record *records, size_t count)
{
	struct fake_batch *fake = arena_zalloc(&world->arena, sizeof(*fake));

	fake->batch.records = arena_copy(&world->arena, records, count * sizeof(*records));
	fake->batch.count = count;
	fake->batch.done = batch_done;
	fake->batch.reject = batch_reject;
	fake->world = world;
	engine_deliver(engine, &fake->batch);
}

void fake_reply(struct fake_world *world, struct engine *engine, const struct fake_sent *sent, const char *outcome,
		const char *detail)
{
	static const char *const copied[] = {"saga-id", "saga-step", "saga-phase", "saga-attempt"};
	struct bus_header *headers = arena_zalloc(&world->arena, 8 * sizeof(*headers));
	static const uint8_t value[] = {0, 0, 0, 0, 9, 1, 2, 3};
	struct bus_record record = {
		.topic = "replies", .key = sent->record.key, .value = {value, sizeof(value)}, .headers = headers};

	for (size_t i = 0; i < ARRAY_LEN(copied); i++)
		headers[record.header_count++] =
			(struct bus_header){copied[i], bytes_of_text(header_text(world, &sent->record, copied[i]))};
	headers[record.header_count++] = (struct bus_header){"ce_id", bytes_of_text("reply-1")};
	headers[record.header_count++] = (struct bus_header){"saga-outcome", bytes_of_text(outcome)};
	if (detail)
		headers[record.header_count++] = (struct bus_header){"saga-detail", bytes_of_text(detail)};
	fake_deliver(world, engine, &record, 1);
}

/* ---- answers ---- */

static void keep_answer(struct fake_answer *answer, const struct saga_view *view, const struct error *err)
{
	answer->calls++;
	assert(!view == !!err);
	if (err) {
		answer->err = *err;
		return;
	}
	answer->has_view = true;
	answer->saga_id = view->saga->id;
	answer->version = view->saga->version;
	answer->state = view->saga->state;
	answer->log_count = view->log_count;
	answer->actors[0] = 0;
	for (size_t i = 0; i < view->log_count; i++) {
		const char *actor = view->log[i].event.actor;
		size_t len = strlen(answer->actors);

		assert(view->log[i].sequence == (int64_t)i + 1);
		(void)snprintf(answer->actors + len, sizeof(answer->actors) - len, "%s%s", i ? " " : "",
			       actor ? actor : "-");
	}
}

void fake_start_done(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err)
{
	struct fake_answer *answer = ctx;

	keep_answer(answer, view, err);
	answer->already_existed = already_existed;
}

void fake_get_done(void *ctx, const struct saga_view *view, const struct error *err)
{
	keep_answer(ctx, view, err);
}

void fake_start(struct engine *engine, const char *key, const char *input, struct fake_answer *ret_answer)
{
	const struct start_request request = {
		.plan = &FAKE_PLAN, .idempotency_key = key, .key = key, .input = bytes_of_text(input), .actor = "ann"};

	*ret_answer = (struct fake_answer){0};
	engine_start_saga(engine, &request, fake_start_done, ret_answer);
}

static uint64_t metric_of(const struct metrics *metrics, const char *line_start)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};

	metrics_print(metrics, &text);
	for (const char *line = buffer_text(&text); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, line_start, strlen(line_start)) == 0 && line[strlen(line_start)] == ' ')
			return strtoull(line + strlen(line_start) + 1, NULL, 10);
	}
	assert(line_start == NULL); /* no such metric */
	return 0;
}

uint64_t fake_metric(struct fake_world *world, const char *line_start)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < world->engine_count; i++)
		sum += metric_of(world->metrics[i], line_start);
	return sum;
}

struct fake_saga fake_saga_begin(void)
{
	struct fake_saga saga = {.world = fake_world_new()};

	saga.engine = fake_engine_new(saga.world, "one");
	fake_start(saga.engine, "k", "input", &saga.started);
	fake_turns(saga.engine);
	assert(saga.started.calls == 1);
	assert(saga.started.has_view);
	saga.id = saga.started.saga_id;
	return saga;
}

void fake_saga_end(struct fake_saga *saga)
{
	assert(fake_log_gaps(saga->world) == 0);
	engine_free(saga->engine);
	fake_world_free(saga->world);
}
