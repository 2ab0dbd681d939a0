/* payment_http.c - see payment_http.h. */
#include "participants/payment/payment_http.h"

#include "participants/payment/payment_store.h"
#include "participants/shop/money.h"

static void print_payment(const struct payment *payment, struct buffer *out)
{
	char amount[MONEY_TEXT_LEN + 1];

	buffer_append_text(out, "{");
	buffer_append_json_member(out, "orderId", payment->order_id);
	buffer_append_json_member(out, "paymentId", payment->payment_id);
	buffer_append_json_member(out, "currency", payment->currency);
	buffer_append_json_member(out, "status", payment->status);
	if (money_exponent(payment->currency) >= 0) {
		money_format(payment->amount_minor, payment->currency, amount);
		buffer_append_format(out, ",\"amount\":%s", amount);
	}
	buffer_append_format(out, ",\"amountMinor\":%lld}", (long long)payment->amount_minor);
}

static void show(struct pg *pg, const char *order_id, struct arena *arena, struct http_response *response)
{
	struct payment payment;
	struct error err;

	if (payment_store_get(pg, order_id, arena, &payment, &err) < 0)
		http_response_from_error(response, &err);
	else if (!payment.is_found)
		http_response_error(response, 404, "not_found", "order '%s' has no payment", order_id);
	else
		print_payment(&payment, &response->body);
}

bool payment_http_handle(void *ctx, struct pg *pg, const struct http_request *request, struct http_response *response)
{
	_cleanup_(arena_release)
	struct arena arena;

	(void)ctx;
	arena_init(&arena, 0);
	if (!service_path_is(request, "payments", 2))
		return false;
	if (strcmp(http_request_method(request), "GET") != 0)
		http_response_not_allowed(response, request, "GET");
	else
		show(pg, http_request_part(request, 1), &arena, response);
	return true;
}
