/*
 * scalar.h - what a plain value can become: the leniency that codec.h promises, in one place for both formats.
 *
 * Guarantees: nothing is rounded or cut silently: a number that does not fit exactly is no fit. The exception is an
 *             integer or double that goes into a narrower floating type, which is what such a type is for.
 */
#ifndef SCHEMA_REGISTRY_CODEC_SCALAR_H
#define SCHEMA_REGISTRY_CODEC_SCALAR_H

#include "schema-registry/codec/value.h"

bool scalar_to_int(const struct value *value, int64_t min, int64_t max, int64_t *ret_number);
bool scalar_to_uint(const struct value *value, uint64_t max, uint64_t *ret_number);
bool scalar_to_double(const struct value *value, double *ret_number); /* also TEXT: NaN, Infinity, -Infinity, numbers */
bool scalar_to_float(const struct value *value, float *ret_number);

/* The bytes themselves, or those that a TEXT holds in base64; decoded into `scratch`, which the caller releases. */
bool scalar_to_bytes(const struct value *value, struct buffer *scratch, struct bytes *ret_bytes);

/* True when all of it is UTF-8; fast where all of it is ASCII. */
bool text_is_utf8(struct bytes text);

/* The value in a few words, for a message: `text "abc"`, `number 1.5`, `a list`. */
enum { SCALAR_WORDS_LEN = 80 };
void scalar_describe(const struct value *value, char ret_words[SCALAR_WORDS_LEN]);

#endif
