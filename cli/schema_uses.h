/*
 * schema_uses.h - what a schema file needs of others, found before it can be parsed: a .proto's imports, an .avsc's names.
 */
#ifndef CLI_SCHEMA_USES_H
#define CLI_SCHEMA_USES_H

#include "lib/base/arena.h"

struct schema_names {
	const char **items;
	size_t count;
	size_t capacity;
};

struct schema_uses { /* of an .avsc: full names */
	struct schema_names declared;
	struct schema_names definitions; /* of `declared`, one for each: texts that are equal for equal ones */
	struct schema_names used;        /* two for each use: with the namespace around it, and as it is written */
};

/* The names of a .proto's imports, as they are written. */
void schema_uses_of_proto(struct bytes text, struct arena *arena, struct schema_names *ret_imports);

/* Nothing where the text is no JSON: the parser says so. */
struct schema_uses *schema_uses_of_avro(struct bytes text, struct arena *arena);

#endif
