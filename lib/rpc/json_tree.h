/*
 * json_tree.h - JSON text as a tree in which numbers keep their text.
 *
 * Why:        money and 64-bit integers must not pass through a double, and jansson keeps no number's text.
 * Guarantees: strict RFC 8259; strings come out as valid UTF-8 without NUL, so they can be used as C strings; a name
 *             that an object holds twice is refused.
 * Limits:     JSON_DEPTH_MAX levels and JSON_MEMBERS_MAX members an object; the caller bounds the length of the text.
 * Ownership:  everything lives in the arena; the text itself is not referred to.
 */
#ifndef LIB_RPC_JSON_TREE_H
#define LIB_RPC_JSON_TREE_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"

enum { JSON_DEPTH_MAX = 32, JSON_MEMBERS_MAX = 1000 };
enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
	enum json_kind kind;
	bool is_true;     /* of JSON_BOOL */
	const char *text; /* of JSON_STRING: decoded; of JSON_NUMBER: as it stood there */
	const char *name; /* as the member of an object; NULL otherwise */
	size_t count;     /* of JSON_ARRAY and JSON_OBJECT */
	struct json_node *first_child;
	struct json_node *next; /* the next child of the same parent */
};

/* ERR_INVALID names line and column: `2:7: expected ':' after the name`. */
NODISCARD int json_tree_parse(struct arena *arena, struct bytes text, struct json_node **ret_root, struct error *err);

/* The member of an object; NULL where there is none, or `object` is none. */
const struct json_node *json_member(const struct json_node *object, const char *name);
const char *json_kind_name(enum json_kind kind); /* "a number", for messages */

#endif
