/*
 * id_table.h - a hash table by saga id whose nodes are part of what they find.
 *
 * Why:        cache, turn and waiters all look up by saga id; an embedded node costs no allocation of its own.
 * Guarantees: several nodes may have one id; id_table_find() gives the first, id_table_next() the others, in no order.
 * Ownership:  the table owns its buckets only.
 */
#ifndef COORDINATOR_ENGINE_ID_TABLE_H
#define COORDINATOR_ENGINE_ID_TABLE_H

#include <stddef.h>

#include "lib/base/uuid.h"

struct id_node {
	struct id_node *next;
	struct uuid id;
};

struct id_table {
	struct id_node **buckets;
	size_t bucket_count; /* a power of two, or 0 */
	size_t count;
};

/* The struct around a node. */
#define ID_TABLE_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void id_table_release(struct id_table *table);                      /* also after {0} */
void id_table_clear(struct id_table *table);                        /* forgets all nodes, keeps its memory */
void id_table_insert(struct id_table *table, struct id_node *node); /* node->id is set */
void id_table_remove(struct id_table *table, struct id_node *node); /* must be there */
struct id_node *id_table_find(const struct id_table *table, struct uuid id);
struct id_node *id_table_next(const struct id_node *node);

#endif
