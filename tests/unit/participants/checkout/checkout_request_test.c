/* checkout_request_test.c - every wrong field of a checkout is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/memory.h"
#include "participants/checkout/checkout_request.h"

struct parsed {
	struct arena arena;
	struct problems problems;
	struct checkout_request request;
	int result;
};

static void parse(struct parsed *parsed, const char *body)
{
	arena_init(&parsed->arena, 0);
	problems_init(&parsed->problems);
	parsed->request = (struct checkout_request){0};
	parsed->result =
		checkout_request_parse(&parsed->arena, bytes_of_text(body), &parsed->request, &parsed->problems);
}

static void release(struct parsed *parsed)
{
	arena_release(&parsed->arena);
	problems_release(&parsed->problems);
}

static void without_items_one_prod_1_is_bought(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed, "{\"userId\":\"u1\",\"totalAmount\":10.01,\"currency\":null}");
	assert_int_equal(parsed.result, 0);
	assert_string_equal(parsed.request.user_id, "u1");
	assert_int_equal(parsed.request.total_amount_minor, 1001);
	assert_string_equal(parsed.request.currency, "USD");
	assert_int_equal(parsed.request.item_count, 1);
	assert_string_equal(parsed.request.items[0].product_id, "prod-1");
	assert_int_equal(parsed.request.items[0].quantity, 1);
	assert_string_equal(parsed.request.customer_email, "");
	assert_null(parsed.request.force_payment_fail);
	release(&parsed);
}

static void a_full_request_is_read(void **state)
{
	struct parsed parsed;

	(void)state;
	parse(&parsed,
	      "{\"userId\":\"u1\",\"totalAmount\":\"1500\",\"currency\":\"jpy\",\"items\":["
	      "{\"productId\":\"prod-2\",\"quantity\":3,\"price\":500},{\"productId\":\"p\",\"quantity\":1}],"
	      "\"customerEmail\":\"a@b.c\",\"forcePaymentFail\":true,\"forceInventoryFail\":false,\"more\":[]}");
	assert_int_equal(parsed.result, 0);
	assert_int_equal(parsed.request.total_amount_minor, 1500);
	assert_string_equal(parsed.request.currency, "JPY");
	assert_int_equal(parsed.request.item_count, 2);
	assert_int_equal(parsed.request.items[0].price_minor, 500);
	assert_int_equal(parsed.request.items[1].price_minor, 0);
	assert_string_equal(parsed.request.customer_email, "a@b.c");
	assert_true(*parsed.request.force_payment_fail);
	assert_false(*parsed.request.force_inventory_fail);
	release(&parsed);
}

static void every_wrong_field_is_named(void **state)
{
	static const char *const places[] = {
		"userId",   "totalAmount",       "items[0].productId", "items[0].quantity", "items[0].price",
		"items[1]", "items[2].quantity", "customerEmail",      "forcePaymentFail"};
	struct parsed parsed;

	(void)state;
	parse(&parsed,
	      "{\"userId\":\"\",\"totalAmount\":10.001,\"items\":[{\"quantity\":0,\"price\":-1},7,"
	      "{\"productId\":\"p\",\"quantity\":1.5}],\"customerEmail\":\"nobody\",\"forcePaymentFail\":\"yes\"}");
	assert_int_equal(parsed.result, -1);
	assert_int_equal(parsed.problems.count, ARRAY_LEN(places));
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		assert_string_equal(parsed.problems.items[i].place, places[i]);
	release(&parsed);
}

static void wrong_requests_name_their_field(void **state)
{
	static const struct {
		const char *body;
		const char *place;
	} cases[] = {
		{"", ""},
		{"[]", ""},
		{"{\"userId\":\"u\",\"totalAmount\":1", ""},
		{"{\"userId\":\"u\"}", "totalAmount"},
		{"{\"totalAmount\":1}", "userId"},
		{"{\"userId\":7,\"totalAmount\":1}", "userId"},
		{"{\"userId\":\"u\",\"totalAmount\":0}", "totalAmount"},
		{"{\"userId\":\"u\",\"totalAmount\":true}", "totalAmount"},
		{"{\"userId\":\"u\",\"totalAmount\":-0.01}", "totalAmount"},
		{"{\"userId\":\"u\",\"totalAmount\":0.5,\"currency\":\"JPY\"}", "totalAmount"},
		{"{\"userId\":\"u\",\"totalAmount\":\"ten\"}", "totalAmount"},
		{"{\"userId\":\"u\",\"totalAmount\":1,\"currency\":\"ABC\"}", "currency"},
		{"{\"userId\":\"u\",\"totalAmount\":1,\"currency\":5}", "currency"},
		{"{\"userId\":\"u\",\"totalAmount\":1,\"items\":[]}", "items"},
		{"{\"userId\":\"u\",\"totalAmount\":1,\"items\":{}}", "items"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct parsed parsed;

		parse(&parsed, cases[i].body);
		assert_int_equal(parsed.result, -1);
		assert_int_equal(parsed.problems.count, 1);
		assert_string_equal(parsed.problems.items[0].place, cases[i].place);
		release(&parsed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_items_one_prod_1_is_bought),
		cmocka_unit_test(a_full_request_is_read),
		cmocka_unit_test(every_wrong_field_is_named),
		cmocka_unit_test(wrong_requests_name_their_field),
	};

	return cmocka_run_group_tests_name("checkout_request", tests, NULL, NULL);
}
