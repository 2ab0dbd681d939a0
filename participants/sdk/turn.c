/* turn.c - see turn.h. */
#include "participants/sdk/turn.h"

#include <assert.h>

#include "lib/base/clock.h"
#include "lib/base/crash_point.h"
#include "lib/base/log.h"
#include "participants/sdk/inbox_cut.h"

enum {
	RETRY_IN_PLACE_MS = 2000,
	RETRY_FIRST_MS = 300,
	RETRY_SLACK_MS = 5000,    /* how late a record may come back from a retry topic */
	RETRY_SHORT_TRIES = 6,    /* up to so many tries the short retry topic is used */
	UNKNOWN_SCHEMA_TRIES = 3, /* a schema may be registered a moment after its first record */
};

/* Commands of one topic that are tried together. */
struct group {
	struct incoming **items;
	size_t count;
};

const struct reply_schema *turn_reply_schema(const struct turn *turn, const char *topic)
{
	for (size_t i = 0; i < turn->reply_schema_count; i++)
		if (strcmp(turn->reply_schemas[i].topic, topic) == 0)
			return &turn->reply_schemas[i];
	assert(false); /* a reply topic that its handler did not declare */
	return NULL;
}

/* ---- answers ---- */

static void answer_by_handler(struct incoming *item, const struct reply_schema *schema, struct bytes value)
{
	const struct command *command = &item->command;
	static const struct {
		const char *word;
		enum inbox_outcome stored;
	} outcomes[] = {
		[COMMAND_OUTCOME_SUCCEEDED] = {"succeeded", INBOX_OUTCOME_SUCCEEDED},
		[COMMAND_OUTCOME_REJECTED] = {"rejected", INBOX_OUTCOME_REJECTED},
		[COMMAND_OUTCOME_UNKNOWN] = {"unknown", INBOX_OUTCOME_OPEN},
	};

	item->outcome = outcomes[command->outcome].word;
	item->entry.reply = (struct inbox_reply){
		.outcome = outcomes[command->outcome].stored,
		.topic = schema->topic,
		.type = schema->message,
		.format = schema->format,
		.value = value,
		.reason = command->reason,
		.detail = command->detail,
		.has_no_effect = command->has_no_effect,
	};
}

/* An answer that the SDK gives itself, on the topic that the handler named for that. */
static int answer_by_sdk(const struct turn *turn, struct incoming *item, const char *outcome, const char *reason,
			 const char *detail, struct arena *arena, struct error *err)
{
	const struct reply_schema *schema = turn_reply_schema(turn, item->handler->tombstone_reply_topic);
	struct value reply = reply_schema_fill(schema, item->command.body, reason, detail, arena);
	bool is_success = strcmp(outcome, "succeeded") == 0;
	struct bytes value;

	if (reply_schema_encode(schema, &reply, arena, &value, err) < 0)
		return -1;
	item->outcome = outcome;
	item->entry.reply = (struct inbox_reply){
		.outcome = is_success ? INBOX_OUTCOME_SUCCEEDED : INBOX_OUTCOME_REJECTED,
		.topic = schema->topic,
		.type = schema->message,
		.format = schema->format,
		.value = value,
		.reason = reason,
		.detail = detail,
		.has_no_effect = is_success,
	};
	return 0;
}

/* Tells the coordinator that it is for it to decide. False: the reply's schema has no room for an answer of ours; the saga
 * waits for its time-out, since reading the command again would hold up all others for ever. */
static bool answer_retriable(const struct turn *turn, struct incoming *item, const char *reason, const char *detail,
			     struct arena *arena)
{
	struct error err;

	if (answer_by_sdk(turn, item, "retriable", reason, detail, arena, &err) == 0)
		return true;
	log_warn("command_not_answered", "topic=%s command=%s err=%s, leaving it to its time-out", item->record->topic,
		 item->command_id, LOG_TEXT(err.msg));
	return false;
}

static int answer_without_work(const struct turn *turn, struct incoming *item, struct arena *arena, struct error *err)
{
	switch (item->entry.verdict) {
	case INBOX_DONE:
		item->outcome = item->entry.reply.outcome == INBOX_OUTCOME_SUCCEEDED ? "succeeded" : "rejected";
		return 0;
	case INBOX_CANCELLED:
		return answer_by_sdk(turn, item, "rejected", "cancelled-before",
				     "the step was compensated before this command came", arena, err);
	case INBOX_NO_EFFECT:
		return answer_by_sdk(turn, item, "succeeded", NULL, NULL, arena, err);
	case INBOX_NEW: /* an inquiry that no handler is there for */
		return answer_by_sdk(turn, item, "rejected", "not-known-here",
				     "the command had not come when it was asked about, and is refused since", arena,
				     err);
	}
	return 0;
}

static void check_handled(const struct incoming *item)
{
	assert(item->command.outcome != COMMAND_OUTCOME_NONE);
	assert(item->command.outcome != COMMAND_OUTCOME_UNKNOWN || item->is_inquiry);
	assert(item->command.reply_topic);
}

/* Nobody is left to go back for, so a compensation must not be refused for good; but which command a compensation is was
 * said by a definition, or by whoever may write to the topic, and is no bug of ours. Nothing of it is kept: the coordinator
 * tries again, then the saga is stuck with this reason. */
static int refuse_refusal(const struct command *command, struct error *err)
{
	if (!command->is_compensation || command->outcome == COMMAND_OUTCOME_SUCCEEDED)
		return 0;
	return error_set(err, ERR_INVALID, "a compensation was refused: %s (%s)",
			 command->reason ? command->reason : "no reason",
			 command->detail ? command->detail : "no detail");
}

/* ---- side topics ---- */

static void add_letter(struct turn *turn, const struct kafka_record *record, const char *command_id,
		       enum side_topic side, const struct side_note *note)
{
	bool is_dead = side == SIDE_TOPIC_DEAD;

	turn->result.letters[turn->result.letter_count] = (struct turn_letter){side, record, command_id, *note};
	turn->result.letters[turn->result.letter_count++].note.service = turn->service;
	metric_add(is_dead ? turn->metrics.dead : turn->metrics.later, 1);
	if (is_dead)
		log_warn("command_dead", "topic=%s partition=%d offset=%lld reason=%s tries=%d detail=%s",
			 record->topic, (int)record->partition, (long long)record->offset,
			 dead_reason_name(note->reason), note->tries, LOG_TEXT(note->detail));
	else
		log_info("command_retried_later", "topic=%s partition=%d offset=%lld in_ms=%lld tries=%d detail=%s",
			 record->topic, (int)record->partition, (long long)record->offset,
			 (long long)side_topic_delay_ms(side), note->tries, LOG_TEXT(note->detail));
}

/* Neither log nor record shall show rows: what Postgres adds after the semicolon stays here. */
static const char *shown(const struct error *why, struct arena *arena)
{
	return arena_strndup(arena, why->msg, strcspn(why->msg, ";"));
}

/* ---- reading ---- */

static const struct command_handler *find_handler(const struct turn *turn, const char *topic)
{
	for (size_t i = 0; i < turn->handler_count; i++)
		if (strcmp(turn->handlers[i].command_topic, topic) == 0)
			return &turn->handlers[i];
	return NULL; /* a topic of an earlier subscription */
}

/* A command without a legible value: true when it is to be answered, so that no saga waits for it in vain. */
static bool refuse_body(struct turn *turn, struct incoming *item, struct arena *arena, const struct error *why)
{
	const struct side_note note = {
		.reason = dead_reason_of_value(why->code), .detail = shown(why, arena), .tries = item->tries + 1};

	if (note.reason == DEAD_REASON_UNKNOWN_SCHEMA && note.tries < UNKNOWN_SCHEMA_TRIES &&
	    !side_topic_is_too_large(item->record)) {
		add_letter(turn, item->record, NULL, SIDE_TOPIC_RETRY_1S, &note);
		return false;
	}
	add_letter(turn, item->record, NULL, SIDE_TOPIC_DEAD, &note);
	return answer_retriable(turn, item, dead_reason_name(note.reason), note.detail, arena);
}

/* A definition sends its inquiries to a topic of commands, or commands to one of inquiries. Nothing may be done that was only
 * asked about, and the other way round there is nothing that could do it. True: it is to be answered. */
static bool refuse_misdirected(struct turn *turn, struct incoming *item, struct arena *arena)
{
	const char *detail = arena_format(arena, "header 'saga-phase': topic '%s' is %s", item->record->topic,
					  item->is_inquiry ? "not for inquiries" : "for inquiries alone");
	const struct side_note note = {.reason = DEAD_REASON_BAD_HEADERS, .detail = detail, .tries = item->tries + 1};

	add_letter(turn, item->record, NULL, SIDE_TOPIC_DEAD, &note);
	return answer_retriable(turn, item, dead_reason_name(note.reason), note.detail, arena);
}

/* Its row in the inbox, if there was one, may be gone: to do it might be to do it twice. True: it is to be answered. */
static bool refuse_old(struct turn *turn, struct incoming *item, struct arena *arena)
{
	char begun[CLOCK_TEXT_LEN + 1];
	struct side_note note = {.reason = DEAD_REASON_TOO_OLD, .tries = item->tries + 1};

	clock_format(item->begun_us, begun);
	note.detail = arena_format(arena, "its step began at %s, and the inbox is kept for %lld s", begun,
				   (long long)(turn->keep_ms / 1000));
	add_letter(turn, item->record, NULL, SIDE_TOPIC_DEAD, &note);
	return answer_retriable(turn, item, dead_reason_name(note.reason), note.detail, arena);
}

/* Fills the result's items with the commands, and `refused` with those that are answered without having been understood. */
static int read_batch(struct turn *turn, const struct kafka_batch *batch, struct arena *arena, struct incoming *refused,
		      size_t *ret_refused_count, struct error *err)
{
	struct incoming *items = turn->result.items;
	size_t refused_count = 0;
	size_t count = 0;

	for (size_t i = 0; i < kafka_batch_count(batch); i++) {
		const struct kafka_record *record = kafka_batch_record(batch, i);
		const struct command_handler *handler = find_handler(turn, record->topic);
		struct incoming *item = &items[count];

		if (!handler)
			continue;
		if (incoming_read_headers(record, arena, item, err) < 0) {
			add_letter(turn, record, NULL, SIDE_TOPIC_DEAD,
				   &(struct side_note){.reason = DEAD_REASON_BAD_HEADERS,
						       .detail = shown(err, arena),
						       .tries = side_topic_tries(record) + 1});
			continue;
		}
		item->handler = handler;
		if (item->is_inquiry != handler->is_inquiry) {
			if (refuse_misdirected(turn, item, arena))
				refused[refused_count++] = *item;
			continue;
		}
		if (inbox_is_too_old(item->begun_us, turn->keep_ms, clock_real_us())) {
			if (refuse_old(turn, item, arena))
				refused[refused_count++] = *item;
			continue;
		}
		if (incoming_read_body(item, turn->command_types[handler - turn->handlers], turn->registry, arena,
				       err) == 0) {
			count++;
			continue;
		}
		if (err->is_retriable)
			return -1;
		if (refuse_body(turn, item, arena, err))
			refused[refused_count++] = *item;
	}
	turn->result.count = count;
	*ret_refused_count = refused_count;
	return 0;
}

/* ---- one try of one group ---- */

static int handle_new(struct turn *turn, struct group group, struct arena *arena, struct error *err)
{
	struct command **commands = arena_zalloc(arena, (group.count + 1) * sizeof(struct command *));
	struct command_batch batch = {.pg = turn->pg, .arena = arena, .commands = commands};
	const bool is_handled = group.items[0]->handler->handle;

	for (size_t i = 0; i < group.count; i++) {
		struct command *command = &group.items[i]->command;

		if (group.items[i]->entry.verdict != INBOX_NEW)
			continue;
		command->outcome = COMMAND_OUTCOME_NONE; /* of an earlier try */
		command->reply = value_record();
		command->reply_topic = command->reason = command->detail = NULL;
		command->has_no_effect = false;
		commands[batch.count++] = command;
	}
	if (is_handled && batch.count > 0 && group.items[0]->handler->handle(turn->handler_ctx, &batch, err) < 0)
		return -1;
	for (size_t i = 0; i < group.count; i++) {
		struct incoming *item = group.items[i];
		const struct reply_schema *schema;
		struct bytes value;

		if (item->entry.verdict != INBOX_NEW || !is_handled) {
			if (answer_without_work(turn, item, arena, err) < 0)
				return -1;
			continue;
		}
		check_handled(item);
		if (refuse_refusal(&item->command, err) < 0)
			return -1;
		schema = turn_reply_schema(turn, item->command.reply_topic);
		if (reply_schema_encode(schema, &item->command.reply, arena, &value, err) < 0)
			return -1;
		answer_by_handler(item, schema, value);
	}
	return 0;
}

static int try_in_transaction(struct turn *turn, struct group group, struct inbox_entry **entries, struct arena *arena,
			      struct error *err)
{
	if (inbox_claim(turn->pg, entries, group.count, arena, err) < 0)
		return -1;
	CRASH_POINT(INBOX_CLAIMED);
	for (size_t i = 0; i < group.count; i++)
		group.items[i]->command.has_forward_effect = group.items[i]->entry.verdict == INBOX_NEW;
	if (handle_new(turn, group, arena, err) < 0)
		return -1;
	CRASH_POINT(EFFECTS_DONE);
	return inbox_store(turn->pg, entries, group.count, err);
}

static int try_group(struct turn *turn, struct group group, struct arena *arena, struct error *err)
{
	struct inbox_entry **entries;

	if (!turn->pg) {
		for (size_t i = 0; i < group.count; i++)
			group.items[i]->entry.verdict = INBOX_NEW;
		return handle_new(turn, group, arena, err);
	}
	entries = arena_alloc(arena, (group.count + 1) * sizeof(struct inbox_entry *));
	for (size_t i = 0; i < group.count; i++)
		entries[i] = &group.items[i]->entry;
	if (pg_begin(turn->pg, err) < 0)
		return -1;
	if (try_in_transaction(turn, group, entries, arena, err) < 0) {
		pg_rollback(turn->pg);
		return -1;
	}
	CRASH_POINT(INBOX_BEFORE_COMMIT);
	/* An unknown outcome needs no care: the next try finds the rows, or does not. */
	if (pg_commit(turn->pg, NULL, err) < 0)
		return -1;
	CRASH_POINT(INBOX_AFTER_COMMIT);
	return 0;
}

/* ---- what to do when a try fails ---- */

static void forget_answers(struct group group)
{
	for (size_t i = 0; i < group.count; i++)
		group.items[i]->outcome = NULL;
}

static int64_t jittered(int64_t ms)
{
	return ms / 2 + clock_monotonic_us() % (ms / 2 + 1);
}

/* It was sent again while it waits in a retry topic, from where it comes back by itself. */
static bool is_pending(const struct turn *turn, const struct incoming *item)
{
	return item->tries == 0 && pending_retries_has(&turn->pending, item->command_id, clock_monotonic_us());
}

/* Later through a retry topic, or never. */
static void give_up(struct turn *turn, struct incoming *item, int tries, struct arena *arena, const struct error *why)
{
	const struct side_note note = {
		.reason = why->is_retriable ? DEAD_REASON_EXHAUSTED : DEAD_REASON_FAILED,
		.detail = shown(why, arena),
		.tries = tries,
	};

	if (why->is_retriable && tries < turn->tries_max && !side_topic_is_too_large(item->record)) {
		if (!is_pending(turn, item))
			add_letter(turn, item->record, item->command_id,
				   tries < RETRY_SHORT_TRIES ? SIDE_TOPIC_RETRY_1S : SIDE_TOPIC_RETRY_30S, &note);
		return;
	}
	pending_retries_add(&turn->pending, item->command_id, 0); /* its journey is over; a new attempt may begin one */
	add_letter(turn, item->record, NULL, SIDE_TOPIC_DEAD, &note);
	(void)answer_retriable(turn, item, why->is_retriable ? "unavailable" : "failed", note.detail,
			       arena); /* logged */
}

/* A single command that failed once: again in place while the batch's time lasts, unless it was tried later already. */
static int run_single(struct turn *turn, struct group group, struct arena *arena, struct error *failure,
		      struct error *err)
{
	struct incoming *item = group.items[0];
	int tries = item->tries + 1;
	int64_t wait_ms = RETRY_FIRST_MS;

	while (failure->is_retriable && item->tries == 0 && tries < turn->tries_max && !is_pending(turn, item) &&
	       clock_monotonic_us() + wait_ms * 1000 < turn->retry_until_us) {
		if (turn->wait(turn->wait_ctx, jittered(wait_ms)))
			return error_set(err, ERR_UNAVAILABLE, "the participant is stopping");
		if (try_group(turn, group, arena, failure) == 0)
			return 0;
		forget_answers(group);
		tries++;
		wait_ms *= 2;
	}
	/* It may have been the database that went away in between. */
	if (turn->pg && pg_connect(turn->pg, err) < 0)
		return -1;
	give_up(turn, item, tries, arena, failure);
	return 0;
}

static int run_group(struct turn *turn, struct group group, struct arena *arena, struct error *err)
{
	struct group halves[2] = {
		{group.items, group.count / 2},
		{group.items + group.count / 2, group.count - group.count / 2},
	};
	struct error failure;

	if (group.count == 0 || try_group(turn, group, arena, &failure) == 0)
		return 0;
	forget_answers(group);
	metric_add(turn->metrics.transactions_failed, 1);
	/* Nothing can be said of any command while the database is away, so nothing is answered. */
	if (turn->pg && pg_connect(turn->pg, err) < 0)
		return -1;
	if (group.count == 1)
		return run_single(turn, group, arena, &failure, err);
	log_debug("batch_halved", "count=%zu err=%s", group.count, LOG_TEXT(failure.msg));
	return run_group(turn, halves[0], arena, err) < 0 ? -1 : run_group(turn, halves[1], arena, err);
}

/* ---- the batch ---- */

void turn_note_letters(struct turn *turn, const struct turn_result *result)
{
	for (size_t i = 0; i < result->letter_count; i++) {
		const struct turn_letter *letter = &result->letters[i];

		if (letter->command_id)
			pending_retries_add(&turn->pending, letter->command_id,
					    clock_monotonic_us() +
						    (side_topic_delay_ms(letter->side) + RETRY_SLACK_MS) * 1000);
	}
}

static void count_item(const struct turn *turn, const struct incoming *item)
{
	if (!item->outcome)
		return; /* its letter was counted */
	if (strcmp(item->outcome, "retriable") == 0)
		metric_add(turn->metrics.retriable, 1);
	else if (item->is_inquiry)
		metric_add(turn->metrics.inquiry, 1);
	else if (item->same || item->entry.verdict == INBOX_DONE)
		metric_add(turn->metrics.duplicate, 1);
	else if (item->entry.verdict == INBOX_CANCELLED)
		metric_add(turn->metrics.cancelled, 1);
	else if (item->entry.verdict == INBOX_NO_EFFECT)
		metric_add(turn->metrics.no_effect, 1);
	else if (item->entry.reply.outcome == INBOX_OUTCOME_REJECTED)
		metric_add(turn->metrics.rejected, 1);
	else
		metric_add(turn->metrics.succeeded, 1);
}

static int run_round(struct turn *turn, int round, const struct command_handler *handler, struct incoming *items,
		     size_t count, struct arena *arena, struct error *err)
{
	struct group group = {.items = arena_alloc(arena, (count + 1) * sizeof(struct incoming *))};

	for (size_t i = 0; i < count; i++)
		if (items[i].round == round && items[i].handler == handler && !items[i].same)
			group.items[group.count++] = &items[i];
	return run_group(turn, group, arena, err);
}

int turn_run(struct turn *turn, const struct kafka_batch *batch, struct arena *arena, struct turn_result *ret_result,
	     struct error *err)
{
	size_t max = kafka_batch_count(batch) + 1;
	struct incoming *items = arena_zalloc(arena, max * sizeof(*items));
	struct incoming *refused = arena_zalloc(arena, max * sizeof(*refused));
	size_t refused_count = 0;

	turn->retry_until_us = clock_monotonic_us() + RETRY_IN_PLACE_MS * 1000;
	turn->result =
		(struct turn_result){.items = items, .letters = arena_zalloc(arena, max * sizeof(struct turn_letter))};
	if (read_batch(turn, batch, arena, refused, &refused_count, err) < 0)
		return -1;
	incoming_relate(items, turn->result.count);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < turn->handler_count; i++)
			if (run_round(turn, round, &turn->handlers[i], items, turn->result.count, arena, err) < 0)
				return -1;
	for (size_t i = 0; i < turn->result.count; i++) {
		if (items[i].same) {
			items[i].outcome = items[i].same->outcome;
			items[i].entry = items[i].same->entry;
		}
		count_item(turn, &items[i]);
	}
	memcpy(items + turn->result.count, refused, refused_count * sizeof(*items));
	turn->result.count += refused_count;
	*ret_result = turn->result;
	return 0;
}
