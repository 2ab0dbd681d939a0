/* shipping_commands.c - see shipping_commands.h. */
#include "participants/shipping/shipping_commands.h"

#include "participants/shipping/shipment_store.h"

/* Stands for the carrier, who would give the number. */
static const char *new_tracking_no(struct arena *arena)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(uuid_v7_new(), text);
	return arena_format(arena, "SHP-%s", text);
}

static void succeed(struct arena *arena, struct command *command, const char *topic, const struct shipment *shipment)
{
	command->outcome = COMMAND_OUTCOME_SUCCEEDED;
	command->reply_topic = topic;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "tracking_no", value_text_of(shipment->tracking_no));
	value_set(arena, &command->reply, "status", value_text_of(shipment->status));
}

static void refuse(struct arena *arena, struct command *command, const char *reason, const char *detail)
{
	command->outcome = COMMAND_OUTCOME_REJECTED;
	command->reply_topic = "shipping.failed";
	command->reason = reason;
	command->detail = detail;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "reason", value_text_of(reason));
	value_set(arena, &command->reply, "detail", value_text_of(detail));
}

/* What is wrong with the command itself; NULL: nothing. */
static const char *find_problem(const struct command *command)
{
	const struct value *items = value_get(command->body, "items");

	if (!items || items->kind != VALUE_LIST || items->list.count == 0)
		return "there are no items";
	for (size_t i = 0; i < items->list.count; i++) {
		const struct value *item = &items->list.items[i];
		struct bytes product = {0};
		int64_t quantity = 0;

		if (!value_get_text(item, "product_id", &product) || product.len == 0)
			return "an item has no product";
		if (!value_get_int(item, "quantity", &quantity) || quantity <= 0)
			return "the quantity of an item is not more than zero";
	}
	return NULL;
}

static int ship(void *ctx, struct command_batch *batch, struct error *err)
{
	struct shipment *shipments = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*shipments));
	size_t *places = arena_alloc(batch->arena, (batch->count + 1) * sizeof(*places));
	size_t count = 0;

	(void)ctx;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];
		const char *problem = find_problem(command);

		if (problem) {
			refuse(batch->arena, command, "invalid_command", problem);
			continue;
		}
		shipments[count] = (struct shipment){
			.order_id = command->key,
			.saga_id = command->saga_id,
			.tracking_no = new_tracking_no(batch->arena),
			.status = "SHIPPED",
		};
		places[count++] = i;
	}
	if (count > 0 && shipment_store_insert(batch->pg, shipments, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct command *command = batch->commands[places[i]];

		if (shipments[i].is_found)
			succeed(batch->arena, command, "shipping.shipped", &shipments[i]);
		else
			refuse(batch->arena, command, "shipment_exists", "the order has a shipment already");
	}
	return 0;
}

static int cancel(void *ctx, struct command_batch *batch, struct error *err)
{
	struct shipment *shipments = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*shipments));

	(void)ctx;
	for (size_t i = 0; i < batch->count; i++)
		shipments[i] = (struct shipment){.order_id = batch->commands[i]->key, .tracking_no = "", .status = ""};
	if (shipment_store_cancel(batch->pg, shipments, batch->count, batch->arena, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		if (shipments[i].is_found)
			shipments[i].status = "CANCELLED";
		succeed(batch->arena, batch->commands[i], "shipping.cancelled", &shipments[i]);
		batch->commands[i]->has_no_effect = !shipments[i].is_found;
	}
	return 0;
}

static const char *const ship_replies[] = {"shipping.shipped", "shipping.failed", NULL};
static const char *const cancel_replies[] = {"shipping.cancelled", NULL};

const struct command_handler shipping_handlers[] = {
	{"shipping.ship.command", ship_replies, "shipping.failed", ship, false},
	{"shipping.cancel.command", cancel_replies, "shipping.cancelled", cancel, false},
};
const size_t shipping_handler_count = ARRAY_LEN(shipping_handlers);
