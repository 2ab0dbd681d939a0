/*
 * compat.h - may a subject go from its old schemas to a new one, and if not: every reason, where, and what helps.
 *
 * Why:        a schema that breaks its readers is found at registration, by the one who changes it, not in production.
 * Rules:      the verdicts are those of Confluent's registry: for Avro the reader/writer resolution of the Avro library,
 *             for Protobuf the differences that break the wire or generated code. BACKWARD: the new schema reads data of
 *             the old one. FORWARD: the old one reads data of the new one. FULL: both.
 *             Three levels of our own catch what these let through, each all of the one before, against all old schemas.
 *             WIRE: data means the same to old and new (numbers reserved, oneofs, enums, logical types, defaults).
 *             WIRE_JSON: as JSON, too (names). STRICT: generated code still compiles.
 * Ownership:  findings and messages live in the report's arena; compat_report_release() ends them. The report borrows the
 *             old schemas until then.
 * Threads:    schemas are immutable, so any number of checks may run at once; a report has one owner.
 */
#ifndef SCHEMA_REGISTRY_MODEL_COMPAT_H
#define SCHEMA_REGISTRY_MODEL_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "schema-registry/model/schema.h"

enum compat_level {
	COMPAT_NONE,
	COMPAT_BACKWARD,
	COMPAT_BACKWARD_TRANSITIVE,
	COMPAT_FORWARD,
	COMPAT_FORWARD_TRANSITIVE,
	COMPAT_FULL,
	COMPAT_FULL_TRANSITIVE,
	COMPAT_WIRE,
	COMPAT_WIRE_JSON,
	COMPAT_STRICT,
	COMPAT_LEVEL_COUNT
};

const char *compat_level_name(enum compat_level level);                  /* "BACKWARD_TRANSITIVE" */
bool compat_level_parse(const char *text, enum compat_level *ret_level); /* exactly those names; NULL is false */

bool compat_level_is_transitive(enum compat_level level); /* looks at all old schemas, not just the newest */

struct compat_finding {
	const char *type;          /* "READER_FIELD_MISSING_DEFAULT_VALUE", "FIELD_SCALAR_KIND_CHANGED", … */
	const char *path;          /* Avro "/fields/0/type", Protobuf "#/Charge/2" */
	const char *description;   /* for people, names the path */
	const char *hint;          /* what to do about it; "" where there is no general advice */
	bool is_forward;           /* found while the old schema reads data of the new one */
	size_t old_index;          /* which of the old schemas */
	struct schema_place place; /* in the new schema or its imports: what has to be mended */
};

struct compat_report {
	struct arena arena;
	struct compat_finding *items;
	size_t count;
	size_t capacity;
	enum compat_level level;
	const struct schema *old; /* the one that does not fit; NULL: all fit */
};

void compat_report_init(struct compat_report *report);
void compat_report_release(struct compat_report *report);

/*
 * `old` newest first; levels that are not transitive look only at old[0]. Stops at the first old schema that does not
 * fit and lists everything that is wrong with it. Another format than the old one's never fits. True when compatible.
 */
bool compat_check(enum compat_level level, const struct schema *new_schema, const struct schema *const *old,
		  size_t old_count, struct compat_report *report);

/* A schema that is checked as one of many, which change together. */
struct compat_update {
	const struct schema *schema;
	/* The others, of any format: what a Protobuf file had may be in them now. At WIRE and WIRE_JSON that is no break, as it
	 * is none when the type is in what the file imports. */
	const struct schema *const *beside;
	size_t beside_count;
};

bool compat_check_in_tree(enum compat_level level, const struct compat_update *update, const struct schema *const *old,
			  size_t old_count, struct compat_report *report);

/*
 * The lines that `?verbose=true` answers: one for each finding, then the old schema's version and text and the level.
 * `old_versions` are the version numbers of `old`, in its order; NULL leaves that line out. None when all fit.
 */
const char *const *compat_messages(struct compat_report *report, const int32_t *old_versions, size_t *ret_count);

#endif
