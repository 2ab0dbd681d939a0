/*
 * protobuf_options.h - the options of a file, message, field, … as the lines a .proto has for them.
 *
 * Why: text keeps options as they were written (uninterpreted), a serialized descriptor has them as fields of an options
 *      message; both become the same list of `name = value`. Custom options of a serialized descriptor are not shown,
 *      since their names are in files that it need not bring.
 */
#ifndef SCHEMA_REGISTRY_MODEL_PROTOBUF_OPTIONS_H
#define SCHEMA_REGISTRY_MODEL_PROTOBUF_OPTIONS_H

#include <protobuf-c/protobuf-c.h>

#include "lib/base/arena.h"

struct option_list {
	const char **items; /* "deprecated = true" */
	size_t count;
	size_t capacity;
};

void option_list_add(struct option_list *list, struct arena *arena, const char *text);

/* `options` NULL: none. */
void option_list_collect(struct option_list *list, struct arena *arena, const ProtobufCMessage *options);
void option_list_sort(struct option_list *list);

/* The text in quotes, as a .proto writes it. */
void proto_append_quoted(struct buffer *out, const void *data, size_t len);

#endif
