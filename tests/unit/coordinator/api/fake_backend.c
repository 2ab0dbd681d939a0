/* fake_backend.c - see fake_backend.h. */
#include "tests/unit/coordinator/api/fake_backend.h"

#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>

#include "lib/base/memory.h"

enum { HELD_MAX = 20000 };

struct waiting {
	struct uuid id;
	start_done_fn *start_done;
	get_done_fn *get_done;
	request_done_fn *cancel_done;
	enum saga_verdict verdict;
	void *ctx;
	bool has_other_value;
	bool has_bad_value;
	bool is_held;
	char *key;
	int64_t start_us;
	struct waiting *next;
};

struct engine {
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct waiting *first; /* guarded by mu, as all below */
	struct waiting *held;
	bool is_stopping;
};

static atomic_bool is_plan_ready = true;
static atomic_bool has_room = true;
static atomic_int held_count;
static _Atomic int64_t last_wait_ms;
static char last_value[200]; /* likewise */
static char last_actor[64];  /* written by the server's thread before the answer, read by the test after it */
static struct engine *the_engine;

static const struct step_definition STEPS[] = {{.id = "create-order"}, {.id = "charge-payment"}};
static const struct plan_schema INPUT = {.subject = "checkout-input", .version = 3, .schema_id = 7, .message = "In"};
static const struct plan_schema *const SCHEMAS[] = {&INPUT};
static const char *const TOPICS[] = {"order.created"};
static const struct plan_step PLAN_STEPS[] = {
	{.commands = {{.topic = "order.create.command"}, {.topic = "order.cancel.command"}}},
	{.commands = {{.topic = "order.create.command"}}},
};
static const struct plan PLAN = {
	.definition = {.name = "checkout", .version = 1, .steps = STEPS, .step_count = 2},
	.id = 1,
	.source = "saga: checkout\n",
	.key_field = "order_id",
	.input = &INPUT,
	.steps = PLAN_STEPS,
	.schemas = SCHEMAS,
	.schema_count = 1,
	.reply_topics = TOPICS,
	.reply_topic_count = 1,
	.created_us = 1700000000000000,
	.creator = "ann",
};

/* ---- plan ---- */
int plan_encode_input(const struct plan *plan, const struct value *input, struct arena *arena, struct buffer *ret_input,
		      const char **ret_key, struct problems *problems)
{
	struct bytes text;

	(void)plan;
	if (!value_get_text(input, "order_id", &text)) {
		problems_add(problems, "input.order_id", "is required");
		return -1;
	}
	if (value_get(input, "colour")) {
		problems_add(problems, "input.colour", "is not a field of In");
		return -1;
	}
	buffer_append(ret_input, text.data, text.len);
	if (text.len > PLAN_INPUT_BYTES_MAX)
		return -1;
	*ret_key = arena_strndup(arena, (const char *)text.data, text.len);
	return 0;
}

int plan_check_input(const struct plan *plan, struct bytes encoded, struct arena *arena, struct buffer *ret_input,
		     const char **ret_key, struct problems *problems)
{
	(void)plan;
	(void)problems;
	buffer_append(ret_input, encoded.data, encoded.len);
	*ret_key = arena_strndup(arena, (const char *)encoded.data, encoded.len);
	return 0;
}

int plan_decode_reply(const struct plan *plan, struct bytes reply, struct arena *arena, struct value *ret_value,
		      struct error *err)
{
	(void)plan;
	return value_parse_json(reply, arena, ret_value, err);
}

int plan_decode_input(const struct plan *plan, struct bytes input, struct arena *arena, struct value *ret_value,
		      struct error *err)
{
	struct value record = value_record();

	(void)plan;
	(void)err;
	value_set(arena, &record, "order_id", value_text(input));
	*ret_value = record;
	return 0;
}

const char *saga_state_name(enum saga_state state)
{
	return state == SAGA_STATE_RUNNING ? "RUNNING" : "OTHER";
}

const char *saga_event_name(enum saga_event_type type)
{
	return type == SAGA_EVENT_STARTED ? "started" : "other";
}

/* ---- catalog ---- */
const struct plan *catalog_by_name(struct catalog *catalog, const char *name, int32_t version)
{
	(void)catalog;
	return strcmp(name, "checkout") == 0 && version <= 1 ? &PLAN : NULL;
}

const char *catalog_nearest(struct catalog *catalog, const char *name, struct arena *arena)
{
	(void)catalog;
	(void)arena;
	return name[0] == 'c' ? "'checkout'" : "";
}

size_t catalog_list(struct catalog *catalog, struct arena *arena, const struct plan ***ret_plans)
{
	(void)catalog;
	*ret_plans = arena_alloc(arena, sizeof(**ret_plans));
	(*ret_plans)[0] = &PLAN;
	return 1;
}

int catalog_refresh(struct catalog *catalog, struct error *err)
{
	(void)catalog;
	(void)err;
	return 0;
}

int catalog_put(struct catalog *catalog, const struct catalog_upload *upload, const struct plan **ret_plan,
		bool *ret_created, struct problems *problems, struct error *err)
{
	(void)catalog;
	(void)snprintf(last_actor, sizeof(last_actor), "%s", upload->creator);
	if (upload->source.data[0] == '!') {
		problems_add(problems, arena_format(&problems->arena, "%s:1:1", upload->file_name), "is no YAML");
		return problems_to_error(problems, ERR_INVALID, err);
	}
	*ret_plan = &PLAN;
	*ret_created = !upload->validate_only;
	return 0;
}

/* ---- engine ---- */
static void refuse_value(const struct waiting *waiting)
{
	struct problems problems;
	struct error err;

	problems_init(&problems);
	if (waiting->has_bad_value)
		problems_add(&problems, "value.by", "no such person");
	(void)error_set(&err, waiting->has_bad_value ? ERR_INVALID : ERR_CONFLICT,
			"signal 'approved' came before, with another value");
	waiting->cancel_done(waiting->ctx, &(struct request_answer){
						   .err = &err, .problems = waiting->has_bad_value ? &problems : NULL});
	problems_release(&problems);
}

static void answer(struct waiting *waiting)
{
	struct step steps[2] = {{.state = STEP_STATE_DISPATCHED, .detail = "bad \xff byte"}, {0}};
	struct saga saga = {.id = waiting->id,
			    .start_us = waiting->start_us,
			    .version = 1,
			    .state = SAGA_STATE_RUNNING,
			    .created_us = 1700000000123456,
			    .milestone = "STARTED",
			    .step_count = 2,
			    .steps = steps};
	struct saga_log_entry log = {.sequence = 1, .event = {.step = -1, .actor = "ann"}, .state = SAGA_STATE_RUNNING};
	struct saga_view view = {.plan = &PLAN,
				 .saga = &saga,
				 .key = waiting->key ? waiting->key : "order-1",
				 .idempotency_key = "",
				 .input = bytes_of_text("order-1"),
				 .log = &log,
				 .log_count = 1};

	if (waiting->start_done)
		waiting->start_done(waiting->ctx, &view, false, NULL);
	else if (waiting->has_other_value || waiting->has_bad_value)
		refuse_value(waiting);
	else if (waiting->cancel_done)
		waiting->cancel_done(waiting->ctx,
				     &(struct request_answer){.view = &view,
							      .verdict = waiting->verdict,
							      .why = waiting->verdict ? "the pivot has begun" : NULL});
	else
		waiting->get_done(waiting->ctx, &view, NULL);
	free(waiting->key);
	free(waiting);
}

static void *run(void *ctx)
{
	struct engine *engine = ctx;

	pthread_mutex_lock(&engine->mu);
	while (engine->first || !engine->is_stopping) {
		struct waiting *waiting = engine->first;

		if (!waiting) {
			pthread_cond_wait(&engine->changed, &engine->mu);
			continue;
		}
		engine->first = waiting->next;
		pthread_mutex_unlock(&engine->mu);
		answer(waiting);
		pthread_mutex_lock(&engine->mu);
	}
	pthread_mutex_unlock(&engine->mu);
	return NULL;
}

struct engine *fake_backend_start(void)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	pthread_mutex_init(&engine->mu, NULL);
	pthread_cond_init(&engine->changed, NULL);
	if (pthread_create(&engine->thread, NULL, run, engine))
		abort();
	the_engine = engine;
	return engine;
}

static void enqueue(struct engine *engine, struct waiting *waiting)
{
	pthread_mutex_lock(&engine->mu);
	if (waiting->is_held) {
		waiting->next = engine->held;
		engine->held = waiting;
		atomic_fetch_add(&held_count, 1);
	} else {
		waiting->next = engine->first;
		engine->first = waiting;
		pthread_cond_signal(&engine->changed);
	}
	pthread_mutex_unlock(&engine->mu);
}

void fake_backend_release(void)
{
	struct engine *engine = the_engine;

	pthread_mutex_lock(&engine->mu);
	while (engine->held) {
		struct waiting *waiting = engine->held;

		engine->held = waiting->next;
		waiting->next = engine->first;
		engine->first = waiting;
		atomic_fetch_sub(&held_count, 1);
	}
	pthread_cond_signal(&engine->changed);
	pthread_mutex_unlock(&engine->mu);
}

void fake_backend_stop(struct engine *engine)
{
	fake_backend_release();
	pthread_mutex_lock(&engine->mu);
	engine->is_stopping = true;
	pthread_cond_signal(&engine->changed);
	pthread_mutex_unlock(&engine->mu);
	pthread_join(engine->thread, NULL);
	pthread_cond_destroy(&engine->changed);
	pthread_mutex_destroy(&engine->mu);
	free(engine);
}

bool engine_has_room(struct engine *engine, const struct plan *plan, struct error *err)
{
	(void)engine;
	(void)plan;
	return atomic_load(&has_room) || error_set(err, ERR_LIMIT, "asked for more than it gets through") == 0;
}

void engine_start_saga(struct engine *engine, const struct start_request *request, start_done_fn *done, void *ctx)
{
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));

	(void)snprintf(last_actor, sizeof(last_actor), "%s", request->actor);
	*waiting = (struct waiting){.id = request->has_saga_id ? request->saga_id : uuid_v7_new(),
				    .start_done = done,
				    .ctx = ctx,
				    .key = xstrdup(request->key),
				    .start_us = request->start_us + request->delay_us};
	enqueue(engine, waiting);
}

void engine_start_sagas(struct engine *engine, const struct start_request *requests, size_t count, start_done_fn *done,
			void *const *ctxs)
{
	for (size_t i = 0; i < count; i++)
		engine_start_saga(engine, &requests[i], done, ctxs[i]);
}

/* The reason says what the answer shall be. */
void engine_request(struct engine *engine, struct uuid saga_id, const struct saga_request *request,
		    request_done_fn *done, void *ctx)
{
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));
	const char *reason = request->reason;

	(void)snprintf(last_actor, sizeof(last_actor), "%s", request->actor);
	*waiting = (struct waiting){.id = saga_id, .cancel_done = done, .ctx = ctx};
	if (strcmp(reason, "again") == 0)
		waiting->verdict = SAGA_VERDICT_IGNORED;
	if (strcmp(reason, "too late") == 0)
		waiting->verdict = SAGA_VERDICT_REFUSED;
	waiting->has_other_value = strcmp(reason, "other value") == 0;
	waiting->has_bad_value = strcmp(reason, "bad value") == 0;
	(void)snprintf(last_value, sizeof(last_value), "%.*s", (int)request->value.len,
		       request->value.len > 0 ? (const char *)request->value.data : "");
	enqueue(engine, waiting);
}

void engine_get_saga(struct engine *engine, struct uuid saga_id, int64_t wait_ms, get_done_fn *done, void *ctx)
{
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));

	atomic_store(&last_wait_ms, wait_ms);
	*waiting = (struct waiting){.id = saga_id, .get_done = done, .ctx = ctx, .is_held = wait_ms > 0};
	enqueue(engine, waiting);
}

bool engine_is_ready(struct engine *engine, const struct plan *plan)
{
	(void)engine;
	(void)plan;
	return atomic_load(&is_plan_ready);
}

void fake_backend_set_room(bool is_room)
{
	atomic_store(&has_room, is_room);
}

void fake_backend_set_ready(bool is_ready)
{
	atomic_store(&is_plan_ready, is_ready);
}

int fake_backend_waiting(void)
{
	return atomic_load(&held_count);
}

const char *fake_backend_last_value(void)
{
	return last_value;
}

const char *fake_backend_last_actor(void)
{
	return last_actor;
}

int64_t fake_backend_last_wait(void)
{
	return atomic_load(&last_wait_ms);
}
