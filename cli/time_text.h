/*
 * time_text.h - moments as people give them: RFC 3339, a date, or so long ago or ahead.
 */
#ifndef CLI_TIME_TEXT_H
#define CLI_TIME_TEXT_H

#include <stdint.h>

#include "lib/base/error.h"

enum time_direction { TIME_AGO, TIME_AHEAD }; /* what a mere duration, "15m", means */

/* Microseconds since 1970. Accepted: 2026-01-31, 2026-01-31T10:00Z, 2026-01-31T10:00:00.5+02:00, 15m, 24h, 7d. A time
 * without a zone is UTC. */
NODISCARD int time_text_parse(const char *text, enum time_direction direction, int64_t now_us, int64_t *ret_us,
			      struct error *err);

#endif
