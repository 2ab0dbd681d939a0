/*
 * metrics.h - counters, gauges and histograms, shown in the Prometheus text format 0.0.4.
 *
 * Why:        no packaged C library writes the format; names and help texts come from one table a program.
 * Threads:    any thread; updates are relaxed atomics. Registration happens at start, before threads; afterwards one thread
 *             may add series to a gauge's name that it alone adds to.
 * Limits:     label values are fixed at registration, so a peer cannot make series without bound. Who adds series later has a
 *             limit for them.
 */
#ifndef LIB_METRICS_METRICS_H
#define LIB_METRICS_METRICS_H

#include <stdint.h>

#include "lib/base/bytes.h"

struct metrics;
struct metric; /* one series */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* `labels` is the inside of the braces, `outcome="completed"`, or NULL. The same name may be registered with several
 * label sets: its help and type are printed once. Labels are copied; names and helps are literals or outlive the set. */
struct metric *metrics_counter(struct metrics *metrics, const char *name, const char *labels, const char *help);
struct metric *metrics_gauge(struct metrics *metrics, const char *name, const char *labels, const char *help);
struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *labels, const char *help,
				 const double *bounds, int bound_count); /* at most 20, rising */

void metric_add(struct metric *metric, uint64_t by);      /* counter */
void metric_set(struct metric *metric, int64_t value);    /* gauge */
void metric_observe(struct metric *metric, double value); /* histogram */
uint64_t metric_value(const struct metric *metric);       /* counter or gauge, for tests and health */

extern const double METRIC_SECONDS_BOUNDS[]; /* 0.5 ms to 60 s */
enum { METRIC_SECONDS_BOUND_COUNT = 14 };

void metrics_print(const struct metrics *metrics, struct buffer *out); /* also process_* of this process */

#endif
