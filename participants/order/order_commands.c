/* order_commands.c - see order_commands.h. */
#include "participants/order/order_commands.h"

#include "participants/order/order_store.h"

/* ---- replies ---- */

static void succeed(struct arena *arena, struct command *command, const char *topic, const char *status)
{
	command->outcome = COMMAND_OUTCOME_SUCCEEDED;
	command->reply_topic = topic;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "status", value_text_of(status));
}

static void refuse(struct arena *arena, struct command *command, const char *reason, const char *detail)
{
	command->outcome = COMMAND_OUTCOME_REJECTED;
	command->reply_topic = "order.failed";
	command->reason = reason;
	command->detail = detail;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "reason", value_text_of(reason));
	value_set(arena, &command->reply, "detail", value_text_of(detail));
}

/* A field that command and reply both have. */
static void repeat(struct arena *arena, struct command *command, const char *name)
{
	const struct value *given = value_get(command->body, name);

	if (given)
		value_set(arena, &command->reply, name, *given);
}

/* ---- create ---- */

static const char *read_field(struct arena *arena, const struct command *command, const char *name)
{
	struct bytes text = {0};

	if (!value_get_text(command->body, name, &text) || memchr(text.data, 0, text.len))
		return "";
	return arena_strndup(arena, (const char *)text.data, text.len);
}

/* What is wrong with the command itself; NULL: nothing. */
static const char *read_order(struct arena *arena, const struct command *command, struct order *ret_order)
{
	const struct value *items = value_get(command->body, "items");
	struct buffer json = {0};

	*ret_order = (struct order){
		.order_id = command->key,
		.user_id = read_field(arena, command, "user_id"),
		.currency = read_field(arena, command, "currency"),
		.status = "PENDING",
		.saga_id = command->saga_id,
		.has_saga = true,
	};
	if (!value_get_int(command->body, "total_amount_minor", &ret_order->total_amount_minor) ||
	    ret_order->total_amount_minor < 0)
		return "the total amount is negative or missing";
	if (strlen(ret_order->currency) != 3)
		return "the currency must be a code of ISO 4217";
	if (!items || items->kind != VALUE_LIST || items->list.count == 0)
		return "there are no items";
	value_print_json(items, &json);
	ret_order->items = arena_bytes(arena, buffer_bytes(&json));
	buffer_release(&json);
	return NULL;
}

static void answer_created(struct arena *arena, struct command *command)
{
	static const char *const names[] = {"user_id", "total_amount_minor", "currency", "items", "customer_email"};

	succeed(arena, command, "order.created", "PENDING");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		repeat(arena, command, names[i]);
}

static int create(void *ctx, struct command_batch *batch, struct error *err)
{
	struct order *orders = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*orders));
	size_t *places = arena_alloc(batch->arena, (batch->count + 1) * sizeof(*places));
	size_t count = 0;

	(void)ctx;
	for (size_t i = 0; i < batch->count; i++) {
		const char *problem = read_order(batch->arena, batch->commands[i], &orders[count]);

		if (problem)
			refuse(batch->arena, batch->commands[i], "invalid_command", problem);
		else
			places[count++] = i;
	}
	if (count > 0 && order_store_insert(batch->pg, orders, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (orders[i].is_found)
			answer_created(batch->arena, batch->commands[places[i]]);
		else
			refuse(batch->arena, batch->commands[places[i]], "order_exists",
			       "there is an order of this id already");
	}
	return 0;
}

/* ---- confirm and cancel ---- */

static struct order *lock_orders(struct command_batch *batch, struct error *err)
{
	struct order *orders = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*orders));

	for (size_t i = 0; i < batch->count; i++)
		orders[i].order_id = batch->commands[i]->key;
	return order_store_lock(batch->pg, orders, batch->count, batch->arena, err) < 0 ? NULL : orders;
}

static int confirm(void *ctx, struct command_batch *batch, struct error *err)
{
	struct order *orders = lock_orders(batch, err);
	size_t count = 0;

	(void)ctx;
	if (!orders)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];

		if (!orders[i].is_found) {
			refuse(batch->arena, command, "order_not_found", "there is no order of this id");
		} else if (strcmp(orders[i].status, "CANCELLED") == 0) {
			refuse(batch->arena, command, "order_cancelled", "the order is cancelled");
		} else {
			succeed(batch->arena, command, "order.confirmed", "CONFIRMED");
			repeat(batch->arena, command, "payment_id");
			orders[i].status = "CONFIRMED";
			orders[count++] = orders[i]; /* never ahead of i */
		}
	}
	return order_store_move(batch->pg, orders, count, err);
}

static int cancel(void *ctx, struct command_batch *batch, struct error *err)
{
	struct order *orders = lock_orders(batch, err);
	size_t count = 0;

	(void)ctx;
	if (!orders)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];

		command->has_no_effect = !orders[i].is_found || strcmp(orders[i].status, "CANCELLED") == 0;
		succeed(batch->arena, command, "order.cancelled", orders[i].is_found ? "CANCELLED" : "");
		if (command->has_no_effect)
			continue;
		orders[i].status = "CANCELLED";
		orders[count++] = orders[i]; /* never ahead of i */
	}
	return order_store_move(batch->pg, orders, count, err);
}

static const char *const create_replies[] = {"order.created", "order.failed", NULL};
static const char *const confirm_replies[] = {"order.confirmed", "order.failed", NULL};
static const char *const cancel_replies[] = {"order.cancelled", NULL};

const struct command_handler order_handlers[] = {
	{"order.create.command", create_replies, "order.failed", create, false},
	{"order.confirm.command", confirm_replies, "order.failed", confirm, false},
	{"order.cancel.command", cancel_replies, "order.cancelled", cancel, false},
};
const size_t order_handler_count = ARRAY_LEN(order_handlers);
