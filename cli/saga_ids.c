/* saga_ids.c - see saga_ids.h. */
#include "cli/saga_ids.h"

#include <ctype.h>

#include "cli/file.h"
#include "lib/base/memory.h"

enum { UUID_LEN = 36, LIST_BYTES_MAX = 16 << 20 };

static bool is_uuid(const char *text)
{
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return !text[UUID_LEN];
}

static int add(struct saga_ids *ids, const char *id, struct error *err)
{
	if (!is_uuid(id))
		return error_set(err, ERR_INVALID,
				 "'%s' is no saga id: these look like 01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10; "
				 "`sagactl list` shows them",
				 id);
	ids->items = xrealloc_array(ids->items, ids->count + 1, sizeof(*ids->items));
	ids->items[ids->count++] = id;
	return 0;
}

static int add_listed(struct saga_ids *ids, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer list = {0};

	if (file_read("-", LIST_BYTES_MAX, &list, err) < 0)
		return -1;
	for (const char *at = buffer_text(&list); *at; at += strspn(at, " \t\r\n")) {
		size_t len = strcspn(at, " \t\r\n");

		if (len > 0 && add(ids, arena_strndup(&ids->arena, at, len), err) < 0)
			return -1;
		at += len;
	}
	return 0;
}

int saga_ids_read(char **arguments, int count, struct saga_ids *ret_ids, struct error *err)
{
	struct saga_ids ids = {0};
	int result = 0;

	for (int i = 0; i < count && result == 0; i++)
		result = strcmp(arguments[i], "-") == 0 ? add_listed(&ids, err) : add(&ids, arguments[i], err);
	if (result == 0 && ids.count == 0)
		result = error_set(err, ERR_INVALID, "standard input names no saga");
	if (result < 0) {
		saga_ids_release(&ids);
		return -1;
	}
	*ret_ids = ids;
	return 0;
}

void saga_ids_release(struct saga_ids *ids)
{
	free(ids->items);
	arena_release(&ids->arena);
	*ids = (struct saga_ids){0};
}

enum exit_code saga_ids_each(struct session *session_, char **arguments, int count,
			     enum exit_code (*each)(struct session *session, const char *saga_id))
{
	enum exit_code first_failure = EXIT_DONE;
	enum exit_code code = EXIT_DONE;
	struct saga_ids ids;
	struct error err;

	if (saga_ids_read(arguments, count, &ids, &err) < 0)
		return session_fail(&err);
	for (size_t i = 0; i < ids.count && code != EXIT_UNAVAILABLE && code != EXIT_INTERRUPTED; i++) {
		code = each(session_, ids.items[i]);
		if (first_failure == EXIT_DONE)
			first_failure = code;
	}
	saga_ids_release(&ids);
	return code == EXIT_INTERRUPTED ? code : first_failure;
}
