/* money.c - see money.h. */
#include "participants/checkout/money.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

/* Funds codes, precious metals and test codes have no decimals of their own and are left out. */
static const struct {
	int decimals;
	const char *codes;
} currencies[] = {
	{0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "},
	{3, "BHD IQD JOD KWD LYD OMR TND "},
	{4, "CLF UYW "},
	{2,
	 "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
	 "CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD "
	 "HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP "
	 "MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR "
	 "SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED "
	 "VES WST XCD YER ZAR ZMW ZWL "},
};

int money_decimals(const char *currency)
{
	if (strlen(currency) != 3 || strchr(currency, ' '))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(currencies); i++) {
		for (const char *at = currencies[i].codes; *at; at += 4) {
			if (memcmp(at, currency, 3) == 0)
				return currencies[i].decimals;
		}
	}
	return -1;
}

/* A decimal number as its significant digits and where the point stands among them: 0.digits × 10^point. */
struct decimal {
	char digits[32];
	int count;
	long point;
	bool is_negative;
	bool is_too_long;
};

static void take_digit(struct decimal *decimal, char digit)
{
	if (digit == '0' && decimal->count == 0) {
		return;
	} else if (decimal->count < (int)sizeof(decimal->digits)) {
		decimal->digits[decimal->count++] = digit;
	} else if (digit != '0') {
		decimal->is_too_long = true; /* beyond int64 or finer than any currency, whatever follows */
	}
}

/* After the 'e'. What is as far off as ±100000 is refused as too large or too fine all the same. */
static bool read_exponent(const char *at, const char **ret_end, struct decimal *decimal)
{
	bool is_negative = *at == '-';
	char *end;
	long exponent;

	at += *at == '-' || *at == '+';
	if (!isdigit((unsigned char)*at))
		return false;
	exponent = strtol(at, &end, 10); /* LONG_MAX when out of range, which is far off, too */
	exponent = exponent > 100000 ? 100000 : exponent;
	decimal->point += is_negative ? -exponent : exponent;
	*ret_end = end;
	return true;
}

/* False when the text is no JSON number. */
static bool read_decimal(const char *text, struct decimal *ret_decimal)
{
	struct decimal decimal = {.is_negative = *text == '-'};
	const char *at = text + (*text == '-');
	bool is_leading_zero = at[0] == '0' && isdigit((unsigned char)at[1]);

	if (!isdigit((unsigned char)*at) || is_leading_zero)
		return false;
	for (; isdigit((unsigned char)*at); at++) {
		take_digit(&decimal, *at);
		decimal.point += decimal.count > 0;
	}
	if (*at == '.') {
		if (!isdigit((unsigned char)*++at))
			return false;
		for (; isdigit((unsigned char)*at); at++) {
			take_digit(&decimal, *at);
			decimal.point -= decimal.count == 0;
		}
	}
	if ((*at == 'e' || *at == 'E') && !read_exponent(at + 1, &at, &decimal))
		return false;
	while (decimal.count > 0 && decimal.digits[decimal.count - 1] == '0')
		decimal.count--;
	*ret_decimal = decimal;
	return *at == 0;
}

int money_parse(const char *text, int decimals, int64_t *ret_minor, struct error *err)
{
	struct decimal decimal;
	int64_t minor = 0;

	assert(decimals >= 0 && decimals <= 4);
	if (!read_decimal(text, &decimal))
		return error_set(err, ERR_INVALID, "must be a decimal number such as 10.01");
	if (decimal.is_negative && decimal.count > 0)
		return error_set(err, ERR_INVALID, "must not be negative");
	if (decimal.count > 0 && decimal.count - decimal.point > decimals)
		return error_set(err, ERR_INVALID, "has more than the %d decimals of the currency", decimals);
	for (long i = 0; decimal.count > 0 && i < decimal.point + decimals; i++) {
		int digit = i < decimal.count ? decimal.digits[i] - '0' : 0;

		if (decimal.is_too_long || __builtin_mul_overflow(minor, 10, &minor) ||
		    __builtin_add_overflow(minor, digit, &minor))
			return error_set(err, ERR_INVALID, "is too large");
	}
	*ret_minor = minor;
	return 0;
}
