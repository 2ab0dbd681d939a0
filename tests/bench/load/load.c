/*
 * load.c - see load.h.
 *
 * A saga's id tells its slot (the last four bytes), so outcomes need no table. An outcome of an id that the slot no longer has
 * is of a saga that was given up as overdue, or of an earlier client: it changes nothing.
 */
#include "tests/bench/load/load.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/base/uuid.h"
#include "lib/rpc/rpc_client.h"
#include "saga/v1/saga_service.pb-c.h"
#include "tests/bench/load/outcomes.h"
#include "tests/bench/load/start_message.h"

enum {
	START_MS = 30000,
	OVERDUE_US = 30 * 1000 * 1000,
	WATCH_BEGIN_MS = 20000,
	BATCH_MAX = 500,
	BATCHES_MAX = 4, /* under way at once */
	AGAIN_MS = 20,   /* after a start that was refused */
	POSITION_MAX = 256,
	TARGETS_MAX = 8,
	TARGET_BYTES_MAX = 256,
};

struct slot {
	struct uuid saga_id; /* guarded by the load's mu, as started_us */
	int64_t started_us;
	size_t next_free; /* of the list of those that wait to be started; see no_slot */
};

static const size_t no_slot = SIZE_MAX;

struct load {
	struct load_settings settings;
	struct round *round;
	struct rpc_client *clients[TARGETS_MAX];
	size_t client_count;
	size_t client_next; /* the starter's */
	struct rpc_client *watch_client;
	struct slot *slots;
	pthread_t watcher;
	pthread_t starter;
	char position[POSITION_MAX]; /* the watcher's: where it goes on */
	atomic_bool is_stopping;

	pthread_mutex_t mu;
	pthread_cond_t changed;
	size_t first_free; /* guarded by mu, as all below */
	size_t last_free;
	size_t free_count;
	size_t calls; /* starts that are not answered */
	bool has_begun;
	bool is_draining;
	bool is_held; /* the coordinator refused a start: the next one waits a moment */
};

struct start_call {
	struct load *load;
	size_t count;
	size_t slots[BATCH_MAX];
	struct uuid ids[BATCH_MAX];
};

/* ---- slots; with the lock held ---- */

static void free_slot(struct load *load, size_t index)
{
	load->slots[index].saga_id = (struct uuid){0};
	load->slots[index].next_free = no_slot;
	if (load->first_free == no_slot)
		load->first_free = index;
	else
		load->slots[load->last_free].next_free = index;
	load->last_free = index;
	load->free_count++;
}

static struct uuid new_id(size_t slot)
{
	struct uuid id = uuid_v7_new(); /* unique by its time and counter */
	uint32_t number = htonl((uint32_t)slot);

	memcpy(id.data + sizeof(id.data) - sizeof(number), &number, sizeof(number));
	return id;
}

static size_t slot_of(struct uuid id)
{
	uint32_t number;

	memcpy(&number, id.data + sizeof(id.data) - sizeof(number), sizeof(number));
	return ntohl(number);
}

static size_t take_slots(struct load *load, struct start_call *call, size_t max)
{
	int64_t now_us = clock_monotonic_us();

	while (call->count < max && load->first_free != no_slot) {
		size_t index = load->first_free;

		load->first_free = load->slots[index].next_free;
		load->free_count--;
		load->slots[index].saga_id = new_id(index);
		load->slots[index].started_us = now_us;
		call->ids[call->count] = load->slots[index].saga_id;
		call->slots[call->count++] = index;
	}
	return call->count;
}

/* ---- starts ---- */

/* The slots of a start that failed begin anew, unless an outcome has said otherwise meanwhile. */
static void give_back(struct load *load, const struct start_call *call, size_t item, const char *why)
{
	round_add_failure(load->round, why);
	pthread_mutex_lock(&load->mu);
	if (uuid_equal(load->slots[call->slots[item]].saga_id, call->ids[item]))
		free_slot(load, call->slots[item]);
	load->is_held = true;
	pthread_mutex_unlock(&load->mu);
}

static void end_call(struct start_call *call)
{
	struct load *load = call->load;

	pthread_mutex_lock(&load->mu);
	load->calls--;
	pthread_cond_signal(&load->changed);
	pthread_mutex_unlock(&load->mu);
	free(call);
}

static void on_started(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	struct start_call *call = ctx;

	if (err)
		give_back(call->load, call, 0, err->msg);
	else
		protobuf_c_message_free_unpacked(answer, NULL);
	end_call(call);
}

static void on_batch_started(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	const Saga__V1__BatchStartSagasResponse *response = (const Saga__V1__BatchStartSagasResponse *)answer;
	struct start_call *call = ctx;

	for (size_t i = 0; i < call->count; i++) {
		const Saga__V1__StartSagaResult *result = response && i < response->n_results ? response->results[i]
											      : NULL;

		if (!result)
			give_back(call->load, call, i, err ? err->msg : "the answer has too few results");
		else if (result->result_case == SAGA__V1__START_SAGA_RESULT__RESULT_ERROR)
			give_back(call->load, call, i, result->error->message);
	}
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
	end_call(call);
}

static void send_start(struct load *load, struct start_call *call, struct arena *arena)
{
	const struct load_settings *settings = &load->settings;
	struct rpc_client *client = load->clients[load->client_next++ % load->client_count];
	Saga__V1__BatchStartSagasRequest batch = SAGA__V1__BATCH_START_SAGAS_REQUEST__INIT;

	arena_clear(arena);
	batch.requests = arena_alloc(arena, call->count * sizeof(Saga__V1__StartSagaRequest *));
	batch.n_requests = call->count;
	for (size_t i = 0; i < call->count; i++)
		batch.requests[i] =
			start_message_make(arena, settings->definition, call->ids[i], settings->is_compensating);
	if (settings->is_batched)
		rpc_client_start(client, "/saga.v1.SagaService/BatchStartSagas", &batch.base,
				 &saga__v1__batch_start_sagas_response__descriptor, START_MS, on_batch_started, call);
	else
		rpc_client_start(client, "/saga.v1.SagaService/StartSaga", &batch.requests[0]->base,
				 &saga__v1__start_saga_response__descriptor, START_MS, on_started, call);
}

/* With the lock held, which it lets go of: starts what waits to be started. */
static bool start_some(struct load *load, struct arena *arena)
{
	size_t max = load->settings.is_batched ? BATCH_MAX : 1;
	struct start_call *call;

	if (load->is_draining || load->first_free == no_slot ||
	    (load->settings.is_batched && load->calls >= BATCHES_MAX))
		return false;
	call = xcalloc(1, sizeof(*call));
	call->load = load;
	(void)take_slots(load, call, max); /* at least one is free */
	load->calls++;
	pthread_mutex_unlock(&load->mu);
	send_start(load, call, arena);
	pthread_mutex_lock(&load->mu);
	return true;
}

static void *run_starter(void *ctx)
{
	struct load *load = ctx;
	struct arena arena;

	arena_init(&arena, 0);
	pthread_mutex_lock(&load->mu);
	while (!atomic_load(&load->is_stopping)) {
		if (load->is_held) {
			(void)condition_wait_until(&load->changed, &load->mu, clock_monotonic_us() + AGAIN_MS * 1000);
			load->is_held = false;
		} else if (!start_some(load, &arena)) {
			pthread_cond_wait(&load->changed, &load->mu);
		}
	}
	pthread_mutex_unlock(&load->mu);
	arena_release(&arena);
	return NULL;
}

/* ---- outcomes ---- */

static bool take_outcome(struct load *load, const Saga__V1__SagaChange *change, int64_t now_us, int64_t *ret_latency_us)
{
	const Saga__V1__SagaState wanted = load->settings.is_compensating ? SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED
									  : SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED;
	struct uuid id;
	size_t index;

	if (!change->saga || !uuid_parse(change->saga->saga_id, strlen(change->saga->saga_id), &id))
		return false;
	index = slot_of(id);
	if (index >= (size_t)load->settings.in_flight || !uuid_equal(load->slots[index].saga_id, id))
		return false;
	*ret_latency_us = now_us - load->slots[index].started_us;
	free_slot(load, index);
	if (change->saga->state == wanted)
		return true;
	round_add_failure(load->round, "a saga ended in another way than it should");
	return false;
}

static void take_outcomes(void *ctx, const Saga__V1__WatchSagasResponse *message)
{
	struct load *load = ctx;
	int64_t *latencies_us = xmalloc((message->n_changes + 1) * sizeof(*latencies_us));
	int64_t now_us = clock_monotonic_us();
	size_t count = 0;

	if (*message->position)
		(void)snprintf(load->position, sizeof(load->position), "%s", message->position);
	pthread_mutex_lock(&load->mu);
	load->has_begun = true;
	for (size_t i = 0; i < message->n_changes; i++)
		if (take_outcome(load, message->changes[i], now_us, &latencies_us[count]))
			count++;
	pthread_cond_broadcast(&load->changed);
	pthread_mutex_unlock(&load->mu);
	round_add(load->round, latencies_us, count);
	free(latencies_us);
}

/* Until the stream ends; it is opened anew at the last position then. */
static void watch(struct load *load)
{
	const struct outcomes_watch watch = {.definition = load->settings.definition,
					     .position = load->position,
					     .is_stopping = &load->is_stopping,
					     .take = take_outcomes,
					     .ctx = load};
	struct error err;

	if (outcomes_watch(load->watch_client, &watch, &err) == 0)
		return;
	log_warn("watch_ended", "err=%s, opening it again", LOG_TEXT(err.msg));
	round_add_failure(load->round, err.msg);
}

static void *run_watcher(void *ctx)
{
	struct load *load = ctx;

	while (!atomic_load(&load->is_stopping)) {
		watch(load);
		pthread_mutex_lock(&load->mu);
		if (!atomic_load(&load->is_stopping))
			(void)condition_wait_until(&load->changed, &load->mu, clock_monotonic_us() + AGAIN_MS * 1000);
		pthread_mutex_unlock(&load->mu);
	}
	return NULL;
}

size_t load_overdue(void *ctx)
{
	struct load *load = ctx;
	int64_t now_us = clock_monotonic_us();
	size_t overdue = 0;

	pthread_mutex_lock(&load->mu);
	for (size_t i = 0; i < (size_t)load->settings.in_flight; i++) {
		struct slot *slot = &load->slots[i];

		if (!uuid_equal(slot->saga_id, (struct uuid){0}) && now_us - slot->started_us > OVERDUE_US) {
			free_slot(load, i);
			overdue++;
		}
	}
	pthread_cond_broadcast(&load->changed);
	pthread_mutex_unlock(&load->mu);
	return overdue;
}

/* ---- life ---- */

static void make_clients(struct load *load)
{
	const char *text = load->settings.target;

	while (*text && load->client_count < TARGETS_MAX) {
		const size_t len = strcspn(text, ",");
		char target[TARGET_BYTES_MAX];

		(void)snprintf(target, sizeof(target), "%.*s", (int)len, text); /* what is cut does not connect */
		if (load->client_count == 0)
			load->watch_client = rpc_client_new(target);
		load->clients[load->client_count++] = rpc_client_new(target);
		text += len + (text[len] == ',');
	}
}

struct load *load_new(const struct load_settings *settings, struct round *round)
{
	struct load *load = xcalloc(1, sizeof(*load));

	load->settings = *settings;
	load->round = round;
	make_clients(load);
	load->slots = xcalloc((size_t)settings->in_flight, sizeof(*load->slots));
	load->first_free = no_slot;
	for (size_t i = 0; i < (size_t)settings->in_flight; i++)
		free_slot(load, i);
	load->is_draining = true; /* until the start */
	(void)pthread_mutex_init(&load->mu, NULL);
	condition_init(&load->changed);
	if (pthread_create(&load->watcher, NULL, run_watcher, load) ||
	    pthread_create(&load->starter, NULL, run_starter, load))
		abort(); /* as without memory */
	return load;
}

int load_start(struct load *load, struct error *err)
{
	int64_t until_us = clock_monotonic_us() + WATCH_BEGIN_MS * 1000;
	bool has_begun;

	pthread_mutex_lock(&load->mu);
	while (!load->has_begun && condition_wait_until(&load->changed, &load->mu, until_us))
		;
	has_begun = load->has_begun;
	load->is_draining = false;
	pthread_cond_broadcast(&load->changed);
	pthread_mutex_unlock(&load->mu);
	return has_begun ? 0 : error_set(err, ERR_TIMEOUT, "WatchSagas has not begun within %d ms", WATCH_BEGIN_MS);
}

void load_drain(struct load *load, int64_t patience_s)
{
	int64_t until_us = clock_monotonic_us() + patience_s * 1000000;

	pthread_mutex_lock(&load->mu);
	load->is_draining = true;
	while (load->free_count < (size_t)load->settings.in_flight &&
	       condition_wait_until(&load->changed, &load->mu, until_us))
		;
	pthread_mutex_unlock(&load->mu);
}

void load_free(struct load *load)
{
	if (!load)
		return;
	pthread_mutex_lock(&load->mu);
	atomic_store(&load->is_stopping, true);
	pthread_cond_broadcast(&load->changed);
	pthread_mutex_unlock(&load->mu);
	(void)pthread_join(load->starter, NULL); /* joined once, by the owner, as the next */
	(void)pthread_join(load->watcher, NULL);
	rpc_client_free(load->watch_client);
	for (size_t i = 0; i < load->client_count; i++)
		rpc_client_free(load->clients[i]); /* cancels what is under way */
	(void)pthread_cond_destroy(&load->changed);
	(void)pthread_mutex_destroy(&load->mu);
	free(load->slots);
	free(load);
}
