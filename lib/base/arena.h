/*
 * arena.h - memory that is all released at once: what one event, message or request needs.
 *
 * Guarantees: results are aligned for any type; arena_clear() keeps one block, so a steady load allocates nothing.
 * Limits:     `limit_bytes` of arena_init() bounds what a hostile input can make it hold; 0 means none.
 *             arena_alloc() aborts beyond it, arena_try_alloc() answers NULL: decoders of outside bytes use that one.
 * Threads:    one owner; no locks.
 */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used_bytes;
	size_t limit_bytes;
	size_t first_block_bytes; /* 0: 16 KiB */
};

void arena_init(struct arena *arena, size_t limit_bytes);
/* For what is kept in great number and holds little: its blocks begin small, and double. No limit. */
void arena_init_small(struct arena *arena, size_t first_block_bytes);
void arena_release(struct arena *arena);
void arena_clear(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size);     /* not zeroed */
void *arena_zalloc(struct arena *arena, size_t size);    /* zeroed */
void *arena_try_alloc(struct arena *arena, size_t size); /* NULL beyond the limit; not zeroed */
void *arena_copy(struct arena *arena, const void *data, size_t len);
char *arena_strndup(struct arena *arena, const char *text, size_t len); /* adds the NUL */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
struct bytes arena_bytes(struct arena *arena, struct bytes source);

#endif
