/*
 * cancel.c - CancelSaga: a request that goes through the turn as an event of its saga, like a reply does.
 *
 * Why:     whether a saga can still turn back is the core's decision on the newest version, so the request is folded
 *          and committed with whatever else happens to the saga, and answered when that is durable.
 * Life:    the item owns its work; it is answered and freed when the work is settled, or when the store goes away: the
 *          client asks again, which is harmless.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/memory.h"

struct cancel_item {
	struct cancel_link link;
	struct work work;
	cancel_done_fn *done;
	void *ctx;
	enum saga_verdict verdict;
	char why[240];
	bool is_failed;
	struct error err;
	const char *reason; /* in `texts`, as the next */
	const char *actor;  /* NULL: not told */
	char texts[];
};
static_assert(offsetof(struct cancel_item, link) == 0, "the queue's link is the item");

static struct cancel_item *item_of(const struct work *work)
{
	assert(work->kind == WORK_CANCEL);
	return (struct cancel_item *)((char *)work - offsetof(struct cancel_item, work));
}

struct cancel_link *cancel_item_new(struct uuid saga_id, const struct engine_caller *caller, cancel_done_fn *done,
				    void *ctx)
{
	size_t reason_size = strlen(caller->reason) + 1;
	size_t actor_size = caller->actor ? strlen(caller->actor) + 1 : 0;
	struct cancel_item *item = xcalloc(1, sizeof(*item) + reason_size + actor_size);

	item->work.kind = WORK_CANCEL;
	item->work.saga_id = saga_id;
	item->done = done;
	item->ctx = ctx;
	item->reason = memcpy(item->texts, caller->reason, reason_size);
	if (caller->actor)
		item->actor = memcpy(item->texts + reason_size, caller->actor, actor_size);
	return &item->link;
}

void cancel_item_free(struct cancel_link *link)
{
	free((struct cancel_item *)link);
}

void cancel_take(struct engine *engine, struct cancel_link *link)
{
	work_list_add(&engine->works, &((struct cancel_item *)link)->work);
}

struct saga_event cancel_event(const struct work *work)
{
	const struct cancel_item *item = item_of(work);
	struct saga_event event = saga_request_event(SAGA_EVENT_CANCELLED, -1, 0, item->reason);

	event.actor = item->actor;
	return event;
}

void cancel_note(const struct work *work, enum saga_verdict verdict, const char *why)
{
	struct cancel_item *item = item_of(work);

	item->verdict = verdict;
	(void)snprintf(item->why, sizeof(item->why), "%s", why ? why : "");
}

void cancel_fail(const struct work *work, const struct error *err)
{
	struct cancel_item *item = item_of(work);

	item->is_failed = true;
	item->err = *err;
}

static void answer_error(struct cancel_item *item, const struct error *err)
{
	item->done(item->ctx, &(struct cancel_answer){.err = err});
	free(item);
}

static void answer_cached(struct engine *engine, struct cancel_item *item, const struct cached_saga *cached)
{
	struct saga_view view = turn_view(cached, turn_decode(engine, cached));
	struct error err;

	if (!view.saga) {
		(void)error_set(&err, ERR_CORRUPT, "the saga's row cannot be read; the coordinator's log says why");
		answer_error(item, &err);
		return;
	}
	item->done(item->ctx, &(struct cancel_answer){.view = &view,
						      .verdict = item->verdict,
						      .why = item->verdict == SAGA_VERDICT_APPLIED ? NULL : item->why});
	free(item);
}

void cancel_settle(struct engine *engine, struct work *work)
{
	struct cancel_item *item = item_of(work);
	const struct cached_saga *cached = cache_find(&engine->cache, work->saga_id);
	char id[UUID_TEXT_LEN + 1];
	struct error err;

	uuid_format(work->saga_id, id);
	if (item->is_failed) {
		(void)error_prefix(&item->err, "cannot cancel saga '%s'", id);
		answer_error(item, &item->err);
	} else if (!cached) {
		(void)error_set(&err, ERR_NOT_FOUND, "saga '%s' does not exist", id);
		answer_error(item, &err);
	} else {
		answer_cached(engine, item, cached);
	}
}

void cancel_give_up(struct engine *engine, bool is_ending)
{
	struct work *works = engine->works.first;
	struct error err;

	(void)error_set(&err, ERR_UNAVAILABLE, "%s; the saga may have been cancelled: call again",
			is_ending ? "this coordinator is stopping" : "the coordinator's database is away");
	work_list_init(&engine->works);
	for (struct work *work = works, *next; work; work = next) {
		next = work->next;
		if (work->kind == WORK_CANCEL)
			answer_error(item_of(work), &err);
		else
			work_list_add(&engine->works, work);
	}
}
