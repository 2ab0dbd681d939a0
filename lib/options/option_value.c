/* option_value.c - see option_value.h. */
#include "lib/options/option_value.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

/* True when `word` is one of the blank-separated `words`. */
static bool is_among(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t word_len = strcspn(at, " ");

		if (word_len == len && memcmp(at, word, len) == 0)
			return true;
		at += word_len;
	}
	return false;
}

static int set_text(const struct option *option, const char *text, struct error *err)
{
	if (option->choices && !is_among(option->choices, text))
		return error_set(err, ERR_INVALID, "must be one of: %s", option->choices);
	if (option->check_text && option->check_text(text, err) < 0)
		return -1;
	*(const char **)option->place = text;
	return 0;
}

static int set_int(const struct option *option, const char *text, struct error *err)
{
	bool is_bounded = option->min != 0 || option->max != 0;
	long long value;
	char *end;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end || errno)
		return error_set(err, ERR_INVALID, "must be a whole number");
	if (is_bounded && (value < option->min || value > option->max))
		return error_set(err, ERR_INVALID, "must be from %lld to %lld", (long long)option->min,
				 (long long)option->max);
	*(int64_t *)option->place = value;
	return 0;
}

static int set_bool(const struct option *option, const char *text, struct error *err)
{
	if (!is_among("true yes on 1 false no off 0", text))
		return error_set(err, ERR_INVALID, "must be true or false");
	*(bool *)option->place = is_among("true yes on 1", text);
	return 0;
}

/* ---- durations ---- */
static const struct {
	const char *name;
	int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

void option_duration_format(int64_t ms, char ret_text[OPTION_DURATION_TEXT_BYTES])
{
	size_t unit = ARRAY_LEN(units) - 1;

	while (ms % units[unit].ms != 0)
		unit--;
	(void)snprintf(ret_text, OPTION_DURATION_TEXT_BYTES, "%lld%s", (long long)(ms / units[unit].ms),
		       units[unit].name); /* fits: at most 19 digits */
}

static int bound_duration(const struct option *option, int64_t ms, struct error *err)
{
	char least[OPTION_DURATION_TEXT_BYTES];
	char most[OPTION_DURATION_TEXT_BYTES];

	if (ms == 0 || (ms >= option->min && ms <= OPTION_DURATION_MS_MAX)) {
		*(int64_t *)option->place = ms;
		return 0;
	}
	option_duration_format(option->min, least);
	option_duration_format(OPTION_DURATION_MS_MAX, most);
	if (option->min == 0)
		return error_set(err, ERR_INVALID, "must be at most %s", most);
	return error_set(err, ERR_INVALID, "must be 0, or from %s to %s", least, most);
}

static int set_duration(const struct option *option, const char *text, struct error *err)
{
	long long count;
	int64_t ms;
	char *end;

	count = strtoll(text, &end, 10); /* of too many digits the greatest number, which is too long in every unit */
	if (end != text && count == 0 && !*end)
		end = (char *)"s"; /* nothing is nothing in every unit */
	for (size_t i = 0; i < ARRAY_LEN(units) && end != text && count >= 0; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(count, units[i].ms, &ms))
			ms = INT64_MAX;
		return bound_duration(option, ms, err);
	}
	return error_set(err, ERR_INVALID, "must be a duration such as 500ms, 3s, 5m, 24h or 7d");
}

static void append_item(struct option_list *list, const char *item)
{
	list->items = xrealloc_array(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = item;
}

static void set_list(const struct option *option, enum option_source source, const char *text, struct arena *texts)
{
	struct option_list *list = option->place;

	if (source == OPTION_SOURCE_FLAG) {
		append_item(list, text);
		return;
	}
	for (const char *at = text; *at; at += strspn(at, ", ")) {
		size_t len = strcspn(at, ", ");

		if (len > 0)
			append_item(list, arena_strndup(texts, at, len));
		at += len;
	}
}

int option_value_set(const struct option *option, enum option_source source, const char *text, struct arena *texts,
		     struct error *err)
{
	switch (option->type) {
	case OPTION_TEXT:
		return set_text(option, text, err);
	case OPTION_INT:
		return set_int(option, text, err);
	case OPTION_BOOL:
		return set_bool(option, text, err);
	case OPTION_DURATION_MS:
		return set_duration(option, text, err);
	case OPTION_LIST:
		set_list(option, source, text, texts);
		return 0;
	case OPTION_PROPERTIES:
		break; /* options.c merges them by name */
	}
	assert(false && "an option type without a reader");
	return -1;
}
