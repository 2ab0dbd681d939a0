/* rest_media.c - which media types clients may send and ask for. See rest.h. */
#include <string.h>
#include <strings.h>

#include "lib/base/memory.h"
#include "schema-registry/server/rest.h"

static const char *const types[] = {
	"application/vnd.schemaregistry.v1+json", /* the first is what we answer with where any would do */
	"application/vnd.schemaregistry+json",
	"application/json",
};

/* The next media range of a list, without its parameters; its length, and *list behind it. */
static size_t next_range(const char **list, const char **ret_range)
{
	size_t len;

	*list += strspn(*list, ", \t");
	*ret_range = *list;
	len = strcspn(*list, ",; \t");
	*list += strcspn(*list, ",");
	return len;
}

static bool is_range(const char *range, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(range, name, len) == 0;
}

const char *rest_choose_type(const char *accept)
{
	const char *range;
	size_t len;

	if (!accept || !*accept)
		return types[0];
	while ((len = next_range(&accept, &range)) > 0) {
		if (is_range(range, len, "*/*") || is_range(range, len, "application/*"))
			return types[0];
		for (size_t i = 0; i < ARRAY_LEN(types); i++) {
			if (is_range(range, len, types[i]))
				return types[i];
		}
	}
	return NULL;
}

bool rest_takes_type(const char *content_type)
{
	const char *range;
	size_t len;

	if (!content_type || !*content_type)
		return true;
	len = next_range(&content_type, &range);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (is_range(range, len, types[i]))
			return true;
	}
	return is_range(range, len, "application/octet-stream"); /* what simple clients send unasked */
}
