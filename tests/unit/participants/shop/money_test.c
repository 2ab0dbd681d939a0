/* money_test.c - exact amounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "participants/shop/money.h"

static int64_t parsed(const char *text, const char *currency)
{
	int64_t minor = INT64_MIN;
	struct error err = {0};

	if (money_parse(bytes_of_text(text), currency, &minor, &err) < 0)
		fail_msg("%s", err.msg);
	return minor;
}

static void assert_refused(const char *text, const char *currency, const char *why)
{
	int64_t minor = 7;
	struct error err = {0};

	assert_int_equal(money_parse(bytes_of_text(text), currency, &minor, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(minor, 7);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void knows_the_decimals_of_each_currency(void **state)
{
	(void)state;
	assert_int_equal(money_exponent("USD"), 2);
	assert_int_equal(money_exponent("EUR"), 2);
	assert_int_equal(money_exponent("ZWG"), 2);
	assert_int_equal(money_exponent("AED"), 2);
	assert_int_equal(money_exponent("JPY"), 0);
	assert_int_equal(money_exponent("XPF"), 0);
	assert_int_equal(money_exponent("KWD"), 3);
	assert_int_equal(money_exponent("OMR"), 3);
	assert_int_equal(money_exponent("CLF"), 4);
	assert_int_equal(money_exponent("usd"), -1);
	assert_int_equal(money_exponent("XXX"), -1);
	assert_int_equal(money_exponent("SD "), -1);
	assert_int_equal(money_exponent("D A"), -1);
	assert_int_equal(money_exponent("USDX"), -1);
	assert_int_equal(money_exponent("US"), -1);
	assert_int_equal(money_exponent(""), -1);
	assert_int_equal(money_exponent(NULL), -1);
}

static void converts_decimals_exactly(void **state)
{
	(void)state;
	assert_int_equal(parsed("49.99", "USD"), 4999);
	assert_int_equal(parsed("0.1", "USD"), 10);
	assert_int_equal(parsed("0", "USD"), 0);
	assert_int_equal(parsed("0.00", "USD"), 0);
	assert_int_equal(parsed("-3.5", "USD"), -350);
	assert_int_equal(parsed("500", "JPY"), 500);
	assert_int_equal(parsed("1.234", "KWD"), 1234);
	assert_int_equal(parsed("1e2", "USD"), 10000);
	assert_int_equal(parsed("1.5E+1", "USD"), 1500);
	assert_int_equal(parsed("1500e-2", "USD"), 1500);
	assert_int_equal(parsed("0.29", "USD"), 29); /* 28.999999999999996 as a double times 100 */
	assert_int_equal(parsed("1.15", "USD"), 115);
	assert_int_equal(parsed("-0", "USD"), 0);
	assert_int_equal(parsed("0.0001", "CLF"), 1);
	assert_int_equal(parsed("0e999999999999999999999", "USD"), 0);
	assert_int_equal(parsed("1000000000000000000000000000000000000000e-37", "USD"), 10000);
	assert_int_equal(parsed("92233720368547758.07", "USD"), INT64_MAX);
	assert_int_equal(parsed("-92233720368547758.07", "USD"), -INT64_MAX);
}

static void takes_zeros_beyond_the_currencys_decimals(void **state)
{
	(void)state;
	assert_int_equal(parsed("10.0", "JPY"), 10);
	assert_int_equal(parsed("10.5000000000000000000000000000", "USD"), 1050);
}

static void refuses_more_decimals_than_the_currency_has(void **state)
{
	(void)state;
	assert_refused("10.999", "USD", "more decimals than the 2 of USD");
	assert_refused("10.5", "JPY", "more decimals");
	assert_refused("1e-3", "USD", "more decimals");
	assert_refused("1e-999999999999", "USD", "more decimals");
	assert_refused("10.010000000000000001", "USD", "more decimals");
	assert_refused("0.1234567890123456789012345678901234567890", "CLF", "more decimals");
}

static void refuses_what_is_no_amount(void **state)
{
	static const char *const texts[] = {"",   "-",    ".",   "1.",  ".5",    "+1",   "1,5", "1 ",
					    " 1", "0x10", "1e",  "1e+", "1.2.3", "nan",  "--1", "1e5x",
					    "१",  "01",   "-01", "00",  "1e 5",  "1e++5"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], "USD", "no decimal amount");
	assert_refused("1", "XXX", "no currency");
}

static void refuses_what_does_not_fit(void **state)
{
	(void)state;
	assert_refused("92233720368547758.08", "USD", "too large");
	assert_refused("1e300", "USD", "too large");
	assert_refused("1e99999999999", "USD", "too large");
	assert_refused("18446744073709551617", "USD", "too large");
	assert_refused("1234567890123456789012345678901234567890", "USD", "too large");
}

static void takes_a_json_number_as_it_was_written(void **state)
{
	static const struct {
		double number;
		const char *currency;
		int64_t minor;
	} cases[] = {
		{49.99, "USD", 4999},
		{0.1, "USD", 10},
		{1.005, "KWD", 1005},
		{4.35, "USD", 435},
		{1e6, "USD", 100000000},
		{-0.01, "USD", -1},
		{9999999999999.99, "USD", 999999999999999},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value value = value_double(cases[i].number);
		int64_t minor = 0;
		struct error err;

		assert_int_equal(money_from_value(&value, cases[i].currency, &minor, &err), 0);
		assert_int_equal(minor, cases[i].minor);
	}
}

static void refuses_a_json_number_that_is_no_short_decimal(void **state)
{
	struct value value = value_double(0.1 + 0.2);
	int64_t minor = 0;
	struct error err;

	(void)state;
	assert_int_equal(money_from_value(&value, "USD", &minor, &err), -1);
	value = value_double(1.0 / 0.0);
	assert_int_equal(money_from_value(&value, "USD", &minor, &err), -1);
	value = value_bool(true);
	assert_int_equal(money_from_value(&value, "USD", &minor, &err), -1);
	assert_int_equal(money_from_value(NULL, "USD", &minor, &err), -1);
}

static void prints_all_decimals_of_the_currency(void **state)
{
	char text[MONEY_TEXT_LEN + 1];

	(void)state;
	money_format(4990, "USD", text);
	assert_string_equal(text, "49.90");
	money_format(5, "USD", text);
	assert_string_equal(text, "0.05");
	money_format(0, "KWD", text);
	assert_string_equal(text, "0.000");
	money_format(-150, "USD", text);
	assert_string_equal(text, "-1.50");
	money_format(500, "JPY", text);
	assert_string_equal(text, "500");
	money_format(INT64_MIN, "USD", text);
	assert_string_equal(text, "-92233720368547758.08");
	money_format(INT64_MAX, "CLF", text);
	assert_string_equal(text, "922337203685477.5807");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_decimals_of_each_currency),
		cmocka_unit_test(converts_decimals_exactly),
		cmocka_unit_test(takes_zeros_beyond_the_currencys_decimals),
		cmocka_unit_test(refuses_more_decimals_than_the_currency_has),
		cmocka_unit_test(refuses_what_is_no_amount),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(takes_a_json_number_as_it_was_written),
		cmocka_unit_test(refuses_a_json_number_that_is_no_short_decimal),
		cmocka_unit_test(prints_all_decimals_of_the_currency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
