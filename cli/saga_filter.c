/* saga_filter.c - see saga_filter.h. */
#include "cli/saga_filter.h"

#include <strings.h>

#include "cli/saga_words.h"
#include "lib/base/memory.h"
#include "lib/base/spelling.h"

enum { STATE_COUNT = SAGA__V1__SAGA_STATE__SAGA_STATE_FAILED + 1 };

struct saga_filter_flags saga_filter_flags;

struct text_pair *saga_labels_read(struct arena *arena, const struct option_list *labels, struct problems *problems)
{
	struct text_pair *pairs = arena_zalloc(arena, (labels->count + 1) * sizeof(*pairs));

	for (size_t i = 0; i < labels->count; i++) {
		const char *text = labels->items[i];
		const char *equals = strchr(text, '=');

		if (!equals || equals == text) {
			problems_add(problems, "--label", "'%s' must be NAME=VALUE", text);
			pairs[i] = (struct text_pair){"", ""};
			continue;
		}
		pairs[i].name = arena_strndup(arena, text, (size_t)(equals - text));
		pairs[i].value = equals + 1;
	}
	return pairs;
}

/* ---- states ---- */

static void want_states(const char *word, size_t len, bool wanted[STATE_COUNT], struct problems *problems)
{
	static const char *const names[] = {"scheduled",   "running", "completing", "completed", "compensating",
					    "compensated", "stuck",   "failed",     "open",      "ended"};
	_cleanup_(freep)
	char *given = xstrndup(word, len);
	const char *nearest;
	bool is_known = false;

	for (int state = 1; state < STATE_COUNT; state++) {
		bool is_final = saga_state_is_final((Saga__V1__SagaState)state);
		bool fits = strcasecmp(given, saga_state_word((Saga__V1__SagaState)state)) == 0 ||
			    strcasecmp(given, is_final ? "ended" : "open") == 0;

		wanted[state] = wanted[state] || fits;
		is_known = is_known || fits;
	}
	if (is_known)
		return;
	nearest = spelling_nearest(given, names, ARRAY_LEN(names));
	problems_add(problems, "--state", "'%s' is none of: " SAGA_FILTER_STATES "%s%s%s", given,
		     nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static void make_states(struct arena *arena, Saga__V1__SagaFilter *filter, struct problems *problems)
{
	bool wanted[STATE_COUNT] = {0};

	for (size_t i = 0; i < saga_filter_flags.states.count; i++) {
		const char *at = saga_filter_flags.states.items[i];

		for (; *at; at += strspn(at, ", ")) {
			size_t len = strcspn(at, ", ");

			want_states(at, len, wanted, problems);
			at += len;
		}
	}
	filter->states = arena_alloc(arena, STATE_COUNT * sizeof(*filter->states));
	for (int state = 1; state < STATE_COUNT; state++) {
		if (wanted[state])
			filter->states[filter->n_states++] = (Saga__V1__SagaState)state;
	}
}

static void make_labels(struct arena *arena, Saga__V1__SagaFilter *filter, struct problems *problems)
{
	size_t count = saga_filter_flags.labels.count;
	struct text_pair *pairs = saga_labels_read(arena, &saga_filter_flags.labels, problems);
	Saga__V1__SagaFilter__LabelsEntry *entries = arena_alloc(arena, (count + 1) * sizeof(*entries));

	filter->labels = arena_alloc(arena, (count + 1) * sizeof(*filter->labels));
	for (size_t i = 0; i < count; i++) {
		saga__v1__saga_filter__labels_entry__init(&entries[i]);
		entries[i].key = (char *)pairs[i].name;
		entries[i].value = (char *)pairs[i].value;
		filter->labels[filter->n_labels++] = &entries[i];
	}
}

int saga_filter_make(struct arena *arena, Saga__V1__SagaFilter *ret_filter, struct problems *problems)
{
	Saga__V1__SagaFilter filter = SAGA__V1__SAGA_FILTER__INIT;
	size_t earlier = problems->count;

	make_states(arena, &filter, problems);
	make_labels(arena, &filter, problems);
	if (saga_filter_flags.definition)
		filter.definition = (char *)saga_filter_flags.definition;
	filter.definition_version = (int32_t)saga_filter_flags.definition_version;
	if (filter.definition_version > 0 && !saga_filter_flags.definition)
		problems_add(problems, "--definition-version", "needs --definition as well");
	filter.paused = saga_filter_flags.is_paused;
	if (saga_filter_flags.key)
		filter.key = (char *)saga_filter_flags.key;
	if (problems->count > earlier)
		return -1;
	*ret_filter = filter;
	return 0;
}
