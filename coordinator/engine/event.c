/*
 * event.c - replies, requests and due work: from records to events, from events to one change a saga.
 *
 * Why:     several events of one saga are folded into one row change (a statement updates a row once), each still being
 *          a log entry and a version of its own.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/engine/engine_state.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "schema-registry/codec/codec.h"
#include "schema-registry/codec/wire_format.h"

enum { WORK_BYTES = 192 }; /* a reply's work; a refusal's texts are beyond it */

/* ---- works and their deliveries ---- */

void work_list_init(struct work_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void work_list_add(struct work_list *list, struct work *work)
{
	work->next = NULL;
	*list->end = work;
	list->end = &work->next;
}

void work_list_join(struct work_list *list, const struct work_list *other)
{
	assert(other->first);
	*list->end = other->first;
	list->end = other->end;
}

static void end_delivery(struct engine *engine, struct delivery *delivery, bool is_committed)
{
	if (delivery->older)
		delivery->older->newer = delivery->newer;
	*(delivery->newer ? &delivery->newer->older : &engine->newest_delivery) = delivery->older;
	delivery->batch->done(delivery->batch, is_committed);
	arena_release(&delivery->arena);
	free(delivery);
}

bool event_is_kept(const struct work *work)
{
	return work->kind == WORK_REPLY || work->kind == WORK_REQUEST || work->kind == WORK_TOLD;
}

void event_settle_record(struct engine *engine, struct delivery *delivery)
{
	assert(delivery->unsettled > 0);
	if (--delivery->unsettled == 0)
		end_delivery(engine, delivery, true);
}

void event_settle(struct engine *engine, struct work *work)
{
	if (work->kind == WORK_REQUEST)
		request_settle(engine, work);
	else if (work->delivery)
		event_settle_record(engine, work->delivery);
}

void event_abandon_all(struct engine *engine)
{
	work_list_init(&engine->works);
	told_forget(engine);
	while (engine->newest_delivery)
		end_delivery(engine, engine->newest_delivery, false);
}

void event_reject(struct engine *engine, struct bus_batch *batch, const struct bus_record *record,
		  enum bus_reject reject, const char *why)
{
	metric_add(engine->metrics.bad, 1);
	log_warn("reply_bad", "topic=%s partition=%d offset=%lld err=%s, putting it to the dead letters", record->topic,
		 record->partition, (long long)record->offset, LOG_TEXT(why));
	batch->reject(batch, record, reject, why);
}

void event_take_delivery(struct engine *engine, struct delivery_item *item)
{
	struct delivery *delivery = xcalloc(1, sizeof(*delivery));
	struct bus_batch *batch = item->batch;

	free(item);
	arena_init_small(&delivery->arena, (batch->count + 1) * WORK_BYTES);
	delivery->batch = batch;
	delivery->older = engine->newest_delivery;
	if (delivery->older)
		delivery->older->newer = delivery;
	engine->newest_delivery = delivery;
	delivery->unsettled = 1; /* ours, until all are taken */
	for (size_t i = 0; i < batch->count; i++) {
		struct work *work;
		struct error err;

		if (told_take(engine, delivery, &batch->records[i]))
			continue;
		work = arena_zalloc(&delivery->arena, sizeof(*work));
		if (record_read_reply(&batch->records[i], &delivery->arena, &work->reply, &err) < 0) {
			event_reject(engine, batch, &batch->records[i], BUS_REJECT_HEADERS, err.msg);
			continue;
		}
		work->kind = WORK_REPLY;
		work->saga_id = work->reply.saga_id;
		work->record = &batch->records[i];
		work->delivery = delivery;
		delivery->unsettled++;
		work_list_add(&engine->works, work);
	}
	event_settle_record(engine, delivery);
}

/* ---- events ---- */

enum made { MADE_EVENT, MADE_NOTHING };

static void note_ignored(struct engine *engine, const struct work *work, enum ignored_why reason, const char *why)
{
	char id[UUID_TEXT_LEN + 1];

	metric_add(engine->metrics.ignored[reason], 1);
	uuid_format(work->saga_id, id);
	log_debug("reply_ignored", "saga=%s topic=%s partition=%d offset=%lld why=%s", id, work->record->topic,
		  work->record->partition, (long long)work->record->offset, LOG_TEXT(why));
}

static const struct plan_schema *schema_of_id(const struct plan *plan, int32_t schema_id)
{
	for (size_t i = 0; i < plan->schema_count; i++)
		if (plan->schemas[i]->schema_id == schema_id)
			return plan->schemas[i];
	return NULL;
}

/* A reply that later commands take fields from must be legible now: later there would be nobody to blame. One in a
 * schema that the participant has gone on to is looked up when a command needs it: a turn does not wait for the
 * registry. */
int event_check_kept(struct engine *engine, const struct plan *plan, const struct bus_record *record, struct error *err)
{
	const struct plan_schema *schema;
	const struct schema_type *type;
	struct wire_prefix prefix = {0};
	struct bytes rest;
	struct value ignored;

	if (wire_format_read_id(record->value, &prefix.schema_id, &rest, err) < 0)
		return -1;
	schema = schema_of_id(plan, prefix.schema_id);
	if (!schema)
		return 0;
	type = schema_root(schema->schema);
	if (schema_format(schema->schema) == SCHEMA_FORMAT_PROTOBUF) {
		if (wire_format_read_indexes(rest, &prefix, &rest, err) < 0)
			return -1;
		type = schema_message_at(schema->schema, prefix.indexes, prefix.index_count);
	}
	if (!type)
		return error_set(err, ERR_CORRUPT, "schema %d has no message at the index path", prefix.schema_id);
	arena_clear(&engine->builds);
	return codec_decode(type, rest, &engine->builds, &ignored, err);
}

static enum made make_reply_event(struct engine *engine, const struct cached_saga *cached, const struct work *work,
				  struct saga_event *event)
{
	const struct plan *plan = cached->plan;
	const struct plan_reply *reply;
	char *step_id = arena_strndup(&engine->fold, (const char *)work->reply.step_id.data, work->reply.step_id.len);
	int32_t step = plan_find_step(plan, step_id);
	struct error err;

	if (step < 0) {
		note_ignored(engine, work, IGNORED_UNKNOWN_STEP, "the definition has no such step");
		return MADE_NOTHING;
	}
	reply = plan_find_reply(plan, step, work->reply.phase, work->record->topic, work->reply.outcome);
	if (!reply) {
		event_reject(
			engine, work->delivery->batch, work->record, BUS_REJECT_OUTCOME,
			"neither the definition's mapping of topics nor the header 'saga-outcome' says the outcome");
		return MADE_NOTHING;
	}
	*event = (struct saga_event){
		.type = reply->outcome,
		.step = step,
		.phase = work->reply.phase,
		.attempt = work->reply.attempt,
		.milestone = reply->milestone,
		.reason = work->reply.reason,
		.detail = work->reply.detail,
		.has_no_effect = work->reply.has_no_effect,
	};
	if (event->type != SAGA_EVENT_SUCCEEDED || event->phase == STEP_PHASE_COMPENSATION ||
	    !plan->steps[step].is_reply_kept)
		return MADE_EVENT;
	if (event_check_kept(engine, plan, work->record, &err) < 0) {
		event_reject(engine, work->delivery->batch, work->record, BUS_REJECT_VALUE, err.msg);
		return MADE_NOTHING;
	}
	event->reply = work->record->value;
	return MADE_EVENT;
}

/* Of the steps that no token is left for, the next sweep takes care. */
static bool is_within_limit(struct engine *engine, const struct cached_saga *cached, const struct work *work,
			    const struct saga_event *event)
{
	const char *topic;

	if (event->type != SAGA_EVENT_RESEND && event->type != SAGA_EVENT_RETRY && event->type != SAGA_EVENT_RELEASED)
		return true; /* a scheduled start, too: its step is none */
	topic = cached->plan->steps[event->step].commands[event->phase].topic;
	if (event->type != SAGA_EVENT_RETRY && pauses_find(&engine->pauses, cached->plan->definition.name, topic))
		return false; /* a new attempt is held back, so that its time does not run */
	if (event->type == SAGA_EVENT_RELEASED && room_is_limited(&engine->room, topic))
		return false; /* it waits here from now on, if it did not before */
	if (resend_limit_take(&engine->resend_limit, topic, engine_now_us(engine)))
		return true;
	if (work->kind == WORK_RESEND)
		engine->was_boot_limited = true;
	return false;
}

/* At a boot first what is in flight, each step once, then what is due. */
static enum made make_clock_event(struct engine *engine, const struct cached_saga *cached, const struct saga *saga,
				  struct work *work, struct saga_event *event)
{
	const int64_t now_us = engine_database_us(engine);

	while (work->kind == WORK_RESEND && saga_resend_event(saga, now_us, &work->resend_step, event))
		if (is_within_limit(engine, cached, work, event))
			return MADE_EVENT;
	while (saga_due_event(&cached->plan->definition, saga, now_us, &work->due_step, event))
		if (is_within_limit(engine, cached, work, event))
			return MADE_EVENT;
	return MADE_NOTHING;
}

/* ---- commands ---- */

void event_build_commands(struct engine *engine, const struct saga_facts *facts, const struct saga *saga,
			  const struct saga_effects *effects, struct bytes causation_id,
			  struct outgoing ***outgoing_end)
{
	for (size_t i = 0; i < effects->count; i++) {
		const struct saga_effect *effect = &effects->items[i];
		const struct plan_command *command;
		struct outgoing *outgoing;
		struct error err;

		if (effect->type != SAGA_EFFECT_SEND_COMMAND)
			continue;
		command = &facts->plan->steps[effect->step].commands[effect->phase];
		buffer_clear(&engine->scratch);
		arena_clear(&engine->builds);
		if (plan_build_command(facts->plan, saga, facts->input, effect->step, effect->phase, &engine->builds,
				       &engine->scratch, &err) < 0) {
			char id[UUID_TEXT_LEN + 1];

			uuid_format(saga->id, id);
			log_error("command_not_built", "saga=%s step=%s err=%s", id,
				  facts->plan->definition.steps[effect->step].id, LOG_TEXT(err.msg));
			continue;
		}
		outgoing = arena_zalloc(&engine->arena, sizeof(*outgoing));
		outgoing->command = (struct record_command){
			.saga_id = saga->id,
			.schema = command->schema,
			.registry = engine->registry,
			.topic = command->topic,
			.step_id = facts->plan->definition.steps[effect->step].id,
			.phase = effect->phase,
			.attempt = effect->attempt,
			.deadline_us = effect->deadline_us,
			.step_begun_us = saga->steps[effect->step].started_us,
			.key = bytes_of_text(facts->key),
			.record_id = engine->ports.clock.new_id(engine->ports.clock.ctx),
			.written_us = engine->ports.clock.real_us(engine->ports.clock.ctx),
			.causation_id = causation_id,
		};
		trace_command(engine, facts, saga, effect, &outgoing->command);
		record_keep_command(&outgoing->command, &engine->arena);
		outgoing->value = arena_bytes(&engine->arena, buffer_bytes(&engine->scratch));
		**outgoing_end = outgoing;
		*outgoing_end = &outgoing->next;
	}
}

void event_note_end(struct engine *engine, const struct plan *plan, const struct saga *saga)
{
	if (!saga_state_is_terminal(saga->state))
		return;
	metric_add(engine->metrics.finished[saga->state], 1);
	open_limit_add(&engine->open_limit, plan->definition.name, -1);
}

void event_note_stuck(struct engine *engine, const struct group *group, const struct store_change *change)
{
	const char *reason = group->saga->stuck_reason;
	char id[UUID_TEXT_LEN + 1];

	if (change->notice_count == 0)
		return;
	metric_add(engine->metrics.stuck, change->notice_count);
	uuid_format(group->saga->id, id);
	log_error("saga_stuck", "saga=%s definition=%s reason=%s", id, group->cached->plan->definition.name,
		  LOG_TEXT(reason ? reason : "not any more"));
}

/* ---- folding ---- */

/* A work of the clock may be an event for each of several steps, so their number is not known before. */
static struct store_log_row *add_log_row(struct engine *engine, struct group *group)
{
	struct store_log_row *grown;

	if (group->change->log_count == group->log_max) {
		grown = arena_zalloc(&engine->arena, 2 * group->log_max * sizeof(*grown));
		memcpy(grown, group->log, group->log_max * sizeof(*grown));
		group->log = grown;
		group->log_max *= 2;
	}
	return &group->log[group->change->log_count++];
}

static void note_change(struct engine *engine, struct group *group, const struct saga *before, const struct saga *after,
			const struct saga_event *event)
{
	const struct definition *definition = &group->cached->plan->definition;
	bool is_new = after->milestone && (!before->milestone || strcmp(before->milestone, after->milestone) != 0);
	struct store_log_row *row;

	assert(after->version == before->version + 1);
	row = add_log_row(engine, group);
	row->saga_id = after->id;
	row->step_id = event->step >= 0 ? definition->steps[event->step].id : "";
	row->entry.sequence = after->version;
	row->entry.event = *event;
	row->entry.state = after->state;
	row->entry.milestone = event->milestone ? event->milestone
			       : is_new         ? arena_strdup(&engine->arena, after->milestone)
						: NULL;
	group->resends += event->type == SAGA_EVENT_RESEND;
}

static const char *keep_text(struct engine *engine, const char *text)
{
	return text ? arena_strdup(&engine->arena, text) : NULL;
}

static struct store_notice *add_notice(struct engine *engine, struct group *group)
{
	struct store_notice *grown;

	if (group->change->notice_count == group->notice_max) {
		group->notice_max = group->notice_max ? 2 * group->notice_max : 1;
		grown = arena_zalloc(&engine->arena, group->notice_max * sizeof(*grown));
		if (group->notices)
			memcpy(grown, group->notices, group->change->notice_count * sizeof(*grown));
		group->notices = grown;
	}
	return &group->notices[group->change->notice_count++];
}

static void note_stuck(struct engine *engine, struct group *group, const struct saga_effect *effect, int64_t time_us)
{
	const struct step *step = &group->saga->steps[effect->step];

	*add_notice(engine, group) = (struct store_notice){
		.sequence = group->saga->version,
		.time_us = time_us,
		.step_id = group->cached->plan->definition.steps[effect->step].id,
		.phase = effect->phase,
		.reason = keep_text(engine, step->reason),
		.detail = keep_text(engine, step->stuck_why),
	};
}

static void begin_group(struct engine *engine, struct group *group)
{
	size_t works = 0;

	for (const struct work *work = group->works.first; work; work = work->next)
		works++;
	group->log = arena_zalloc(&engine->arena, works * sizeof(*group->log));
	group->log_max = works;
	group->change = &engine->change;
	*group->change = (struct store_change){.saga_id = group->node.id};
	group->outgoing = NULL;
	group->outgoing_end = &group->outgoing;
	group->rest = NULL;
	group->resends = 0;
	group->notices = NULL;
	group->notice_max = 0;
	group->ends = NULL;
}

/* What the commit and those after it look at: the steps are ten times as large, and in the bytes. */
static struct saga *keep_head(struct engine *engine, const struct saga *saga)
{
	struct saga *head = arena_copy(&engine->arena, saga, sizeof(*saga));

	head->milestone = keep_text(engine, saga->milestone);
	head->failure_milestone = keep_text(engine, saga->failure_milestone);
	head->stuck_reason = keep_text(engine, saga->stuck_reason);
	head->steps = NULL;
	head->step_count = 0;
	return head;
}

static void finish_group(struct engine *engine, struct group *group)
{
	const struct saga *saga = group->saga;
	struct store_change *change = group->change;

	group->saga = keep_head(engine, saga);
	buffer_clear(&engine->scratch);
	saga_encode(saga, &engine->scratch);
	change->expected_version = group->cached->version;
	change->version = saga->version;
	change->state = saga->state;
	change->milestone = group->saga->milestone;
	change->data = arena_bytes(&engine->arena, buffer_bytes(&engine->scratch));
	change->due_us = saga_due_us(saga);
	change->updated_us = saga->updated_us;
	change->ended_us = saga->ended_us;
	change->is_paused = saga->paused_us != 0;
	change->open_row = open_row_of(saga, group->cached->plan->id, group->cached->open_row.look_us);
	change->is_open_row_new = !open_row_equals(&change->open_row, &group->cached->open_row);
	change->log = group->log;
	change->notices = group->notices;
	assert(change->version == change->expected_version + (int64_t)change->log_count);
}

static enum made make_event(struct engine *engine, const struct cached_saga *cached, const struct saga *saga,
			    struct work *work, struct saga_event *event)
{
	switch (work->kind) {
	case WORK_REPLY:
		return make_reply_event(engine, cached, work, event);
	case WORK_REQUEST:
		return request_event(engine, work, cached->plan, event) ? MADE_EVENT : MADE_NOTHING;
	case WORK_TOLD:
		return told_event(engine, cached->plan, work, event) ? MADE_EVENT : MADE_NOTHING;
	case WORK_RELEASE:
		return hold_release_event(engine, cached->plan, saga, work, event) ? MADE_EVENT : MADE_NOTHING;
	case WORK_DUE:
	case WORK_RESEND:
		break;
	}
	return make_clock_event(engine, cached, saga, work, event);
}

/* What the event decided and there is no room for. */
static void hold_back(struct engine *engine, struct group *group, const struct saga_event *cause,
		      struct saga_effects *effects)
{
	struct held *held = NULL;
	const size_t count = hold_commands(engine, group->cached->plan, cause, group->saga, effects, &held);

	for (size_t i = 0; i < count; i++) {
		note_change(engine, group, group->saga, held[i].saga, &held[i].event);
		group->saga = held[i].saga;
	}
}

static enum event_verdict apply_work(struct engine *engine, struct group *group, struct work *work)
{
	const struct cached_saga *cached = group->cached;
	const struct saga_facts facts = {cached->plan, cached->key, cached->input, cached->labels, cached->label_count};
	struct saga_effects effects = {0};
	struct saga *before = group->saga;
	struct saga_event event = {0};
	const char *why = NULL;
	enum saga_verdict verdict;

	if (make_event(engine, cached, before, work, &event) == MADE_NOTHING)
		return EVENT_UNCHANGED;
	event.time_us = engine_database_us(engine);
	if (event.time_us < before->updated_us)
		event.time_us = before->updated_us; /* another instance's estimate of the clock was a little ahead */
	verdict = saga_apply(&cached->plan->definition, before, &event, &engine->fold, &group->saga, &effects, &why);
	if (work->kind == WORK_REQUEST)
		request_note(work, verdict, why);
	if (verdict != SAGA_VERDICT_APPLIED) {
		group->saga = before;
		if (!group->is_fresh)
			return EVENT_STALE;
		if (work->kind == WORK_REPLY)
			note_ignored(engine, work, IGNORED_NO_EFFECT, why);
		if (work->kind == WORK_TOLD)
			told_note_ignored(engine, work, why);
		return EVENT_UNCHANGED;
	}
	note_change(engine, group, before, group->saga, &event);
	report_note(engine, group, before, &event);
	hold_back(engine, group, &event, &effects);
	for (size_t i = 0; i < effects.count; i++)
		if (effects.items[i].type == SAGA_EFFECT_STUCK)
			note_stuck(engine, group, &effects.items[i], event.time_us);
	event_build_commands(engine, &facts, group->saga, &effects, work->reply.ce_id, &group->outgoing_end);
	return EVENT_CHANGED;
}

/* What the clock wants of several steps at once is one work, and at most an event for each of them. */
static enum event_verdict apply_work_of_clock(struct engine *engine, struct group *group, struct work *work)
{
	enum event_verdict result;

	work->resend_step = work->due_step = 0;
	result = apply_work(engine, group, work);
	while (result == EVENT_CHANGED && !group->must_be_alone && apply_work(engine, group, work) == EVENT_CHANGED)
		;
	return result;
}

enum event_verdict event_apply_group(struct engine *engine, struct group *group)
{
	enum event_verdict result = EVENT_UNCHANGED;

	begin_group(engine, group);
	arena_clear(&engine->fold);
	group->saga = turn_decode(group->cached, &engine->fold);
	for (struct work *work = group->works.first; work && group->saga; work = work->next) {
		enum event_verdict verdict;

		if (group->must_be_alone && result == EVENT_CHANGED) {
			group->rest = work;
			break;
		}
		verdict = event_is_kept(work) ? apply_work(engine, group, work)
					      : apply_work_of_clock(engine, group, work);
		if (verdict == EVENT_STALE)
			return EVENT_STALE;
		if (verdict == EVENT_CHANGED)
			result = EVENT_CHANGED;
	}
	if (result == EVENT_CHANGED)
		finish_group(engine, group);
	return result;
}
