/*
 * compat_reporter.h - how a format's checker hands over what it finds; see compat.h for what becomes of it.
 */
#ifndef SCHEMA_REGISTRY_MODEL_COMPAT_REPORTER_H
#define SCHEMA_REGISTRY_MODEL_COMPAT_REPORTER_H

#include "schema-registry/model/compat.h"

enum { COMPAT_FINDINGS_MAX = 200, COMPAT_DEPTH_MAX = 500, COMPAT_STEPS_MAX = 50 * 1000 * 1000 };

struct compat_reporter {
	struct compat_report *report;
	const struct compat_update *update; /* what is checked, in whatever direction */
	bool is_forward;                    /* the old schema reads, the new one writes */
	size_t old_index;
};

/* Takes type, hint, path and place of the finding; the rest is filled in. Beyond COMPAT_FINDINGS_MAX nothing is kept.
 * `type` and `hint` must be constants; path and pointer are copied. */
void compat_reporter_add(struct compat_reporter *reporter, const struct compat_finding *finding, const char *format,
			 ...) PRINTF_LIKE(3, 4);

/* Does the reader understand everything that is written with the writer? */
bool avro_compat_check(const struct schema *reader, const struct schema *writer, struct compat_reporter *reporter);

/* Of WIRE, WIRE_JSON and STRICT; each includes the one before. */
enum compat_strictness { STRICTNESS_NONE, STRICTNESS_WIRE, STRICTNESS_WIRE_JSON, STRICTNESS_STRICT };

/* What the plain rules let through. Parts that were told of already are passed over. */
bool avro_strict_check(const struct schema *old, const struct schema *update, enum compat_strictness strictness,
		       struct compat_reporter *reporter);
bool protobuf_strict_check(const struct schema *old, const struct schema *update, enum compat_strictness strictness,
			   struct compat_reporter *reporter);

struct protobuf_message;

/* A message at the top of a file beside the one that is checked; NULL: there is none. */
const struct protobuf_message *protobuf_find_beside(const struct compat_reporter *reporter, struct bytes full_name,
						    const struct schema **ret_schema);

/* True when a finding of this comparison has that place already. */
bool compat_reporter_has(const struct compat_reporter *reporter, const struct schema_place *place);

/* May `original` become `update`? With a strictness what they import is compared, too, whether a field leads to it or not; and
 * below STRICT messages may move to other files. */
bool protobuf_compat_check(const struct schema *original, const struct schema *update,
			   enum compat_strictness strictness, struct compat_reporter *reporter);

#endif
