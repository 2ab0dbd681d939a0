/*
 * spelling.h - the known name that someone probably meant.
 *
 * Limits:     names beyond SPELLING_BYTES_MAX are near to nothing.
 */
#ifndef LIB_BASE_SPELLING_H
#define LIB_BASE_SPELLING_H

#include <stdbool.h>
#include <stddef.h>

enum { SPELLING_BYTES_MAX = 64 };

/* Letters that must be added, dropped, replaced or swapped with their neighbour to get from one to the other. */
size_t spelling_distance(const char *a, const char *b);
bool spelling_is_near(const char *a, const char *b);
/* The nearest of `names`; NULL: none is near. */
const char *spelling_nearest(const char *name, const char *const *names, size_t count);

#endif
