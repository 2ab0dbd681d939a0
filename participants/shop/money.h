/*
 * money.h - amounts between people's decimals and our integers: exact, by the currency's own number of decimals.
 *
 * Why:        49.99 is not a binary number; inside, amounts are integers in minor units (ISO 4217), so 49.99 USD is 4999
 *             and 500 JPY is 500.
 * Guarantees: a conversion is exact or refused. More decimals than the currency has are refused unless they are zeros.
 * Threads:    pure functions.
 */
#ifndef PARTICIPANTS_SHOP_MONEY_H
#define PARTICIPANTS_SHOP_MONEY_H

#include <stdint.h>

#include "lib/base/error.h"
#include "schema-registry/codec/value.h"

enum { MONEY_TEXT_LEN = 24 };

/* Decimals of an ISO 4217 currency, 0 to 4; -1: no such currency. The code is three upper-case letters. */
int money_exponent(const char *currency);

/* "49.99", "-3", "1e2": what JSON takes for a number. ERR_INVALID says what is wrong with it. */
NODISCARD int money_parse(struct bytes text, const char *currency, int64_t *ret_minor, struct error *err);

/* A number or text of JSON. A JSON number is taken for the shortest decimal that reads as the same double, which is the
 * one that was written, for all amounts of up to 15 digits; longer ones are refused, but texts are not limited so. */
NODISCARD int money_from_value(const struct value *value, const char *currency, int64_t *ret_minor, struct error *err);

/* With all decimals of the currency: "49.90". The currency must exist. */
void money_format(int64_t minor, const char *currency, char ret_text[MONEY_TEXT_LEN + 1]);

#endif
