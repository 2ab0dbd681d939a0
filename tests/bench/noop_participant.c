/*
 * noop_participant.c - answers every command of the benchmark at once and does nothing else.
 *
 * Why:        the benchmark is about the coordinator: what a participant costs beyond decoding a command and encoding a
 *             reply (its database, its inbox) is left out. Messages and topics are real.
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
};

static int answer_all(struct command_batch *batch, const char *topic)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct command *command = batch->commands[i];

		command->outcome = COMMAND_OUTCOME_SUCCEEDED;
		command->reply_topic = topic;
		value_set(batch->arena, &command->reply, "order_id", value_text_of(command->key));
		value_set(batch->arena, &command->reply, "status", value_text_of("DONE"));
	}
	return 0;
}

#define HANDLER(name, topic)                                                                                           \
	static int handle_##name(void *ctx, struct command_batch *batch, struct error *err)                            \
	{                                                                                                              \
		(void)ctx;                                                                                             \
		(void)err;                                                                                             \
		return answer_all(batch, topic);                                                                       \
	}                                                                                                              \
	static const char *const name##_topics[] = {topic, NULL};
HANDLER(first, "bench.first.done")
HANDLER(second, "bench.second.done")
HANDLER(third, "bench.third.done")
HANDLER(undo, "bench.undone")

static const struct command_handler HANDLERS[] = {
	{"bench.first.command", first_topics, "bench.first.done", handle_first},
	{"bench.second.command", second_topics, "bench.second.done", handle_second},
	{"bench.third.command", third_topics, "bench.third.done", handle_third},
	{"bench.undo.command", undo_topics, "bench.undone", handle_undo},
};

static void *wait_for_end(void *ctx)
{
	shutdown_wait();
	participant_stop(ctx);
	return NULL;
}

static int run(const struct settings *settings)
{
	struct metrics *metrics = metrics_new();
	struct registry_client *registry =
		registry_client_new(&(struct registry_client_options){.url = settings->registry_url});
	struct participant *participant = participant_new(
		&(struct participant_options){.service = "bench-participant",
					      .kafka = {.brokers = settings->kafka_brokers, .client_id = "bench"},
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
	};
	const struct program program = {.name = "bench-participant",
					.summary = "Answers the benchmark's commands.",
					.options = options,
					.option_count = ARRAY_LEN(options)};

	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-participant", LOG_LEVEL_INFO);
	shutdown_init();
	return run(&settings);
}
