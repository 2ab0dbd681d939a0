/*
 * log_options.h - how a program logs: the rows of its option table, and the log as they say.
 */
#ifndef LIB_OPTIONS_LOG_OPTIONS_H
#define LIB_OPTIONS_LOG_OPTIONS_H

#include "lib/options/options.h"

struct log_options {
	const char *level;
	const char *format;
};

/* `object`: struct log_options. */
/* clang-format off */
#define LOG_OPTIONS(object)                                                                                            \
	{.flag = "log-level",                                                                                          \
	 .environment = "LOG_LEVEL",                                                                                   \
	 .default_text = "info",                                                                                       \
	 .value_name = "LEVEL",                                                                                        \
	 .help = "what is logged",                                                                                     \
	 .choices = "error warn info debug",                                                                           \
	 .is_reloaded = true,                                                                                          \
	 .place = &(object).level},                                                                                    \
	{.flag = "log-format",                                                                                         \
	 .environment = "LOG_FORMAT",                                                                                  \
	 .default_text = "logfmt",                                                                                     \
	 .value_name = "FORMAT",                                                                                       \
	 .help = "how lines of the log are written",                                                                   \
	 .choices = "logfmt json",                                                                                     \
	 .place = &(object).format}
/* clang-format on */

/* log_init() with what options_parse() read; before threads. `program` is kept. */
void log_options_apply(const struct log_options *options, const char *program);

#endif
