/*
 * message_reader.h - bytes of a Protobuf message from outside, checked before protobuf-c sees them, then unpacked.
 *
 * Why:        protobuf-c recurses without a limit, takes invalid UTF-8 and zero bytes in strings (which are then cut),
 *             and lets small messages grow to hundreds of megabytes. All of that is refused here.
 * Limits:     depth MESSAGE_DEPTH_MAX; memory: the arena's limit.
 * Ownership:  the message lives in the arena; it is never freed by itself.
 */
#ifndef COORDINATOR_API_MESSAGE_READER_H
#define COORDINATOR_API_MESSAGE_READER_H

#include <protobuf-c/protobuf-c.h>

#include "lib/base/arena.h"
#include "lib/base/bytes.h"
#include "lib/base/problems.h"

enum { MESSAGE_DEPTH_MAX = 100 };

/* Every illegal string is a problem with its field's path. -1 with ERR_INVALID (undecodable, or problems), or ERR_LIMIT
 * (too deep, or too much memory). */
NODISCARD int message_read(const ProtobufCMessageDescriptor *type, struct bytes bytes, struct arena *arena,
			   ProtobufCMessage **ret_message, struct problems *problems, struct error *err);

#endif
