/*
 * base64.h - base64 (RFC 4648) in and out: how JSON carries bytes and how clients send serialized descriptors.
 *
 * Decoding takes the standard and the URL alphabet, with or without padding, and nothing else: no blanks, no line ends.
 */
#ifndef SCHEMA_REGISTRY_MODEL_BASE64_H
#define SCHEMA_REGISTRY_MODEL_BASE64_H

#include <stdbool.h>

#include "lib/base/bytes.h"

void base64_append(struct buffer *out, struct bytes data);

/* False, and `out` as it was, when the text is not base64. */
bool base64_decode(struct bytes text, struct buffer *out);
bool base64_is_valid(struct bytes text);

#endif
