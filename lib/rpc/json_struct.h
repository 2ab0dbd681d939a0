/*
 * json_struct.h - google.protobuf.Struct, built in an arena and shown as JSON.
 *
 * Why:        StartSaga's input is a Struct, whose only number is a double. Numbers that are not exact in a double travel
 *             as decimal strings, which the coordinator accepts for 64-bit integers.
 * Ownership:  everything is allocated in the arena; texts are copied.
 */
#ifndef LIB_RPC_JSON_STRUCT_H
#define LIB_RPC_JSON_STRUCT_H

#include "lib/base/arena.h"
#include "lib/rpc/json_tree.h"
#include "proto/google/protobuf/struct.pb-c.h"

Google__Protobuf__Struct *json_struct_new(struct arena *arena);
void json_struct_add(struct arena *arena, Google__Protobuf__Struct *target, const char *name,
		     Google__Protobuf__Value *value);

Google__Protobuf__Value *json_value_text(struct arena *arena, const char *text);
Google__Protobuf__Value *json_value_int(struct arena *arena, int64_t value);
Google__Protobuf__Value *json_value_bool(struct arena *arena, bool value);
Google__Protobuf__Value *json_value_struct(struct arena *arena, Google__Protobuf__Struct *value);
Google__Protobuf__Value *json_value_list(struct arena *arena, Google__Protobuf__Value **values, size_t count);

/* `object` must be a JSON_OBJECT. */
Google__Protobuf__Struct *json_struct_of_tree(struct arena *arena, const struct json_node *object);

/* Compact JSON, members in the order of the message. Nesting beyond JSON_DEPTH_MAX is shown as null. */
void json_struct_append(struct buffer *out, const Google__Protobuf__Struct *value);

#endif
