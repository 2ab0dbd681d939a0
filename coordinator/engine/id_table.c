/* id_table.c - see id_table.h. Chained buckets; grows by doubling, never shrinks. */
#include "coordinator/engine/id_table.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/memory.h"

enum { BUCKETS_FIRST = 32 };

void id_table_release(struct id_table *table)
{
	free(table->buckets);
	*table = (struct id_table){0};
}

void id_table_clear(struct id_table *table)
{
	if (table->count > 0)
		memset(table->buckets, 0, table->bucket_count * sizeof(struct id_node *));
	table->count = 0;
}

static size_t bucket_of(const struct id_table *table, struct uuid id)
{
	uint64_t high;
	uint64_t low;

	/* The random part of a version 7 id is in its second half; clients' own ids may be anything. */
	memcpy(&high, id.data, sizeof(high));
	memcpy(&low, id.data + 8, sizeof(low));
	low ^= high * 0x9E3779B97F4A7C15u;
	low ^= low >> 32;
	low *= 0xD6E8FEB86659FD93u;
	return (size_t)(low >> 32) & (table->bucket_count - 1);
}

static void push(struct id_table *table, struct id_node *node)
{
	struct id_node **bucket = &table->buckets[bucket_of(table, node->id)];

	node->next = *bucket;
	*bucket = node;
}

static void grow(struct id_table *table)
{
	struct id_table grown = {.bucket_count = table->bucket_count ? table->bucket_count * 2 : BUCKETS_FIRST};

	grown.buckets = xcalloc(grown.bucket_count, sizeof(struct id_node *));
	grown.count = table->count;
	for (size_t i = 0; i < table->bucket_count; i++) {
		for (struct id_node *node; (node = table->buckets[i]);) {
			table->buckets[i] = node->next;
			push(&grown, node);
		}
	}
	free(table->buckets);
	*table = grown;
}

void id_table_insert(struct id_table *table, struct id_node *node)
{
	if (table->count >= table->bucket_count)
		grow(table);
	push(table, node);
	table->count++;
}

void id_table_remove(struct id_table *table, struct id_node *node)
{
	struct id_node **place = &table->buckets[bucket_of(table, node->id)];

	while (*place && *place != node)
		place = &(*place)->next;
	assert(*place == node);
	*place = node->next;
	node->next = NULL;
	table->count--;
}

struct id_node *id_table_next(const struct id_node *node)
{
	for (struct id_node *other = node->next; other; other = other->next)
		if (uuid_equal(other->id, node->id))
			return other;
	return NULL;
}

struct id_node *id_table_find(const struct id_table *table, struct uuid id)
{
	if (table->count == 0)
		return NULL;
	for (struct id_node *node = table->buckets[bucket_of(table, id)]; node; node = node->next)
		if (uuid_equal(node->id, id))
			return node;
	return NULL;
}
