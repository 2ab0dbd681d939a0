/* notice_sender.c - see notice_sender.h. */
#include "coordinator/notice/notice_sender.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/chore.h"
#include "lib/base/clock.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum {
	LEASE_MS = 120 * 1000, /* longer than a delivery may take */
	LOOK_DEFAULT_MS = 500,
	STORE_AWAY_MS = 1000,
	PAUSE_FIRST_MS = 1000, /* after a failure of the target as a whole; doubles up to the next */
	PAUSE_MAX_MS = 60 * 1000,
	ALARM_DEFAULT_MS = 60 * 1000,
	GIVE_UP_MS = 24 * 3600 * 1000,
	FORGET_MS = 2 * GIVE_UP_MS,
	FORGET_EVERY_MS = 3600 * 1000,
};

struct notice_sender {
	struct notice_sender_options options;
	struct arena arena;
	struct chore *chore;
	bool is_prepared;
	bool is_store_away; /* and it was said */
	int64_t pause_ms;
	int64_t forget_at_us; /* monotonic */
	pthread_mutex_t mu;
	int64_t failing_since_us; /* guarded by mu, as the next; monotonic; 0: it does not fail */
	char problem[240];
};

struct notice_metrics notice_metrics_new(struct metrics *metrics, const char *kind)
{
	static const char help[] =
		"Notices of stuck steps by what became of a try to deliver them; given_up: after a day of failures.";
	static const char name[] = "saga_notices_total";
	char labels[80];
	struct notice_metrics made;

	(void)snprintf(labels, sizeof(labels), "target=\"%s\",result=\"sent\"", kind);
	made.sent = metrics_counter(metrics, name, labels, help);
	(void)snprintf(labels, sizeof(labels), "target=\"%s\",result=\"failed\"", kind);
	made.failed = metrics_counter(metrics, name, labels, help);
	(void)snprintf(labels, sizeof(labels), "target=\"%s\",result=\"given_up\"", kind);
	made.given_up = metrics_counter(metrics, name, labels, help);
	return made;
}

/* ---- how it goes ---- */
static void note_failing(struct notice_sender *sender, const struct error *err)
{
	bool is_first;

	(void)pthread_mutex_lock(&sender->mu);
	is_first = sender->failing_since_us == 0;
	if (is_first)
		sender->failing_since_us = clock_monotonic_us();
	(void)snprintf(sender->problem, sizeof(sender->problem), "%s", err->msg); /* may be cut */
	(void)pthread_mutex_unlock(&sender->mu);
	if (is_first)
		log_warn("notice_not_sent", "target=%s err=%s, trying again", LOG_TEXT(sender->options.target),
			 LOG_TEXT(err->msg));
}

static void note_working(struct notice_sender *sender)
{
	bool was_failing;

	(void)pthread_mutex_lock(&sender->mu);
	was_failing = sender->failing_since_us != 0;
	sender->failing_since_us = 0;
	(void)pthread_mutex_unlock(&sender->mu);
	sender->pause_ms = PAUSE_FIRST_MS;
	if (was_failing)
		log_info("notices_sent_again", "target=%s", LOG_TEXT(sender->options.target));
}

static bool is_failing(struct notice_sender *sender)
{
	bool result;

	(void)pthread_mutex_lock(&sender->mu);
	result = sender->failing_since_us != 0;
	(void)pthread_mutex_unlock(&sender->mu);
	return result;
}

bool notice_sender_problem(struct notice_sender *sender, char *ret_text, size_t text_len)
{
	bool is_long;
	int64_t failing_us;

	(void)pthread_mutex_lock(&sender->mu);
	failing_us = sender->failing_since_us ? clock_monotonic_us() - sender->failing_since_us : 0;
	is_long = failing_us > sender->options.alarm_ms * 1000;
	if (is_long)
		(void)snprintf(ret_text, text_len, "%s gets no notices of stuck sagas for %lld s: %s",
			       sender->options.target, (long long)(failing_us / 1000000), sender->problem);
	(void)pthread_mutex_unlock(&sender->mu);
	return is_long;
}

/* ---- one batch ---- */
static void give_up_old(struct notice_sender *sender, struct notice_delivery *delivery)
{
	char id[UUID_TEXT_LEN + 1];

	for (size_t i = 0; i < delivery->count; i++) {
		const struct notice *notice = &delivery->notices[i];

		if (delivery->outcomes[i] == NOTICE_SENT || notice->age_ms < GIVE_UP_MS)
			continue;
		delivery->outcomes[i] = NOTICE_GIVEN_UP;
		uuid_format(notice->saga_id, id);
		log_error("notice_given_up", "target=%s saga=%s step=%s tries=%d", LOG_TEXT(sender->options.target), id,
			  notice->step_id, notice->tries);
	}
}

static void count_outcomes(const struct notice_sender *sender, const struct notice_delivery *delivery)
{
	const struct notice_metrics *metrics = sender->options.metrics;

	for (size_t i = 0; i < delivery->count; i++) {
		if (delivery->outcomes[i] == NOTICE_SENT)
			metric_add(metrics->sent, 1);
		else if (delivery->outcomes[i] == NOTICE_FAILED)
			metric_add(metrics->failed, 1);
		else if (delivery->outcomes[i] == NOTICE_GIVEN_UP)
			metric_add(metrics->given_up, 1);
	}
}

/* How long to leave the target alone now. */
static int64_t take_pause(struct notice_sender *sender)
{
	const int64_t pause_ms = sender->pause_ms;

	sender->pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
	return pause_ms;
}

/* *ret_wait_ms: until the next one. -1: the store is away. */
static int send_batch(struct notice_sender *sender, const struct chore *chore, const struct notice *notices,
		      size_t count, int64_t *ret_wait_ms, struct error *err)
{
	const struct notice_sender_options *options = &sender->options;
	enum notice_outcome *outcomes = arena_zalloc(&sender->arena, count * sizeof(*outcomes));
	struct notice_delivery delivery = {notices, count, outcomes, &sender->arena, chore_is_stopping(chore)};
	struct error why;

	CRASH_POINT(NOTICES_CLAIMED);
	if (options->deliver(options->ctx, &delivery, &why) == 0) {
		note_working(sender);
		*ret_wait_ms = count == options->batch_max ? 0 : options->look_ms;
	} else {
		note_failing(sender, &why);
		*ret_wait_ms = why.is_retriable ? take_pause(sender) : options->look_ms;
	}
	give_up_old(sender, &delivery);
	count_outcomes(sender, &delivery);
	CRASH_POINT(NOTICES_DELIVERED);
	if (options->port->settle(options->port->ctx, options->target, notices, outcomes, count, err) < 0)
		return -1;
	CRASH_POINT(NOTICES_SETTLED);
	return 0;
}

/* Nothing is due. Others may have sent what failed here, or it was given up: then there is no problem any more. */
static int look_idle(struct notice_sender *sender, struct error *err)
{
	const struct notice_port *port = sender->options.port;
	int64_t count = 0;

	if (is_failing(sender)) {
		if (port->count(port->ctx, sender->options.target, &count, err) < 0)
			return -1;
		if (count == 0)
			note_working(sender);
	}
	if (clock_monotonic_us() < sender->forget_at_us)
		return 0;
	if (port->forget(port->ctx, FORGET_MS, &count, err) < 0)
		return -1;
	sender->forget_at_us = clock_monotonic_us() + FORGET_EVERY_MS * INT64_C(1000);
	if (count > 0)
		log_warn("notices_forgotten", "count=%lld, nobody sends them any more", (long long)count);
	return 0;
}

static int send_once(struct notice_sender *sender, const struct chore *chore, int64_t *ret_wait_ms, struct error *err)
{
	const struct notice_sender_options *options = &sender->options;
	struct notice *notices = NULL;
	size_t count = 0;

	arena_clear(&sender->arena);
	*ret_wait_ms = options->look_ms;
	if (options->port->claim(options->port->ctx, options->target, options->batch_max, LEASE_MS, &sender->arena,
				 &notices, &count, err) < 0)
		return -1;
	return count > 0 ? send_batch(sender, chore, notices, count, ret_wait_ms, err) : look_idle(sender, err);
}

static bool prepare(struct notice_sender *sender, int64_t *ret_wait_ms)
{
	struct error err;

	if (!sender->is_prepared && sender->options.prepare && sender->options.prepare(sender->options.ctx, &err) < 0) {
		note_failing(sender, &err);
		*ret_wait_ms = take_pause(sender);
		return false;
	}
	if (!sender->is_prepared)
		note_working(sender);
	sender->is_prepared = true;
	return true;
}

static int64_t round_once(void *ctx, struct chore *chore)
{
	struct notice_sender *sender = ctx;
	int64_t next_ms = 0;
	struct error err;

	if (!prepare(sender, &next_ms))
		return next_ms;
	if (send_once(sender, chore, &next_ms, &err) < 0) {
		if (!sender->is_store_away)
			log_warn("notices_waiting", "target=%s err=%s, trying again until it is back",
				 LOG_TEXT(sender->options.target), LOG_TEXT(err.msg));
		sender->is_store_away = true;
		return STORE_AWAY_MS;
	}
	sender->is_store_away = false;
	return next_ms;
}

/* ---- life ---- */
static void release(struct notice_sender *sender)
{
	arena_release(&sender->arena);
	(void)pthread_mutex_destroy(&sender->mu);
	free(sender);
}

int notice_sender_start(const struct notice_sender_options *options, struct notice_sender **ret_sender,
			struct error *err)
{
	struct notice_sender *sender = xcalloc(1, sizeof(*sender));
	const struct chore_options chore = {.name = "notices", .round = round_once, .ctx = sender};

	assert(options->batch_max > 0);
	sender->options = *options;
	if (!sender->options.alarm_ms)
		sender->options.alarm_ms = ALARM_DEFAULT_MS;
	if (!sender->options.look_ms)
		sender->options.look_ms = LOOK_DEFAULT_MS;
	sender->pause_ms = PAUSE_FIRST_MS;
	arena_init(&sender->arena, 0);
	(void)pthread_mutex_init(&sender->mu, NULL); /* default attributes cannot fail on Linux */
	if (chore_start(&chore, &sender->chore, err) < 0) {
		release(sender);
		return -1;
	}
	*ret_sender = sender;
	return 0;
}

void notice_sender_free(struct notice_sender *sender)
{
	if (!sender)
		return;
	chore_free(sender->chore);
	release(sender);
}
