/*
 * outcomes.c - what the commits of a slice ended, for whoever shows it (engine_options.on_commit).
 *
 * Order:   before anything is settled, answered and sent: a slice of thousands takes a while for that, and who reads the feed
 *          meanwhile would read what is at hand here.
 */
#include "coordinator/engine/engine_state.h"
#include "coordinator/engine/read_port.h"

static struct saga_head head_of(const struct group *group)
{
	const struct cached_saga *cached = group->cached;

	return (struct saga_head){
		.saga = *group->saga,
		.definition = cached->plan->definition.name,
		.definition_version = cached->plan->definition.version,
		.key = cached->key,
		.idempotency_key = cached->idempotency_key,
		.labels = cached->labels,
		.label_count = cached->label_count,
	};
}

static void note_outcome(const struct turn_item *item, struct feed_outcome *outcomes, struct feed_commit *commit)
{
	const struct store_change *change = &item->change;

	if (saga_state_is_open(change->state))
		return;
	if (!item->group || (commit->count > 0 && change->feed_index <= outcomes[commit->count - 1].index)) {
		commit->is_complete = false;
		return;
	}
	outcomes[commit->count++] = (struct feed_outcome){
		.index = change->feed_index,
		.head = head_of(item->group),
		.row = &change->log[change->log_count - 1],
	};
}

static size_t count_ended(const struct slice *slice)
{
	size_t count = 0;

	for (size_t i = 0; i < slice->count; i++)
		count += !saga_state_is_open(slice->items[i].change.state);
	return count;
}

/* Items are in the order of their commits, as those are in the order of ids. */
void outcomes_tell(struct engine *engine, const struct slice *slice)
{
	struct feed_commit commit = {0};
	struct feed_outcome *outcomes;

	if (!engine->on_commit)
		return;
	outcomes = arena_alloc(&engine->arena, (count_ended(slice) + 1) * sizeof(*outcomes));
	for (size_t i = 0; i < slice->count; i++) {
		const struct turn_item *item = &slice->items[i];

		if (item->result != ITEM_DONE)
			continue;
		if (commit.xid && commit.xid != item->change.feed_xid)
			engine->on_commit(engine->on_commit_ctx, &commit);
		if (commit.xid != item->change.feed_xid)
			commit = (struct feed_commit){item->change.feed_xid, outcomes, 0, true};
		note_outcome(item, outcomes, &commit);
	}
	if (commit.xid)
		engine->on_commit(engine->on_commit_ctx, &commit);
}
