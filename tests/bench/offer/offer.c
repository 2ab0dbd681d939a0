/*
 * offer.c - see offer.h.
 *
 * A saga's number is the last four bytes of its id, and finds when it was due.
 */
#include "tests/bench/offer/offer.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/condition.h"
#include "lib/base/log.h"
#include "lib/base/uuid.h"
#include "lib/rpc/rpc_client.h"
#include "saga/v1/saga_service.pb-c.h"
#include "tests/bench/load/outcomes.h"
#include "tests/bench/load/start_message.h"
#include "tests/bench/offer/wire.h"

enum {
	START_MS = 30000,
	WATCH_BEGIN_MS = 20000,
	CALLS_MAX = 50000,
	PACE_MS = 1, /* between two looks at what is due */
	BATCH_MAX = 1000,
};

struct offer {
	struct offer_settings settings;
	struct round *round;
	struct rpc_client *client; /* NULL: the wire, as for starts of one saga */
	struct wire *wire;         /* the sender's */
	struct rpc_client *watch_client;
	pthread_t sender;
	pthread_t watcher;
	atomic_bool is_stopping;
	atomic_size_t calls; /* without an answer */
	atomic_size_t unsent;
	size_t sagas_max;

	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool has_begun; /* guarded by mu, as all below */
	bool may_send;
	_Atomic int64_t *due_us; /* of each saga by number; 0: not started, or ended */
};

struct offer_call {
	struct offer *offer;
	int64_t due_us;
	size_t count;
};

/* ---- starts ---- */

static void note_answer(struct offer_call *call, enum err_code code, const char *why)
{
	int64_t latency_us = clock_monotonic_us() - call->due_us;

	if (code == ERR_NONE || code == ERR_LIMIT)
		round_add_to(call->offer->round, code == ERR_LIMIT ? OFFER_SHED : OFFER_ACCEPTED, &latency_us, 1);
	else
		round_add_failure(call->offer->round, why);
}

static void on_started(void *ctx, void *call_ctx, int status, struct bytes message)
{
	struct offer_call *call = call_ctx;
	char why[40] = "the connection was lost";

	(void)ctx;
	(void)message;
	if (status != WIRE_LOST)
		(void)snprintf(why, sizeof(why), "gRPC status %d", status); /* fits */
	note_answer(call, status == WIRE_LOST ? ERR_UNAVAILABLE : rpc_code_of_status(status), why);
	atomic_fetch_sub(&call->offer->calls, 1);
	free(call);
}

static void on_batch_started(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	const Saga__V1__BatchStartSagasResponse *response = (const Saga__V1__BatchStartSagasResponse *)answer;
	struct offer_call *call = ctx;

	for (size_t i = 0; i < call->count; i++) {
		const Google__Rpc__Status *failed = NULL;

		if (response && i < response->n_results &&
		    response->results[i]->result_case == SAGA__V1__START_SAGA_RESULT__RESULT_ERROR)
			failed = response->results[i]->error;
		if (failed)
			note_answer(call, rpc_code_of_status(failed->code), failed->message);
		else
			note_answer(call, err ? err->code : ERR_NONE, err ? err->msg : "");
	}
	if (answer)
		protobuf_c_message_free_unpacked(answer, NULL);
	atomic_fetch_sub(&call->offer->calls, call->count);
	free(call);
}

static struct uuid new_id(size_t index)
{
	struct uuid id = uuid_v7_new(); /* unique by its time and counter */
	uint32_t number = htonl((uint32_t)index);

	memcpy(id.data + sizeof(id.data) - sizeof(number), &number, sizeof(number));
	return id;
}

static void send_start(struct offer *offer, const Saga__V1__StartSagaRequest *request, struct offer_call *call,
		       struct arena *arena)
{
	const size_t len = saga__v1__start_saga_request__get_packed_size(request);
	uint8_t *packed = arena_alloc(arena, len);

	wire_call(offer->wire, (struct bytes){packed, saga__v1__start_saga_request__pack(request, packed)}, call);
}

static void send_call(struct offer *offer, size_t first, size_t count, int64_t due_us, struct arena *arena)
{
	Saga__V1__BatchStartSagasRequest batch = SAGA__V1__BATCH_START_SAGAS_REQUEST__INIT;
	struct offer_call *call = xcalloc(1, sizeof(*call));

	*call = (struct offer_call){offer, due_us, count};
	arena_clear(arena);
	batch.requests = arena_alloc(arena, count * sizeof(Saga__V1__StartSagaRequest *));
	batch.n_requests = count;
	for (size_t i = 0; i < count; i++) {
		batch.requests[i] = start_message_make(arena, offer->settings.definition, new_id(first + i), false);
		atomic_store(&offer->due_us[first + i], due_us);
	}
	atomic_fetch_add(&offer->calls, count);
	if (offer->client)
		rpc_client_start(offer->client, "/saga.v1.SagaService/BatchStartSagas", &batch.base,
				 &saga__v1__batch_start_sagas_response__descriptor, START_MS, on_batch_started, call);
	else
		send_start(offer, batch.requests[0], call, arena);
}

/* Sends what has become due by now; `*sent` counts what was due, sent or not. */
static void send_due(struct offer *offer, int64_t begun_us, size_t *sent, struct arena *arena)
{
	const size_t batch = (size_t)offer->settings.batch;
	const int64_t passed_us = clock_monotonic_us() - begun_us;
	const size_t due = (size_t)((double)passed_us * (double)offer->settings.rate / 1e6);

	while (*sent + batch <= due && *sent + batch <= offer->sagas_max && !atomic_load(&offer->is_stopping)) {
		/* Each at its own time, even where this thread came late: else a stall here would hide theirs. */
		int64_t due_us = begun_us + (int64_t)((double)*sent * 1e6 / (double)offer->settings.rate);

		if (atomic_load(&offer->calls) + batch > CALLS_MAX)
			atomic_fetch_add(&offer->unsent, batch);
		else
			send_call(offer, *sent, batch, due_us, arena);
		*sent += batch;
	}
}

/* The answers come meanwhile; false: nothing may be sent yet. */
static bool wait_a_little(struct offer *offer)
{
	bool may_send;

	if (offer->wire)
		wire_turn(offer->wire, PACE_MS);
	(void)pthread_mutex_lock(&offer->mu);
	if (!offer->wire)
		(void)condition_wait_until(&offer->changed, &offer->mu, clock_monotonic_us() + PACE_MS * 1000);
	may_send = offer->may_send;
	(void)pthread_mutex_unlock(&offer->mu);
	return may_send;
}

static void *run_sender(void *ctx)
{
	struct offer *offer = ctx;
	int64_t begun_us = 0;
	size_t sent = 0;
	struct arena arena;

	arena_init(&arena, 0);
	while (!atomic_load(&offer->is_stopping)) {
		if (!wait_a_little(offer))
			continue;
		if (begun_us == 0)
			begun_us = clock_monotonic_us();
		send_due(offer, begun_us, &sent, &arena);
	}
	arena_release(&arena);
	return NULL;
}

/* ---- outcomes ---- */

static void take_outcomes(void *ctx, const Saga__V1__WatchSagasResponse *message)
{
	struct offer *offer = ctx;
	int64_t now_us = clock_monotonic_us();

	(void)pthread_mutex_lock(&offer->mu);
	if (!offer->has_begun)
		(void)pthread_cond_broadcast(&offer->changed);
	offer->has_begun = true;
	(void)pthread_mutex_unlock(&offer->mu);
	for (size_t i = 0; i < message->n_changes; i++) {
		const Saga__V1__Saga *saga = message->changes[i]->saga;
		int64_t latency_us;
		uint32_t number;
		struct uuid id;

		if (!saga || !uuid_parse(saga->saga_id, strlen(saga->saga_id), &id))
			continue;
		memcpy(&number, id.data + sizeof(id.data) - sizeof(number), sizeof(number));
		number = ntohl(number);
		latency_us = number < offer->sagas_max ? atomic_exchange(&offer->due_us[number], 0) : 0;
		if (latency_us == 0)
			continue; /* of an earlier run */
		latency_us = now_us - latency_us;
		if (saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED)
			round_add(offer->round, &latency_us, 1);
		else
			round_add_failure(offer->round, "a saga was undone");
	}
}

/* Without the stream the figures would be wrong, so from its end on they are missed. */
static void *run_watcher(void *ctx)
{
	struct offer *offer = ctx;
	const struct outcomes_watch watch = {.definition = offer->settings.definition,
					     .position = "",
					     .is_stopping = &offer->is_stopping,
					     .take = take_outcomes,
					     .ctx = offer};
	struct error err;

	if (outcomes_watch(offer->watch_client, &watch, &err) < 0 || !atomic_load(&offer->is_stopping))
		log_error("watch_ended", "the stream of outcomes has ended, no figures from here on");
	return NULL;
}

/* ---- life ---- */

int offer_new(const struct offer_settings *settings, struct round *round, struct offer **ret_offer, struct error *err)
{
	struct wire *wire = NULL;
	struct offer *offer;

	if (settings->batch == 1 && wire_new(settings->target, "/saga.v1.SagaService/StartSaga",
					     (size_t)settings->connections, on_started, NULL, &wire, err) < 0)
		return -1;
	offer = xcalloc(1, sizeof(*offer));
	offer->settings = *settings;
	offer->round = round;
	offer->wire = wire;
	round_name_series(round, OFFER_ACCEPTED, "accepted");
	round_name_series(round, OFFER_SHED, "shed");
	offer->client = wire ? NULL : rpc_client_new(settings->target);
	offer->watch_client = rpc_client_new(settings->target);
	offer->sagas_max = (size_t)(settings->rate * settings->seconds_max);
	offer->due_us = xcalloc(offer->sagas_max + BATCH_MAX, sizeof(*offer->due_us));
	(void)pthread_mutex_init(&offer->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&offer->changed);
	if (pthread_create(&offer->watcher, NULL, run_watcher, offer) ||
	    pthread_create(&offer->sender, NULL, run_sender, offer))
		abort(); /* as without memory */
	*ret_offer = offer;
	return 0;
}

int offer_start(struct offer *offer, struct error *err)
{
	int64_t until_us = clock_monotonic_us() + WATCH_BEGIN_MS * 1000;
	bool has_begun;

	(void)pthread_mutex_lock(&offer->mu);
	while (!offer->has_begun && condition_wait_until(&offer->changed, &offer->mu, until_us))
		;
	has_begun = offer->has_begun;
	offer->may_send = has_begun;
	(void)pthread_mutex_unlock(&offer->mu);
	return has_begun ? 0 : error_set(err, ERR_TIMEOUT, "WatchSagas has not begun within %d ms", WATCH_BEGIN_MS);
}

size_t offer_unsent(void *ctx)
{
	struct offer *offer = ctx;

	return atomic_load(&offer->unsent);
}

void offer_free(struct offer *offer)
{
	if (!offer)
		return;
	atomic_store(&offer->is_stopping, true);
	(void)pthread_join(offer->sender, NULL); /* joined once, by the owner, as the next */
	(void)pthread_join(offer->watcher, NULL);
	rpc_client_free(offer->watch_client);
	rpc_client_free(offer->client); /* cancels what is under way, as the next */
	wire_free(offer->wire);
	(void)pthread_cond_destroy(&offer->changed);
	(void)pthread_mutex_destroy(&offer->mu);
	free(offer->due_us);
	free(offer);
}
