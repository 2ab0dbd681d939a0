/*
 * descriptor_index.h - the server's .proto files by name and by the symbols they declare, for reflection.
 *
 * Guarantees: files are served as the compiler wrote them, byte for byte.
 * Threads:    immutable after descriptor_index_new(); any thread.
 */
#ifndef COORDINATOR_API_DESCRIPTOR_INDEX_H
#define COORDINATOR_API_DESCRIPTOR_INDEX_H

#include <stddef.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"

struct descriptor_index;

struct descriptor_file {
	const char *name;   /* "saga/v1/saga.proto" */
	struct bytes bytes; /* a serialized google.protobuf.FileDescriptorProto */
	const struct descriptor_file *const *imports;
	size_t import_count;
};

/* `set` is a serialized google.protobuf.FileDescriptorSet that holds every import; borrowed. ERR_CORRUPT. */
NODISCARD int descriptor_index_new(struct bytes set, struct descriptor_index **ret_index, struct error *err);
void descriptor_index_free(struct descriptor_index *index);
DEFINE_CLEANUP(struct descriptor_index *, descriptor_index_free)

const struct descriptor_file *descriptor_index_file(const struct descriptor_index *index,
						    const char *name); /* or NULL */
/* The file that declares a package-qualified message, field, enum, enum value, service or method; or NULL. */
const struct descriptor_file *descriptor_index_symbol(const struct descriptor_index *index, const char *symbol);
bool descriptor_index_is_message(const struct descriptor_index *index, const char *symbol);
/* Full names, in the order of the set. */
const char *const *descriptor_index_services(const struct descriptor_index *index, size_t *ret_count);

/* The file and all that it imports, each once, itself first. Returns the count; at most `max` are written. */
size_t descriptor_file_closure(const struct descriptor_file *file, const struct descriptor_file **ret_files,
			       size_t max);

#endif
