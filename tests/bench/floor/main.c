/* main.c - bench-floor: see floor.h; tests/bench/run starts it and reads its lines. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/kafka/kafka.h"
#include "lib/options/options.h"
#include "tests/bench/floor/floor.h"
#include "tests/bench/floor/lane.h"
#include "tests/bench/floor/table.h"

/* Of fewer than these, no two records come together, so none waits for another. */
enum { FEW = 10 };

struct settings {
	struct floor_settings floor;
	int64_t seconds;
	int64_t warmup;
};

static int make_topics(const struct floor_settings *settings, struct error *err)
{
	const struct kafka_options kafka = {.brokers = settings->kafka_brokers, .client_id = "bench-floor"};
	struct kafka_topic topics[] = {
		{.name = FLOOR_COMMANDS, .partitions = FLOOR_LANES_MAX, .replication_factor = 1},
		{.name = FLOOR_REPLIES, .partitions = FLOOR_LANES_MAX, .replication_factor = 1},
	};
	size_t created = 0;

	return kafka_create_topics(&kafka, topics, ARRAY_LEN(topics), &created, err);
}

/* The slots are shared out; a lane more than there are slots has nothing to do. */
static int start_lanes(const struct floor_settings *settings, struct channel_clients *clients, struct round *round,
		       struct lane **lanes, struct error *err)
{
	for (int64_t i = 0; i < settings->lanes; i++) {
		int64_t slots = settings->in_flight * (i + 1) / settings->lanes -
				settings->in_flight * i / settings->lanes;

		if (slots > 0 && lane_new(settings, (int)i, (size_t)slots, clients, round, &lanes[i], err) < 0)
			return -1;
	}
	return 0;
}

static int run(const struct settings *settings, struct error *err)
{
	const struct floor_settings *floor = &settings->floor;
	struct lane *lanes[FLOOR_LANES_MAX] = {0};
	struct channel_clients *clients = NULL;
	struct round *round = round_new();
	int rc;

	if (make_topics(floor, err) < 0 || table_make_all(floor->postgres, err) < 0 ||
	    channel_clients_new(floor->kafka_brokers, floor->in_flight < FEW ? "0" : "0.1", &clients, err) < 0) {
		round_free(round);
		return -1;
	}
	rc = start_lanes(floor, clients, round, lanes, err);
	if (rc == 0)
		round_measure(round, settings->warmup, settings->seconds, NULL, NULL);
	for (int64_t i = 0; i < floor->lanes; i++)
		lane_free(lanes[i]);
	channel_clients_free(clients);
	round_free(round);
	return rc;
}

#define COUNT_OPTION(name, text, least, most, what, field)                                                             \
	{                                                                                                              \
		.flag = name, .type = OPTION_INT, .default_text = text, .value_name = "N", .min = least, .max = most,  \
		.help = what, .place = &(field)                                                                        \
	}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	struct floor_settings *floor = &settings.floor;
	const struct option options[] = {
		{.flag = "kafka-brokers",
		 .default_text = "127.0.0.1:9092",
		 .value_name = "HOST:PORT",
		 .help = "brokers",
		 .place = &floor->kafka_brokers},
		{.flag = "postgres",
		 .environment = "POSTGRES",
		 .is_required = true,
		 .value_name = "CONNINFO",
		 .help = "a database of its own: its tables are made anew",
		 .place = &floor->postgres},
		{.flag = "inbox",
		 .type = OPTION_BOOL,
		 .help = "a row for each command, committed before the reply",
		 .place = &floor->has_inbox},
		COUNT_OPTION("in-flight", "1000", 1, 1000000, "sagas at the same time", floor->in_flight),
		COUNT_OPTION("lanes", "1", 1, FLOOR_LANES_MAX, "shares that work side by side", floor->lanes),
		COUNT_OPTION("gather", "0", 0, 100,
			     "percent of a lane's sagas that a commit waits for, until none comes for 1 ms",
			     floor->gather),
		COUNT_OPTION("replies", "3", 1, 100, "of one saga, and as many commands and changes of its row",
			     floor->replies),
		COUNT_OPTION("command-bytes", "500", 24, 100000, "of a command's record", floor->command_bytes),
		COUNT_OPTION("reply-bytes", "400", 24, 100000, "of a reply's record", floor->reply_bytes),
		COUNT_OPTION("row-bytes", "200", 0, 100000, "of a saga's row, beside its id and version",
			     floor->row_bytes),
		COUNT_OPTION("log-rows", "0", 0, 1000, "of one saga", floor->log_rows),
		COUNT_OPTION("log-bytes", "50", 0, 100000, "of a row of the log, beside id and sequence",
			     floor->log_bytes),
		COUNT_OPTION("inbox-bytes", "100", 0, 100000, "of a row of the inbox, beside its key",
			     floor->inbox_bytes),
		COUNT_OPTION("seconds", "20", 1, 86400, "length of the measurement", settings.seconds),
		COUNT_OPTION("warmup", "5", 0, 86400, "load before it", settings.warmup),
	};
	const struct program program = {.name = "bench-floor",
					.summary = "Moves as many durable bytes as sagas do, and does nothing else.",
					.options = options,
					.option_count = ARRAY_LEN(options)};
	struct error err;
	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-floor", LOG_LEVEL_INFO);
	if (run(&settings, &err) == 0)
		return EXIT_SUCCESS;
	log_error("floor_failed", "err=%s", LOG_TEXT(err.msg));
	return EXIT_FAILURE;
}
