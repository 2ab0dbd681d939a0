/* bookmark_fuzz.c - any text as a page token or position: taken only when it was made here, for this request. */
#include "coordinator/api/bookmark.h"
#include "tests/fuzz/fuzz.h"

enum { CONTENT_BYTES_MAX = 32 };

static void read_text(const char *text)
{
	uint8_t content[CONTENT_BYTES_MAX];

	for (int kind = BOOKMARK_LIST; kind <= BOOKMARK_POSITION; kind++)
		for (size_t len = 0; len <= sizeof(content); len += 8)
			(void)bookmark_read((enum bookmark_kind)kind, bookmark_binding(), text, content, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	size_t used = len < CONTENT_BYTES_MAX ? len : CONTENT_BYTES_MAX;
	uint64_t binding = bookmark_bind(bookmark_binding(), (struct bytes){data, len});
	uint8_t content[CONTENT_BYTES_MAX];
	const char *made = bookmark_make(BOOKMARK_LOG, binding, (struct bytes){data, used}, &arena);

	read_text(arena_strndup(&arena, (const char *)data, len));
	CLAIM(bookmark_read(BOOKMARK_LOG, binding, made, content, used), "'%s' was made here, but is refused", made);
	CLAIM(used == 0 || memcmp(content, data, used) == 0, "'%s' came back changed", made);
	CLAIM(!bookmark_read(BOOKMARK_LIST, binding, made, content, used), "'%s' is taken for a list's", made);
	CLAIM(!bookmark_read(BOOKMARK_LOG, binding + 1, made, content, used), "'%s' is taken for another's", made);
	return 0;
}
