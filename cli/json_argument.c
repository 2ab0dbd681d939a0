/* json_argument.c - see json_argument.h. */
#include "cli/json_argument.h"

#include <string.h>

#include "cli/file.h"
#include "lib/base/memory.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

struct json_node *json_argument_read(const char *flag, const char *text, struct arena *arena, struct problems *problems)
{
	_cleanup_(buffer_release)
	struct buffer file = {0};
	struct bytes json = bytes_of_text(text);
	const char *place = flag;
	struct json_node *root;
	struct error err;

	if (text[0] == '@' || strcmp(text, "-") == 0) {
		place = text + (text[0] == '@');
		if (file_read(place, TEXT_BYTES_MAX, &file, &err) < 0) {
			problems_add(problems, "", "%s", err.msg);
			return NULL;
		}
		json = arena_bytes(arena, buffer_bytes(&file)); /* the tree may borrow from it */
	}
	if (json_tree_parse(arena, json, &root, &err) < 0) { /* the message begins with line:col */
		problems_add(problems, "", "%s:%s", place, err.msg);
		return NULL;
	}
	if (root->kind == JSON_OBJECT)
		return root;
	problems_add(problems, place, "must be an object, not %s", json_kind_name(root->kind));
	return NULL;
}
