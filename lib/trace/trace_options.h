/*
 * trace_options.h - where a program's spans go: the row of its option table.
 */
#ifndef LIB_TRACE_TRACE_OPTIONS_H
#define LIB_TRACE_TRACE_OPTIONS_H

#include "lib/options/options.h"

/* `endpoint`: const char *, for span_exporter_new(). */
/* clang-format off */
#define OTLP_ENDPOINT_OPTION(endpoint)                                                                                 \
	{.flag = "otlp-endpoint",                                                                                      \
	 .environment = "OTEL_EXPORTER_OTLP_ENDPOINT",                                                                 \
	 .value_name = "URL",                                                                                          \
	 .help = "OpenTelemetry collector (OTLP over HTTP) for traces, such as http://127.0.0.1:4318; without it none " \
		 "are made",                                                                                           \
	 .place = &(endpoint)}
/* clang-format on */

#endif
