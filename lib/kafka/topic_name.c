/* topic_name.c - see topic_name.h. */
#include "lib/kafka/topic_name.h"

#include <string.h>

enum { TOPIC_BYTES_MAX = 249 };

static const char ACCEPTED[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

int topic_name_check(const char *text, struct error *err)
{
	const size_t len = strlen(text);

	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return error_set(err, ERR_INVALID, "must be more than dots");
	if (len == 0 || len > TOPIC_BYTES_MAX || strspn(text, ACCEPTED) < len)
		return error_set(err, ERR_INVALID, "must be 1 to %d of letters, digits, '.', '_' and '-'",
				 TOPIC_BYTES_MAX);
	return 0;
}
