/*
 * protobuf_known.h - files that every .proto may import without a reference, beside those that libprotobuf brings.
 *
 * Why:        the compilers and registries that people use have them built in, so nobody registers them. Those with
 *             options are what data contracts in Protobuf are written with: (confluent.field_meta) = {tags: "PII"}.
 */
#ifndef SCHEMA_REGISTRY_MODEL_PROTOBUF_KNOWN_H
#define SCHEMA_REGISTRY_MODEL_PROTOBUF_KNOWN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct protobuf_known {
	const char *name;
	const char *text;
};

/* What one of them imports is in libprotobuf. */
const struct protobuf_known *protobuf_known_files(size_t *ret_count);

#ifdef __cplusplus
}
#endif

#endif
