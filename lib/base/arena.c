/*
 * arena.c - see arena.h. A list of blocks, the newest first; only the newest is filled.
 *
 * AddressSanitizer sees blocks, not what is in them: in its builds there is forbidden ground between two pieces, and
 * nothing is kept by arena_clear(), so that whoever holds a piece for too long is found.
 */
#include "lib/base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/memory.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { IS_WATCHED = 1, GAP_BYTES = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
enum { IS_WATCHED = 0, GAP_BYTES = 0 };
#endif

/* Blocks double up to the most that arena_clear() keeps, so that what is cleared again and again needs no more than one: malloc
 * tidies up its whole heap at each large block that comes or goes. */
enum { BLOCK_BYTES = 16 * 1024, KEPT_BYTES_MAX = 64 * BLOCK_BYTES };

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	_Alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena, size_t limit_bytes)
{
	*arena = (struct arena){.limit_bytes = limit_bytes};
}

void arena_init_small(struct arena *arena, size_t first_block_bytes)
{
	*arena = (struct arena){.first_block_bytes = first_block_bytes};
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_release(struct arena *arena)
{
	free_blocks(arena->blocks);
	arena->blocks = NULL;
	arena->used_bytes = 0;
}

void arena_clear(struct arena *arena)
{
	if (IS_WATCHED) {
		arena_release(arena);
	} else if (arena->blocks) {
		free_blocks(arena->blocks->next);
		arena->blocks->next = NULL;
		arena->blocks->used = 0;
		if (arena->blocks->size > KEPT_BYTES_MAX) {
			free(arena->blocks);
			arena->blocks = NULL;
		}
	}
	arena->used_bytes = 0;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
	size_t first_bytes = arena->first_block_bytes ? arena->first_block_bytes : BLOCK_BYTES;
	size_t block_bytes = arena->blocks ? arena->blocks->size * 2 : first_bytes;
	struct arena_block *block;

	if (block_bytes > KEPT_BYTES_MAX)
		block_bytes = KEPT_BYTES_MAX;
	if (block_bytes < size)
		block_bytes = size;
	block = xmalloc(sizeof(*block) + block_bytes);
	*block = (struct arena_block){.next = arena->blocks, .size = block_bytes};
	ASAN_POISON_MEMORY_REGION(block->data, block_bytes);
	arena->blocks = block;
	return block;
}

void *arena_try_alloc(struct arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *block = arena->blocks;
	const size_t asked = size;
	void *result;

	if (size > SIZE_MAX / 4)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (arena->limit_bytes && size > arena->limit_bytes - arena->used_bytes)
		return NULL;
	if (!block || block->size - block->used < size + GAP_BYTES)
		block = add_block(arena, size + GAP_BYTES);
	result = block->data + block->used;
	ASAN_UNPOISON_MEMORY_REGION(result, asked);
	block->used += size + GAP_BYTES;
	arena->used_bytes += size;
	return result;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *result = arena_try_alloc(arena, size);

	if (!result)
		abort(); /* the caller promised that the size is bounded */
	return result;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

void *arena_copy(struct arena *arena, const void *data, size_t len)
{
	void *copy = arena_alloc(arena, len);

	if (len)
		memcpy(copy, data, len);
	return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (len)
		memcpy(copy, text, len);
	copy[len] = 0;
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	char brief[128]; /* most are, and then once is enough */
	va_list args;
	va_list again;
	char *text;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(brief, sizeof(brief), format, args);
	va_end(args);
	assert(len >= 0);
	text = arena_alloc(arena, (size_t)len + 1);
	if ((size_t)len < sizeof(brief))
		memcpy(text, brief, (size_t)len + 1);
	else
		(void)vsnprintf(text, (size_t)len + 1, format, again); /* measured above */
	va_end(again);
	return text;
}

struct bytes arena_bytes(struct arena *arena, struct bytes source)
{
	return (struct bytes){arena_copy(arena, source.data, source.len), source.len};
}
