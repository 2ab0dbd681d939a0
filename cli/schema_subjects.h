/*
 * schema_subjects.h - under which subjects of a registry the files of a tree are registered: the one place that says it.
 *
 * Rule:      the map says it. Else a file that another one imports is where the importer's newest registered version refers to,
 *            or, as long as there is none, has its import's name (common/money.proto; Avro: the full name of its type), as
 *            Confluent's serializers do. Else it is named after its topic: `orders.avsc` is of `orders-value`. With a map,
 *            files that are neither in it nor imported by one of it have no subject.
 * Why:       what is checked has to be what is registered, so both commands ask here.
 * Ownership: all lives in the arena that is given; files are the tree's.
 */
#ifndef CLI_SCHEMA_SUBJECTS_H
#define CLI_SCHEMA_SUBJECTS_H

#include "cli/schema_tree.h"
#include "cli/subject_map.h"
#include "schema-registry/client/registry_client.h"

struct file_subject {
	const char *name;
	const struct schema_file *rival; /* another file of that subject, which cannot be meant; NULL: none */
};

struct file_subjects {
	struct file_subject *items;
	size_t count;            /* 0: it is not registered */
	bool is_named_by_import; /* by nothing but that: nobody has registered it with an importer yet */
	enum { FILE_SUBJECTS_UNKNOWN, FILE_SUBJECTS_UNDER_WAY, FILE_SUBJECTS_KNOWN } state;
};

/* `map` NULL: by the rules alone. *ret_subjects has one for each file of the tree, in its order. -1: the registry cannot be
 * asked. */
NODISCARD int schema_subjects_find(const struct schema_tree *tree, const struct subject_map *map,
				   struct registry_client *client, struct arena *arena,
				   struct file_subjects **ret_subjects, struct error *err);

#endif
