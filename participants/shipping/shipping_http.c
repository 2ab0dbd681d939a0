/* shipping_http.c - see shipping_http.h. */
#include "participants/shipping/shipping_http.h"

#include "lib/base/clock.h"
#include "participants/shipping/shipment_store.h"

static void print_shipment(const struct shipment *shipment, struct buffer *out)
{
	char saga_id[UUID_TEXT_LEN + 1];
	char created[CLOCK_TEXT_LEN + 1];

	uuid_format(shipment->saga_id, saga_id);
	clock_format(shipment->created_us, created);
	buffer_append_text(out, "{");
	buffer_append_json_member(out, "orderId", shipment->order_id);
	buffer_append_json_member(out, "sagaId", saga_id);
	buffer_append_json_member(out, "trackingNo", shipment->tracking_no);
	buffer_append_json_member(out, "status", shipment->status);
	buffer_append_format(out, ",\"createdAt\":\"%s\"}", created);
}

static void show(struct pg *pg, const char *order_id, struct arena *arena, struct http_response *response)
{
	struct shipment shipment;
	struct error err;

	if (shipment_store_get(pg, order_id, arena, &shipment, &err) < 0)
		http_response_from_error(response, &err);
	else if (!shipment.is_found)
		http_response_error(response, 404, "not_found", "order '%s' has no shipment", order_id);
	else
		print_shipment(&shipment, &response->body);
}

bool shipping_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response)
{
	_cleanup_(arena_release)
	struct arena arena;

	(void)ctx;
	arena_init(&arena, 0);
	if (!service_path_is(request, "shipments", 2))
		return false;
	if (strcmp(http_request_method(request), "GET") != 0)
		http_response_not_allowed(response, request, "GET");
	else
		show(pg, http_request_part(request, 1), &arena, response);
	return true;
}
