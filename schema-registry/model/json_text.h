/*
 * json_text.h - what jansson leaves out: compact printing that keeps numbers short, and where a value stands in a text.
 *
 * Why: jansson prints 0.1 as 0.10000000000000001 and forgets lines and columns once it has parsed.
 */
#ifndef SCHEMA_REGISTRY_MODEL_JSON_TEXT_H
#define SCHEMA_REGISTRY_MODEL_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/bytes.h"

/* What jansson found wrong with a text, without its own words for its flags. */
const char *json_failure_text(const json_error_t *failure);

/* Without blanks; keys as they stand, or sorted by their bytes. */
void json_append(struct buffer *out, const json_t *value, bool is_sorted);
void json_append_member(struct buffer *out, const char *key, const json_t *value, bool is_sorted);

/* The shortest digits that give the same double back; always with a point or an exponent, so it stays a double.
 * NaN and the infinities become the strings that Protobuf's JSON mapping gives them. */
void json_append_double(struct buffer *out, double number);

/* One step down into a text that jansson accepted: the member `key`, or the item `index` when key is NULL. */
struct json_place {
	const struct json_place *up;
	const char *key;
	size_t index;
};

/* Line and column, both from 1, of the value; where a part cannot be found, of the value around it. */
void json_locate(struct bytes text, const struct json_place *place, size_t *ret_line, size_t *ret_column);

/* Appends the JSON pointer (RFC 6901) of `part`, a value in the tree `root` by its identity; nothing where it is not. */
void json_append_pointer(struct buffer *out, const json_t *root, const json_t *part);

/* The same by a pointer; steps that are numbers are items of lists. */
void json_locate_pointer(struct bytes text, const char *pointer, size_t *ret_line, size_t *ret_column);

#endif
