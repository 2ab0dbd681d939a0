/* money.c - see money.h. */
#include "participants/shop/money.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"

enum {
	DOUBLE_DIGITS = 15,    /* every decimal of so many digits survives a double */
	DIGITS_MAX = 32,       /* more are beyond int64, or finer than any currency */
	EXPONENT_MAX = 100000, /* beyond this it does not matter */
	SHOWN_MAX = 40,        /* bytes of a refused amount in the message */
};

/* ISO 4217, active codes of currencies and funds, by decimals; three letters each, one blank between. */
static const char *const codes_by_exponent[] = {
	"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	"",
	"AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
	"CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
	"GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
	"MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON "
	"RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS "
	"UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
	"BHD IQD JOD KWD LYD OMR TND",
	"CLF UYW",
};

int money_exponent(const char *currency)
{
	if (!currency || strlen(currency) != 3)
		return -1;
	for (int i = 0; i < 3; i++)
		if (currency[i] < 'A' || currency[i] > 'Z')
			return -1;
	for (size_t exponent = 0; exponent < ARRAY_LEN(codes_by_exponent); exponent++)
		for (const char *at = codes_by_exponent[exponent]; *at; at += at[3] ? 4 : 3)
			if (memcmp(at, currency, 3) == 0)
				return (int)exponent;
	return -1;
}

/* A decimal number as its significant digits and where the point stands among them: 0.digits x 10^point. */
struct decimal {
	char digits[DIGITS_MAX];
	int count;
	long point;
	bool is_negative;
	bool is_too_long;
};

static bool is_digit(struct bytes text, size_t at)
{
	return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

static void take_digit(struct decimal *decimal, char digit)
{
	if (digit == '0' && decimal->count == 0)
		return;
	if (decimal->count < DIGITS_MAX)
		decimal->digits[decimal->count++] = digit;
	else if (digit != '0')
		decimal->is_too_long = true;
}

/* From `at` on; returns the place after it. */
static size_t take_digits(struct bytes text, size_t at, bool is_fraction, struct decimal *decimal)
{
	for (; is_digit(text, at); at++) {
		take_digit(decimal, (char)text.data[at]);
		if (is_fraction)
			decimal->point -= decimal->count == 0;
		else
			decimal->point += decimal->count > 0;
	}
	return at;
}

/* Reads e, sign and digits from `at`; false where they are not the rest of the text. */
static bool read_exponent(struct bytes text, size_t at, struct decimal *decimal)
{
	bool is_negative = false;
	long number = 0;

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
	decimal->point += is_negative ? -number : number;
	return at == text.len;
}

/* The grammar of JSON's numbers. */
static bool read_decimal(struct bytes text, struct decimal *ret_decimal)
{
	struct decimal decimal = {.is_negative = text.len > 0 && text.data[0] == '-'};
	size_t at = decimal.is_negative;

	if (!is_digit(text, at) || (text.data[at] == '0' && is_digit(text, at + 1)))
		return false;
	at = take_digits(text, at, false, &decimal);
	if (at < text.len && text.data[at] == '.') {
		if (!is_digit(text, at + 1))
			return false;
		at = take_digits(text, at + 1, true, &decimal);
	}
	if (!read_exponent(text, at, &decimal))
		return false;
	while (decimal.count > 0 && decimal.digits[decimal.count - 1] == '0')
		decimal.count--;
	*ret_decimal = decimal;
	return true;
}

/* False where it does not fit. */
static bool scale(const struct decimal *decimal, int decimals, int64_t *ret_minor)
{
	int64_t minor = 0;

	for (long i = 0; decimal->count > 0 && i < decimal->point + decimals; i++) {
		int digit = i < decimal->count ? decimal->digits[i] - '0' : 0;

		if (decimal->is_too_long || __builtin_mul_overflow(minor, 10, &minor) ||
		    __builtin_add_overflow(minor, digit, &minor))
			return false;
	}
	*ret_minor = decimal->is_negative ? -minor : minor;
	return true;
}

int money_parse(struct bytes text, const char *currency, int64_t *ret_minor, struct error *err)
{
	int decimals = money_exponent(currency);
	int shown = text.len < SHOWN_MAX ? (int)text.len : SHOWN_MAX;
	const char *start = text.data ? (const char *)text.data : "";
	struct decimal decimal;

	if (decimals < 0)
		return error_set(err, ERR_INVALID, "'%.8s' is no currency of ISO 4217, such as USD",
				 currency ? currency : "");
	if (!read_decimal(text, &decimal))
		return error_set(err, ERR_INVALID, "'%.*s' is no decimal amount, such as 49.99", shown, start);
	if (decimal.count > 0 && decimal.count - decimal.point > decimals)
		return error_set(err, ERR_INVALID, "'%.*s' has more decimals than the %d of %s", shown, start, decimals,
				 currency);
	if (!scale(&decimal, decimals, ret_minor))
		return error_set(err, ERR_INVALID, "'%.*s' is too large an amount", shown, start);
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
