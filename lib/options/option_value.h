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

#endif
