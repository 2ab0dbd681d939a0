/*
 * sdk_participant.c - answers every command of the benchmark at once, through our SDK with its inbox in Postgres.
 *
 * Why:        mode `inbox` shows what a participant costs that keeps the whole contract: once, the same answer, offsets last.
 *             Only the business is left out.
 */
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/shutdown.h"
#include "lib/options/options.h"
#include "participants/sdk/participant.h"

struct settings {
	const char *kafka_brokers;
	const char *registry_url;
	const char *postgres;
	const char *instance;
	bool is_refusing;
};

static void answer_all(struct command_batch *batch, const char *topic, bool is_refused)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];

		command->outcome = is_refused ? COMMAND_OUTCOME_REJECTED : COMMAND_OUTCOME_SUCCEEDED;
		command->reply_topic = topic;
		value_set(batch->arena, &command->reply, "order_id", value_text_of(command->key));
		value_set(batch->arena, &command->reply, "status", value_text_of("DONE"));
	}
}

#define HANDLER(name, topic)                                                                                           \
	static int handle_##name(void *ctx, struct command_batch *batch, struct error *err)                            \
	{                                                                                                              \
		(void)ctx;                                                                                             \
		(void)err;                                                                                             \
		answer_all(batch, topic, false);                                                                       \
		return 0;                                                                                              \
	}                                                                                                              \
	static const char *const name##_topics[] = {topic, NULL};
HANDLER(first, "bench.first.done")
HANDLER(second, "bench.second.done")
HANDLER(undo, "bench.undone")

/* The one that may be refused. */
static int handle_third(void *ctx, struct command_batch *batch, struct error *err)
{
	const struct settings *settings = ctx;

	(void)err;
	answer_all(batch, settings->is_refusing ? "bench.third.refused" : "bench.third.done", settings->is_refusing);
	return 0;
}
static const char *const third_topics[] = {"bench.third.done", "bench.third.refused", NULL};

static const struct command_handler HANDLERS[] = {
	{"bench.first.command", first_topics, "bench.first.done", handle_first, false},
	{"bench.second.command", second_topics, "bench.second.done", handle_second, false},
	{"bench.third.command", third_topics, "bench.third.done", handle_third, false},
	{"bench.undo.command", undo_topics, "bench.undone", handle_undo, false},
};

static void *wait_for_end(void *ctx)
{
	shutdown_wait();
	participant_stop(ctx);
	return NULL;
}

static int run(struct settings *settings)
{
	struct metrics *metrics = metrics_new();
	struct registry_client *registry =
		registry_client_new(&(struct registry_client_options){.url = settings->registry_url});
	struct participant *participant = participant_new(
		&(struct participant_options){.service = "bench-participant",
					      .kafka = {.brokers = settings->kafka_brokers, .client_id = "bench"},
					      .postgres = settings->postgres,
					      .instance = settings->instance,
					      .ctx = settings,
					      .registry = registry,
					      .registry_url = settings->registry_url,
					      .metrics = metrics,
					      .handlers = HANDLERS,
					      .handler_count = ARRAY_LEN(HANDLERS)});
	pthread_t waiter;
	struct error err;
	int rc;

	if (pthread_create(&waiter, NULL, wait_for_end, participant))
		return EXIT_FAILURE;
	rc = participant_run(participant, &err);
	if (rc)
		log_error("participant_ended", "err=%s", LOG_TEXT(err.msg));
	shutdown_request();
	(void)pthread_join(waiter, NULL); /* it only waited */
	participant_free(participant);
	registry_client_free(registry);
	metrics_free(metrics);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {0};
	const struct option options[] = {
		{.flag = "kafka-brokers",
		 .default_text = "127.0.0.1:9092",
		 .value_name = "HOST:PORT",
		 .help = "brokers",
		 .place = &settings.kafka_brokers},
		{.flag = "registry-url",
		 .default_text = "http://127.0.0.1:8081",
		 .value_name = "URL",
		 .help = "schema registry",
		 .place = &settings.registry_url},
		{.flag = "postgres",
		 .environment = "POSTGRES",
		 .is_required = true,
		 .value_name = "CONNINFO",
		 .help = "database of the inbox",
		 .place = &settings.postgres},
		{.flag = "instance",
		 .value_name = "NAME",
		 .help = "its name in the consumer group, the same after each restart; without one it is a new member "
			 "each time",
		 .place = &settings.instance},
		{.flag = "refuse",
		 .type = OPTION_BOOL,
		 .help = "refuse the last step, so that the others are compensated",
		 .place = &settings.is_refusing},
	};
	const struct program program = {.name = "bench-sdk-participant",
					.summary = "Answers the benchmark's commands, with an inbox.",
					.options = options,
					.option_count = ARRAY_LEN(options)};

	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-sdk-participant", LOG_LEVEL_INFO);
	shutdown_init();
	return run(&settings);
}
