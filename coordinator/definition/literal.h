/*
 * literal.h - a fixed value of a definition, `{value: 5}`, as a value tree.
 *
 * Rules:      plain null, true, false and numbers are what they look like; everything quoted is a text; where the target
 *             is a text or an enum, a plain word or number is a text, too.
 */
#ifndef COORDINATOR_DEFINITION_LITERAL_H
#define COORDINATOR_DEFINITION_LITERAL_H

#include "coordinator/definition/yaml.h"
#include "schema-registry/codec/value.h"
#include "schema-registry/model/schema.h"

/* Texts are the tree's. Whether it fits is the codec's to say. */
struct value literal_value(const struct yaml_node *node, const struct schema_field *target, struct arena *arena);

#endif
