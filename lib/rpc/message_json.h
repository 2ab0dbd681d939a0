/*
 * message_json.h - any protobuf-c message as JSON, by the canonical mapping of proto3.
 *
 * Why:        `-o json` of every command must be what other gRPC tools show: lowerCamel names, 64-bit integers as
 *             strings, enums by name, RFC 3339 times, durations in seconds, Struct as plain JSON. Fields with their default value are left out.
 */
#ifndef LIB_RPC_MESSAGE_JSON_H
#define LIB_RPC_MESSAGE_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "lib/base/bytes.h"

enum message_json_style {
	MESSAGE_JSON_INDENTED, /* by two */
	MESSAGE_JSON_LINE,
};

void message_json_append(struct buffer *out, const ProtobufCMessage *message, enum message_json_style style);
/* The same on standard output, with the end of the line. */
void message_json_print(const ProtobufCMessage *message, enum message_json_style style);

#endif
