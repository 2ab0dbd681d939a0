/*
 * compat_reporter.h - how a format's checker hands over what it finds; see compat.h for what becomes of it.
 */
#ifndef SCHEMA_REGISTRY_MODEL_COMPAT_REPORTER_H
#define SCHEMA_REGISTRY_MODEL_COMPAT_REPORTER_H

#include "schema-registry/model/compat.h"

enum { COMPAT_FINDINGS_MAX = 200, COMPAT_DEPTH_MAX = 500, COMPAT_STEPS_MAX = 50 * 1000 * 1000 };

struct compat_reporter {
	struct compat_report *report;
	bool is_forward; /* the old schema reads, the new one writes */
	size_t old_index;
};

/* Beyond COMPAT_FINDINGS_MAX nothing is kept. `type` and `hint` must be constants; the description gets the path's words. */
void compat_reporter_add(struct compat_reporter *reporter, const char *type, const char *hint, const char *path,
			 const char *format, ...) PRINTF_LIKE(5, 6);

/* Does the reader understand everything that is written with the writer? */
bool avro_compat_check(const struct schema *reader, const struct schema *writer, struct compat_reporter *reporter);

/* May `original` become `update`? */
bool protobuf_compat_check(const struct schema *original, const struct schema *update,
			   struct compat_reporter *reporter);

#endif
