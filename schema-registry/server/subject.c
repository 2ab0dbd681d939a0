/* subject.c - see subject.h. */
#include "schema-registry/server/subject.h"

#include <string.h>

enum { NAME_BYTES_MAX = 1000, CONTEXT_BYTES_MAX = 250 }; /* both together fit an index entry of Postgres */

struct subject subject_parse(struct arena *arena, const char *context, const char *text)
{
	const char *end;

	if (strncmp(text, ":.", 2) != 0)
		return (struct subject){context, text};
	end = strchr(text + 1, ':');
	if (!end)
		return (struct subject){text + 1, ""};
	return (struct subject){arena_strndup(arena, text + 1, (size_t)(end - text) - 1), end + 1};
}

const char *context_parse(struct arena *arena, const char *text)
{
	size_t len;

	text += *text == ':';
	len = strlen(text);
	len -= len > 0 && text[len - 1] == ':';
	return arena_format(arena, "%s%.*s", *text == '.' ? "" : ".", (int)len, text);
}

const char *subject_format(struct arena *arena, struct subject subject)
{
	return subject_format_within(arena, CONTEXT_DEFAULT, subject);
}

const char *subject_format_within(struct arena *arena, const char *context, struct subject subject)
{
	if (strcmp(subject.context, context) == 0)
		return subject.name;
	return arena_format(arena, ":%s:%s", subject.context, subject.name);
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT32_C(16777619);
	return hash;
}

uint32_t subject_hash(struct subject subject)
{
	uint32_t hash = hash_text(UINT32_C(2166136261), subject.context);

	return hash_text((hash ^ ':') * UINT32_C(16777619), subject.name);
}

bool subject_equal(struct subject a, struct subject b)
{
	return strcmp(a.context, b.context) == 0 && strcmp(a.name, b.name) == 0;
}

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

bool subject_is_valid(struct subject subject)
{
	return *subject.name && strlen(subject.name) <= NAME_BYTES_MAX && is_plain(subject.name) &&
	       strlen(subject.context) <= CONTEXT_BYTES_MAX && is_plain(subject.context) &&
	       strcmp(subject.name, "__GLOBAL") != 0 && strcmp(subject.name, "__EMPTY") != 0;
}
