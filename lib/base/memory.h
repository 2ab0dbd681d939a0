/*
 * memory.h - allocation that cannot fail, and release that is visible where a thing is acquired.
 *
 * Why:        state lives in Postgres and a restart is safe, so running out of memory ends the process; what a peer
 *             can size is checked against a named limit before it gets here.
 * Ownership:  `_cleanup_(thing_freep) struct thing *thing = NULL;` releases at scope end, `take_ptr(thing)` hands over.
 */
#ifndef LIB_BASE_MEMORY_H
#define LIB_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines `function`p for _cleanup_: DEFINE_CLEANUP(struct thing *, thing_free) gives thing_freep. */
#define DEFINE_CLEANUP(type, function)                                                                                 \
	static inline void function##p(type *place)                                                                    \
	{                                                                                                              \
		if (*place)                                                                                            \
			function(*place);                                                                              \
	}

/* The pointer, and NULL left in its place: the caller of the function that returns it is the new owner. */
#define take_ptr(pointer)                                                                                              \
	({                                                                                                             \
		__typeof__(pointer) taken_ = (pointer);                                                                \
		(pointer) = NULL;                                                                                      \
		taken_;                                                                                                \
	})

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc_array(void *old, size_t count, size_t size); /* aborts on overflow of count * size, too */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);

static inline void freep(void *place)
{
	free(*(void **)place);
}

#endif
