/*
 * event_texts.h - the .proto files of what the coordinator tells on Kafka, as they are registered in the registry.
 *
 * Embedded by the build from the files themselves, so that what is registered is what the records were built from.
 */
#ifndef PROTO_EVENT_TEXTS_H
#define PROTO_EVENT_TEXTS_H

#include <stddef.h>

extern const unsigned char PROTO_SAGA_STUCK_TEXT[];
extern const size_t PROTO_SAGA_STUCK_TEXT_LEN;

#endif
