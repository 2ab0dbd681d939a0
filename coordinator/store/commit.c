/*
 * commit.c - a batch of changes as one statement, hence one transaction and one round trip.
 *
 * Feed:    the same statement leaves one row about all of it, for streams (engine/read_port.h), and a row for each
 *          notice and whoever is to be told (notice/).
 *
 * Why:     group commit is what makes durability cheap. The log is inserted for exactly those sagas whose row changed,
 *          inside the statement, so that no client-side step lies between. So are the rows of open sagas
 *          (saga/open_row.h): whoever changed a saga's row has its row there, too, until the transaction ends.
 *
 * Twice:   where the first try was refused, the commit is made carefully (commit_sql.h), and so are the next ones: what is
 *          otherwise than expected (starts that are repeated, sagas that another instance changes) comes in series.
 */
#include <assert.h>

#include "coordinator/store/commit_sql.h"
#include "coordinator/store/store_state.h"

/* The arrays in the order of the parameters, from $1. */
enum column {
	START_SAGA_ID,
	START_DEFINITION_ID,
	START_DEFINITION_NAME,
	START_KEY,
	START_IDEMPOTENCY_KEY,
	START_INPUT,
	START_LABELS,
	START_STATE,
	START_MILESTONE,
	START_VERSION,
	START_DATA,
	START_DUE_AT,
	START_CREATED_AT,
	START_UPDATED_AT,
	START_ENDED_AT,
	CHANGE_SAGA_ID,
	CHANGE_EXPECTED_VERSION,
	CHANGE_VERSION,
	CHANGE_STATE,
	CHANGE_MILESTONE,
	CHANGE_DATA,
	CHANGE_DUE_AT,
	CHANGE_UPDATED_AT,
	CHANGE_ENDED_AT,
	LOG_SAGA_ID,
	LOG_SEQUENCE,
	LOG_AT,
	LOG_EVENT,
	LOG_STEP,
	LOG_PHASE,
	LOG_ATTEMPT,
	LOG_MILESTONE,
	LOG_REASON,
	LOG_DETAIL,
	LOG_HAS_NO_EFFECT,
	LOG_REPLY,
	LOG_STATE,
	LOG_ACTOR,
	NOTICE_SAGA_ID,
	NOTICE_SEQUENCE,
	NOTICE_AT,
	NOTICE_STEP,
	NOTICE_PHASE,
	NOTICE_REASON,
	NOTICE_DETAIL,
	CHANGE_IS_PAUSED,
	SHARED_COUNT, /* the other parameters of every text come here */
	OPEN_SAGA_ID = SHARED_COUNT,
	OPEN_LOOK_AT,
	OPEN_DEFINITION_ID,
	OPEN_STATE,
	OPEN_IS_PAUSED,
	OPEN_IS_PATIENT,
	COLUMN_COUNT
};
enum { OTHERS_COUNT = 3 }; /* instance, boot, targets */
static_assert((int)COLUMN_COUNT == (int)COMMIT_ARRAY_COUNT, "store_state.h makes room for them");

static const enum pg_array_type column_types[COLUMN_COUNT] = {
	[START_SAGA_ID] = PG_ARRAY_UUID,
	[START_DEFINITION_ID] = PG_ARRAY_INT4,
	[START_DEFINITION_NAME] = PG_ARRAY_TEXT,
	[START_KEY] = PG_ARRAY_TEXT,
	[START_IDEMPOTENCY_KEY] = PG_ARRAY_TEXT,
	[START_INPUT] = PG_ARRAY_BYTEA,
	[START_LABELS] = PG_ARRAY_TEXT,
	[START_STATE] = PG_ARRAY_INT2,
	[START_MILESTONE] = PG_ARRAY_TEXT,
	[START_VERSION] = PG_ARRAY_INT8,
	[START_DATA] = PG_ARRAY_BYTEA,
	[START_DUE_AT] = PG_ARRAY_TIMESTAMPTZ,
	[START_CREATED_AT] = PG_ARRAY_TIMESTAMPTZ,
	[START_UPDATED_AT] = PG_ARRAY_TIMESTAMPTZ,
	[START_ENDED_AT] = PG_ARRAY_TIMESTAMPTZ,
	[CHANGE_SAGA_ID] = PG_ARRAY_UUID,
	[CHANGE_EXPECTED_VERSION] = PG_ARRAY_INT8,
	[CHANGE_VERSION] = PG_ARRAY_INT8,
	[CHANGE_STATE] = PG_ARRAY_INT2,
	[CHANGE_MILESTONE] = PG_ARRAY_TEXT,
	[CHANGE_DATA] = PG_ARRAY_BYTEA,
	[CHANGE_DUE_AT] = PG_ARRAY_TIMESTAMPTZ,
	[CHANGE_UPDATED_AT] = PG_ARRAY_TIMESTAMPTZ,
	[CHANGE_ENDED_AT] = PG_ARRAY_TIMESTAMPTZ,
	[LOG_SAGA_ID] = PG_ARRAY_UUID,
	[LOG_SEQUENCE] = PG_ARRAY_INT8,
	[LOG_AT] = PG_ARRAY_TIMESTAMPTZ,
	[LOG_EVENT] = PG_ARRAY_INT2,
	[LOG_STEP] = PG_ARRAY_TEXT,
	[LOG_PHASE] = PG_ARRAY_INT2,
	[LOG_ATTEMPT] = PG_ARRAY_INT4,
	[LOG_MILESTONE] = PG_ARRAY_TEXT,
	[LOG_REASON] = PG_ARRAY_TEXT,
	[LOG_DETAIL] = PG_ARRAY_TEXT,
	[LOG_HAS_NO_EFFECT] = PG_ARRAY_BOOL,
	[LOG_REPLY] = PG_ARRAY_BYTEA,
	[LOG_STATE] = PG_ARRAY_INT2,
	[LOG_ACTOR] = PG_ARRAY_TEXT,
	[NOTICE_SAGA_ID] = PG_ARRAY_UUID,
	[NOTICE_SEQUENCE] = PG_ARRAY_INT8,
	[NOTICE_AT] = PG_ARRAY_TIMESTAMPTZ,
	[NOTICE_STEP] = PG_ARRAY_TEXT,
	[NOTICE_PHASE] = PG_ARRAY_INT2,
	[NOTICE_REASON] = PG_ARRAY_TEXT,
	[NOTICE_DETAIL] = PG_ARRAY_TEXT,
	[CHANGE_IS_PAUSED] = PG_ARRAY_BOOL,
	[OPEN_SAGA_ID] = PG_ARRAY_UUID,
	[OPEN_LOOK_AT] = PG_ARRAY_TIMESTAMPTZ,
	[OPEN_DEFINITION_ID] = PG_ARRAY_INT4,
	[OPEN_STATE] = PG_ARRAY_INT2,
	[OPEN_IS_PAUSED] = PG_ARRAY_BOOL,
	[OPEN_IS_PATIENT] = PG_ARRAY_BOOL,
};

void commit_init(struct store *store)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_init(&store->arrays[i], column_types[i]);
	pg_array_init(&store->notice_targets, PG_ARRAY_TEXT);
}

void commit_release(struct store *store)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_release(&store->arrays[i]);
	pg_array_release(&store->notice_targets);
	buffer_release(&store->labels);
}

void store_tell(struct store *store, const char *target)
{
	pg_array_add_bytes(&store->notice_targets, bytes_of_text(target));
}

static void add_text(struct pg_array *array, const char *text)
{
	if (text)
		pg_array_add_bytes(array, bytes_of_text(text));
	else
		pg_array_add_null(array);
}

/* 0 is "never". */
static void add_time(struct pg_array *array, int64_t unix_us)
{
	if (unix_us != 0)
		pg_array_add_int(array, unix_us);
	else
		pg_array_add_null(array);
}

static void add_labels(struct store *store, const struct store_start *start)
{
	struct buffer *json = &store->labels;

	if (start->label_count == 0) {
		pg_array_add_null(&store->arrays[START_LABELS]);
		return;
	}
	buffer_clear(json);
	for (size_t i = 0; i < start->label_count; i++) {
		buffer_append_byte(json, i > 0 ? ',' : '{');
		buffer_append_json_string(json, start->labels[i].name, strlen(start->labels[i].name));
		buffer_append_byte(json, ':');
		buffer_append_json_string(json, start->labels[i].value, strlen(start->labels[i].value));
	}
	buffer_append_byte(json, '}');
	pg_array_add_bytes(&store->arrays[START_LABELS], buffer_bytes(json));
}

static void add_start(struct store *store, const struct store_change *change)
{
	struct pg_array *arrays = store->arrays;
	const struct store_start *start = change->start;

	pg_array_add_uuid(&arrays[START_SAGA_ID], &change->saga_id);
	pg_array_add_int(&arrays[START_DEFINITION_ID], start->definition_id);
	add_text(&arrays[START_DEFINITION_NAME], start->definition_name);
	add_text(&arrays[START_KEY], start->key);
	add_text(&arrays[START_IDEMPOTENCY_KEY], start->idempotency_key);
	pg_array_add_bytes(&arrays[START_INPUT], start->input);
	add_labels(store, start);
	pg_array_add_int(&arrays[START_STATE], change->state);
	add_text(&arrays[START_MILESTONE], change->milestone);
	pg_array_add_int(&arrays[START_VERSION], change->version);
	pg_array_add_bytes(&arrays[START_DATA], change->data);
	add_time(&arrays[START_DUE_AT], change->due_us);
	add_time(&arrays[START_CREATED_AT], start->created_us);
	add_time(&arrays[START_UPDATED_AT], change->updated_us);
	add_time(&arrays[START_ENDED_AT], change->ended_us);
}

static void add_change(struct store *store, const struct store_change *change)
{
	struct pg_array *arrays = store->arrays;

	pg_array_add_uuid(&arrays[CHANGE_SAGA_ID], &change->saga_id);
	pg_array_add_int(&arrays[CHANGE_EXPECTED_VERSION], change->expected_version);
	pg_array_add_int(&arrays[CHANGE_VERSION], change->version);
	pg_array_add_int(&arrays[CHANGE_STATE], change->state);
	add_text(&arrays[CHANGE_MILESTONE], change->milestone);
	pg_array_add_bytes(&arrays[CHANGE_DATA], change->data);
	add_time(&arrays[CHANGE_DUE_AT], change->due_us);
	add_time(&arrays[CHANGE_UPDATED_AT], change->updated_us);
	add_time(&arrays[CHANGE_ENDED_AT], change->ended_us);
	pg_array_add_int(&arrays[CHANGE_IS_PAUSED], change->is_paused);
}

static void add_log(struct store *store, const struct store_log_row *row)
{
	struct pg_array *arrays = store->arrays;
	const struct saga_event *event = &row->entry.event;

	pg_array_add_uuid(&arrays[LOG_SAGA_ID], &row->saga_id);
	pg_array_add_int(&arrays[LOG_SEQUENCE], row->entry.sequence);
	pg_array_add_int(&arrays[LOG_AT], event->time_us);
	pg_array_add_int(&arrays[LOG_EVENT], event->type);
	add_text(&arrays[LOG_STEP], row->step_id[0] ? row->step_id : NULL);
	pg_array_add_int(&arrays[LOG_PHASE], event->phase);
	pg_array_add_int(&arrays[LOG_ATTEMPT], event->attempt);
	add_text(&arrays[LOG_MILESTONE], row->entry.milestone);
	add_text(&arrays[LOG_REASON], event->reason);
	add_text(&arrays[LOG_DETAIL], event->detail);
	pg_array_add_int(&arrays[LOG_HAS_NO_EFFECT], event->has_no_effect);
	if (event->reply.len > 0)
		pg_array_add_bytes(&arrays[LOG_REPLY], event->reply);
	else
		pg_array_add_null(&arrays[LOG_REPLY]);
	pg_array_add_int(&arrays[LOG_STATE], row->entry.state);
	add_text(&arrays[LOG_ACTOR], event->actor);
}

static void add_notice(struct store *store, const struct store_change *change, const struct store_notice *notice)
{
	struct pg_array *arrays = store->arrays;

	pg_array_add_uuid(&arrays[NOTICE_SAGA_ID], &change->saga_id);
	pg_array_add_int(&arrays[NOTICE_SEQUENCE], notice->sequence);
	pg_array_add_int(&arrays[NOTICE_AT], notice->time_us);
	add_text(&arrays[NOTICE_STEP], notice->step_id);
	pg_array_add_int(&arrays[NOTICE_PHASE], notice->phase);
	add_text(&arrays[NOTICE_REASON], notice->reason);
	add_text(&arrays[NOTICE_DETAIL], notice->detail);
}

static void add_open_row(struct store *store, const struct store_change *change)
{
	struct pg_array *arrays = store->arrays;
	const struct open_row *row = &change->open_row;

	pg_array_add_uuid(&arrays[OPEN_SAGA_ID], &change->saga_id);
	pg_array_add_int(&arrays[OPEN_LOOK_AT], row->look_us);
	pg_array_add_int(&arrays[OPEN_DEFINITION_ID], row->definition_id);
	pg_array_add_int(&arrays[OPEN_STATE], row->state);
	pg_array_add_int(&arrays[OPEN_IS_PAUSED], row->is_paused);
	pg_array_add_int(&arrays[OPEN_IS_PATIENT], row->is_patient);
}

static void fill_arrays(struct store *store, const struct store_commit *commit)
{
	for (int i = 0; i < COLUMN_COUNT; i++)
		pg_array_clear(&store->arrays[i]);
	for (size_t i = 0; i < commit->count; i++) {
		const struct store_change *change = &commit->changes[i];

		if (change->start)
			add_start(store, change);
		else
			add_change(store, change);
		if (change->is_open_row_new && !change->ended_us)
			add_open_row(store, change);
		for (size_t j = 0; j < change->log_count; j++)
			add_log(store, &change->log[j]);
		for (size_t j = 0; j < change->notice_count; j++)
			add_notice(store, change, &change->notices[j]);
	}
}

static bool has_end(const struct store_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++)
		if (!commit->changes[i].start && commit->changes[i].ended_us)
			return true;
	return false;
}

static struct store_change *find_change(const struct store_commit *commit, struct uuid id)
{
	size_t low = 0;
	size_t high = commit->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = uuid_compare(commit->changes[middle].saga_id, id);

		if (order == 0)
			return &commit->changes[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The feed's order is that of the columns. */
static void note_all_done(struct store_commit *commit, int64_t feed_xid)
{
	int64_t index = 0;

	for (int is_change = 0; is_change < 2; is_change++)
		for (size_t i = 0; i < commit->count; i++) {
			struct store_change *change = &commit->changes[i];

			if (is_change == (change->start != NULL))
				continue;
			change->outcome = STORE_OUTCOME_DONE;
			change->feed_xid = feed_xid;
			change->feed_index = ++index;
		}
}

/* The rows are what was done, in the order that the feed has it, then the feed's transaction, if anything was done. */
static void note_outcomes(struct store_commit *commit, const struct pg_result *result)
{
	size_t done = pg_rows(result) > 0 ? pg_rows(result) - 1 : 0;

	for (size_t i = 0; i < commit->count; i++)
		commit->changes[i].outcome = STORE_OUTCOME_CONFLICT;
	for (size_t row = 0; row < done; row++) {
		struct store_change *change = find_change(commit, pg_get_uuid(result, row, 0));

		assert(change);
		change->outcome = STORE_OUTCOME_DONE;
		change->feed_xid = pg_get_int(result, done, 1);
		change->feed_index = (int64_t)row + 1;
	}
}

/* Classes 22 (data), 23 (constraint) and 54 (a value is too large for the server): the content, not the moment. */
static bool is_refusal(const char *sqlstate)
{
	return strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0 || strncmp(sqlstate, "54", 2) == 0;
}

static enum commit_opens opens_of(const struct store_commit *commit)
{
	enum commit_opens opens = COMMIT_OPENS_NONE;

	for (size_t i = 0; i < commit->count; i++) {
		const struct store_change *change = &commit->changes[i];

		if (!change->is_open_row_new || change->ended_us)
			continue;
		if (!change->start)
			return COMMIT_OPENS_ANY;
		opens = COMMIT_OPENS_NEW;
	}
	return opens;
}

/* A start that is repeated, for one, may be one in each of many commits. */
enum { CAREFUL_COMMITS = 64 };

static int send_commit(struct store *store, struct commit_lane *own, bool is_careful)
{
	const struct store_commit *commit = own->commit;
	enum commit_opens opens = opens_of(commit);
	struct pg_param params[COLUMN_COUNT + OTHERS_COUNT];
	size_t count = is_careful || opens != COMMIT_OPENS_NONE ? ARRAY_LEN(params) : SHARED_COUNT + OTHERS_COUNT;

	fill_arrays(store, commit);
	for (int i = 0; i < COLUMN_COUNT; i++)
		params[i + (i < SHARED_COUNT ? 0 : OTHERS_COUNT)] = pg_array_short_param(&store->arrays[i]);
	params[SHARED_COUNT] = pg_text(commit->instance);
	params[SHARED_COUNT + 1] = pg_int8(commit->boot);
	params[SHARED_COUNT + 2] = pg_array_param(&store->notice_targets);
	own->is_careful = is_careful;
	return pg_send(own->pg, is_careful ? commit_sql_careful() : commit_sql_hopeful(opens, has_end(commit)), params,
		       count, &own->err);
}

void commit_begin(void *ctx, int lane, struct store_commit *commit)
{
	struct store *store = ctx;
	struct commit_lane *own = &store->lanes[lane];
	bool is_careful = store->careful_commits > 0 || commit->count == 0;

	if (store->careful_commits > 0)
		store->careful_commits--;
	own->commit = commit;
	own->sent = send_commit(store, own, is_careful);
}

static int receive_commit(struct commit_lane *own, struct error *err)
{
	_cleanup_(pg_result_freep)
	struct pg_result *result = NULL;

	if (own->sent < 0) {
		*err = own->err;
		return -1;
	}
	if (pg_receive(own->pg, &result, err) < 0)
		return -1;
	if (own->is_careful)
		note_outcomes(own->commit, result);
	else
		note_all_done(own->commit, pg_get_int(result, 0, 0));
	return 0;
}

enum store_result commit_end(void *ctx, int lane, struct error *err)
{
	struct store *store = ctx;
	struct commit_lane *own = &store->lanes[lane];
	int rc = receive_commit(own, err);

	if (rc < 0 && !own->is_careful && pg_is_connected(own->pg) && is_refusal(pg_sqlstate(own->pg))) {
		store->careful_commits = CAREFUL_COMMITS;
		own->sent = send_commit(store, own, true);
		rc = receive_commit(own, err);
	}
	if (rc == 0)
		return STORE_COMMITTED;
	if (!pg_is_connected(own->pg))
		return STORE_UNKNOWN;
	return is_refusal(pg_sqlstate(own->pg)) ? STORE_REFUSED : STORE_FAILED;
}
