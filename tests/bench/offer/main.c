/* main.c - bench-offer: the client of tests/bench/overload, which starts it and reads its lines. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/options/options.h"
#include "tests/bench/offer/offer.h"

enum { SLACK_S = 5 };

struct settings {
	struct offer_settings offer;
	int64_t seconds;
	int64_t warmup;
};

static int run(struct settings *settings)
{
	_cleanup_(round_freep)
	struct round *round = round_new();
	_cleanup_(offer_freep)
	struct offer *offer = NULL;
	struct error err;

	settings->offer.seconds_max = settings->seconds + settings->warmup + SLACK_S;
	if (offer_new(&settings->offer, round, &offer, &err) < 0 || offer_start(offer, &err) < 0) {
		log_error("offer_failed", "err=%s", LOG_TEXT(err.msg));
		return EXIT_FAILURE;
	}
	round_measure(round, settings->warmup, settings->seconds, offer_unsent, offer);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option options[] = {
		{.flag = "target",
		 .default_text = "127.0.0.1:7233",
		 .value_name = "ADDRESS",
		 .help = "the coordinator's gRPC",
		 .place = &settings.offer.target},
		{.flag = "definition",
		 .default_text = "bench",
		 .choices = "bench checkout",
		 .value_name = "NAME",
		 .help = "what to start",
		 .place = &settings.offer.definition},
		{.flag = "rate",
		 .type = OPTION_INT,
		 .default_text = "1000",
		 .value_name = "N",
		 .help = "sagas a second",
		 .place = &settings.offer.rate,
		 .min = 1,
		 .max = 1000000},
		{.flag = "batch",
		 .type = OPTION_INT,
		 .default_text = "1",
		 .value_name = "N",
		 .help = "starts of one call; 1: StartSaga, more: BatchStartSagas",
		 .place = &settings.offer.batch,
		 .min = 1,
		 .max = 1000},
		{.flag = "connections",
		 .type = OPTION_INT,
		 .default_text = "8",
		 .value_name = "N",
		 .help = "to use in turn, of StartSaga",
		 .place = &settings.offer.connections,
		 .min = 1,
		 .max = 256},
		{.flag = "seconds",
		 .type = OPTION_INT,
		 .default_text = "10",
		 .value_name = "S",
		 .help = "length of the measurement",
		 .place = &settings.seconds,
		 .min = 1,
		 .max = 600},
		{.flag = "warmup",
		 .type = OPTION_INT,
		 .default_text = "5",
		 .value_name = "S",
		 .help = "load before it",
		 .place = &settings.warmup,
		 .min = 0,
		 .max = 600},
	};
	const struct program program = {.name = "bench-offer",
					.summary = "Starts sagas at a rate, whatever becomes of them, and measures.",
					.options = options,
					.option_count = ARRAY_LEN(options)};
	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-offer", LOG_LEVEL_INFO);
	return run(&settings);
}
