/*
 * load.c - the benchmark's client: keeps N sagas in flight over gRPC and measures each from its start to its outcome.
 *
 * Closed loop: a slot starts a saga (StartSaga, answered when it is durable), learns its outcome (GetSaga with a wait) and
 *              begins anew. The latency is from before StartSaga to the outcome's arrival, so slow starts count.
 * Output:      one line of JSON when a measurement begins and one when it ends, so that whoever runs this can sample the
 *              other processes at the same moments.
 * Threads:     slots advance on the client library's thread; main only keeps time. The lock guards the samples.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/v1/bench_input.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/uuid.h"
#include "lib/options/options.h"
#include "lib/rpc/rpc_client.h"
#include "saga/v1/saga_service.pb-c.h"

enum { START_MS = 30000, OUTCOME_WAIT_S = 20, OUTCOME_MS = 25000 };

struct settings {
	const char *target;
	int64_t in_flight;
	int64_t seconds;
	int64_t warmup;
	int64_t repeat;
};

struct slot {
	struct load *load;
	int64_t started_us;
	char saga_id[UUID_TEXT_LEN + 1];
};

struct load {
	struct settings settings;
	struct rpc_client *client;
	struct slot *slots;
	pthread_mutex_t mu;
	int64_t *latencies_us; /* guarded by mu, as the next four */
	size_t count;
	size_t capacity;
	size_t failures;
	bool is_ending;
	char last_failure[240];
};

static void start(struct slot *slot);

static void fail(struct load *load, const char *what, const char *why)
{
	pthread_mutex_lock(&load->mu);
	load->failures++;
	(void)snprintf(load->last_failure, sizeof(load->last_failure), "%s: %s", what, why); /* may be cut */
	pthread_mutex_unlock(&load->mu);
}

static void record(struct load *load, int64_t latency_us)
{
	pthread_mutex_lock(&load->mu);
	if (load->count == load->capacity) {
		load->capacity = load->capacity ? load->capacity * 2 : 65536;
		load->latencies_us = xrealloc_array(load->latencies_us, load->capacity, sizeof(int64_t));
	}
	load->latencies_us[load->count++] = latency_us;
	pthread_mutex_unlock(&load->mu);
}

static void next(struct slot *slot)
{
	bool is_ending;

	pthread_mutex_lock(&slot->load->mu);
	is_ending = slot->load->is_ending;
	pthread_mutex_unlock(&slot->load->mu);
	if (!is_ending)
		start(slot);
}

static void ask(struct slot *slot);

static void on_outcome(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	struct slot *slot = ctx;
	Saga__V1__GetSagaResponse *response = (Saga__V1__GetSagaResponse *)answer;
	Saga__V1__SagaState state = response ? response->saga->state : SAGA__V1__SAGA_STATE__SAGA_STATE_UNSPECIFIED;

	if (response)
		protobuf_c_message_free_unpacked(answer, NULL);
	if (state == SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING || state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETING) {
		ask(slot);
		return;
	}
	if (state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPLETED)
		record(slot->load, clock_monotonic_us() - slot->started_us);
	else
		fail(slot->load, "outcome", err ? err->msg : "another one than COMPLETED");
	next(slot);
}

static void ask(struct slot *slot)
{
	Saga__V1__GetSagaRequest request = SAGA__V1__GET_SAGA_REQUEST__INIT;
	Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;

	wait.seconds = OUTCOME_WAIT_S;
	request.saga_id = slot->saga_id;
	request.wait = &wait;
	rpc_client_start(slot->load->client, "/saga.v1.SagaService/GetSaga", &request.base,
			 &saga__v1__get_saga_response__descriptor, OUTCOME_MS, on_outcome, slot);
}

static void on_started(void *ctx, ProtobufCMessage *answer, const struct error *err)
{
	struct slot *slot = ctx;

	if (err) {
		fail(slot->load, "start", err->msg);
		next(slot);
		return;
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	ask(slot);
}

static void start(struct slot *slot)
{
	Saga__V1__StartSagaRequest request = SAGA__V1__START_SAGA_REQUEST__INIT;
	Bench__V1__BenchInput input = BENCH__V1__BENCH_INPUT__INIT;
	uint8_t encoded[256];

	uuid_format(uuid_v7_new(), slot->saga_id);
	input.order_id = slot->saga_id;
	input.user_id = (char *)"user-1";
	input.amount_minor = 2599;
	input.currency = (char *)"USD";
	request.definition = (char *)"bench";
	request.saga_id = slot->saga_id;
	request.input_case = SAGA__V1__START_SAGA_REQUEST__INPUT_ENCODED;
	request.encoded.data = encoded;
	request.encoded.len = bench__v1__bench_input__pack(&input, encoded);
	slot->started_us = clock_monotonic_us();
	rpc_client_start(slot->load->client, "/saga.v1.SagaService/StartSaga", &request.base,
			 &saga__v1__start_saga_response__descriptor, START_MS, on_started, slot);
}

/* ---- main ---- */
static void wait_until(int64_t until_us)
{
	struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

static int compare_latencies(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static double quantile_ms(const int64_t *sorted, size_t count, double quantile)
{
	size_t at = (size_t)((double)count * quantile);

	return count ? (double)sorted[at < count ? at : count - 1] / 1000.0 : 0;
}

static void measure(struct load *load, int64_t number)
{
	int64_t began_us;
	double elapsed_s;

	printf("{\"event\":\"begin\",\"number\":%" PRId64 "}\n", number);
	(void)fflush(stdout);
	pthread_mutex_lock(&load->mu);
	load->count = 0;
	load->failures = 0;
	pthread_mutex_unlock(&load->mu);
	began_us = clock_monotonic_us();
	wait_until(began_us + load->settings.seconds * 1000000);
	pthread_mutex_lock(&load->mu);
	elapsed_s = (double)(clock_monotonic_us() - began_us) / 1e6;
	qsort(load->latencies_us, load->count, sizeof(int64_t), compare_latencies);
	printf("{\"event\":\"end\",\"number\":%" PRId64 ",\"seconds\":%.3f,\"sagas\":%zu,\"failures\":%zu,"
	       "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
	       number, elapsed_s, load->count, load->failures, quantile_ms(load->latencies_us, load->count, 0.5),
	       quantile_ms(load->latencies_us, load->count, 0.99), quantile_ms(load->latencies_us, load->count, 1));
	(void)fflush(stdout);
	if (load->failures)
		log_error("failures", "count=%zu last=%s", load->failures, LOG_TEXT(load->last_failure));
	pthread_mutex_unlock(&load->mu);
}

static void run(struct load *load)
{
	load->client = rpc_client_new(load->settings.target);
	load->slots = xcalloc((size_t)load->settings.in_flight, sizeof(*load->slots));
	pthread_mutex_init(&load->mu, NULL);
	for (int64_t i = 0; i < load->settings.in_flight; i++) {
		load->slots[i].load = load;
		start(&load->slots[i]);
	}
	wait_until(clock_monotonic_us() + load->settings.warmup * 1000000);
	for (int64_t i = 1; i <= load->settings.repeat; i++)
		measure(load, i);
	pthread_mutex_lock(&load->mu);
	load->is_ending = true;
	pthread_mutex_unlock(&load->mu);
	rpc_client_free(load->client); /* cancels what is under way; its failures start nothing new */
	pthread_mutex_destroy(&load->mu);
	free(load->latencies_us);
	free(load->slots);
}

int main(int argc, char **argv)
{
	struct load load = {0};
	struct settings *settings = &load.settings;
	const struct option options[] = {
		{.flag = "target",
		 .default_text = "127.0.0.1:7233",
		 .value_name = "ADDRESS",
		 .help = "the coordinator's gRPC",
		 .place = &settings->target},
		{.flag = "in-flight",
		 .type = OPTION_INT,
		 .default_text = "1000",
		 .value_name = "N",
		 .help = "sagas at the same time",
		 .place = &settings->in_flight,
		 .min = 1,
		 .max = 100000},
		{.flag = "seconds",
		 .type = OPTION_INT,
		 .default_text = "20",
		 .value_name = "S",
		 .help = "length of a measurement",
		 .place = &settings->seconds,
		 .min = 1,
		 .max = 86400},
		{.flag = "warmup",
		 .type = OPTION_INT,
		 .default_text = "5",
		 .value_name = "S",
		 .help = "load before the first one",
		 .place = &settings->warmup,
		 .min = 0,
		 .max = 86400},
		{.flag = "repeat",
		 .type = OPTION_INT,
		 .default_text = "3",
		 .value_name = "N",
		 .help = "measurements, one after the other",
		 .place = &settings->repeat,
		 .min = 1,
		 .max = 1000},
	};
	const struct program program = {.name = "bench-load",
					.summary = "Keeps sagas in flight and measures them.",
					.options = options,
					.option_count = ARRAY_LEN(options)};

	int status = options_exit_status(options_parse(&program, argc, argv, NULL));

	if (status >= 0)
		return status;
	log_init("bench-load", LOG_LEVEL_INFO);
	run(&load);
	return EXIT_SUCCESS;
}
