/* spelling.c - see spelling.h. */
#include "lib/base/spelling.h"

#include <string.h>

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* rows[i % 3][j]: distance of the first i letters of a from the first j of b */
size_t spelling_distance(const char *a, const char *b)
{
	const size_t a_len = strlen(a);
	const size_t b_len = strlen(b);
	size_t rows[3][SPELLING_BYTES_MAX + 1];

	if (a_len > SPELLING_BYTES_MAX || b_len > SPELLING_BYTES_MAX)
		return strcmp(a, b) == 0 ? 0 : SPELLING_BYTES_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		const size_t *above = rows[(i - 1) % 3];
		size_t *row = rows[i % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			const size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = min_of(replaced, min_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min_of(row[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
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
