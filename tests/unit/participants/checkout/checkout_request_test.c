/* checkout_request_test.c - amounts are exact, and every wrong field of a checkout is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/memory.h"
#include "participants/checkout/checkout_request.h"
#include "participants/checkout/money.h"

static void currencies_have_the_decimals_of_iso_4217(void **state)
{
	static const struct {
		const char *currency;
		int decimals;
	} cases[] = {{"USD", 2}, {"EUR", 2},   {"JPY", 0}, {"KRW", 0},  {"BHD", 3}, {"TND", 3},
		     {"CLF", 4}, {"UYW", 4},   {"ZWL", 2}, {"AED", 2},  {"XPF", 0}, {"usd", -1},
		     {"US", -1}, {"USDX", -1}, {"", -1},   {"XYZ", -1}, {"D A", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(money_decimals(cases[i].currency), cases[i].decimals);
}

static void amounts_convert_digit_by_digit(void **state)
{
	static const struct {
		const char *text;
		int decimals;
		int64_t minor;
	} cases[] = {
		{"10.01", 2, 1001},
		{"0.29", 2, 29}, /* 28.999999999999996 as a double times 100 */
		{"1.15", 2, 115},
		{"4.35", 2, 435},
		{"0.05", 2, 5},
		{"0", 2, 0},
		{"0.00", 2, 0},
		{"-0", 2, 0},
		{"7", 0, 7},
		{"100.0", 0, 100}, /* how some languages print a whole number */
		{"10.010", 2, 1001},
		{"1.234", 3, 1234},
		{"0.0001", 4, 1},
		{"1e2", 2, 10000},
		{"1.001E+1", 2, 1001},
		{"1001e-2", 2, 1001},
		{"92233720368547758.07", 2, INT64_MAX},
		{"9223372036854775807", 0, INT64_MAX},
		{"0e999999999999999999999", 2, 0},
		{"1000000000000000000000000000000000000000e-37", 2, 10000},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t minor = -1;

		if (money_parse(cases[i].text, cases[i].decimals, &minor, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_int_equal(minor, cases[i].minor);
	}
}

static void amounts_that_are_not_exact_are_refused(void **state)
{
	static const struct {
		const char *text;
		int decimals;
		const char *reason;
	} cases[] = {
		{"10.001", 2, "more than the 2 decimals"},
		{"10.010000000000000001", 2, "more than the 2 decimals"},
		{"0.1", 0, "more than the 0 decimals"},
		{"1e-3", 2, "more than the 2 decimals"},
		{"1e-999999999999", 2, "more than the 2 decimals"},
		{"0.1234567890123456789012345678901234567890", 4, "more than the 4 decimals"},
		{"92233720368547758.08", 2, "too large"},
		{"1e17", 2, "too large"},
		{"1e999999999999", 2, "too large"},
		{"1234567890123456789012345678901234567890", 2, "too large"},
		{"-0.01", 2, "negative"},
		{"", 2, "must be a decimal number"},
		{"01", 2, "must be a decimal number"},
		{".5", 2, "must be a decimal number"},
		{"5.", 2, "must be a decimal number"},
		{"1,5", 2, "must be a decimal number"},
		{" 1", 2, "must be a decimal number"},
		{"1 ", 2, "must be a decimal number"},
		{"1e", 2, "must be a decimal number"},
		{"1e++5", 2, "must be a decimal number"},
		{"1e 5", 2, "must be a decimal number"},
		{"0x10", 2, "must be a decimal number"},
		{"inf", 2, "must be a decimal number"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t minor = -1;

		if (money_parse(cases[i].text, cases[i].decimals, &minor, &err) == 0)
			fail_msg("%s was accepted", cases[i].text);
		assert_int_equal(minor, -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!strstr(err.msg, cases[i].reason))
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

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
		cmocka_unit_test(currencies_have_the_decimals_of_iso_4217),
		cmocka_unit_test(amounts_convert_digit_by_digit),
		cmocka_unit_test(amounts_that_are_not_exact_are_refused),
		cmocka_unit_test(without_items_one_prod_1_is_bought),
		cmocka_unit_test(a_full_request_is_read),
		cmocka_unit_test(every_wrong_field_is_named),
		cmocka_unit_test(wrong_requests_name_their_field),
	};

	return cmocka_run_group_tests_name("checkout_request", tests, NULL, NULL);
}
