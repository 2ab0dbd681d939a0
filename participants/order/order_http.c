/* order_http.c - see order_http.h. */
#include "participants/order/order_http.h"

#include "participants/order/order_request.h"
#include "participants/order/order_store.h"

static void answer_order(const struct order *order, struct arena *arena, struct http_response *response)
{
	struct error err;

	if (order_request_print(order, arena, &response->body, &err) < 0)
		http_response_from_error(response, &err);
}

/* The order, or NULL with the response filled in. */
static struct order *load(struct pg *pg, const char *order_id, struct arena *arena, struct http_response *response)
{
	struct order *order = arena_alloc(arena, sizeof(*order));
	struct error err;

	if (order_store_get(pg, order_id, arena, order, &err) < 0) {
		http_response_from_error(response, &err);
		return NULL;
	}
	if (!order->is_found) {
		http_response_error(response, 404, "not_found", "there is no order '%s'", order_id);
		return NULL;
	}
	return order;
}

static void show(struct pg *pg, const char *order_id, struct arena *arena, struct http_response *response)
{
	struct order *order = load(pg, order_id, arena, response);

	if (order)
		answer_order(order, arena, response);
}

static void create(struct pg *pg, const struct http_request *request, struct arena *arena,
		   struct http_response *response)
{
	const struct value *body = service_json_body(request, arena, response);
	struct problems problems;
	struct order order;
	struct error err;
	int rc;

	if (!body)
		return;
	problems_init(&problems);
	rc = order_request_read(body, arena, &order, &problems);
	if (rc < 0)
		http_response_problems(response, "invalid", &problems);
	problems_release(&problems);
	if (rc < 0)
		return;
	if (order_store_insert(pg, &order, 1, &err) < 0) {
		http_response_from_error(response, &err);
		return;
	}
	show(pg, order.order_id, arena, response);
	if (response->status == 200)
		response->status = 201;
}

/* What to do about a wish for a status; NULL: it may be done. The answer is for people. */
static const char *refusal(const struct order *order, const char *status, struct arena *arena)
{
	char saga_id[UUID_TEXT_LEN + 1];

	if (strcmp(order->status, "PENDING") != 0)
		return arena_format(arena, "order '%s' is %s for good", order->order_id, order->status);
	if (strcmp(status, "PENDING") == 0 || !order->has_saga)
		return NULL;
	uuid_format(order->saga_id, saga_id);
	return arena_format(arena,
			    "order '%s' belongs to the running saga %s, which alone decides about it; wait for its end",
			    order->order_id, saga_id);
}

static bool is_status(struct bytes text)
{
	return bytes_equal_text(text, "PENDING") || bytes_equal_text(text, "CONFIRMED") ||
	       bytes_equal_text(text, "CANCELLED");
}

static void change_status(struct pg *pg, const char *order_id, const struct value *body, struct arena *arena,
			  struct http_response *response)
{
	struct order *order = load(pg, order_id, arena, response);
	struct bytes wished = {0};
	const char *status;
	const char *why;
	bool is_moved = false;
	struct error err;

	if (!order)
		return;
	if (!value_get_text(body, "status", &wished) || !is_status(wished)) {
		http_response_error(response, 400, "invalid", "status: PENDING, CONFIRMED or CANCELLED is expected");
		return;
	}
	status = arena_strndup(arena, (const char *)wished.data, wished.len);
	why = strcmp(order->status, status) == 0 ? NULL : refusal(order, status, arena);
	if (why)
		http_response_error(response, 409, "conflict", "%s", why);
	else if (strcmp(order->status, status) == 0)
		answer_order(order, arena, response);
	else if (order_store_move_from(pg, order_id, order->status, status, &is_moved, &err) < 0)
		http_response_from_error(response, &err);
	else if (!is_moved)
		http_response_error(response, 409, "conflict", "order '%s' was changed meanwhile", order_id);
	else
		show(pg, order_id, arena, response);
}

static void patch(struct pg *pg, const struct http_request *request, struct arena *arena,
		  struct http_response *response)
{
	const struct value *body = service_json_body(request, arena, response);

	if (body)
		change_status(pg, http_request_part(request, 1), body, arena, response);
}

bool order_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response)
{
	_cleanup_(arena_release)
	struct arena arena;
	const char *method = http_request_method(request);

	(void)ctx;
	arena_init(&arena, 0);
	if (service_path_is(request, "orders", 1) || service_path_is(request, "create-order", 1)) {
		if (strcmp(method, "POST") == 0)
			create(pg, request, &arena, response);
		else
			http_response_not_allowed(response, request, "POST");
	} else if (service_path_is(request, "orders", 2)) {
		if (strcmp(method, "GET") == 0)
			show(pg, http_request_part(request, 1), &arena, response);
		else
			http_response_not_allowed(response, request, "GET");
	} else if (service_path_is(request, "orders", 3) && strcmp(http_request_part(request, 2), "status") == 0) {
		if (strcmp(method, "PATCH") == 0)
			patch(pg, request, &arena, response);
		else
			http_response_not_allowed(response, request, "PATCH");
	} else {
		return false;
	}
	return true;
}
