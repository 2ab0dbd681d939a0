/* cache.c - see cache.h. */
#include "coordinator/engine/cache.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/memory.h"

/* ---- the two lists ---- */

static struct cache_list *list_of(struct cache *cache, enum saga_state state)
{
	return saga_state_is_terminal(state) ? &cache->ended : &cache->open;
}

static void unlink_entry(struct cache_list *list, struct cached_saga *cached)
{
	*(cached->newer ? &cached->newer->older : &list->newest) = cached->older;
	*(cached->older ? &cached->older->newer : &list->oldest) = cached->newer;
	cached->newer = cached->older = NULL;
	list->count--;
}

static void link_newest(struct cache_list *list, struct cached_saga *cached)
{
	cached->newer = NULL;
	cached->older = list->newest;
	*(list->newest ? &list->newest->newer : &list->oldest) = cached;
	list->newest = cached;
	list->count++;
}

/* ---- entries ---- */

static void free_entry(struct cache *cache, struct cached_saga *cached)
{
	unlink_entry(list_of(cache, cached->state), cached);
	id_table_remove(&cache->table, &cached->node);
	buffer_release(&cached->data);
	buffer_release(&cached->log);
	free(cached);
}

void cache_release(struct cache *cache)
{
	while (cache->open.oldest)
		free_entry(cache, cache->open.oldest);
	while (cache->ended.oldest)
		free_entry(cache, cache->ended.oldest);
	id_table_release(&cache->table);
}

bool cache_has(const struct cache *cache, struct uuid id)
{
	return id_table_find(&cache->table, id) != NULL;
}

struct cached_saga *cache_find(struct cache *cache, struct uuid id)
{
	struct id_node *node = id_table_find(&cache->table, id);
	struct cached_saga *cached;

	if (!node)
		return NULL;
	cached = ID_TABLE_ENTRY(node, struct cached_saga, node);
	unlink_entry(list_of(cache, cached->state), cached);
	link_newest(list_of(cache, cached->state), cached);
	return cached;
}

void cache_drop(struct cache *cache, struct uuid id)
{
	struct id_node *node = id_table_find(&cache->table, id);

	if (node)
		free_entry(cache, ID_TABLE_ENTRY(node, struct cached_saga, node));
}

void cache_trim(struct cache *cache)
{
	while (cache->open.count > cache->open_max)
		free_entry(cache, cache->open.oldest);
	while (cache->ended.count > cache->ended_max)
		free_entry(cache, cache->ended.oldest);
}

static const char *put_text(char **place, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = *place;

	memcpy(copy, text, size);
	*place += size;
	return copy;
}

/* One block for the entry and all that never changes of it. */
static struct cached_saga *entry_new(const struct store_row *row)
{
	size_t size = sizeof(struct cached_saga) + row->label_count * sizeof(struct engine_label);
	struct cached_saga *cached;
	struct engine_label *labels;
	char *place;

	size += strlen(row->key) + strlen(row->idempotency_key) + 2 + row->input.len;
	for (size_t i = 0; i < row->label_count; i++)
		size += strlen(row->labels[i].name) + strlen(row->labels[i].value) + 2;
	cached = xcalloc(1, size);
	labels = (struct engine_label *)(cached + 1);
	place = (char *)(labels + row->label_count);
	cached->labels = labels;
	cached->label_count = row->label_count;
	cached->key = put_text(&place, row->key);
	cached->idempotency_key = put_text(&place, row->idempotency_key);
	for (size_t i = 0; i < row->label_count; i++) {
		labels[i].name = put_text(&place, row->labels[i].name);
		labels[i].value = put_text(&place, row->labels[i].value);
	}
	if (row->input.len > 0)
		memcpy(place, row->input.data, row->input.len);
	cached->input = (struct bytes){(uint8_t *)place, row->input.len};
	return cached;
}

struct cached_saga *cache_put(struct cache *cache, const struct plan *plan, const struct store_row *row, int64_t now_us)
{
	struct cached_saga *cached = entry_new(row);

	assert(plan);
	cache_drop(cache, row->saga_id);
	cached->node.id = row->saga_id;
	cached->plan = plan;
	cached->version = row->version;
	cached->state = row->state;
	cached->open_row = row->open_row;
	cached->seen_us = now_us;
	buffer_append(&cached->data, row->data.data, row->data.len);
	id_table_insert(&cache->table, &cached->node);
	link_newest(list_of(cache, cached->state), cached);
	return cached;
}

void cache_update(struct cache *cache, struct cached_saga *cached, const struct store_change *change, int64_t now_us)
{
	struct cache_list *before = list_of(cache, cached->state);
	struct cache_list *after = list_of(cache, change->state);

	assert(cached->version == change->expected_version);
	if (before != after) {
		unlink_entry(before, cached);
		link_newest(after, cached);
	}
	cached->version = change->version;
	cached->state = change->state;
	cached->open_row = change->open_row;
	cached->seen_us = now_us;
	buffer_clear(&cached->data);
	buffer_append(&cached->data, change->data.data, change->data.len);
	cached->is_checked = true;
	for (size_t i = 0; i < change->log_count; i++)
		cache_append_log(cached, &change->log[i].entry);
}

/* ---- the packed log: a fixed head, then the texts with their NULs ---- */

enum { TEXT_NONE = UINT16_MAX, TEXT_BYTES_MAX = UINT16_MAX - 1, LOG_FIRST_BYTES = 200 };

struct packed_head {
	int64_t sequence;
	int64_t time_us;
	int32_t step;
	int32_t attempt;
	uint8_t type;
	uint8_t phase;
	uint8_t state;
	uint8_t has_no_effect;
	uint16_t text_lens[4]; /* milestone, reason, detail, actor; TEXT_NONE: NULL */
};

void cache_append_log(struct cached_saga *cached, const struct saga_log_entry *entry)
{
	const char *texts[] = {entry->milestone, entry->event.reason, entry->event.detail, entry->event.actor};
	struct packed_head head = {
		.sequence = entry->sequence,
		.time_us = entry->event.time_us,
		.step = entry->event.step,
		.attempt = entry->event.attempt,
		.type = (uint8_t)entry->event.type,
		.phase = (uint8_t)entry->event.phase,
		.state = (uint8_t)entry->state,
		.has_no_effect = entry->event.has_no_effect,
	};

	static_assert(ARRAY_LEN(texts) == ARRAY_LEN(head.text_lens), "each text has its length");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t len = texts[i] ? strlen(texts[i]) : TEXT_NONE;

		assert(len <= TEXT_BYTES_MAX || !texts[i]);
		head.text_lens[i] = (uint16_t)len;
	}
	buffer_reserve(&cached->log, cached->log.len > 0 ? sizeof(head) : LOG_FIRST_BYTES);
	buffer_append(&cached->log, &head, sizeof(head));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i])
			buffer_append(&cached->log, texts[i], strlen(texts[i]) + 1);
	cached->log_count++;
}

static const char *read_text(const struct cached_saga *cached, size_t *place, uint16_t len, struct arena *arena)
{
	const char *text;

	if (len == TEXT_NONE)
		return NULL;
	text = arena_strndup(arena, (const char *)cached->log.data + *place, len);
	*place += (size_t)len + 1;
	return text;
}

size_t cache_read_log(const struct cached_saga *cached, struct arena *arena, const struct saga_log_entry **ret_log)
{
	size_t count = (size_t)cached->log_count;
	struct saga_log_entry *log = arena_zalloc(arena, (count + 1) * sizeof(*log));
	size_t place = 0;

	for (size_t i = 0; i < count; i++) {
		struct packed_head head;

		assert(place + sizeof(head) <= cached->log.len);
		memcpy(&head, cached->log.data + place, sizeof(head));
		place += sizeof(head);
		log[i].sequence = head.sequence;
		log[i].state = head.state;
		log[i].event.type = head.type;
		log[i].event.time_us = head.time_us;
		log[i].event.step = head.step;
		log[i].event.phase = head.phase;
		log[i].event.attempt = head.attempt;
		log[i].event.has_no_effect = head.has_no_effect;
		log[i].milestone = read_text(cached, &place, head.text_lens[0], arena);
		log[i].event.reason = read_text(cached, &place, head.text_lens[1], arena);
		log[i].event.detail = read_text(cached, &place, head.text_lens[2], arena);
		log[i].event.actor = read_text(cached, &place, head.text_lens[3], arena);
		log[i].event.milestone = log[i].milestone;
	}
	assert(place == cached->log.len);
	*ret_log = log;
	return count;
}
