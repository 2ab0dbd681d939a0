/*
 * descriptors.h - the serialized google.protobuf.FileDescriptorSet of the API and all that it imports, for reflection.
 *
 * Made from the .proto files by the build, with their comments, so what tools show is what the server was built from.
 */
#ifndef PROTO_DESCRIPTORS_H
#define PROTO_DESCRIPTORS_H

#include <stddef.h>

extern const unsigned char PROTO_DESCRIPTORS[];
extern const size_t PROTO_DESCRIPTORS_LEN;

#endif
