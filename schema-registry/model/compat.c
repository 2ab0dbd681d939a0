/* compat.c - see compat.h: levels, which schemas are compared in which direction, and how findings are told. */
#include "schema-registry/model/compat.h"

#include <assert.h>

#include "schema-registry/model/compat_reporter.h"

static const struct {
	const char *name;
	bool checks_backward;
	bool checks_forward;
	bool is_transitive;
	enum compat_strictness strictness;
} levels[] = {
	[COMPAT_NONE] = {"NONE", false, false, false, STRICTNESS_NONE},
	[COMPAT_BACKWARD] = {"BACKWARD", true, false, false, STRICTNESS_NONE},
	[COMPAT_BACKWARD_TRANSITIVE] = {"BACKWARD_TRANSITIVE", true, false, true, STRICTNESS_NONE},
	[COMPAT_FORWARD] = {"FORWARD", false, true, false, STRICTNESS_NONE},
	[COMPAT_FORWARD_TRANSITIVE] = {"FORWARD_TRANSITIVE", false, true, true, STRICTNESS_NONE},
	[COMPAT_FULL] = {"FULL", true, true, false, STRICTNESS_NONE},
	[COMPAT_FULL_TRANSITIVE] = {"FULL_TRANSITIVE", true, true, true, STRICTNESS_NONE},
	[COMPAT_WIRE] = {"WIRE", true, false, true, STRICTNESS_WIRE},
	[COMPAT_WIRE_JSON] = {"WIRE_JSON", true, false, true, STRICTNESS_WIRE_JSON},
	[COMPAT_STRICT] = {"STRICT", true, false, true, STRICTNESS_STRICT},
};
static_assert(ARRAY_LEN(levels) == COMPAT_LEVEL_COUNT, "one row for each level");

const char *compat_level_name(enum compat_level level)
{
	assert((unsigned)level < COMPAT_LEVEL_COUNT);
	return levels[level].name;
}

bool compat_level_is_transitive(enum compat_level level)
{
	assert((unsigned)level < COMPAT_LEVEL_COUNT);
	return levels[level].is_transitive;
}

bool compat_level_parse(const char *text, enum compat_level *ret_level)
{
	for (size_t i = 0; text && i < ARRAY_LEN(levels); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*ret_level = (enum compat_level)i;
			return true;
		}
	}
	return false;
}

void compat_report_init(struct compat_report *report)
{
	*report = (struct compat_report){0};
	arena_init(&report->arena, 0);
}

void compat_report_release(struct compat_report *report)
{
	arena_release(&report->arena);
	*report = (struct compat_report){0};
}

void compat_reporter_add(struct compat_reporter *reporter, const struct compat_finding *finding, const char *format,
			 ...)
{
	struct compat_report *report = reporter->report;
	_cleanup_(buffer_release)
	struct buffer text = {0};
	va_list args;

	if (report->count == COMPAT_FINDINGS_MAX)
		return;
	if (report->count == report->capacity) {
		size_t capacity = report->capacity ? report->capacity * 2 : 8;
		struct compat_finding *items = arena_alloc(&report->arena, capacity * sizeof(*items));

		if (report->count > 0)
			memcpy(items, report->items, report->count * sizeof(*items));
		report->items = items;
		report->capacity = capacity;
	}
	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	report->items[report->count++] = (struct compat_finding){
		.type = finding->type,
		.path = arena_strdup(&report->arena, finding->path),
		.description = arena_strndup(&report->arena, buffer_text(&text), text.len),
		.hint = finding->hint,
		.is_forward = reporter->is_forward,
		.old_index = reporter->old_index,
		.place = {finding->place.schema, arena_strdup(&report->arena, finding->place.pointer)},
	};
}

bool compat_reporter_has(const struct compat_reporter *reporter, const struct schema_place *place)
{
	for (size_t i = 0; i < reporter->report->count; i++) {
		const struct compat_finding *finding = &reporter->report->items[i];

		if (finding->old_index == reporter->old_index && finding->place.schema == place->schema &&
		    strcmp(finding->place.pointer, place->pointer) == 0)
			return true;
	}
	return false;
}

/* Both directions are checked even when the first one fails: who mends the schema needs all of it. */
static bool check_pair(enum compat_level level, const struct schema *new_schema, const struct schema *old,
		       struct compat_reporter *reporter)
{
	bool is_avro = schema_format(new_schema) == SCHEMA_FORMAT_AVRO;
	bool fits = true;

	if (schema_format(new_schema) != schema_format(old)) {
		struct compat_finding finding = {.type = "SCHEMA_TYPE_CHANGED",
						 .path = is_avro ? "/" : "#/",
						 .hint = "register it under another subject",
						 .place = {new_schema, ""}};

		compat_reporter_add(reporter, &finding, "the new schema is of type %s, the old one of type %s",
				    schema_format_name(schema_format(new_schema)),
				    schema_format_name(schema_format(old)));
		return false;
	}
	if (levels[level].checks_backward) {
		reporter->is_forward = false;
		fits = is_avro ? avro_compat_check(new_schema, old, reporter)
			       : protobuf_compat_check(old, new_schema, levels[level].strictness, reporter);
	}
	/* A new message makes Protobuf's rules fail forward, so the stricter levels judge it by rules of their own. */
	if (levels[level].checks_forward || (levels[level].strictness && is_avro)) {
		reporter->is_forward = true;
		fits &= is_avro ? avro_compat_check(old, new_schema, reporter)
				: protobuf_compat_check(new_schema, old, STRICTNESS_NONE, reporter);
	}
	if (levels[level].strictness) {
		reporter->is_forward = false;
		fits &= is_avro ? avro_strict_check(old, new_schema, levels[level].strictness, reporter)
				: protobuf_strict_check(old, new_schema, levels[level].strictness, reporter);
	}
	return fits;
}

bool compat_check_in_tree(enum compat_level level, const struct compat_update *update, const struct schema *const *old,
			  size_t old_count, struct compat_report *report)
{
	struct compat_reporter reporter = {.report = report, .update = update};
	size_t count = levels[level].is_transitive || old_count == 0 ? old_count : 1;

	report->level = level;
	for (size_t i = 0; i < count && level != COMPAT_NONE; i++) {
		reporter.old_index = i;
		if (!check_pair(level, update->schema, old[i], &reporter)) {
			assert(report->count > 0); /* a refusal without a reason helps nobody */
			report->old = old[i];
			return false;
		}
	}
	return true;
}

bool compat_check(enum compat_level level, const struct schema *new_schema, const struct schema *const *old,
		  size_t old_count, struct compat_report *report)
{
	const struct compat_update update = {.schema = new_schema};

	return compat_check_in_tree(level, &update, old, old_count, report);
}

static const char *finding_line(struct compat_report *report, const struct compat_finding *finding)
{
	return arena_format(&report->arena, "{errorType:'%s', description:'%s', additionalInfo:'%s'}", finding->type,
			    finding->description, finding->hint);
}

const char *const *compat_messages(struct compat_report *report, const int32_t *old_versions, size_t *ret_count)
{
	const char **lines = arena_alloc(&report->arena, (report->count + 3) * sizeof(*lines));
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		lines[count++] = finding_line(report, &report->items[i]);
	if (report->old && old_versions)
		lines[count++] = arena_format(&report->arena, "{oldSchemaVersion: %d}",
					      old_versions[report->items[0].old_index]);
	if (report->old) {
		lines[count++] = arena_format(&report->arena, "{oldSchema: '%s'}", schema_text(report->old));
		lines[count++] = arena_format(&report->arena, "{compatibility: '%s'}", levels[report->level].name);
	}
	*ret_count = count;
	return lines;
}
