/* filter_message.c - see filter_message.h. */
#include "coordinator/api/filter_message.h"

#include <inttypes.h>
#include <string.h>

#include "coordinator/api/bookmark.h"
#include "coordinator/api/saga_message.h"

static void check_text(const char *field, const char *text, struct problems *problems)
{
	size_t len = strlen(text);

	if (len > FILTER_TEXT_BYTES_MAX)
		problems_add(problems, field, "has %zu bytes, at most %d are allowed", len, FILTER_TEXT_BYTES_MAX);
}

static void read_states(const Saga__V1__SagaFilter *message, struct saga_filter *filter, struct problems *problems)
{
	for (size_t i = 0; i < message->n_states; i++) {
		int state = (int)message->states[i] - 1;

		if (state < 0 || state >= SAGA_STATE_COUNT)
			problems_add(problems, "filter.states", "%d is no state of a saga", state + 1);
		else
			filter->states |= 1u << state;
	}
}

static void read_labels(const Saga__V1__SagaFilter *message, struct arena *arena, struct saga_filter *filter,
			struct problems *problems)
{
	struct engine_label *labels;

	if (message->n_labels > FILTER_LABELS_MAX) {
		problems_add(problems, "filter.labels", "has %zu entries, at most %d are allowed", message->n_labels,
			     FILTER_LABELS_MAX);
		return;
	}
	labels = arena_alloc(arena, (message->n_labels + 1) * sizeof(*labels));
	for (size_t i = 0; i < message->n_labels; i++) {
		labels[i] = (struct engine_label){message->labels[i]->key, message->labels[i]->value};
		if (!*labels[i].name)
			problems_add(problems, "filter.labels", "has an entry without a name");
		check_text("filter.labels", labels[i].name, problems);
		check_text("filter.labels", labels[i].value, problems);
	}
	filter->labels = labels;
	filter->label_count = message->n_labels;
}

void filter_read(const Saga__V1__SagaFilter *message, struct arena *arena, struct saga_filter *ret_filter,
		 struct problems *problems)
{
	struct saga_filter filter = {0};

	if (message) {
		read_states(message, &filter, problems);
		read_labels(message, arena, &filter, problems);
		filter.definition = *message->definition ? message->definition : NULL;
		filter.definition_version = message->definition_version;
		filter.is_paused = message->paused != 0;
		filter.key = *message->key ? message->key : NULL;
		check_text("filter.definition", message->definition, problems);
		check_text("filter.key", message->key, problems);
		if (message->definition_version < 0)
			problems_add(problems, "filter.definition_version",
				     "is %d; versions count from 1, 0 stands for any", message->definition_version);
		else if (message->definition_version > 0 && !filter.definition)
			problems_add(problems, "filter.definition_version", "needs filter.definition");
	}
	*ret_filter = filter;
}

static int64_t read_time(const Google__Protobuf__Timestamp *time, const char *field, struct problems *problems)
{
	int64_t unix_us;

	if (!time)
		return 0;
	if (!timestamp_is_legal(time)) {
		problems_add(problems, field, "%" PRId64 " s and %d ns is no time of the years 1 to 9999",
			     time->seconds, time->nanos);
		return 0;
	}
	unix_us = time->seconds * 1000000 + time->nanos / 1000;
	return unix_us ? unix_us : 1; /* 0 is no bound */
}

void time_range_read(const Saga__V1__TimeRange *message, const char *field, struct arena *arena,
		     struct time_range *ret_range, struct problems *problems)
{
	struct time_range range = {0};

	if (message) {
		range.from_us = read_time(message->from, arena_format(arena, "%s.from", field), problems);
		range.before_us = read_time(message->before, arena_format(arena, "%s.before", field), problems);
		if (range.from_us && range.before_us && range.from_us >= range.before_us)
			problems_add(problems, field, "is empty: `from` is not before `before`");
	}
	*ret_range = range;
}

static uint64_t bind_number(uint64_t binding, int64_t number)
{
	return bookmark_bind(binding, (struct bytes){(const uint8_t *)&number, sizeof(number)});
}

static uint64_t bind_text(uint64_t binding, const char *text)
{
	return bookmark_bind(binding, bytes_of_text(text ? text : ""));
}

uint64_t filter_bind(uint64_t binding, const struct saga_filter *filter)
{
	binding = bind_number(binding, filter->states);
	binding = bind_text(binding, filter->definition);
	binding = bind_number(binding, filter->definition_version);
	binding = bind_text(binding, filter->key);
	binding = bind_number(binding, filter->is_paused);
	for (size_t i = 0; i < filter->label_count; i++) {
		binding = bind_text(binding, filter->labels[i].name);
		binding = bind_text(binding, filter->labels[i].value);
	}
	return binding;
}
