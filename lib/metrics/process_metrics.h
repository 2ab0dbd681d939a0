/*
 * process_metrics.h - the process_* metrics that every Prometheus client library shows, read from /proc/self.
 */
#ifndef LIB_METRICS_PROCESS_METRICS_H
#define LIB_METRICS_PROCESS_METRICS_H

#include "lib/base/bytes.h"

void process_metrics_print(struct buffer *out); /* what cannot be read is left out */

#endif
