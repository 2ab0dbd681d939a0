/*
 * schema_file.h - the registry client's cache on disk: a file for each id, so that a restart can do without the registry.
 *
 * Guarantees: a file is there whole or not at all (written aside, synced, renamed); several processes may share the folder.
 *             What cannot be read or belongs to another registry counts as absent.
 * Ownership:  texts of a loaded file live in its JSON tree until schema_file_release().
 */
#ifndef SCHEMA_REGISTRY_CLIENT_SCHEMA_FILE_H
#define SCHEMA_REGISTRY_CLIENT_SCHEMA_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/bytes.h"
#include "schema-registry/model/schema.h"

struct schema_file_reference {
	const char *name;
	int32_t id;
};

struct schema_file {
	json_t *tree; /* when loaded */
	enum schema_format format;
	const char *text;
	struct schema_file_reference *references; /* heap, when loaded */
	size_t reference_count;
};

bool schema_file_load(const char *folder, const char *registry_url, int32_t id, struct schema_file *ret_file);
void schema_file_release(struct schema_file *file);

/*
 * Keeps what the registry just said of an id. Where the folder has said otherwise of it, that was another registry at the
 * same address (its data was lost, or replaced), and all its files go: none of their ids means anything here. Best effort:
 * what cannot be written is not there when the registry is away.
 */
void schema_file_keep(const char *folder, const char *registry_url, int32_t id, const struct schema_file *file);
/* The registry does not know the id: where the folder does, the same is true of it. */
void schema_file_deny(const char *folder, const char *registry_url, int32_t id);

#endif
