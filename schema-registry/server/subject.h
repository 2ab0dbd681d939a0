/*
 * subject.h - a subject's name with its context: `orders-value`, or `:.staging:orders-value`.
 *
 * Why:        a context is a registry within the registry: it has its own subjects and counts its own ids. "." is the
 *             default one, and its subjects are written without it.
 */
#ifndef SCHEMA_REGISTRY_SERVER_SUBJECT_H
#define SCHEMA_REGISTRY_SERVER_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"

#define CONTEXT_DEFAULT "."

struct subject {
	const char *context; /* begins with a dot */
	const char *name;    /* "": the context as a whole, where settings are concerned */
};

/* A name without a context belongs to `context`; `:.staging` and `:.staging:` are the context as a whole. */
struct subject subject_parse(struct arena *arena, const char *context, const char *text);

/* `.staging`, `:.staging:` and `staging` mean the same. */
const char *context_parse(struct arena *arena, const char *text);

/* As clients see it: without its context when that is the default one. */
const char *subject_format(struct arena *arena, struct subject subject);

/* As a schema refers to it: without its context when that is the schema's own. */
const char *subject_format_within(struct arena *arena, const char *context, struct subject subject);

uint32_t subject_hash(struct subject subject); /* FNV-1a: the same in every instance */
bool subject_equal(struct subject a, struct subject b);
bool subject_is_valid(struct subject subject); /* may schemas be registered under it? */

#endif
