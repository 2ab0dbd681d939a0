/*
 * protobuf_parser.h - .proto text or a serialized descriptor, checked and resolved by libprotobuf: the C face of its C++.
 *
 * Why:        a parser of .proto that agrees with protoc in every corner is protoc's own; everything after it is C.
 * Guarantees: no exception leaves; every problem of the file is told, with line and column where the text has one.
 * Ownership:  what protobuf_parse() gives back is malloc'ed; protobuf_parsed_release() frees it.
 * Threads:    any; nothing is shared but libprotobuf's own registry of the well-known types.
 */
#ifndef SCHEMA_REGISTRY_MODEL_PROTOBUF_PARSER_H
#define SCHEMA_REGISTRY_MODEL_PROTOBUF_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A file that may be imported; those it needs itself stand before it. */
struct protobuf_import {
	const char *name;
	const uint8_t *data; /* FileDescriptorProto */
	size_t len;
};

struct protobuf_source {
	const uint8_t *data;
	size_t len;
	bool is_descriptor; /* a serialized FileDescriptorProto instead of text */
	const struct protobuf_import *imports;
	size_t import_count;
	/* `line` and `column` from 1; 0 where there is no position. */
	void (*on_problem)(void *ctx, int line, int column, const char *text);
	void *ctx;
};

struct protobuf_parsed {
	uint8_t *written; /* FileDescriptorProto: names and options as they were written */
	size_t written_len;
	uint8_t *resolved; /* FileDescriptorSet: all imported files, then the file itself; names are complete */
	size_t resolved_len;
};

/* False: on_problem was called at least once. */
bool protobuf_parse(const struct protobuf_source *source, struct protobuf_parsed *ret_parsed);
void protobuf_parsed_release(struct protobuf_parsed *parsed);

/* Where the element of a SourceCodeInfo path begins in a .proto text, or else the one around it; from 1. The text is parsed
 * again, so that schemas need not keep the positions of all their parts. */
void protobuf_position(const uint8_t *text, size_t len, const int32_t *path, int path_len, size_t *ret_line,
		       size_t *ret_column);

#ifdef __cplusplus
}
#endif

#endif
