/* checkout_request.c - see checkout_request.h. */
#include "participants/checkout/checkout_request.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/rpc/json_tree.h"
#include "participants/shop/money.h"

struct reading {
	struct arena *arena;
	struct problems *problems;
	const char *currency; /* NULL while it is unknown */
};

/* The member, or NULL where it is absent or null: both mean that nothing was said. */
static const struct json_node *said(const struct json_node *object, const char *name)
{
	const struct json_node *node = json_member(object, name);

	return node && node->kind != JSON_NULL ? node : NULL;
}

static bool is_kind(struct reading *reading, const struct json_node *node, const char *place, enum json_kind kind)
{
	if (node->kind == kind)
		return true;
	problems_add(reading->problems, place, "must be %s, not %s", json_kind_name(kind), json_kind_name(node->kind));
	return false;
}

/* The text, or NULL where it is absent or wrong. */
static const char *read_text(struct reading *reading, const struct json_node *node, const char *place, bool is_required)
{
	if (!node) {
		if (is_required)
			problems_add(reading->problems, place, "is required");
		return NULL;
	}
	if (!is_kind(reading, node, place, JSON_STRING))
		return NULL;
	if (is_required && !node->text[0]) {
		problems_add(reading->problems, place, "must not be empty");
		return NULL;
	}
	if (strlen(node->text) > CHECKOUT_TEXT_BYTES_MAX) {
		problems_add(reading->problems, place, "must be at most %d bytes long", CHECKOUT_TEXT_BYTES_MAX);
		return NULL;
	}
	return node->text;
}

/* A JSON number, or its text in a string. With an unknown currency the amount cannot be judged; that is named already. */
static int64_t read_amount(struct reading *reading, const struct json_node *node, const char *place)
{
	int64_t minor = 0;
	struct error err;

	if (node->kind != JSON_NUMBER && node->kind != JSON_STRING)
		problems_add(reading->problems, place, "must be a number, or a decimal number in a string, not %s",
			     json_kind_name(node->kind));
	else if (reading->currency && money_parse(bytes_of_text(node->text), reading->currency, &minor, &err) < 0)
		problems_add(reading->problems, place, "%s", err.msg);
	else if (minor < 0)
		problems_add(reading->problems, place, "must not be negative");
	return minor;
}

static void read_currency(struct reading *reading, const struct json_node *root, struct checkout_request *request)
{
	const struct json_node *node = said(root, "currency");
	const char *given = read_text(reading, node, "currency", false);
	char *currency = arena_strdup(reading->arena, given ? given : "USD");

	for (char *at = currency; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	request->currency = currency;
	if ((!node || given) && money_exponent(currency) >= 0)
		reading->currency = currency;
	else if (given)
		problems_add(reading->problems, "currency", "'%.20s' is no currency of ISO 4217, such as USD", given);
}

static void read_total(struct reading *reading, const struct json_node *root, struct checkout_request *request)
{
	const struct json_node *node = said(root, "totalAmount");
	size_t problems_before = reading->problems->count;

	if (!node) {
		problems_add(reading->problems, "totalAmount", "is required");
		return;
	}
	request->total_amount_minor = read_amount(reading, node, "totalAmount");
	if (request->total_amount_minor == 0 && reading->currency && reading->problems->count == problems_before)
		problems_add(reading->problems, "totalAmount", "must be more than zero");
}

static int32_t read_quantity(struct reading *reading, const struct json_node *node, const char *place)
{
	long long quantity = 0;
	char *end = NULL;

	if (!node) {
		problems_add(reading->problems, place, "is required");
		return 0;
	}
	if (!is_kind(reading, node, place, JSON_NUMBER))
		return 0;
	errno = 0;
	quantity = strtoll(node->text, &end, 10);
	if (*end || errno || quantity < 1 || quantity > CHECKOUT_QUANTITY_MAX) {
		problems_add(reading->problems, place, "must be a whole number from 1 to %d", CHECKOUT_QUANTITY_MAX);
		return 0;
	}
	return (int32_t)quantity;
}

static void read_item(struct reading *reading, const struct json_node *node, size_t index, struct checkout_item *item)
{
	const char *place = arena_format(reading->arena, "items[%zu]", index);
	const struct json_node *price;

	if (!is_kind(reading, node, place, JSON_OBJECT))
		return;
	item->product_id =
		read_text(reading, said(node, "productId"), arena_format(reading->arena, "%s.productId", place), true);
	item->quantity =
		read_quantity(reading, said(node, "quantity"), arena_format(reading->arena, "%s.quantity", place));
	price = said(node, "price");
	if (price)
		item->price_minor = read_amount(reading, price, arena_format(reading->arena, "%s.price", place));
}

static void read_items(struct reading *reading, const struct json_node *root, struct checkout_request *request)
{
	static const struct checkout_item without_items = {.product_id = "prod-1", .quantity = 1};
	const struct json_node *items = said(root, "items");
	const struct json_node *child;

	if (!items) {
		request->items = arena_copy(reading->arena, &without_items, sizeof(without_items));
		request->item_count = 1;
		return;
	}
	if (!is_kind(reading, items, "items", JSON_ARRAY))
		return;
	if (items->count < 1 || items->count > CHECKOUT_ITEMS_MAX) {
		problems_add(reading->problems, "items", "must be from 1 to %d items; leave it out for one prod-1",
			     CHECKOUT_ITEMS_MAX);
		return;
	}
	request->items = arena_zalloc(reading->arena, items->count * sizeof(*request->items));
	request->item_count = items->count;
	child = items->first_child;
	for (size_t i = 0; child; child = child->next, i++)
		read_item(reading, child, i, &request->items[i]);
}

static void read_email(struct reading *reading, const struct json_node *root, struct checkout_request *request)
{
	const char *email = read_text(reading, said(root, "customerEmail"), "customerEmail", false);
	const char *at = email ? strchr(email, '@') : NULL;

	request->customer_email = email ? email : "";
	if (email && email[0] && (!at || at == email || !at[1] || strpbrk(email, " \t\r\n")))
		problems_add(reading->problems, "customerEmail", "is no e-mail address");
}

static const bool *read_flag(struct reading *reading, const struct json_node *root, const char *name)
{
	const struct json_node *node = said(root, name);

	return node && is_kind(reading, node, name, JSON_BOOL) ? &node->is_true : NULL;
}

int checkout_request_parse(struct arena *arena, struct bytes body, struct checkout_request *ret_request,
			   struct problems *problems)
{
	struct reading reading = {.arena = arena, .problems = problems};
	struct checkout_request request = {0};
	struct json_node *root = NULL;
	struct error err;

	if (json_tree_parse(arena, body, &root, &err) < 0) {
		problems_add(problems, "", "the body is no JSON: %s", err.msg);
		return -1;
	}
	if (!is_kind(&reading, root, "", JSON_OBJECT))
		return -1;
	request.user_id = read_text(&reading, said(root, "userId"), "userId", true);
	read_currency(&reading, root, &request);
	read_total(&reading, root, &request);
	read_items(&reading, root, &request);
	read_email(&reading, root, &request);
	request.force_payment_fail = read_flag(&reading, root, "forcePaymentFail");
	request.force_inventory_fail = read_flag(&reading, root, "forceInventoryFail");
	if (problems->count > 0)
		return -1;
	*ret_request = request;
	return 0;
}
