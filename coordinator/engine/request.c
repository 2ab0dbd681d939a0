/*
 * request.c - what people ask of a saga (to turn back, to pause, what to do about a stuck one): it goes through the turn as
 * an event of its saga, like a reply does.
 *
 * Why:     whether it can be done is the core's decision on the newest version, so the request is folded and committed
 *          with whatever else happens to the saga, and answered when that is durable.
 * Life:    the item owns its work; it is answered and freed when the work is settled, or when the store goes away: the
 *          client asks again, which is harmless.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/memory.h"
#include "lib/base/problems.h"

struct request_item {
	struct request_link link;
	struct work work;
	request_done_fn *done;
	void *ctx;
	enum saga_verdict verdict;
	char why[240];
	bool is_failed;
	struct error err;
	struct problems *problems;   /* why its value is not the signal's; NULL: nothing is wrong with it */
	struct bytes encoded;        /* the signal's value in wire format, in the turn's arena */
	struct saga_request request; /* its texts, and its value, are in `texts` */
	char texts[];
};
static_assert(offsetof(struct request_item, link) == 0, "the queue's link is the item");

static struct request_item *item_of(const struct work *work)
{
	assert(work->kind == WORK_REQUEST);
	return (struct request_item *)((char *)work - offsetof(struct request_item, work));
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *put_text(char **at, const char *text)
{
	const size_t size = text_size(text);
	const char *copy = text ? memcpy(*at, text, size) : NULL;

	*at += size;
	return copy;
}

static struct bytes put_bytes(char **at, struct bytes bytes)
{
	const struct bytes copy = {(const uint8_t *)*at, bytes.len};

	if (bytes.len > 0)
		memcpy(*at, bytes.data, bytes.len);
	*at += bytes.len;
	return copy;
}

struct request_link *request_item_new(struct uuid saga_id, const struct saga_request *request, request_done_fn *done,
				      void *ctx)
{
	struct request_item *item = xcalloc(1, sizeof(*item) + text_size(request->reason) + text_size(request->actor) +
						       text_size(request->step_id) + text_size(request->signal) +
						       request->value.len);
	char *at = item->texts;

	item->work.kind = WORK_REQUEST;
	item->work.saga_id = saga_id;
	item->done = done;
	item->ctx = ctx;
	item->request = (struct saga_request){.type = request->type,
					      .step_id = put_text(&at, request->step_id),
					      .signal = put_text(&at, request->signal),
					      .actor = put_text(&at, request->actor),
					      .reason = put_text(&at, request->reason),
					      .value = put_bytes(&at, request->value)};
	return &item->link;
}

static void drop_problems(struct request_item *item)
{
	if (item->problems)
		problems_release(item->problems);
	free(item->problems);
	item->problems = NULL;
}

static void free_item(struct request_item *item)
{
	drop_problems(item);
	free(item);
}

void request_item_free(struct request_link *link)
{
	free_item((struct request_item *)link);
}

void request_take(struct engine *engine, struct request_link *link)
{
	work_list_add(&engine->works, &((struct request_item *)link)->work);
}

/* The value is checked here, for only now it is known which version of the definition the saga has. */
static bool encode_value(struct engine *engine, struct request_item *item, const struct plan *plan, int32_t step)
{
	struct problems *problems = xmalloc(sizeof(*problems));
	bool is_good;

	problems_init(problems);
	buffer_clear(&engine->scratch);
	is_good = plan_encode_signal(plan, step, item->request.value, &engine->scratch, problems) == 0;
	drop_problems(item);
	item->problems = problems;
	if (!is_good)
		return false;
	drop_problems(item);
	item->encoded = arena_bytes(&engine->arena, buffer_bytes(&engine->scratch));
	return true;
}

bool request_event(struct engine *engine, const struct work *work, const struct plan *plan,
		   struct saga_event *ret_event)
{
	struct request_item *item = item_of(work);
	const struct saga_request *request = &item->request;
	int32_t step = request->step_id ? plan_find_step(plan, request->step_id) : -1;

	if (request->type == SAGA_EVENT_SIGNALLED) {
		step = plan_find_signal(plan, request->signal);
		if (step >= 0 && !encode_value(engine, item, plan, step))
			return false;
		*ret_event = (struct saga_event){
			.type = request->type, .step = step, .detail = request->reason, .reply = item->encoded};
	} else {
		*ret_event = saga_request_event(request->type, step, 0, request->reason);
	}
	ret_event->actor = request->actor;
	return true;
}

/* The core ignores a signal that nobody waits for, and one that came before; who sent it must know whether it counts. */
enum counted { COUNTED, COUNTED_NOT, COUNTED_WITH_OTHER_VALUE };

static enum counted count_signal(const struct request_item *item, const struct cached_saga *cached,
				 const struct saga *saga)
{
	int32_t step;

	if (item->request.type != SAGA_EVENT_SIGNALLED || item->verdict != SAGA_VERDICT_IGNORED)
		return COUNTED;
	step = plan_find_signal(cached->plan, item->request.signal);
	if (step < 0 || !saga->steps[step].is_signalled)
		return COUNTED_NOT;
	return bytes_equal(saga->steps[step].reply, item->encoded) ? COUNTED : COUNTED_WITH_OTHER_VALUE;
}

void request_note(const struct work *work, enum saga_verdict verdict, const char *why)
{
	struct request_item *item = item_of(work);

	item->verdict = verdict;
	(void)snprintf(item->why, sizeof(item->why), "%s", why ? why : "");
}

void request_fail(const struct work *work, const struct error *err)
{
	struct request_item *item = item_of(work);

	item->is_failed = true;
	item->err = *err;
}

static void answer_error(struct request_item *item, const struct error *err)
{
	item->done(item->ctx, &(struct request_answer){.err = err, .problems = item->problems});
	free_item(item);
}

static void answer_cached(struct engine *engine, struct request_item *item, struct cached_saga *cached)
{
	struct saga_view view = turn_view(cached, turn_decode(cached, &engine->arena));
	char id[UUID_TEXT_LEN + 1];
	struct error err;

	if (!view.saga) {
		(void)error_set(&err, ERR_CORRUPT, "the saga's row cannot be read; the coordinator's log says why");
		answer_error(item, &err);
		return;
	}
	switch (count_signal(item, cached, view.saga)) {
	case COUNTED:
		break;
	case COUNTED_NOT:
		item->verdict = SAGA_VERDICT_REFUSED;
		break;
	case COUNTED_WITH_OTHER_VALUE:
		uuid_format(view.saga->id, id);
		(void)error_set(&err, ERR_CONFLICT, "signal '%s' came to saga '%s' before, with another value",
				item->request.signal, id);
		answer_error(item, &err);
		return;
	}
	item->done(item->ctx,
		   &(struct request_answer){.view = &view,
					    .verdict = item->verdict,
					    .why = item->verdict == SAGA_VERDICT_APPLIED ? NULL : item->why});
	free_item(item);
}

void request_settle(struct engine *engine, struct work *work)
{
	struct request_item *item = item_of(work);
	struct cached_saga *cached = cache_find(&engine->cache, work->saga_id);
	char id[UUID_TEXT_LEN + 1];
	struct error err;

	uuid_format(work->saga_id, id);
	if (item->is_failed) {
		(void)error_prefix(&item->err, "cannot do what is asked of saga '%s'", id);
		answer_error(item, &item->err);
	} else if (!cached) {
		(void)error_set(&err, ERR_NOT_FOUND, "saga '%s' does not exist", id);
		answer_error(item, &err);
	} else if (item->problems) {
		(void)problems_to_error(item->problems, ERR_INVALID, &err); /* always -1: it makes the text */
		answer_error(item, &err);
	} else {
		answer_cached(engine, item, cached);
	}
}

void request_give_up(struct engine *engine, bool is_ending)
{
	struct work *works = engine->works.first;
	struct error err;

	if (!works)
		return;
	(void)error_set(&err, ERR_UNAVAILABLE, "%s; it may have been done all the same: call again",
			is_ending ? "this coordinator is stopping" : "the coordinator's database is away");
	work_list_init(&engine->works);
	for (struct work *work = works, *next; work; work = next) {
		next = work->next;
		if (work->kind == WORK_REQUEST)
			answer_error(item_of(work), &err);
		else
			work_list_add(&engine->works, work);
	}
}
