/* checkout_saga.c - see checkout_saga.h. */
#include "participants/checkout/checkout_saga.h"

#include <openssl/sha.h>
#include <poll.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/rpc/json_struct.h"
#include "lib/rpc/rpc_details.h"
#include "proto/saga/v1/saga_service.pb-c.h"

enum {
	START_TIMEOUT_MS = 10000,
	START_AGAIN_FOR_MS = 2000,
	/* One wait is short, so that the process can be stopped meanwhile. */
	WAIT_SLICE_MS = 1000,
	ANSWER_MARGIN_MS = 2000,
	PAUSE_MS = 100, /* after a failure */
	BREATH_MS = 5,  /* after an answer, should one come without having waited */
};

static void pause_unless_stopped(int pause_ms)
{
	struct pollfd stop = {.fd = shutdown_fd(), .events = POLLIN};

	(void)poll(&stop, 1, pause_ms); /* either way the caller looks at what there is */
}

/* ---- starting ---- */

/* A UUID of version 8 (RFC 9562: custom) out of the key, so that a repeated request has the same input. */
static struct uuid order_id_of_key(const char *key)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct uuid id;

	(void)SHA256((const uint8_t *)key, strlen(key), digest);
	memcpy(id.data, digest, sizeof(id.data));
	id.data[6] = (uint8_t)((id.data[6] & 0x0f) | 0x80);
	id.data[8] = (uint8_t)((id.data[8] & 0x3f) | 0x80);
	return id;
}

static Google__Protobuf__Value *items_value(struct arena *arena, const struct checkout_request *request)
{
	Google__Protobuf__Value **values = arena_alloc(arena, request->item_count * sizeof(*values));

	for (size_t i = 0; i < request->item_count; i++) {
		const struct checkout_item *item = &request->items[i];
		Google__Protobuf__Struct *fields = json_struct_new(arena);

		json_struct_add(arena, fields, "product_id", json_value_text(arena, item->product_id));
		json_struct_add(arena, fields, "quantity", json_value_int(arena, item->quantity));
		json_struct_add(arena, fields, "price_minor", json_value_int(arena, item->price_minor));
		values[i] = json_value_struct(arena, fields);
	}
	return json_value_list(arena, values, request->item_count);
}

/* The fields of proto/shop/checkout/v1/checkout_input.proto. */
static Google__Protobuf__Struct *input_of(struct arena *arena, const struct checkout_request *request,
					  const char *order_id)
{
	Google__Protobuf__Struct *input = json_struct_new(arena);

	json_struct_add(arena, input, "order_id", json_value_text(arena, order_id));
	json_struct_add(arena, input, "user_id", json_value_text(arena, request->user_id));
	json_struct_add(arena, input, "total_amount_minor", json_value_int(arena, request->total_amount_minor));
	json_struct_add(arena, input, "currency", json_value_text(arena, request->currency));
	json_struct_add(arena, input, "items", items_value(arena, request));
	json_struct_add(arena, input, "customer_email", json_value_text(arena, request->customer_email));
	if (request->force_payment_fail)
		json_struct_add(arena, input, "force_payment_fail",
				json_value_bool(arena, *request->force_payment_fail));
	if (request->force_inventory_fail)
		json_struct_add(arena, input, "force_inventory_fail",
				json_value_bool(arena, *request->force_inventory_fail));
	return input;
}

static enum checkout_status status_of(const Saga__V1__Saga *saga)
{
	switch (saga->state) {
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED:
		return CHECKOUT_COMPLETED;
	case SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED:
	case SAGA__V1__SAGA_STATE__SAGA_STATE_FAILED:
		return CHECKOUT_FAILED;
	default:
		return CHECKOUT_RUNNING; /* a stuck one, too: it will end one way or the other */
	}
}

static void take_state(struct checkout_saga *saga, const Saga__V1__Saga *seen)
{
	saga->status = status_of(seen);
	(void)snprintf(saga->step, sizeof(saga->step), "%s", seen->step); /* a cut step is still for people */
}

static int take_start(struct checkout_saga *saga, const Saga__V1__StartSagaResponse *answer, struct error *err)
{
	if (!answer->saga || strlen(answer->saga->saga_id) != UUID_TEXT_LEN)
		return error_set(err, ERR_CORRUPT, "the coordinator answered StartSaga without a saga");
	memcpy(saga->saga_id, answer->saga->saga_id, sizeof(saga->saga_id));
	take_state(saga, answer->saga);
	return 0;
}

static int call_start(struct rpc_client *coordinator, const struct rpc_call *call, struct checkout_saga *saga,
		      struct problems *problems, struct error *err)
{
	struct rpc_failure failure;
	ProtobufCMessage *answer = NULL;
	int result;

	if (rpc_client_call_explained(coordinator, call, &answer, &failure, err) < 0) {
		rpc_details_add_problems(buffer_bytes(&failure.details), problems);
		buffer_release(&failure.details);
		return error_prefix(err, "cannot start the checkout");
	}
	result = take_start(saga, (Saga__V1__StartSagaResponse *)answer, err);
	protobuf_c_message_free_unpacked(answer, NULL);
	return result;
}

/* A start whose answer was lost may have happened; the same key makes it harmless to ask again, and finds the saga that
 * would otherwise run unknown to the customer. A coordinator that restarts is back within about this time. */
static int start_patiently(struct rpc_client *coordinator, const struct rpc_call *call, struct checkout_saga *saga,
			   struct problems *problems, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + START_AGAIN_FOR_MS * 1000;

	while (call_start(coordinator, call, saga, problems, err) < 0) {
		if (err->code != ERR_UNAVAILABLE || clock_monotonic_us() >= deadline_us || shutdown_requested())
			return -1;
		pause_unless_stopped(PAUSE_MS);
	}
	return 0;
}

int checkout_saga_start(struct rpc_client *coordinator, const struct checkout_request *request,
			const char *idempotency_key, struct checkout_saga *ret_saga, struct problems *problems,
			struct error *err)
{
	Saga__V1__StartSagaRequest start = SAGA__V1__START_SAGA_REQUEST__INIT;
	struct rpc_call call = {.method = "/saga.v1.SagaService/StartSaga",
				.answer_type = &saga__v1__start_saga_response__descriptor,
				.timeout_ms = START_TIMEOUT_MS,
				.traceparent = request->traceparent,
				.tracestate = request->tracestate};
	struct checkout_saga saga = {0};
	struct arena arena;
	int result;

	uuid_format(idempotency_key ? order_id_of_key(idempotency_key) : uuid_v7_new(), saga.order_id);
	arena_init(&arena, 0);
	start.definition = (char *)"checkout";
	start.idempotency_key = (char *)(idempotency_key ? idempotency_key : saga.order_id);
	start.input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_JSON;
	start.json = input_of(&arena, request, saga.order_id);
	call.request = &start.base;
	result = start_patiently(coordinator, &call, &saga, problems, err);
	arena_release(&arena);
	if (result == 0)
		*ret_saga = saga;
	return result;
}

/* ---- waiting ---- */

/* One GetSaga that waits. False when asking again cannot help. */
static bool look(struct rpc_client *coordinator, int64_t wait_ms, struct checkout_saga *saga, bool *ret_is_stuck,
		 struct error *err)
{
	Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	const Saga__V1__Saga *seen;

	wait.seconds = wait_ms / 1000;
	wait.nanos = (int32_t)(wait_ms % 1000) * 1000000;
	request.saga_id = saga->saga_id;
	request.wait = &wait;
	if (rpc_client_call(coordinator, "/saga.v1.SagaService/GetSaga", &request.base,
			    &saga__v1__get_saga_response__descriptor, wait_ms + ANSWER_MARGIN_MS, &answer, err) < 0)
		return err->is_retriable;
	err->code = ERR_NONE;
	seen = ((Saga__V1__GetSagaResponse *)answer)->saga;
	if (seen) {
		take_state(saga, seen);
		*ret_is_stuck = seen->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	return true;
}

void checkout_saga_wait(struct rpc_client *coordinator, int64_t wait_ms, struct checkout_saga *saga)
{
	int64_t deadline_us = clock_monotonic_us() + wait_ms * 1000;
	bool is_stuck = false;

	while (saga->status == CHECKOUT_RUNNING && !is_stuck && !shutdown_requested()) {
		int64_t left_ms = (deadline_us - clock_monotonic_us()) / 1000;
		struct error err = {0};

		if (left_ms <= 0)
			return;
		if (!look(coordinator, left_ms < WAIT_SLICE_MS ? left_ms : WAIT_SLICE_MS, saga, &is_stuck, &err)) {
			log_warn("saga_lost_sight", "saga=%s err=%s, answering that it runs", saga->saga_id,
				 LOG_TEXT(err.msg));
			return;
		}
		if (saga->status != CHECKOUT_RUNNING)
			return;
		pause_unless_stopped(err.code == ERR_NONE ? BREATH_MS : PAUSE_MS);
	}
}
