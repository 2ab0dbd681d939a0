/*
 * money.h - decimal amounts to minor units of their currency, exactly.
 *
 * Why:        10.01 is no double; it is 1001 cents. The text is converted digit by digit.
 * Source:     ISO 4217: the alphabetic codes in use, and how many decimals each has.
 */
#ifndef PARTICIPANTS_CHECKOUT_MONEY_H
#define PARTICIPANTS_CHECKOUT_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

/* How many decimals the currency has; -1: no currency of ISO 4217. Case counts: "USD". */
int money_decimals(const char *currency);

/* `text` is a JSON number, `10.01` or `1.001e1`, not negative. ERR_INVALID says what is wrong: no number, negative, more
 * decimals than the currency has (zeros at the end do not count), beyond int64. */
NODISCARD int money_parse(const char *text, int decimals, int64_t *ret_minor, struct error *err);

#endif
