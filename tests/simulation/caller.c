/*
 * caller.c - those who call a coordinator: clients, who start a saga with an idempotency key until it is acknowledged and
 * then look at it, and operators, who cancel, pause, and decide about what is stuck.
 *
 * A client has one call at a time; the answer to a call that it gave up on is not looked at. What it is shown must be a
 * state that was committed, and none older than what it was shown before (I8, I14).
 */
#include <assert.h>
#include <stdio.h>

#include "tests/simulation/simulation.h"

enum { CALLS_MAX = 40, LOOK_US = 8000000 };

struct call {
	struct instance *instance;
	int64_t run;
	struct client *client;
	int64_t number;
	struct uuid saga_id; /* an operator's */
	enum saga_event_type request;
};

static struct call *new_call(struct simulation *sim, struct instance *instance, struct client *client)
{
	struct call *call = arena_zalloc(&sim->arena, sizeof(*call));

	*call = (struct call){.instance = instance, .run = instance->run, .client = client};
	if (client)
		call->number = ++client->call;
	return call;
}

/* A dead instance answers nobody. */
static bool is_heard(const struct call *call)
{
	const struct instance *instance = call->instance;

	if (instance->is_dead || instance->run != call->run)
		return false;
	return !call->client || call->client->call == call->number;
}

/* ---- clients ---- */
static void look(struct simulation *sim, void *of, int64_t number);

static bool is_final(enum saga_state state)
{
	return saga_state_is_terminal(state);
}

static void take_view(struct client *client, const struct saga_view *view)
{
	struct simulation *sim = client->sim;

	note(sim, "client %d is shown version %lld, %s", client->index, (long long)view->saga->version,
	     saga_state_name(view->saga->state));
	mix_number(sim, view->saga->version);
	if (client->is_served && !uuid_equal(client->saga_id, view->saga->id))
		fail(sim, "I8: client %d was told of another saga before", client->index);
	if (view->saga->version < client->version)
		fail(sim, "I14: client %d saw version %lld, and now %lld", client->index, (long long)client->version,
		     (long long)view->saga->version);
	check_view(sim, view);
	client->is_served = true;
	client->saga_id = view->saga->id;
	client->version = view->saga->version;
	client->state = view->saga->state;
}

static void start_done(void *ctx, const struct saga_view *view, bool already_existed, const struct error *err)
{
	const struct call *call = ctx;

	(void)already_existed;
	if (!is_heard(call))
		return;
	call->client->call++; /* answered: the time-out of the call is for nothing */
	if (view)
		take_view(call->client, view);
	else if (err->code == ERR_INVALID)
		call->client->is_refused = true;
	else if (err->code != ERR_UNAVAILABLE && err->code != ERR_LIMIT)
		fail(call->client->sim, "I8: a start is answered: %s", err->msg);
	plan_event(call->client->sim, 1 + (int64_t)draw(call->client->sim, STREAM_CLIENT, LOOK_US), look, call->client,
		   call->client->call);
}

static void get_done(void *ctx, const struct saga_view *view, const struct error *err)
{
	const struct call *call = ctx;
	struct simulation *sim = call->client->sim;

	if (!is_heard(call))
		return;
	call->client->call++;
	if (view)
		take_view(call->client, view);
	else if (err->code == ERR_NOT_FOUND)
		fail(sim, "I14: a saga that was acknowledged is not found");
	else if (err->code != ERR_UNAVAILABLE && err->code != ERR_LIMIT)
		fail(sim, "I14: a read is answered: %s", err->msg);
	plan_event(sim, 1 + (int64_t)draw(sim, STREAM_CLIENT, LOOK_US), look, call->client, call->client->call);
}

static void start(struct simulation *sim, struct client *client, struct instance *instance)
{
	const struct start_request request = {
		.plan = client->plan,
		.idempotency_key = client->key,
		.key = client->key,
		.input = bytes_of_text(client->key),
		.delay_us = client->delay_us,
		.actor = "client",
	};

	engine_start_saga(instance->engine, &request, start_done, new_call(sim, instance, client));
	instance_wake(instance);
}

/* The next call, or what a call that took too long is followed by. */
static void look(struct simulation *sim, void *of, int64_t number)
{
	struct client *client = of;
	struct instance *instance = instance_any(sim, STREAM_CLIENT);
	const int64_t patience_us = happens(sim, FAULT_IMPATIENT) ? 500 : 6 * SECOND_US;

	if (client->call != number || client->is_over)
		return;
	client->calls++;
	if (client->is_served && (is_final(client->state) || client->calls > CALLS_MAX)) {
		client->is_over = true;
		return;
	}
	if (client->is_refused || !instance) {
		client->is_over = client->is_refused;
		plan_event(sim, SECOND_US, look, client, client->call);
		return;
	}
	if (!client->is_served) {
		note(sim, "client %d starts %s", client->index, client->plan->definition.name);
		start(sim, client, instance);
	} else {
		engine_get_saga(instance->engine, client->saga_id,
				(int64_t)draw(sim, STREAM_CLIENT, 2) * (int64_t)draw(sim, STREAM_CLIENT, 4000),
				get_done, new_call(sim, instance, client));
		instance_wake(instance);
	}
	plan_event(sim, patience_us, look, client, client->call);
}

/* ---- operators ---- */
static void request_done(void *ctx, const struct request_answer *answer)
{
	const struct call *call = ctx;

	if (!is_heard(call) || !answer->view)
		return;
	note(call->instance->sim, "operator's %s: verdict %d, version %lld", saga_event_name(call->request),
	     (int)answer->verdict, (long long)answer->view->saga->version);
	mix_number(call->instance->sim, answer->view->saga->version);
	check_view(call->instance->sim, answer->view);
}

static void ask(struct simulation *sim, const struct life *life, enum saga_event_type type, const char *step_id)
{
	struct instance *instance = instance_any(sim, STREAM_OPERATOR);
	const struct saga_request request = {
		.type = type, .step_id = step_id, .actor = "operator", .reason = "so it is"};
	struct call *call;

	if (!instance)
		return;
	call = new_call(sim, instance, NULL);
	call->request = type;
	engine_request(instance->engine, life->id, &request, request_done, call);
	instance_wake(instance);
}

static void resume(struct simulation *sim, void *of, int64_t number)
{
	(void)number;
	ask(sim, of, SAGA_EVENT_RESUMED, NULL);
}

void callers_resume_all(struct simulation *sim, void *of, int64_t number)
{
	bool is_any = false;

	(void)of;
	(void)number;
	for (size_t i = 0; i < sim->life_count; i++) {
		if (!sim->lives[i].exists || saga_state_is_terminal(sim->lives[i].row.state))
			continue;
		is_any = true;
		if (sim->lives[i].is_paused)
			ask(sim, &sim->lives[i], SAGA_EVENT_RESUMED, NULL);
	}
	if (is_any)
		plan_event(sim, 2 * SECOND_US, callers_resume_all, NULL, 0);
}

/* Most signals come in time, some before their step has begun. What one brings is the saga's id. */
static void signal_one(struct simulation *sim)
{
	const struct life *life = &sim->lives[draw(sim, STREAM_OPERATOR, sim->life_count)];
	struct instance *instance = instance_any(sim, STREAM_OPERATOR);
	struct saga_request request = {.type = SAGA_EVENT_SIGNALLED, .actor = "signaller", .reason = ""};
	char value[UUID_TEXT_LEN + 1];
	struct call *call;

	if (!life->exists || !instance)
		return;
	for (size_t i = 0; i < life->plan->definition.step_count; i++)
		if (life->plan->definition.steps[i].action == STEP_ACTION_SIGNAL)
			request.signal = life->plan->definition.steps[i].id;
	if (!request.signal)
		return;
	uuid_format(life->id, value);
	request.value = bytes_of_text(value);
	call = new_call(sim, instance, NULL);
	call->request = request.type;
	engine_request(instance->engine, life->id, &request, request_done, call);
	instance_wake(instance);
}

static void decide(struct simulation *sim, const struct life *life)
{
	static const enum saga_event_type decisions[] = {
		SAGA_EVENT_RETRY_REQUESTED,    SAGA_EVENT_RETRY_REQUESTED,      SAGA_EVENT_CANCELLED,
		SAGA_EVENT_RESOLVED_COMPLETED, SAGA_EVENT_RESOLVED_COMPENSATED, SAGA_EVENT_RESOLVED_FAILED,
		SAGA_EVENT_SKIP_REQUESTED};
	const enum saga_event_type type = decisions[draw(sim, STREAM_OPERATOR, ARRAY_LEN(decisions))];
	const size_t step = draw(sim, STREAM_OPERATOR, life->plan->definition.step_count);

	ask(sim, life, type, type == SAGA_EVENT_SKIP_REQUESTED ? life->plan->definition.steps[step].id : NULL);
}

static void operate(struct simulation *sim, void *of, int64_t number)
{
	(void)of;
	(void)number;
	if (!sim->has_faults)
		return;
	if (sim->life_count > 0) {
		struct life *life = &sim->lives[draw(sim, STREAM_OPERATOR, sim->life_count)];

		signal_one(sim);
		if (!life->exists) {
		} else if (life->row.state == SAGA_STATE_STUCK && happens(sim, FAULT_DECIDE)) {
			decide(sim, life);
		} else if (happens(sim, FAULT_CANCEL)) {
			ask(sim, life, SAGA_EVENT_CANCELLED, NULL);
		} else if (happens(sim, FAULT_PAUSE)) {
			ask(sim, life, SAGA_EVENT_PAUSED, NULL);
			plan_event(sim, (int64_t)draw(sim, STREAM_OPERATOR, 15 * SECOND_US), resume, life, 0);
		}
		if (life->exists && happens(sim, FAULT_PAUSE_ALL))
			pause_something(sim, life);
	}
	plan_event(sim, 2 * SECOND_US, operate, NULL, 0);
}

/* ---- all ---- */
static void add_client(struct simulation *sim, size_t shape, size_t key)
{
	struct client *client = &sim->clients[sim->client_count];

	*client = (struct client){.sim = sim, .index = (int)sim->client_count, .plan = shape_plan(shape), .call = 1};
	sim->client_count++;
	(void)snprintf(client->key, sizeof(client->key), "k%zu", key);
	plan_event(sim, (int64_t)draw(sim, STREAM_CLIENT, 3 * SECOND_US), look, client, client->call);
}

void callers_init(struct simulation *sim, size_t sagas)
{
	assert(sagas * 2 <= LIVES_MAX);
	for (size_t i = 0; i < sagas; i++) {
		const size_t shape = draw(sim, STREAM_WORLD, SHAPES);
		const int64_t delay_us = draw(sim, STREAM_WORLD, 8) == 0 ? 1 + (int64_t)draw(sim, STREAM_WORLD, 5000000)
									 : 0;

		add_client(sim, shape, i);
		sim->clients[sim->client_count - 1].delay_us = delay_us;
		if (happens(sim, FAULT_ASKED_TWICE)) {
			add_client(sim, shape, i);
			sim->clients[sim->client_count - 1].delay_us = delay_us;
		}
	}
	plan_event(sim, SECOND_US, operate, NULL, 0);
}
