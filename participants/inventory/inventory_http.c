/* inventory_http.c - see inventory_http.h. */
#include "participants/inventory/inventory_http.h"

#include "participants/inventory/stock_store.h"
#include "participants/sdk/outbox.h"

enum { PRODUCT_BYTES_MAX = 255 };
static const int64_t AVAILABLE_MAX = 1000000000000;

static void print_stock(const struct stock *stock, struct buffer *out)
{
	buffer_append_text(out, "{");
	buffer_append_json_member(out, "productId", stock->product_id);
	buffer_append_format(out, ",\"available\":%lld,\"reserved\":%lld}", (long long)stock->available,
			     (long long)stock->reserved);
}

static void list(struct pg *pg, struct arena *arena, struct http_response *response)
{
	struct stock_set set;
	struct error err;

	if (stock_store_list(pg, NULL, arena, &set, &err) < 0) {
		http_response_from_error(response, &err);
		return;
	}
	buffer_append_text(&response->body, "{\"stock\":[");
	for (size_t i = 0; i < set.count; i++) {
		if (i > 0)
			buffer_append_text(&response->body, ",");
		print_stock(&set.products[i], &response->body);
	}
	buffer_append_text(&response->body, "]}");
}

static void show(struct pg *pg, const char *product_id, struct arena *arena, struct http_response *response)
{
	struct stock_set set;
	struct error err;

	if (stock_store_list(pg, product_id, arena, &set, &err) < 0)
		http_response_from_error(response, &err);
	else if (set.count == 0)
		http_response_error(response, 404, "not_found", "there is no product '%s'", product_id);
	else
		print_stock(&set.products[0], &response->body);
}

const char *const inventory_fact_topics[] = {"inventory.restocked", NULL};

static int put_with_fact(struct pg *pg, const char *product_id, int64_t available, struct arena *arena,
			 struct stock *ret_stock, struct error *err)
{
	struct value value = value_record();
	const struct outbox_fact fact = {.topic = "inventory.restocked", .key = product_id, .value = &value};

	if (stock_store_put(pg, product_id, available, ret_stock, err) < 0)
		return -1;
	value_set(arena, &value, "product_id", value_text_of(product_id));
	value_set(arena, &value, "available", value_int(ret_stock->available));
	value_set(arena, &value, "reserved", value_int(ret_stock->reserved));
	return outbox_put(pg, &fact, err);
}

/* The stock and the fact that tells of it are one transaction. */
static int restock(struct pg *pg, const char *product_id, int64_t available, struct arena *arena,
		   struct stock *ret_stock, struct error *err)
{
	if (pg_begin(pg, err) < 0)
		return -1;
	if (put_with_fact(pg, product_id, available, arena, ret_stock, err) < 0) {
		pg_rollback(pg);
		return -1;
	}
	return pg_commit(pg, NULL, err);
}

static void put(struct pg *pg, const struct http_request *request, struct arena *arena, struct http_response *response)
{
	const char *product_id = http_request_part(request, 1);
	const struct value *body = service_json_body(request, arena, response);
	int64_t available = 0;
	struct stock stock;
	struct error err;

	if (!body)
		return;
	if (!*product_id || strlen(product_id) > PRODUCT_BYTES_MAX || !utf8_is_valid(product_id, strlen(product_id)))
		http_response_error(response, 400, "invalid", "a product is a text of 1 to %d bytes",
				    PRODUCT_BYTES_MAX);
	else if (!value_get_int(body, "available", &available) || available < 0 || available > AVAILABLE_MAX)
		http_response_error(response, 400, "invalid", "available: a whole number from 0 to %lld is expected",
				    (long long)AVAILABLE_MAX);
	else if (restock(pg, product_id, available, arena, &stock, &err) < 0)
		http_response_from_error(response, &err);
	else
		print_stock(&stock, &response->body);
}

bool inventory_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response)
{
	_cleanup_(arena_release)
	struct arena arena;
	const char *method = http_request_method(request);

	(void)ctx;
	arena_init(&arena, 0);
	if (service_path_is(request, "stock", 1)) {
		if (strcmp(method, "GET") == 0)
			list(pg, &arena, response);
		else
			http_response_not_allowed(response, request, "GET");
		return true;
	}
	if (!service_path_is(request, "stock", 2))
		return false;
	if (strcmp(method, "GET") == 0)
		show(pg, http_request_part(request, 1), &arena, response);
	else if (strcmp(method, "PUT") == 0)
		put(pg, request, &arena, response);
	else
		http_response_not_allowed(response, request, "GET, PUT");
	return true;
}
