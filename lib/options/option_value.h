/*
 * option_value.h - the text of one option's value: read, checked, and put in its place. Not for callers of options.h.
 */
#ifndef LIB_OPTIONS_OPTION_VALUE_H
#define LIB_OPTIONS_OPTION_VALUE_H

#include "lib/base/error.h"
#include "lib/options/options.h"

enum option_source { OPTION_SOURCE_DEFAULT, OPTION_SOURCE_FILE, OPTION_SOURCE_ENVIRONMENT, OPTION_SOURCE_FLAG };

/* On failure the message says what would be accepted; nothing is changed. Not for OPTION_PROPERTIES.
 * The items of a list are made in `texts`; other values point to `text`. */
NODISCARD int option_value_set(const struct option *option, enum option_source source, const char *text,
			       struct arena *texts, struct error *err);

enum { OPTION_DURATION_TEXT_BYTES = 24 };
/* In the largest unit that it is a whole number of: 1h, 36500d. */
void option_duration_format(int64_t ms, char ret_text[OPTION_DURATION_TEXT_BYTES]);

#endif
