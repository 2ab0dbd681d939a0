/* log_options.c - see log_options.h. */
#include "lib/options/log_options.h"

#include "lib/base/log.h"

void log_options_apply(const struct log_options *options, const char *program)
{
	enum log_level level = LOG_LEVEL_INFO;
	enum log_format format = LOG_FORMAT_LOGFMT;

	(void)log_level_parse(options->level, &level);    /* options_parse() let only levels through, */
	(void)log_format_parse(options->format, &format); /* and only formats */
	log_init(program, level);
	log_set_format(format);
}
