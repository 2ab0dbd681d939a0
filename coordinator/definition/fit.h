/*
 * fit.h - can a field be filled from another one, and the value that then goes into it.
 *
 * Rules:      integers fit where every value does; float fits double, and integers of 32 bits fit double; an enum fits a
 *             text; lists and maps fit by their elements; a record fits a record whose required fields it has, by
 *             equal names, each fitting in turn; fields that the target does not know are left out.
 */
#ifndef COORDINATOR_DEFINITION_FIT_H
#define COORDINATOR_DEFINITION_FIT_H

#include "lib/base/arena.h"
#include "schema-registry/codec/value.h"
#include "schema-registry/model/schema.h"

/* NULL: it fits. Else why not, `text does not fit int32` or `items.quantity: …`. Whether the source may be absent is the
 * caller's to ask, but for fields inside of records. */
const char *fit_check(const struct schema_field *source, const struct schema_field *target, struct arena *arena);

/* The value as the target takes it: records without what the target does not know. Borrows from `value`. */
struct value fit_value(const struct value *value, const struct schema_field *target, struct arena *arena);

const char *fit_describe(const struct schema_field *field, struct arena *arena); /* int64, list of record, … */

#endif
