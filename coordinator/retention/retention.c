/* retention.c - see retention.h. */
#include "coordinator/retention/retention.h"

#include <stdlib.h>

#include "lib/base/chore.h"
#include "lib/base/clock.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

enum {
	PIECE_SAGAS = 1000,
	ARCHIVED_PIECE_SAGAS = 100, /* they are in memory, as rows and as documents */
	LOOK_MIN_MS = 1000,         /* from one walk to the next; in between a hundredth of what is kept */
	LOOK_MAX_MS = 10 * 60 * 1000,
	LATE_MIN_MS = 10 * 1000, /* later than this, and than a hundredth of what is kept, is late */
	AWAY_MS = 1000,
	REST_USUAL = 4, /* times what the piece took */
	REST_LATE = 1,
	TELL_EVERY_US = 60 * 1000 * 1000,
};

struct retention {
	struct retention_options options;
	struct chore *thread; /* its owner's; the others are the thread's own */
	struct chore *chore;
	struct arena arena; /* of one look */
	struct metric *removed;
	struct metric *late;
	bool is_failing; /* and it was said */
	int64_t untold;  /* removed, and not yet logged */
	int64_t told_us; /* monotonic */
	int64_t leftover_told_us;
};

/* From the oldest saga to those that are too young. */
struct walk {
	struct uuid after;
	int64_t late_ms; /* of the one that has waited longest, of those that are still there */
	struct archive_leftover leftover;
};

static int64_t hundredth(const struct retention *retention, int64_t min_ms)
{
	const int64_t part_ms = retention->options.keep_ms / 100;

	return part_ms > min_ms ? part_ms : min_ms;
}

/* ---- one piece ---- */
static void show_late(const struct retention *retention, int64_t late_ms)
{
	metric_set(retention->late, late_ms / 1000);
}

static int let_go(struct retention *retention, struct walk *walk, struct leaving_saga *sagas, size_t count,
		  struct error *err)
{
	const struct retention_options *options = &retention->options;
	struct arena arena;
	size_t leaving = count;
	int64_t removed = 0;
	int result = 0;

	arena_init(&arena, 0);
	if (options->archive)
		result = archive_write(options->archive, sagas, count, &arena, chore_is_stopping(retention->chore),
				       &leaving, &walk->leftover, err);
	arena_release(&arena);
	if (result < 0)
		return error_prefix(err, "archive");
	CRASH_POINT(SAGAS_ARCHIVED);
	if (leaving > 0 && options->port->remove(options->port->ctx, sagas, leaving, &removed, err) < 0)
		return -1;
	CRASH_POINT(SAGAS_REMOVED);
	metric_add(retention->removed, (uint64_t)removed);
	retention->untold += removed;
	return 0;
}

/* True: the chore shall end. */
static bool rest(const struct retention *retention, int64_t late_ms, int64_t begun_us)
{
	const bool is_late = late_ms > hundredth(retention, LATE_MIN_MS);
	const int64_t took_ms = (clock_monotonic_us() - begun_us) / 1000 + 1;

	return chore_rest(retention->chore, took_ms * (is_late ? REST_LATE : REST_USUAL));
}

static int64_t latest_of(const struct leaving_saga *sagas, size_t count)
{
	int64_t late_ms = 0;

	for (size_t i = 0; i < count; i++)
		if (sagas[i].late_ms > late_ms)
			late_ms = sagas[i].late_ms;
	return late_ms;
}

/* ---- one walk ---- */
static int clear_page(struct retention *retention, struct walk *walk, const struct leaving_page *page,
		      struct error *err)
{
	const size_t piece = retention->options.archive ? ARCHIVED_PIECE_SAGAS : PIECE_SAGAS;

	for (size_t i = 0; i < page->count; i += piece) {
		const size_t count = page->count - i < piece ? page->count - i : piece;
		const int64_t late_ms = latest_of(&page->items[i], count);
		const size_t kept = walk->leftover.count;
		const int64_t begun_us = clock_monotonic_us();

		show_late(retention, late_ms > walk->late_ms ? late_ms : walk->late_ms);
		if (let_go(retention, walk, &page->items[i], count, err) < 0)
			return -1;
		if (walk->leftover.count > kept && late_ms > walk->late_ms)
			walk->late_ms = late_ms;
		if (rest(retention, late_ms, begun_us))
			return 0;
	}
	return 0;
}

static int walk_all(struct retention *retention, struct walk *walk, struct error *err)
{
	const struct retention_port *port = retention->options.port;
	struct leaving_page page = {.has_more = true};

	while (page.has_more && !atomic_load(chore_is_stopping(retention->chore))) {
		const int64_t begun_us = clock_monotonic_us();

		arena_clear(&retention->arena);
		if (port->find(port->ctx, walk->after, retention->options.keep_ms, &retention->arena, &page, err) < 0)
			return -1;
		walk->after = page.last;
		if (rest(retention, latest_of(page.items, page.count), begun_us))
			return 0;
		if (clear_page(retention, walk, &page, err) < 0)
			return -1;
	}
	show_late(retention, walk->late_ms);
	return 0;
}

/* ---- how it goes ---- */
static void tell(struct retention *retention, const struct walk *walk)
{
	const int64_t now_us = clock_monotonic_us();

	if (retention->is_failing)
		log_info("retention_resumed", "keep_ms=%lld", (long long)retention->options.keep_ms);
	retention->is_failing = false;
	if (retention->untold > 0 && (retention->told_us == 0 || now_us - retention->told_us > TELL_EVERY_US)) {
		log_info("sagas_removed", "count=%lld archived=%s", (long long)retention->untold,
			 retention->options.archive ? "yes" : "no");
		retention->untold = 0;
		retention->told_us = now_us;
	}
	if (walk->leftover.count > 0 &&
	    (retention->leftover_told_us == 0 || now_us - retention->leftover_told_us > TELL_EVERY_US)) {
		log_warn("sagas_not_archived", "count=%zu first=%s, they stay", walk->leftover.count,
			 LOG_TEXT(walk->leftover.first.msg));
		retention->leftover_told_us = now_us;
	}
}

static int64_t round_once(void *ctx, struct chore *chore)
{
	struct retention *retention = ctx;
	const struct retention_port *port = retention->options.port;
	const int64_t look_ms = hundredth(retention, LOOK_MIN_MS);
	struct walk walk = {0};
	bool is_ours = false;
	struct error err;

	retention->chore = chore;
	if (port->claim(port->ctx, &is_ours, &err) < 0 || (is_ours && walk_all(retention, &walk, &err) < 0)) {
		if (!retention->is_failing && !atomic_load(chore_is_stopping(chore)))
			log_warn("retention_waiting", "err=%s, trying again until it is back", LOG_TEXT(err.msg));
		retention->is_failing = true;
		return AWAY_MS;
	}
	if (is_ours)
		tell(retention, &walk);
	else
		show_late(retention, 0); /* another one shows it */
	return look_ms < LOOK_MAX_MS ? look_ms : LOOK_MAX_MS;
}

/* ---- life ---- */
struct retention *retention_new(const struct retention_options *options)
{
	struct retention *retention = xcalloc(1, sizeof(*retention));

	retention->options = *options;
	arena_init(&retention->arena, 0);
	retention->removed = metrics_counter(options->metrics, "saga_removed_total", NULL,
					     "Finished sagas that have left with their logs, as --keep-sagas says.");
	retention->late = metrics_gauge(options->metrics, "saga_removal_late_seconds", NULL,
					"For how long the oldest finished saga has outstayed --keep-sagas, where this "
					"instance removes them; grows while the archive does not take them.");
	return retention;
}

int retention_run(struct retention *retention, struct error *err)
{
	const struct chore_options chore = {.name = "retention", .round = round_once, .ctx = retention};

	return chore_start(&chore, &retention->thread, err);
}

void retention_free(struct retention *retention)
{
	if (!retention)
		return;
	chore_free(retention->thread);
	arena_release(&retention->arena);
	free(retention);
}
