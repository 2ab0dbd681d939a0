/* order_request.c - see order_request.h. */
#include "participants/order/order_request.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "participants/shop/money.h"

enum { TEXT_BYTES_MAX = 255, ITEMS_MAX = 1000, QUANTITY_MAX = 1000000 };

/* ---- reading ---- */

static const char *read_text(const struct value *body, const char *name, const char *place, struct arena *arena,
			     struct problems *problems)
{
	struct bytes text = {0};

	if (!value_get_text(body, name, &text) || text.len == 0 || text.len > TEXT_BYTES_MAX ||
	    memchr(text.data, 0, text.len)) {
		problems_add(problems, place, "a text of 1 to %d bytes is expected", TEXT_BYTES_MAX);
		return "";
	}
	return arena_strndup(arena, (const char *)text.data, text.len);
}

static int64_t read_amount(const struct value *given, const char *currency, const char *place,
			   struct problems *problems)
{
	struct error err;
	int64_t minor = 0;

	if (money_from_value(given, currency, &minor, &err) < 0)
		problems_add(problems, place, "%s", err.msg);
	else if (minor < 0)
		problems_add(problems, place, "the amount is negative");
	return minor;
}

static struct value read_item(const struct value *given, size_t index, const char *currency, struct arena *arena,
			      struct problems *problems)
{
	const char *place = arena_format(arena, "items[%zu].", index);
	const struct value *price = value_get(given, "price");
	struct value item = value_record();
	int64_t quantity = 0;

	value_set(arena, &item, "product_id",
		  value_text_of(
			  read_text(given, "productId", arena_format(arena, "%sproductId", place), arena, problems)));
	if (!value_get_int(given, "quantity", &quantity) || quantity < 1 || quantity > QUANTITY_MAX)
		problems_add(problems, arena_format(arena, "%squantity", place),
			     "a whole number from 1 to %d is expected", QUANTITY_MAX);
	value_set(arena, &item, "quantity", value_int(quantity));
	if (price && price->kind != VALUE_NULL)
		value_set(arena, &item, "price_minor",
			  value_int(read_amount(price, currency, arena_format(arena, "%sprice", place), problems)));
	return item;
}

static struct bytes read_items(const struct value *body, const char *currency, struct arena *arena,
			       struct problems *problems)
{
	const struct value *given = value_get(body, "items");
	struct value list = {.kind = VALUE_LIST};
	struct buffer json = {0};
	struct bytes text;

	if (!given || given->kind != VALUE_LIST || given->list.count == 0 || given->list.count > ITEMS_MAX) {
		problems_add(problems, "items", "a list of 1 to %d items is expected", ITEMS_MAX);
		return (struct bytes){0};
	}
	list.list.items = arena_zalloc(arena, given->list.count * sizeof(struct value));
	list.list.count = given->list.count;
	for (size_t i = 0; i < given->list.count; i++)
		list.list.items[i] = read_item(&given->list.items[i], i, currency, arena, problems);
	value_print_json(&list, &json);
	text = arena_bytes(arena, buffer_bytes(&json));
	buffer_release(&json);
	return text;
}

static const char *read_currency(const struct value *body, struct arena *arena, struct problems *problems)
{
	const struct value *given = value_get(body, "currency");
	const char *currency;

	if (!given || given->kind == VALUE_NULL)
		return "USD";
	currency = read_text(body, "currency", "currency", arena, problems);
	if (*currency && money_exponent(currency) < 0)
		problems_add(problems, "currency", "'%.8s' is no currency of ISO 4217, such as USD", currency);
	return money_exponent(currency) < 0 ? "USD" : currency; /* so that the amounts are looked at, too */
}

int order_request_read(const struct value *body, struct arena *arena, struct order *ret_order,
		       struct problems *problems)
{
	const char *currency = read_currency(body, arena, problems);
	const struct value *total = value_get(body, "totalAmount");
	char *order_id = arena_alloc(arena, UUID_TEXT_LEN + 1);
	struct order order = {
		.order_id = order_id,
		.user_id = read_text(body, "userId", "userId", arena, problems),
		.currency = currency,
		.items = read_items(body, currency, arena, problems),
		.status = "PENDING",
	};

	order.total_amount_minor =
		read_amount(total ? total : value_get(body, "total"), currency, "totalAmount", problems);
	if (problems->count > 0)
		return -1;
	uuid_format(uuid_v7_new(), order_id);
	*ret_order = order;
	return 0;
}

/* ---- printing ---- */

/* In minor units where the currency is none of ISO 4217, which a saga may bring. */
static void print_amount(struct buffer *out, const char *name, int64_t minor, const char *currency)
{
	char amount[MONEY_TEXT_LEN + 1];

	if (money_exponent(currency) < 0) {
		buffer_append_format(out, ",\"%sMinor\":%lld", name, (long long)minor);
		return;
	}
	money_format(minor, currency, amount);
	buffer_append_format(out, ",\"%s\":%s", name, amount);
}

static int print_items(const struct order *order, struct arena *arena, struct buffer *out, struct error *err)
{
	struct value items;

	if (value_parse_json(order->items, arena, &items, err) < 0 || items.kind != VALUE_LIST)
		return error_set(err, ERR_CORRUPT, "the items of order '%s' cannot be read", order->order_id);
	buffer_append_text(out, ",\"items\":[");
	for (size_t i = 0; i < items.list.count; i++) {
		const struct value *item = &items.list.items[i];
		struct bytes product = {0};
		int64_t quantity = 0;
		int64_t price = 0;

		(void)value_get_text(item, "product_id", &product); /* empty where there is none */
		(void)value_get_int(item, "quantity", &quantity);
		buffer_append_text(out, i > 0 ? ",{\"productId\":" : "{\"productId\":");
		buffer_append_json_string(out, (const char *)product.data, product.len);
		if (value_get_int(item, "price_minor", &price))
			print_amount(out, "price", price, order->currency);
		buffer_append_format(out, ",\"quantity\":%lld}", (long long)quantity);
	}
	buffer_append_text(out, "]");
	return 0;
}

int order_request_print(const struct order *order, struct arena *arena, struct buffer *out, struct error *err)
{
	char created[CLOCK_TEXT_LEN + 1];
	char updated[CLOCK_TEXT_LEN + 1];
	char saga_id[UUID_TEXT_LEN + 1];

	clock_format(order->created_us, created);
	clock_format(order->updated_us, updated);
	buffer_append_text(out, "{");
	buffer_append_json_member(out, "orderId", order->order_id);
	buffer_append_json_member(out, "userId", order->user_id);
	if (print_items(order, arena, out, err) < 0)
		return -1;
	print_amount(out, "totalAmount", order->total_amount_minor, order->currency);
	buffer_append_json_member(out, "currency", order->currency);
	buffer_append_json_member(out, "status", order->status);
	if (order->has_saga) {
		uuid_format(order->saga_id, saga_id);
		buffer_append_json_member(out, "sagaId", saga_id);
	}
	buffer_append_format(out, ",\"createdAt\":\"%s\",\"updatedAt\":\"%s\"}", created, updated);
	return 0;
}
