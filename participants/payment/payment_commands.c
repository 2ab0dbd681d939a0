/* payment_commands.c - see payment_commands.h. */
#include "participants/payment/payment_commands.h"

#include "participants/payment/payment_store.h"

enum { CURRENCY_LEN = 3 };

static char *new_payment_id(struct arena *arena)
{
	char *text = arena_alloc(arena, UUID_TEXT_LEN + 1);

	uuid_format(uuid_v7_new(), text);
	return text;
}

static void refuse(struct arena *arena, struct command *command, const struct payment *payment, const char *reason,
		   const char *detail)
{
	command->outcome = COMMAND_OUTCOME_REJECTED;
	command->reply_topic = "payment.failed";
	command->reason = reason;
	command->detail = detail;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "reason", value_text_of(reason));
	value_set(arena, &command->reply, "detail", value_text_of(detail));
	if (payment) {
		value_set(arena, &command->reply, "payment_id", value_text_of(payment->payment_id));
		value_set(arena, &command->reply, "status", value_text_of(payment->status));
	}
}

static void succeed(struct arena *arena, struct command *command, const char *topic, const struct payment *payment)
{
	command->outcome = COMMAND_OUTCOME_SUCCEEDED;
	command->reply_topic = topic;
	value_set(arena, &command->reply, "order_id", value_text_of(command->key));
	value_set(arena, &command->reply, "payment_id", value_text_of(payment->payment_id));
	value_set(arena, &command->reply, "status", value_text_of(payment->status));
}

static void add_amount(struct arena *arena, struct command *command, const struct payment *payment)
{
	value_set(arena, &command->reply, "amount_minor", value_int(payment->amount_minor));
	value_set(arena, &command->reply, "currency", value_text_of(payment->currency));
}

/* ---- new payments ---- */

/* What is wrong with the command itself; NULL: nothing. */
static const char *read_payment(struct arena *arena, const struct command *command, struct payment *ret_payment)
{
	struct bytes currency;

	*ret_payment = (struct payment){
		.order_id = command->key,
		.payment_id = new_payment_id(arena),
		.saga_id = command->saga_id,
	};
	if (!value_get_int(command->body, "amount_minor", &ret_payment->amount_minor) || ret_payment->amount_minor <= 0)
		return "the amount must be more than zero";
	if (!value_get_text(command->body, "currency", &currency) || currency.len != CURRENCY_LEN)
		return "the currency must be a code of ISO 4217";
	ret_payment->currency = arena_strndup(arena, (const char *)currency.data, currency.len);
	return NULL;
}

/* The simulated gateway. */
static bool is_declined(const struct chance *chance, const struct command *command)
{
	bool is_forced;

	if (value_get_bool(command->body, "force_fail", &is_forced))
		return is_forced;
	return chance_fails(chance, command->key);
}

/* Inserts one payment a command that is in order; `is_found` of the others stays false. */
static int insert_payments(struct command_batch *batch, const char *status, const struct chance *chance,
			   struct payment **ret_payments, struct error *err)
{
	struct payment *payments = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*payments));
	struct payment *good = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*good));
	size_t *places = arena_alloc(batch->arena, (batch->count + 1) * sizeof(*places));
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];
		const char *problem = read_payment(batch->arena, command, &payments[i]);

		if (problem) {
			refuse(batch->arena, command, NULL, "invalid_command", problem);
			continue;
		}
		payments[i].status = chance && is_declined(chance, command) ? "FAILED" : status;
		places[count] = i;
		good[count++] = payments[i];
	}
	if (count > 0 && payment_store_insert(batch->pg, good, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		payments[places[i]].is_found = good[i].is_found;
	*ret_payments = payments;
	return 0;
}

static int charge(void *ctx, struct command_batch *batch, struct error *err)
{
	struct payment *payments = NULL;

	if (insert_payments(batch, "CHARGED", ctx, &payments, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];

		if (command->outcome != COMMAND_OUTCOME_NONE)
			continue;
		if (!payments[i].is_found) {
			refuse(batch->arena, command, NULL, "payment_exists", "the order has a payment already");
		} else if (strcmp(payments[i].status, "FAILED") == 0) {
			refuse(batch->arena, command, &payments[i], "declined", "the payment was declined");
		} else {
			succeed(batch->arena, command, "payment.charged", &payments[i]);
			add_amount(batch->arena, command, &payments[i]);
		}
	}
	return 0;
}

static int create(void *ctx, struct command_batch *batch, struct error *err)
{
	struct payment *payments = NULL;

	(void)ctx; /* no gateway is asked before the customer pays */
	if (insert_payments(batch, "PENDING", NULL, &payments, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];
		struct bytes user_id = {0};

		if (command->outcome != COMMAND_OUTCOME_NONE)
			continue;
		if (!payments[i].is_found) {
			refuse(batch->arena, command, NULL, "payment_exists", "the order has a payment already");
			continue;
		}
		succeed(batch->arena, command, "payment.initiated", &payments[i]);
		add_amount(batch->arena, command, &payments[i]);
		if (value_get_text(command->body, "user_id", &user_id))
			value_set(batch->arena, &command->reply, "user_id", value_text(user_id));
	}
	return 0;
}

/* ---- undoing ---- */

/* Where a payment ends that is undone; NULL: it stays as it is. */
static const char *undone_status(const struct payment *payment)
{
	if (!payment->is_found)
		return NULL;
	if (strcmp(payment->status, "PENDING") == 0)
		return "CANCELLED";
	return strcmp(payment->status, "CHARGED") == 0 ? "REFUNDED" : NULL;
}

static int undo(struct command_batch *batch, const char *topic, bool has_amount, struct error *err)
{
	struct payment *payments = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*payments));
	struct payment *moved = arena_zalloc(batch->arena, (batch->count + 1) * sizeof(*moved));
	size_t moved_count = 0;

	for (size_t i = 0; i < batch->count; i++)
		payments[i].order_id = batch->commands[i]->key;
	if (payment_store_lock(batch->pg, payments, batch->count, batch->arena, err) < 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];
		const char *status = undone_status(&payments[i]);

		if (status) {
			payments[i].status = status;
			moved[moved_count++] = payments[i];
		}
		if (!payments[i].is_found) {
			payments[i].payment_id = payments[i].status = payments[i].currency = "";
		}
		succeed(batch->arena, command, topic, &payments[i]);
		command->has_no_effect = !status;
		if (has_amount)
			add_amount(batch->arena, command, &payments[i]);
	}
	return moved_count > 0 ? payment_store_move(batch->pg, moved, moved_count, err) : 0;
}

static int cancel(void *ctx, struct command_batch *batch, struct error *err)
{
	(void)ctx;
	return undo(batch, "payment.cancelled", false, err);
}

static int refund(void *ctx, struct command_batch *batch, struct error *err)
{
	(void)ctx;
	return undo(batch, "payment.refunded", true, err);
}

static const char *const create_replies[] = {"payment.initiated", "payment.failed", NULL};
static const char *const charge_replies[] = {"payment.charged", "payment.failed", NULL};
static const char *const cancel_replies[] = {"payment.cancelled", NULL};
static const char *const refund_replies[] = {"payment.refunded", NULL};

const struct command_handler payment_handlers[] = {
	{"payment.create.command", create_replies, "payment.failed", create, false},
	{"payment.charge.command", charge_replies, "payment.failed", charge, false},
	/* The simulated gateway takes money in the transaction of the row, so the inbox knows all there is to know. */
	{"payment.inquire.command", charge_replies, "payment.failed", NULL, true},
	{"payment.cancel.command", cancel_replies, "payment.cancelled", cancel, false},
	{"payment.refund.command", refund_replies, "payment.refunded", refund, false},
};
const size_t payment_handler_count = sizeof(payment_handlers) / sizeof(payment_handlers[0]);
