/*
 * subject_map.h - the file that says which schema belongs to which subject and topic: proto/shop/subjects.yaml.
 *
 *     subjects:
 *       - subject: order.created-value
 *         topic: order.created                  # absent: there is none
 *         schema: order/v1/order_created.proto  # .proto or .avsc, relative to the map's folder
 *
 * Guarantees: every problem of the file is named at `file:line:col`.
 * Ownership:  texts live in the map's arena.
 */
#ifndef CLI_SUBJECT_MAP_H
#define CLI_SUBJECT_MAP_H

#include "lib/base/arena.h"
#include "lib/base/problems.h"
#include "schema-registry/model/schema.h"

struct subject_entry {
	const char *subject;
	const char *topic;       /* NULL: none */
	const char *schema_path; /* with the map's folder */
	enum schema_format format;
	const char *real_path; /* without links; NULL: there is no such file */
	size_t subject_line;   /* where the map says it, from 1 */
	size_t subject_column;
	size_t schema_line;
	size_t schema_column;
};

struct subject_map {
	struct arena arena;
	const char *path; /* its own */
	struct subject_entry *entries;
	size_t count;
};

/* On failure `problems` holds what is wrong with the file; none: `err` says why it cannot be read. */
NODISCARD int subject_map_load(const char *path, struct subject_map *ret_map, struct problems *problems,
			       struct error *err);
/* The same, with every problem said on standard error as `file:line:col: error: …`; `err` need not be said again. */
NODISCARD int subject_map_load_or_say(const char *path, struct subject_map *ret_map, struct error *err);
void subject_map_release(struct subject_map *map);

/* The subjects that the map gives a file; the list is the arena's. */
const char *const *subject_map_of(const struct subject_map *map, const char *schema_path, struct arena *arena,
				  size_t *ret_count);

/* Without a map: `orders.avsc` is of the subject `orders-value`, `orders-key.avsc` of `orders-key`. */
const char *subject_by_rule(struct arena *arena, const char *schema_path);

#endif
