/*
 * yaml.h - YAML text as a tree in which every node knows its line and column.
 *
 * Why:        a problem in a definition is reported where it is; libyaml's own document API loses the places of keys.
 * Guarantees: one document; aliases, anchors, tags and duplicate keys are refused. JSON is YAML, so JSON works, too.
 * Limits:     YAML_BYTES_MAX of text, YAML_DEPTH_MAX levels, YAML_KEYS_MAX keys in a mapping: beyond is a problem, not an abort.
 * Ownership:  the tree lives in the arena.
 */
#ifndef COORDINATOR_DEFINITION_YAML_H
#define COORDINATOR_DEFINITION_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/problems.h"

enum { YAML_BYTES_MAX = 1024 * 1024, YAML_DEPTH_MAX = 32, YAML_KEYS_MAX = 1000 };

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_mark {
	size_t line; /* from 1 */
	size_t column;
};

struct yaml_node {
	enum yaml_kind kind;
	struct yaml_mark mark;
	const char *text;        /* SCALAR; without NUL inside */
	bool is_plain;           /* SCALAR: not quoted, so 5 and true are no texts */
	struct yaml_node *first; /* LIST: items; MAP: keys, each with `value` */
	struct yaml_node *next;
	struct yaml_node *value;
	size_t count;
};

/* Places are `file:line:col`; `text` is printf's. */
void yaml_problem(struct problems *problems, const char *file_name, struct yaml_mark mark, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* NULL when the text is no YAML that we take; the problems say why. */
struct yaml_node *yaml_parse(const char *file_name, struct bytes text, struct arena *arena, struct problems *problems);

const char *yaml_kind_name(enum yaml_kind kind); /* a text, a list, a mapping */

#endif
