/* inventory_commands.c - see inventory_commands.h. */
#include "participants/inventory/inventory_commands.h"

#include "participants/inventory/stock_store.h"

/* What keeps sums of a batch within 64 bits. */
static const int64_t QUANTITY_MAX = 1000000000;

/* ---- replies ---- */

static struct value list_items(struct arena *arena, const struct reservation *reservation)
{
	struct value list = {.kind = VALUE_LIST};

	list.list.items = arena_zalloc(arena, (reservation->item_count + 1) * sizeof(struct value));
	list.list.count = reservation->item_count;
	for (size_t i = 0; i < reservation->item_count; i++) {
		struct value item = value_record();

		value_set(arena, &item, "product_id", value_text_of(reservation->items[i].product_id));
		value_set(arena, &item, "quantity", value_int(reservation->items[i].quantity));
		list.list.items[i] = item;
	}
	return list;
}

static void succeed(struct arena *arena, struct command *command, const char *topic,
		    const struct reservation *reservation)
{
	command->outcome = COMMAND_OUTCOME_SUCCEEDED;
	command->reply_topic = topic;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "items", list_items(arena, reservation));
	value_set(arena, &command->reply, "status", value_text_of(reservation->status ? reservation->status : ""));
}

static void refuse(struct arena *arena, struct command *command, const char *reason, const char *detail)
{
	command->outcome = COMMAND_OUTCOME_REJECTED;
	command->reply_topic = "inventory.failed";
	command->reason = reason;
	command->detail = detail;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "reason", value_text_of(reason));
	value_set(arena, &command->reply, "detail", value_text_of(detail));
}

/* ---- reserve ---- */

/* What is wrong with the command itself; NULL: nothing. */
static const char *read_items(struct arena *arena, const struct command *command, struct reservation *reservation)
{
	const struct value *items = value_get(command->body, "items");

	if (!items || items->kind != VALUE_LIST || items->list.count == 0)
		return "there are no items";
	reservation->item_count = items->list.count;
	reservation->items = arena_zalloc(arena, items->list.count * sizeof(*reservation->items));
	for (size_t i = 0; i < items->list.count; i++) {
		struct stock_item *item = &reservation->items[i];
		struct bytes product;

		if (!value_get_text(&items->list.items[i], "product_id", &product) || product.len == 0 ||
		    memchr(product.data, 0, product.len))
			return "an item has no product";
		if (!value_get_int(&items->list.items[i], "quantity", &item->quantity) || item->quantity <= 0 ||
		    item->quantity > QUANTITY_MAX)
			return "the quantity of an item is not between 1 and 1000000000";
		item->product_id = arena_strndup(arena, (const char *)product.data, product.len);
	}
	return NULL;
}

/* The first product that is short; the goods are taken only when none is. A product may stand in several lines. */
static const char *take_goods(const struct stock_set *set, const struct reservation *reservation)
{
	const char *missing = NULL;
	size_t taken = 0;

	for (; taken < reservation->item_count && !missing; taken++) {
		const struct stock_item *item = &reservation->items[taken];
		struct stock *stock = stock_set_find(set, item->product_id);

		if (stock->is_found && stock->available >= item->quantity) {
			stock->available -= item->quantity;
			stock->reserved += item->quantity;
			stock->is_changed = true;
		} else {
			missing = item->product_id;
		}
	}
	for (size_t i = 0; missing && i + 1 < taken; i++) {
		struct stock *stock = stock_set_find(set, reservation->items[i].product_id);

		stock->available += reservation->items[i].quantity;
		stock->reserved -= reservation->items[i].quantity;
	}
	return missing;
}

static bool is_failing(const struct chance *chance, const struct command *command)
{
	bool is_forced;

	if (value_get_bool(command->body, "force_fail", &is_forced))
		return is_forced;
	return chance_fails(chance, command->key);
}

/* A reservation whose row is ours: takes the goods or fails. */
static void decide(struct command_batch *batch, const struct chance *chance, const struct stock_set *set,
		   struct command *command, struct reservation *reservation)
{
	const char *missing = NULL;
	const char *detail;

	if (is_failing(chance, command)) {
		detail = "failed on purpose";
	} else {
		missing = take_goods(set, reservation);
		if (!missing) {
			succeed(batch->arena, command, "inventory.reserved", reservation);
			return;
		}
		detail = arena_format(batch->arena, "not enough of product '%s'", missing);
	}
	reservation->status = "FAILED";
	refuse(batch->arena, command, "insufficient_stock", detail);
	if (missing)
		value_set(batch->arena, &command->reply, "product_id", value_text_of(missing));
	value_set(batch->arena, &command->reply, "status", value_text_of("FAILED"));
}

/* The commands that are in order; `ret_places` are their indexes in the batch. */
static size_t read_reservations(struct command_batch *batch, struct reservation *reservations, size_t *places)
{
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];
		struct reservation reservation = {
			.order_id = command->key,
			.saga_id = command->saga_id,
			.status = "RESERVED",
		};
		const char *problem = read_items(batch->arena, command, &reservation);

		if (problem) {
			refuse(batch->arena, command, "invalid_command", problem);
			continue;
		}
		places[count] = i;
		reservations[count++] = reservation;
	}
	return count;
}

static int reserve(void *ctx, struct command_batch *batch, struct error *err)
{
	struct reservation *reservations = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*reservations));
	struct reservation *failed = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*failed));
	size_t *places = arena_alloc(batch->arena, (batch->count + 1) * sizeof(*places));
	size_t count = read_reservations(batch, reservations, places);
	size_t failed_count = 0;
	struct stock_set set;

	if (count == 0)
		return 0;
	if (stock_store_insert(batch->pg, reservations, count, err) < 0 ||
	    stock_store_lock_products(batch->pg, reservations, count, batch->arena, &set, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct command *command = batch->commands[places[i]];

		if (!reservations[i].is_found) {
			refuse(batch->arena, command, "reservation_exists", "the order has a reservation already");
			continue;
		}
		decide(batch, ctx, &set, command, &reservations[i]);
		if (command->outcome == COMMAND_OUTCOME_REJECTED)
			failed[failed_count++] = reservations[i];
	}
	if (stock_store_write_products(batch->pg, &set, err) < 0)
		return -1;
	return stock_store_move(batch->pg, failed, failed_count, err);
}

/* ---- release and deduct ---- */

/* The goods of a reservation leave `reserved`, back to what is available or for good. */
static int settle_goods(const struct stock_set *set, const struct reservation *reservation, bool is_back,
			struct error *err)
{
	for (size_t i = 0; i < reservation->item_count; i++) {
		const struct stock_item *item = &reservation->items[i];
		struct stock *stock = stock_set_find(set, item->product_id);

		if (!stock->is_found || stock->reserved < item->quantity)
			return error_set(err, ERR_INTERNAL,
					 "stock of '%s' does not hold the %lld that are reserved for order '%s'",
					 item->product_id, (long long)item->quantity, reservation->order_id);
		stock->reserved -= item->quantity;
		stock->available += is_back ? item->quantity : 0;
		stock->is_changed = true;
	}
	return 0;
}

/* Moves what is RESERVED to `status`; `is_found` stays true for those only. */
static int settle(struct command_batch *batch, const char *status, struct reservation *reservations, struct error *err)
{
	struct reservation *moved = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*moved));
	struct stock_set set;
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++)
		reservations[i].order_id = batch->commands[i]->key;
	if (stock_store_lock_reservations(batch->pg, reservations, batch->count, batch->arena, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		reservations[i].is_found = reservations[i].is_found && strcmp(reservations[i].status, "RESERVED") == 0;
		if (!reservations[i].is_found)
			continue;
		reservations[i].status = status;
		moved[count++] = reservations[i];
	}
	if (stock_store_lock_products(batch->pg, moved, count, batch->arena, &set, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (settle_goods(&set, &moved[i], strcmp(status, "RELEASED") == 0, err) < 0)
			return -1;
	if (stock_store_write_products(batch->pg, &set, err) < 0)
		return -1;
	return stock_store_move(batch->pg, moved, count, err);
}

static int release(void *ctx, struct command_batch *batch, struct error *err)
{
	struct reservation *reservations = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*reservations));

	(void)ctx;
	if (settle(batch, "RELEASED", reservations, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		if (!reservations[i].is_found)
			reservations[i].item_count = 0;
		succeed(batch->arena, batch->commands[i], "inventory.released", &reservations[i]);
		batch->commands[i]->has_no_effect = !reservations[i].is_found;
	}
	return 0;
}

static int deduct(void *ctx, struct command_batch *batch, struct error *err)
{
	struct reservation *reservations = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*reservations));

	(void)ctx;
	if (settle(batch, "DEDUCTED", reservations, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		if (reservations[i].is_found)
			succeed(batch->arena, batch->commands[i], "inventory.deducted", &reservations[i]);
		else
			refuse(batch->arena, batch->commands[i], "not_reserved", "the order has no reserved goods");
	}
	return 0;
}

static const char *const reserve_replies[] = {"inventory.reserved", "inventory.failed", NULL};
static const char *const release_replies[] = {"inventory.released", NULL};
static const char *const deduct_replies[] = {"inventory.deducted", "inventory.failed", NULL};

const struct command_handler inventory_handlers[] = {
	{"inventory.reserve.command", reserve_replies, "inventory.failed", reserve, false},
	{"inventory.inquire.command", reserve_replies, "inventory.failed", NULL, true},
	{"inventory.release.command", release_replies, "inventory.released", release, false},
	/* The SDK's own answers go where a saga surely listens: a deduction may have no other topic. */
	{"inventory.deduct.command", deduct_replies, "inventory.deducted", deduct, false},
};
const size_t inventory_handler_count = sizeof(inventory_handlers) / sizeof(inventory_handlers[0]);
