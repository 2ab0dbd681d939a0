/*
 * message_json.h - any protobuf-c message as JSON, by the canonical mapping of proto3.
 *
 * Why:        `-o json` of every command must be what other gRPC tools show: lowerCamel names, 64-bit integers as
 *             strings, enums by name, RFC 3339 times, Struct as plain JSON. Fields with their default value are left out.
 */
#ifndef CLI_MESSAGE_JSON_H
#define CLI_MESSAGE_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "lib/base/bytes.h"

void message_json_append(struct buffer *out, const ProtobufCMessage *message); /* indented by two, no line end */
void message_json_print(const ProtobufCMessage *message);                      /* on standard output, as a line */

#endif
