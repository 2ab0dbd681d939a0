/*
 * schema_text.h - schemas as people read them, and what two of them have different, line by line.
 */
#ifndef CLI_SCHEMA_TEXT_H
#define CLI_SCHEMA_TEXT_H

#include "lib/base/bytes.h"
#include "schema-registry/model/schema.h"

/* Avro indented, Protobuf as the registry prints it; ends with a line end. */
void schema_text_append(struct buffer *out, const struct schema *schema);

/* Lines with "  ", "- " or "+ " in front: what is equal (a few around each change), what only the first or only the second has.
 * Nothing when they are equal. */
void schema_text_diff(struct buffer *out, const char *old_text, const char *new_text);

#endif
