/*
 * watch_saga.c - watchers of one saga: one statement asks for the versions of all of them; what has changed is read and
 * sent with all that is new in its log, so a slow reader gets more in fewer messages, and nothing is kept for it.
 */
#include <stdlib.h>

#include "coordinator/watch/watch_state.h"
#include "lib/base/memory.h"

enum { GLANCE_MAX = 2000, LOAD_MAX = 200 };

static bool wants_look(struct watcher *watcher)
{
	return watcher->is_of_one && !watcher->is_over && watcher->sink->room(watcher->ctx) == WATCH_ROOM;
}

static int compare_glances(const void *a, const void *b)
{
	return uuid_compare(((const struct store_glance *)a)->saga_id, ((const struct store_glance *)b)->saga_id);
}

/* 0: it does not exist. The page is sorted. */
static int64_t version_of(const struct store_page *page, struct uuid id)
{
	const struct store_glance key = {.saga_id = id};
	const struct store_glance *found =
		page->count > 0 ? bsearch(&key, page->items, page->count, sizeof(key), compare_glances) : NULL;

	return found ? found->version : 0;
}

static void end_not_found(struct watcher *watcher)
{
	char id[UUID_TEXT_LEN + 1];
	struct error err;

	uuid_format(watcher->saga_id, id);
	(void)error_set(&err, ERR_NOT_FOUND, "saga '%s' does not exist", id);
	watcher_end(watcher, WATCH_END_ERROR, &err);
}

static const struct saga_log_entry *entries_of(const struct plan *plan, struct store_log_row *rows, size_t count,
					       struct arena *arena)
{
	struct saga_log_entry *entries = arena_zalloc(arena, (count + 1) * sizeof(*entries));

	for (size_t i = 0; i < count; i++) {
		entries[i] = rows[i].entry;
		entries[i].event.step = rows[i].step_id[0] ? plan_find_step(plan, rows[i].step_id) : -1;
	}
	return entries;
}

/* The row first, then its log: entries beyond the row's version wait for the next look. */
static int show(struct watch_hub *hub, struct watcher *watcher, struct error *err)
{
	const struct store_port *sagas = &hub->port.sagas;
	struct saga_view view = {0};
	struct saga *saga = NULL;
	struct store_row *row = NULL;
	struct store_log_row *rows = NULL;
	size_t count = 0;
	size_t new_count = 0;

	if (sagas->load(sagas->ctx, &watcher->saga_id, 1, &hub->arena, &row, &count, err) < 0)
		return -1;
	view.plan = count > 0 ? catalog_by_id(hub->catalog, row->definition_id) : NULL;
	if (!view.plan)
		return 0; /* its definition is not known here yet */
	if (saga_decode(&view.plan->definition, row->data, &hub->arena, &saga, err) < 0) {
		watcher_end(watcher, WATCH_END_ERROR, err);
		return 0;
	}
	if (hub->port.log(hub->port.ctx, watcher->saga_id, watcher->sequence, INT32_MAX, &hub->arena, &rows, &count,
			  err) < 0)
		return -1;
	while (new_count < count && rows[new_count].entry.sequence <= row->version)
		new_count++;
	view.saga = saga;
	view.key = row->key;
	view.idempotency_key = row->idempotency_key;
	view.input = row->input;
	view.labels = row->labels;
	view.label_count = row->label_count;
	view.log = entries_of(view.plan, rows, new_count, &hub->arena);
	view.log_count = new_count;
	watcher->is_begun = true;
	watcher->sequence = row->version;
	watcher->sink->on_saga(watcher->ctx, &view);
	if (saga_state_is_terminal(saga->state))
		watcher_end(watcher, WATCH_END_DONE, NULL);
	return 0;
}

/* Answers how many were loaded; -1: the store failed. */
static int look(struct watch_hub *hub, struct watcher *watcher, const struct store_page *page, struct error *err)
{
	int64_t version = version_of(page, watcher->saga_id);

	if (version == 0) {
		end_not_found(watcher);
		return 0;
	}
	if (!watcher->is_begun && watcher->sequence > version) {
		watcher_end(watcher, WATCH_END_BEYOND, NULL);
		return 0;
	}
	if (watcher->is_begun && watcher->sequence >= version)
		return 0;
	return show(hub, watcher, err) < 0 ? -1 : 1;
}

int watch_round_one(struct watch_hub *hub, struct error *err)
{
	const struct store_port *sagas = &hub->port.sagas;
	struct uuid *ids = arena_alloc(&hub->arena, GLANCE_MAX * sizeof(*ids));
	struct watcher *end = hub->watchers;
	int loads = 0;

	for (struct watcher *first = hub->watchers; first; first = end) {
		struct store_page page = {0};
		size_t count = 0;

		for (end = first; end && count < GLANCE_MAX; end = end->next)
			if (wants_look(end))
				ids[count++] = end->saga_id;
		if (count == 0)
			continue;
		if (sagas->glance(sagas->ctx, ids, count, &hub->arena, &page, err) < 0)
			return -1;
		qsort(page.items, page.count, sizeof(*page.items), compare_glances);
		for (struct watcher *watcher = first; watcher != end && loads < LOAD_MAX; watcher = watcher->next) {
			int loaded = wants_look(watcher) ? look(hub, watcher, &page, err) : 0;

			if (loaded < 0)
				return -1;
			loads += loaded;
		}
	}
	return 0;
}
