/* screen.c - see screen.h. */
#include "coordinator/bus/screen.h"

#include "lib/base/clock.h"
#include "schema-registry/client/message.h"
#include "schema-registry/codec/wire_format.h"

/* How long the registry is not asked after it did not answer; a reply is worth no longer wait. */
enum { AWAY_US = 5 * 1000 * 1000, MESSAGE_MEMORY_MAX = 64 * 1024 * 1024 };

/* What says whose reply it is and what it means. */
static const char *const single[] = {"saga-id",         "saga-step",    "saga-phase", "saga-attempt",
				     "saga-command-id", "saga-outcome", NULL};

/* A topic carries one message, under whatever schema id: that of its subject. */
struct topic_type {
	char *topic;
	const char *type; /* borrowed from the registry client */
};

struct screen {
	struct registry_client *registry;
	struct topic_type *topics;
	size_t topic_count;
	int64_t away_until_us; /* monotonic */
	struct arena arena;
};

struct screen *screen_new(struct registry_client *registry)
{
	struct screen *screen = xcalloc(1, sizeof(*screen));

	screen->registry = registry;
	arena_init(&screen->arena, MESSAGE_MEMORY_MAX);
	return screen;
}

void screen_free(struct screen *screen)
{
	if (!screen)
		return;
	for (size_t i = 0; i < screen->topic_count; i++)
		free(screen->topics[i].topic);
	free(screen->topics);
	arena_release(&screen->arena);
	free(screen);
}

static bool is_registry_away(const struct screen *screen)
{
	return clock_monotonic_us() < screen->away_until_us;
}

static void note_away(struct screen *screen, const struct error *err)
{
	if (err->is_retriable)
		screen->away_until_us = clock_monotonic_us() + AWAY_US;
}

/* NULL: not known now. */
static const char *type_of_topic(struct screen *screen, const char *topic)
{
	_cleanup_(buffer_release)
	struct buffer subject = {0};
	const struct schema *schema = NULL;
	int32_t version = 0;
	int32_t id = 0;
	struct error err;

	for (size_t i = 0; i < screen->topic_count; i++)
		if (strcmp(screen->topics[i].topic, topic) == 0)
			return screen->topics[i].type;
	if (is_registry_away(screen))
		return NULL;
	buffer_append_format(&subject, "%s-value", topic);
	if (registry_client_latest(screen->registry, buffer_text(&subject), &id, &version, &schema, &err) < 0) {
		note_away(screen, &err);
		return NULL;
	}
	if (!schema_root(schema))
		return NULL;
	screen->topics = xrealloc_array(screen->topics, screen->topic_count + 1, sizeof(*screen->topics));
	screen->topics[screen->topic_count] =
		(struct topic_type){xstrdup(topic), schema_type_name(schema_root(schema))};
	return screen->topics[screen->topic_count++].type;
}

bool screen_is_fact(const struct kafka_record *record)
{
	for (size_t i = 0; i < record->header_count; i++)
		if (strncmp(record->headers[i].name, "saga-", 5) == 0)
			return false;
	return !record->has_more_headers && kafka_record_header(record, "ce_id");
}

static int check_value(struct screen *screen, const struct kafka_record *record, struct error *err)
{
	struct value value;
	struct bytes rest;
	int32_t id = 0;

	if (!screen->registry)
		return 0;
	if (wire_format_read_id(record->value, &id, &rest, err) < 0)
		return -1;
	if (is_registry_away(screen) && !registry_client_cached(screen->registry, id))
		return 0;
	arena_clear(&screen->arena);
	if (message_decode(screen->registry, record->value, type_of_topic(screen, record->topic), &screen->arena,
			   &value, err) == 0)
		return 0;
	note_away(screen, err);
	return err->is_retriable ? 0 : -1;
}

int screen_check(struct screen *screen, const struct kafka_record *record, enum dead_reason *ret_reason,
		 struct error *err)
{
	enum dead_reason reason = DEAD_REASON_BAD_HEADERS;

	if (kafka_record_check_headers(record, single, err) == 0) {
		if (check_value(screen, record, err) == 0)
			return 0;
		reason = dead_reason_of_value(err->code);
	}
	*ret_reason = reason;
	return -1;
}
