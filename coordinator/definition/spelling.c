/* spelling.c - see spelling.h. */
#include "coordinator/definition/spelling.h"

#include <string.h>

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t spelling_distance(const char *a, const char *b)
{
	const size_t a_len = strlen(a);
	const size_t b_len = strlen(b);
	size_t row[SPELLING_BYTES_MAX + 1]; /* row[j]: distance of the first i letters of a from the first j of b */

	if (a_len > SPELLING_BYTES_MAX || b_len > SPELLING_BYTES_MAX)
		return strcmp(a, b) == 0 ? 0 : SPELLING_BYTES_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min_of(replaced, min_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

/* A few slips, or a part of it: who writes `amount` may mean `amount_minor`. */
bool spelling_is_near(const char *a, const char *b)
{
	enum { SLIPS_MAX = 3, PART_BYTES_MIN = 4 };
	const size_t a_len = strlen(a);
	const size_t b_len = strlen(b);

	if (a_len > SPELLING_BYTES_MAX || b_len > SPELLING_BYTES_MAX)
		return false;
	if (min_of(a_len, b_len) >= PART_BYTES_MIN && (strstr(a, b) || strstr(b, a)))
		return true;
	return spelling_distance(a, b) <= min_of(SLIPS_MAX, ((a_len > b_len ? a_len : b_len) + 1) / 3);
}

const char *spelling_nearest(const char *name, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t least = SPELLING_BYTES_MAX;

	for (size_t i = 0; i < count; i++) {
		const size_t distance = spelling_distance(name, names[i]);

		if (distance < least && spelling_is_near(name, names[i])) {
			nearest = names[i];
			least = distance;
		}
	}
	return nearest;
}
