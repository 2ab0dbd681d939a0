/* money.c - see money.h. */
#include "participants/sdk/money.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOUBLE_DIGITS = 15 /* every decimal of so many digits survives a double */, EXPONENT_MAX = 400 };

/* ISO 4217, active codes; each list is of three-letter codes, one blank between. */
static const char *const codes_by_exponent[] = {
	"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	"",
	"AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
	"CHW "
	"CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
	"IDR "
	"ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
	"MXV "
	"MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS "
	"SRD "
	"SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
	"BHD IQD JOD KWD LYD OMN TND",
	"CLF UYW",
};

int money_exponent(const char *currency)
{
	if (!currency || strlen(currency) != 3)
		return -1;
	for (int i = 0; i < 3; i++)
		if (currency[i] < 'A' || currency[i] > 'Z')
			return -1;
	for (size_t exponent = 0; exponent < sizeof(codes_by_exponent) / sizeof(codes_by_exponent[0]); exponent++)
		for (const char *at = codes_by_exponent[exponent]; *at; at += at[3] ? 4 : 3)
			if (memcmp(at, currency, 3) == 0)
				return (int)exponent;
	return -1;
}

/* A decimal number as digits and the power of ten of the last one. */
struct decimal {
	bool is_negative;
	uint64_t digits; /* without trailing zeros */
	int exponent;
};

static bool push_digit(struct decimal *decimal, char c)
{
	return !__builtin_mul_overflow(decimal->digits, 10, &decimal->digits) &&
	       !__builtin_add_overflow(decimal->digits, (uint64_t)(c - '0'), &decimal->digits);
}

static bool is_digit(struct bytes text, size_t at)
{
	return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

/* Reads e, sign and digits from `at`; false where they are not the rest of the text. */
static bool read_exponent(struct bytes text, size_t at, int *exponent)
{
	bool is_negative = false;
	int number = 0;

	if (at == text.len)
		return true;
	if (text.data[at] != 'e' && text.data[at] != 'E')
		return false;
	at++;
	if (at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
		is_negative = text.data[at++] == '-';
	if (!is_digit(text, at))
		return false;
	for (; is_digit(text, at); at++)
		number = number < EXPONENT_MAX ? number * 10 + (text.data[at] - '0') : number;
	*exponent += is_negative ? -number : number;
	return at == text.len;
}

static bool read_decimal(struct bytes text, struct decimal *ret_decimal)
{
	struct decimal decimal = {0};
	size_t at = 0;
	size_t zeros = 0; /* not pushed yet: trailing ones need no room */
	bool is_fraction = false;
	bool has_digit = false;

	if (text.len > 0 && text.data[0] == '-') {
		decimal.is_negative = true;
		at++;
	}
	for (; is_digit(text, at) || (at < text.len && text.data[at] == '.' && !is_fraction && has_digit); at++) {
		if (text.data[at] == '.') {
			is_fraction = true;
			if (!is_digit(text, at + 1))
				return false;
			continue;
		}
		has_digit = true;
		decimal.exponent -= is_fraction;
		if (text.data[at] == '0') {
			zeros++;
			continue;
		}
		for (; zeros > 0; zeros--)
			if (!push_digit(&decimal, '0'))
				return false;
		if (!push_digit(&decimal, (char)text.data[at]))
			return false;
	}
	decimal.exponent += (int)zeros;
	if (!has_digit || !read_exponent(text, at, &decimal.exponent))
		return false;
	*ret_decimal = decimal;
	return true;
}

int money_parse(struct bytes text, const char *currency, int64_t *ret_minor, struct error *err)
{
	int decimals = money_exponent(currency);
	int shown = text.len < 40 ? (int)text.len : 40;
	struct decimal decimal;
	uint64_t minor;

	if (decimals < 0)
		return error_set(err, ERR_INVALID, "'%.8s' is no currency of ISO 4217, such as USD",
				 currency ? currency : "");
	if (text.len > 64 || !read_decimal(text, &decimal))
		return error_set(err, ERR_INVALID, "'%.*s' is no decimal amount, such as 49.99", shown,
				 (const char *)text.data);
	minor = decimal.digits;
	if (minor > 0 && decimal.exponent + decimals < 0)
		return error_set(err, ERR_INVALID, "'%.*s' has more decimals than the %d of %s", shown,
				 (const char *)text.data, decimals, currency);
	for (int i = decimal.exponent + decimals; minor > 0 && i > 0; i--)
		if (__builtin_mul_overflow(minor, 10, &minor))
			minor = UINT64_MAX; /* refused below; further factors overflow again */
	if (minor > INT64_MAX)
		return error_set(err, ERR_INVALID, "'%.*s' is too large an amount", shown, (const char *)text.data);
	*ret_minor = decimal.is_negative ? -(int64_t)minor : (int64_t)minor;
	return 0;
}

/* The shortest decimal that reads as this double. */
static int from_double(double number, const char *currency, int64_t *ret_minor, struct error *err)
{
	char text[40];

	if (!isfinite(number))
		return error_set(err, ERR_INVALID, "the amount is no finite number");
	for (int digits = 1; digits <= DOUBLE_DIGITS; digits++) {
		(void)snprintf(text, sizeof(text), "%.*e", digits - 1, number); /* fits: 15 digits and an exponent */
		if (strtod(text, NULL) == number)
			return money_parse(bytes_of_text(text), currency, ret_minor, err);
	}
	return error_set(err, ERR_INVALID, "the amount %.17g has too many digits for a JSON number; send it as a text",
			 number);
}

int money_from_value(const struct value *value, const char *currency, int64_t *ret_minor, struct error *err)
{
	char text[24];

	if (!value)
		return error_set(err, ERR_INVALID, "the amount is missing");
	switch (value->kind) {
	case VALUE_TEXT:
		return money_parse(value->text, currency, ret_minor, err);
	case VALUE_INT:
		(void)snprintf(text, sizeof(text), "%lld", (long long)value->integer); /* fits */
		return money_parse(bytes_of_text(text), currency, ret_minor, err);
	case VALUE_UINT:
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value->unsigned_integer); /* fits */
		return money_parse(bytes_of_text(text), currency, ret_minor, err);
	case VALUE_DOUBLE:
		return from_double(value->number, currency, ret_minor, err);
	default:
		return error_set(err, ERR_INVALID, "the amount is neither a number nor a text");
	}
}

void money_format(int64_t minor, const char *currency, char ret_text[MONEY_TEXT_LEN + 1])
{
	int decimals = money_exponent(currency);
	uint64_t left = minor < 0 ? -(uint64_t)minor : (uint64_t)minor;
	char reversed[MONEY_TEXT_LEN];
	int len = 0;

	assert(decimals >= 0);
	static_assert(MONEY_TEXT_LEN >= 19 + 2, "digits of an int64_t, point and sign");
	for (int i = 0; left > 0 || i <= decimals; i++, left /= 10) {
		if (i == decimals && decimals > 0)
			reversed[len++] = '.';
		reversed[len++] = (char)('0' + left % 10);
	}
	if (minor < 0)
		reversed[len++] = '-';
	for (int i = 0; i < len; i++)
		ret_text[i] = reversed[len - 1 - i];
	ret_text[len] = 0;
}
