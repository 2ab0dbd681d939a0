/* source_reader.c - see source_reader.h. */
#include "coordinator/definition/source_reader.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "coordinator/definition/source.h"
#include "lib/base/memory.h"
#include "lib/base/spelling.h"
#include "lib/kafka/topic_name.h"

enum { SUBJECT_BYTES_MAX = 255, ATTEMPTS_MAX = 1000 };

const struct yaml_node *reader_get(const struct yaml_node *map, const char *key)
{
	assert(map->kind == YAML_MAP);
	for (const struct yaml_node *entry = map->first; entry; entry = entry->next)
		if (strcmp(entry->text, key) == 0)
			return entry->value;
	return NULL;
}

void reader_check_keys(struct source_reader *reader, const struct yaml_node *map, const char *const *known,
		       size_t count, const char *of_what)
{
	for (const struct yaml_node *entry = map->first; entry; entry = entry->next) {
		const char *nearest;
		bool is_known = false;

		for (size_t i = 0; i < count && !is_known; i++)
			is_known = strcmp(entry->text, known[i]) == 0;
		if (is_known)
			continue;
		nearest = spelling_nearest(entry->text, known, count);
		if (nearest)
			PROBLEM(reader, entry->mark, "unknown key '%s' of %s; did you mean '%s'?", entry->text, of_what,
				nearest);
		else
			PROBLEM(reader, entry->mark, "unknown key '%s' of %s", entry->text, of_what);
	}
}

bool reader_is_kind(struct source_reader *reader, const struct yaml_node *node, enum yaml_kind kind,
		    const char *of_what)
{
	if (node->kind == kind)
		return true;
	PROBLEM(reader, node->mark, "%s must be %s, not %s", of_what, yaml_kind_name(kind), yaml_kind_name(node->kind));
	return false;
}

const char *reader_text(struct source_reader *reader, const struct yaml_node *node, const char *of_what)
{
	if (!reader_is_kind(reader, node, YAML_SCALAR, of_what))
		return NULL;
	if (node->text[0])
		return node->text;
	PROBLEM(reader, node->mark, "%s must not be empty", of_what);
	return NULL;
}

const char *reader_id(struct source_reader *reader, const struct yaml_node *node, const char *of_what)
{
	const char *text = reader_text(reader, node, of_what);
	bool is_good;

	if (!text)
		return NULL;
	is_good = islower((unsigned char)text[0]) && strlen(text) <= STEP_ID_BYTES_MAX;
	for (const char *at = text; *at && is_good; at++)
		is_good = islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '-';
	if (is_good)
		return text;
	PROBLEM(reader, node->mark, "%s '%.80s' must be 1 to %d of a-z, 0-9 and -, a letter first", of_what, text,
		STEP_ID_BYTES_MAX);
	return NULL;
}

const char *reader_topic(struct source_reader *reader, const struct yaml_node *node)
{
	const char *text = reader_text(reader, node, "a topic");
	struct error err;

	if (!text || topic_name_check(text, &err) == 0)
		return text;
	PROBLEM(reader, node->mark, "topic '%.80s' %s", text, err.msg);
	return NULL;
}

const char *reader_subject(struct source_reader *reader, const struct yaml_node *node, const char *of_what)
{
	const char *text = reader_text(reader, node, of_what);

	if (text && strlen(text) > SUBJECT_BYTES_MAX)
		PROBLEM(reader, node->mark, "%s must be a subject of at most %d bytes", of_what, SUBJECT_BYTES_MAX);
	return text;
}

bool reader_is_field_name(const char *text, size_t len)
{
	if (len == 0 || isdigit((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	return true;
}

bool source_parse_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}};
	char *end;
	int64_t number;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || number <= 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (number > COMMAND_DURATION_MS_MAX / units[i].ms)
			return false;
		*ret_ms = number * units[i].ms;
		return true;
	}
	return false;
}

bool reader_bool(struct source_reader *reader, const struct yaml_node *node, const char *of_what)
{
	if (!reader_is_kind(reader, node, YAML_SCALAR, of_what))
		return false;
	if (node->is_plain && strcmp(node->text, "true") == 0)
		return true;
	if (!node->is_plain || strcmp(node->text, "false") != 0)
		PROBLEM(reader, node->mark, "%s '%.40s' must be true or false", of_what, node->text);
	return false;
}

void reader_duration(struct source_reader *reader, const struct yaml_node *node, const char *of_what,
		     int64_t *duration_ms)
{
	if (reader_is_kind(reader, node, YAML_SCALAR, of_what) && !source_parse_duration(node->text, duration_ms))
		PROBLEM(reader, node->mark, "%s '%.40s' must be a duration such as 500ms, 3s, 5m, 24h or 7d", of_what,
			node->text);
}

/* `3s`, or `{first: 3s, max: 60s}`. */
static void read_interval(struct source_reader *reader, const struct yaml_node *node, const char *of_what,
			  int64_t *first_ms, int64_t *max_ms)
{
	static const char *const keys[] = {"first", "max"};
	const struct yaml_node *first = node;
	const struct yaml_node *max = NULL;

	if (node->kind == YAML_MAP) {
		reader_check_keys(reader, node, keys, ARRAY_LEN(keys), of_what);
		first = reader_get(node, "first");
		max = reader_get(node, "max");
	}
	if (first)
		reader_duration(reader, first, of_what, first_ms);
	if (max)
		reader_duration(reader, max, of_what, max_ms);
	if (*max_ms >= *first_ms)
		return;
	if (max)
		PROBLEM(reader, max->mark, "max of %s must not be less than first", of_what);
	*max_ms = *first_ms;
}

static void read_attempts(struct source_reader *reader, const struct yaml_node *node, int32_t *attempts)
{
	char *end;
	long number;

	if (!reader_is_kind(reader, node, YAML_SCALAR, "attempts"))
		return;
	errno = 0;
	number = strtol(node->text, &end, 10);
	if (!isdigit((unsigned char)node->text[0]) || *end || errno || number < 1 || number > ATTEMPTS_MAX)
		PROBLEM(reader, node->mark, "attempts '%.40s' must be a number from 1 to %d", node->text, ATTEMPTS_MAX);
	else
		*attempts = (int32_t)number;
}

void reader_policy(struct source_reader *reader, const struct yaml_node *map, struct command_policy *policy)
{
	const struct yaml_node *timeout = reader_get(map, "timeout");
	const struct yaml_node *resend = reader_get(map, "resend");
	const struct yaml_node *attempts = reader_get(map, "attempts");
	const struct yaml_node *backoff = reader_get(map, "backoff");

	if (timeout)
		reader_duration(reader, timeout, "timeout", &policy->timeout_ms);
	if (resend)
		read_interval(reader, resend, "resend", &policy->resend_ms, &policy->resend_max_ms);
	if (attempts)
		read_attempts(reader, attempts, &policy->attempts_max);
	if (backoff)
		read_interval(reader, backoff, "backoff", &policy->retry_backoff_ms, &policy->retry_backoff_max_ms);
}
