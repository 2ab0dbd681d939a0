/*
 * watch_recent.c - the outcomes of this coordinator's own latest commits, in memory.
 *
 * Why:     most watchers want the outcomes of what this coordinator runs and stand at the end of the feed. What they are
 *          shown was in the engine's hands a moment ago; to read it again costs Postgres a quarter of what the commits
 *          themselves do.
 * Order:   the feed alone says which transactions there are and which of them can be shown (engine/read_port.h). This
 *          memory only spares reading what is in them; what it does not have is read.
 * Threads: recent_copy() and recent_note() are the engine's, recent_take() and the rest the hub's; between them is what the hub's lock
 *          guards.
 */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/watch/watch_state.h"
#include "lib/base/memory.h"

enum {
	WAITING_MAX = 256, /* transactions that the hub has not taken: it is held up, and will read the feed */
	KEPT_MAX = 1024,   /* that a watcher has not seen: it is slow, and will do so, too */
};

static const char *copy_text(struct arena *arena, const char *text)
{
	return text ? arena_strdup(arena, text) : NULL;
}

static void copy_head(struct arena *arena, const struct saga_head *head, struct saga_head *ret_head)
{
	struct engine_label *labels = arena_alloc(arena, (head->label_count + 1) * sizeof(*labels));

	for (size_t i = 0; i < head->label_count; i++)
		labels[i] = (struct engine_label){arena_strdup(arena, head->labels[i].name),
						  arena_strdup(arena, head->labels[i].value)};
	*ret_head = *head;
	ret_head->saga.steps = NULL;
	ret_head->saga.step_count = 0;
	ret_head->saga.milestone = copy_text(arena, head->saga.milestone);
	ret_head->saga.failure_milestone = copy_text(arena, head->saga.failure_milestone);
	ret_head->saga.stuck_reason = copy_text(arena, head->saga.stuck_reason);
	ret_head->definition = arena_strdup(arena, head->definition);
	ret_head->key = arena_strdup(arena, head->key);
	ret_head->idempotency_key = arena_strdup(arena, head->idempotency_key);
	ret_head->labels = labels;
}

/* As it is read from the log. */
static void copy_row(struct arena *arena, const struct store_log_row *row, struct store_log_row *ret_row)
{
	struct saga_event *event = &ret_row->entry.event;

	*ret_row = *row;
	ret_row->step_id = arena_strdup(arena, row->step_id);
	ret_row->entry.milestone = copy_text(arena, row->entry.milestone);
	event->step = -1;
	event->milestone = ret_row->entry.milestone;
	event->reason = copy_text(arena, row->entry.event.reason);
	event->detail = copy_text(arena, row->entry.event.detail);
	event->actor = copy_text(arena, row->entry.event.actor);
	event->reply = (struct bytes){0};
}

struct recent_commit *recent_copy(const struct feed_commit *commit)
{
	struct recent_commit *copy = xcalloc(1, sizeof(*copy));
	struct arena *arena = &copy->arena;

	arena_init(arena, 0);
	copy->xid = commit->xid;
	copy->count = commit->count;
	if (commit->count == 0)
		return copy;
	copy->entries = arena_alloc(arena, commit->count * sizeof(*copy->entries));
	copy->heads = arena_alloc(arena, commit->count * sizeof(*copy->heads));
	copy->rows = arena_alloc(arena, commit->count * sizeof(*copy->rows));
	for (size_t i = 0; i < commit->count; i++) {
		const struct feed_outcome *outcome = &commit->outcomes[i];

		copy_head(arena, &outcome->head, &copy->heads[i]);
		copy_row(arena, outcome->row, &copy->rows[i]);
		copy->entries[i] = (struct feed_entry){
			.position = {commit->xid, outcome->index},
			.saga_id = outcome->head.saga.id,
			.first = outcome->row->entry.sequence,
			.last = outcome->row->entry.sequence,
			.state = outcome->head.saga.state,
		};
	}
	return copy;
}

static void list_free(struct recent_commit *commit)
{
	for (struct recent_commit *next; commit; commit = next) {
		next = commit->next;
		arena_release(&commit->arena);
		free(commit);
	}
}

void recent_note(struct recent *recent, struct recent_commit *commit)
{
	if (recent->noted_count >= WAITING_MAX || recent->noted_outcomes + commit->count > RECENT_OUTCOMES_MAX) {
		list_free(commit);
		return;
	}
	*recent->noted_end = commit;
	recent->noted_end = &commit->next;
	recent->noted_count++;
	recent->noted_outcomes += commit->count;
}

void recent_init(struct recent *recent)
{
	*recent = (struct recent){0};
	recent->noted_end = &recent->noted;
	recent->end = &recent->first;
}

void recent_release(struct recent *recent)
{
	list_free(recent->noted);
	list_free(recent->first);
	recent_init(recent);
}

static void drop_first(struct recent *recent)
{
	struct recent_commit *first = recent->first;

	recent->first = first->next;
	if (!recent->first)
		recent->end = &recent->first;
	recent->count--;
	recent->outcomes -= first->count;
	first->next = NULL;
	list_free(first);
}

/* What is not below it: a commit beside it, on the other connection, was told first, or the database counts anew (it was restored). */
static void forget_from(struct recent *recent, int64_t xid)
{
	struct recent_commit **at = &recent->first;

	while (*at && (*at)->xid < xid)
		at = &(*at)->next;
	for (const struct recent_commit *commit = *at; commit; commit = commit->next) {
		recent->count--;
		recent->outcomes -= commit->count;
	}
	list_free(*at);
	*at = NULL;
	recent->end = at;
}

void recent_take(struct watch_hub *hub)
{
	struct recent *recent = &hub->recent;
	struct recent_commit *noted;

	(void)pthread_mutex_lock(&hub->mu);
	noted = recent->noted;
	recent->noted = NULL;
	recent->noted_end = &recent->noted;
	recent->noted_count = 0;
	recent->noted_outcomes = 0;
	(void)pthread_mutex_unlock(&hub->mu);
	for (struct recent_commit *next; noted; noted = next) {
		next = noted->next;
		noted->next = NULL;
		if (noted->xid <= recent->last_xid)
			forget_from(recent, noted->xid);
		*recent->end = noted;
		recent->end = &noted->next;
		recent->last_xid = noted->xid;
		recent->count++;
		recent->outcomes += noted->count;
	}
	while (recent->count > KEPT_MAX || recent->outcomes > RECENT_OUTCOMES_MAX)
		drop_first(recent);
}

void recent_forget(struct recent *recent, int64_t before_xid)
{
	while (recent->first && recent->first->xid < before_xid)
		drop_first(recent);
}

const struct recent_commit *recent_find(const struct recent *recent, int64_t xid)
{
	const struct recent_commit *commit = recent->first;

	while (commit && commit->xid < xid)
		commit = commit->next;
	return commit && commit->xid == xid ? commit : NULL;
}
