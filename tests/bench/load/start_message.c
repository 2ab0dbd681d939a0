/* start_message.c - see start_message.h. */
#include "tests/bench/load/start_message.h"

#include <stdio.h>
#include <string.h>

#include "bench/v1/bench_checkout.pb-c.h"
#include "bench/v1/bench_input.pb-c.h"

enum { PRODUCTS = 100 };

static ProtobufCBinaryData pack(struct arena *arena, const ProtobufCMessage *message)
{
	ProtobufCBinaryData data;

	data.data = arena_alloc(arena, protobuf_c_message_get_packed_size(message) + 1);
	data.len = protobuf_c_message_pack(message, data.data);
	return data;
}

static ProtobufCBinaryData bench_input(struct arena *arena, char *order_id)
{
	Bench__V1__BenchInput input = BENCH__V1__BENCH_INPUT__INIT;

	input.order_id = order_id;
	input.user_id = (char *)"user-1";
	input.amount_minor = 2599;
	input.currency = (char *)"USD";
	return pack(arena, &input.base);
}

/* One of many products, so that no single row of the stock holds up all others. */
static ProtobufCBinaryData checkout_input(struct arena *arena, char *order_id, struct uuid saga_id, bool has_to_fail)
{
	Bench__V1__BenchCheckout input = BENCH__V1__BENCH_CHECKOUT__INIT;
	Bench__V1__BenchCheckout__Item item = BENCH__V1__BENCH_CHECKOUT__ITEM__INIT;
	Bench__V1__BenchCheckout__Item *items[] = {&item};
	char product[24];

	(void)snprintf(product, sizeof(product), "bench-%d", saga_id.data[15] % PRODUCTS);
	item.product_id = product;
	item.quantity = 1;
	item.price_minor = 2599;
	input.order_id = order_id;
	input.user_id = (char *)"user-1";
	input.total_amount_minor = 2599;
	input.currency = (char *)"USD";
	input.n_items = 1;
	input.items = items;
	input.payment_case = BENCH__V1__BENCH_CHECKOUT__PAYMENT_FORCE_PAYMENT_FAIL;
	input.force_payment_fail = false;
	input.inventory_case = BENCH__V1__BENCH_CHECKOUT__INVENTORY_FORCE_INVENTORY_FAIL;
	input.force_inventory_fail = has_to_fail;
	return pack(arena, &input.base);
}

Saga__V1__StartSagaRequest *start_message_make(struct arena *arena, const char *definition, struct uuid saga_id,
					       bool has_to_fail)
{
	Saga__V1__StartSagaRequest *request = arena_alloc(arena, sizeof(*request));
	char *id = arena_alloc(arena, UUID_TEXT_LEN + 1);

	saga__v1__start_saga_request__init(request);
	uuid_format(saga_id, id);
	request->definition = (char *)definition;
	request->saga_id = id;
	request->input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED;
	if (strcmp(definition, "checkout") == 0)
		request->encoded = checkout_input(arena, id, saga_id, has_to_fail);
	else
		request->encoded = bench_input(arena, id);
	return request;
}
