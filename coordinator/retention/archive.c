/* archive.c - see archive.h. */
#include "coordinator/retention/archive.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/kafka/flight.h"
#include "lib/kafka/topic_state.h"

/* Below what brokers take by default, with room for the headers. */
enum { DOCUMENT_BYTES_MAX = 900 * 1000 };

struct archive {
	struct archive_options options;
	struct kafka_options kafka; /* the caller's texts */
	struct kafka_producer *producer;
};

/* What is stored of the sagas in hand; both by saga id. */
struct stored {
	struct store_row *rows;
	size_t row_count;
	struct store_log_row *log;
	size_t log_count;
};

static void on_delivered(void *ctx, void *token, const struct error *err)
{
	(void)ctx;
	flight_confirm(token, err);
}

int archive_new(const struct archive_options *options, struct archive **ret_archive, struct error *err)
{
	struct archive *archive = xcalloc(1, sizeof(*archive));

	archive->options = *options;
	archive->kafka = *options->kafka;
	if (kafka_producer_new(options->kafka, on_delivered, NULL, &archive->producer, err) < 0) {
		free(archive);
		return -1;
	}
	*ret_archive = archive;
	return 0;
}

void archive_free(struct archive *archive)
{
	if (!archive)
		return;
	kafka_producer_free(archive->producer);
	free(archive);
}

/* ---- what is stored ---- */
static int compare_rows(const void *a, const void *b)
{
	const struct store_row *left = a;
	const struct store_row *right = b;

	return uuid_compare(left->saga_id, right->saga_id);
}

static const struct store_row *find_row(const struct stored *stored, struct uuid id)
{
	const struct store_row key = {.saga_id = id};

	return stored->row_count == 0
		       ? NULL
		       : bsearch(&key, stored->rows, stored->row_count, sizeof(*stored->rows), compare_rows);
}

static int load(const struct archive *archive, const struct leaving_saga *sagas, size_t count, struct arena *arena,
		struct stored *ret_stored, struct error *err)
{
	const struct store_port *port = archive->options.sagas;
	struct uuid *ids = arena_alloc(arena, (count + 1) * sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		ids[i] = sagas[i].id;
	if (port->load(port->ctx, ids, count, arena, &ret_stored->rows, &ret_stored->row_count, err) < 0 ||
	    port->load_log(port->ctx, ids, count, arena, &ret_stored->log, &ret_stored->log_count, err) < 0)
		return -1;
	qsort(ret_stored->rows, ret_stored->row_count, sizeof(*ret_stored->rows), compare_rows);
	return 0;
}

/* ---- a document ---- */
static size_t find_log(const struct stored *stored, struct uuid id)
{
	size_t low = 0;
	size_t high = stored->log_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (uuid_compare(stored->log[middle].saga_id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_log(const struct stored *stored, struct saga_view *view, struct uuid id, struct arena *arena)
{
	const size_t first = find_log(stored, id);
	struct saga_log_entry *log;
	size_t count = 0;

	while (first + count < stored->log_count && uuid_equal(stored->log[first + count].saga_id, id))
		count++;
	log = arena_alloc(arena, (count + 1) * sizeof(*log));
	for (size_t i = 0; i < count; i++) {
		const char *step_id = stored->log[first + i].step_id;

		log[i] = stored->log[first + i].entry;
		log[i].event.step = step_id[0] ? plan_find_step(view->plan, step_id) : -1;
	}
	view->log = log;
	view->log_count = count;
}

static int describe(const struct archive *archive, const struct stored *stored, const struct store_row *row,
		    struct arena *arena, struct bytes *ret_document, int64_t *ret_ended_us, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer json = {0};
	struct saga_view view = {.plan = catalog_by_id(archive->options.catalog, row->definition_id),
				 .key = row->key,
				 .idempotency_key = row->idempotency_key,
				 .input = row->input,
				 .labels = row->labels,
				 .label_count = row->label_count};
	struct saga *saga = NULL;

	if (!view.plan)
		return error_set(err, ERR_UNAVAILABLE, "definition %d is not loaded", (int)row->definition_id);
	if (saga_decode(&view.plan->definition, row->data, arena, &saga, err) < 0)
		return -1;
	view.saga = saga;
	add_log(stored, &view, row->saga_id, arena);
	if (archive->options.describe(&view, arena, &json, err) < 0)
		return -1;
	if (json.len > DOCUMENT_BYTES_MAX)
		return error_set(err, ERR_LIMIT, "its document has %zu bytes, more than %d", json.len,
				 DOCUMENT_BYTES_MAX);
	*ret_document = arena_bytes(arena, buffer_bytes(&json));
	*ret_ended_us = saga->ended_us;
	return 0;
}

static void add(struct kafka_record *record, const char *name, const char *value)
{
	record->headers[record->header_count++] = (struct kafka_header){name, bytes_of_text(value)};
}

static const struct kafka_record *make_record(const struct archive *archive, const struct store_row *row,
					      struct bytes document, int64_t ended_us, struct arena *arena)
{
	struct kafka_record *record = arena_zalloc(arena, sizeof(*record));
	char *saga_id = arena_alloc(arena, UUID_TEXT_LEN + 1);
	char *time = arena_alloc(arena, CLOCK_TEXT_LEN + 1);

	uuid_format(row->saga_id, saga_id);
	clock_format(ended_us, time);
	record->topic = archive->options.topic;
	record->key = bytes_of_text(saga_id);
	record->has_value = true;
	record->value = document;
	add(record, "ce_specversion", "1.0");
	add(record, "ce_id", saga_id);
	add(record, "ce_source", "saga-coordinator");
	add(record, "ce_type", "SagaArchived");
	add(record, "ce_subject", row->key);
	add(record, "ce_time", time);
	add(record, "content-type", "application/json");
	add(record, "correlationid", saga_id);
	return record;
}

/* ---- writing ---- */
static void leave_over(struct archive_leftover *leftover, struct uuid id, const struct error *why)
{
	char text[UUID_TEXT_LEN + 1];

	if (leftover->count++ > 0)
		return;
	uuid_format(id, text);
	leftover->first = *why;
	(void)error_prefix(&leftover->first, "saga %s", text); /* answers -1 as ever */
}

static int produce(struct archive *archive, const struct kafka_record *record, struct flight *flight, struct error *err)
{
	flight_add(flight);
	if (kafka_produce(archive->producer, record, flight, err) == 0)
		return 0;
	flight_confirm(flight, err);
	return -1;
}

int archive_write(struct archive *archive, struct leaving_saga *sagas, size_t count, struct arena *arena,
		  const atomic_bool *is_stopping, size_t *ret_archived, struct archive_leftover *leftover,
		  struct error *err)
{
	_cleanup_(flight_releasep)
	struct flight *flight = flight_new(true);
	struct stored stored = {0};
	size_t archived = 0;

	if (load(archive, sagas, count, arena, &stored, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct store_row *row = find_row(&stored, sagas[i].id);
		struct bytes document;
		int64_t ended_us;
		struct error why;

		if (!row)
			continue; /* somebody else has let it go */
		if (describe(archive, &stored, row, arena, &document, &ended_us, &why) < 0) {
			leave_over(leftover, sagas[i].id, &why);
			continue;
		}
		if (produce(archive, make_record(archive, row, document, ended_us, arena), flight, err) < 0)
			return -1;
		sagas[archived] = sagas[i];
		sagas[archived++].version = row->version; /* of what was written */
	}
	if (flight_land(flight, is_stopping, err) < 0) {
		if (!atomic_load(is_stopping))
			topic_state_explain(&archive->kafka, archive->producer, archive->options.topic, arena, err);
		return -1;
	}
	*ret_archived = archived;
	return 0;
}
