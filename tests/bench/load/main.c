/* main.c - bench-load: the client of the benchmark; tests/bench/run starts it and reads its lines. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/options/options.h"
#include "tests/bench/load/load.h"

enum { DRAIN_S = 15 };

struct settings {
	struct load_settings load;
	const char *starts;
	const char *path;
	int64_t seconds;
	int64_t warmup;
};

static int run(const struct settings *settings)
{
	_cleanup_(round_freep)
	struct round *round = round_new();
	_cleanup_(load_freep)
	struct load *load = load_new(&settings->load, round);
	struct error err;

	if (load_start(load, &err) < 0) {
		log_error("load_failed", "err=%s", LOG_TEXT(err.msg));
		return EXIT_FAILURE;
	}
	round_measure(round, settings->warmup, settings->seconds, load_overdue, load);
	load_drain(load, DRAIN_S);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option options[] = {
		{.flag = "target",
		 .default_text = "127.0.0.1:7233",
		 .value_name = "ADDRESS",
		 .help = "the coordinator's gRPC; of several with commas between: starts go round",
		 .place = &settings.load.target},
		{.flag = "definition",
		 .default_text = "bench",
		 .choices = "bench checkout",
		 .value_name = "NAME",
		 .help = "what to start",
		 .place = &settings.load.definition},
		{.flag = "path",
		 .default_text = "happy",
		 .choices = "happy compensating",
		 .value_name = "PATH",
		 .help = "how sagas have to end; of the checkout it also says which are started",
		 .place = &settings.path},
		{.flag = "starts",
		 .default_text = "unary",
		 .choices = "unary batch",
		 .value_name = "HOW",
		 .help = "a StartSaga for each, or BatchStartSagas",
		 .place = &settings.starts},
		{.flag = "in-flight",
		 .type = OPTION_INT,
		 .default_text = "1000",
		 .value_name = "N",
		 .help = "sagas at the same time",
		 .place = &settings.load.in_flight,
		 .min = 1,
		 .max = 1000000},
		{.flag = "seconds",
		 .type = OPTION_INT,
		 .default_text = "20",
		 .value_name = "S",
		 .help = "length of the measurement",
		 .place = &settings.seconds,
		 .min = 1,
		 .max = 86400},
		{.flag = "warmup",
		 .type = OPTION_INT,
		 .default_text = "5",
		 .value_name = "S",
		 .help = "load before it",
		 .place = &settings.warmup,
		 .min = 0,
		 .max = 86400},
	};
	const struct program program = {.name = "bench-load",
					.summary = "Keeps sagas in flight and measures them.",
					.options = options,
					.option_count = ARRAY_LEN(options)};

	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-load", LOG_LEVEL_INFO);
	settings.load.is_batched = strcmp(settings.starts, "batch") == 0;
	settings.load.is_compensating = strcmp(settings.path, "compensating") == 0;
	return run(&settings);
}
