/*
 * avro_compat.c - can data that was written with one Avro schema be read with another? (compat.h)
 *
 * Rules:  Avro's schema resolution, as its Java library judges it: fields by name or the reader's alias, a reader's field that
 *         the writer lacks needs a default, types may widen, names count without their namespace, logical types do not count.
 * How:    records may contain themselves, so each pair of records is judged once and is taken to fit while under way. What was
 *         found to fit on the way through a union's branch that then failed may rest on such an assumption: it is forgotten.
 */
#include <assert.h>
#include <stdlib.h>

#include "lib/base/memory.h"
#include "schema-registry/model/avro.h"
#include "schema-registry/model/compat_reporter.h"
#include "schema-registry/model/json_text.h"

enum verdict { VERDICT_UNKNOWN, VERDICT_UNDER_WAY, VERDICT_FITS, VERDICT_MISFIT };

struct record_pair {
	const struct avro_type *reader;
	const struct avro_type *writer;
	enum verdict verdict;
	bool is_reported; /* a misfit whose reasons are in the report */
};

struct checker {
	struct compat_reporter *reporter;
	const struct schema *new_schema;
	const char *reader_name; /* "new" or "old" */
	const char *writer_name;
	int muted; /* > 0: a branch is only tried, its reasons are not told */
	int depth;
	size_t steps; /* up to COMPAT_STEPS_MAX: large unions cost the product of their branches */
	bool is_exhausted;
	struct record_pair *pairs;
	size_t pair_count;
	size_t pair_capacity;
	uint32_t *slots; /* hash table of positions + 1 in `pairs` */
	size_t slot_count;
	uint32_t *fitting; /* positions of pairs, in the order in which they were found to fit */
	size_t fitting_count;
	size_t fitting_capacity;
};

/* A part of a text: a value in the JSON tree of a schema. */
struct json_part {
	const struct schema *owner; /* NULL: as the step above */
	const json_t *json;         /* NULL: no part of its own */
};

/* A step of the path to the reader's part, /fields/0/type, and what stands there in the new schema's text, be that the
 * reader or the writer. */
struct compat_place {
	const struct compat_place *up;
	const char *name; /* NULL: the index */
	size_t index;
	struct json_part part;
	bool is_silent; /* no step of the path, only another part */
};

static bool check(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
		  const struct compat_place *place);

static void append_place(struct buffer *out, const struct compat_place *place)
{
	if (!place)
		return;
	append_place(out, place->up);
	if (place->is_silent)
		return;
	if (place->name)
		buffer_append_format(out, "/%s", place->name);
	else
		buffer_append_format(out, "/%zu", place->index);
}

/* Of two parts the one that is the new schema's. */
static struct json_part new_part(const struct checker *checker, const struct avro_type *reader,
				 const json_t *reader_json, const struct avro_type *writer, const json_t *writer_json)
{
	if (checker->reporter->is_forward)
		return (struct json_part){writer->owner, writer_json};
	return (struct json_part){reader->owner, reader_json};
}

/* The member of both types' declarations, as a part of the new one's. */
static struct json_part new_member(const struct checker *checker, const struct avro_type *reader,
				   const struct avro_type *writer, const char *key)
{
	return new_part(checker, reader, json_object_get(reader->json, key), writer,
			json_object_get(writer->json, key));
}

static const json_t *json_at(const struct checker *checker, const struct compat_place *place)
{
	while (place && !place->part.json)
		place = place->up;
	return place ? place->part.json : checker->new_schema->avro->json;
}

static const struct schema *owner_at(const struct checker *checker, const struct compat_place *place)
{
	while (place && !place->part.owner)
		place = place->up;
	return place ? place->part.owner : checker->new_schema;
}

static void report(struct checker *checker, const struct compat_place *place, struct compat_finding finding,
		   const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds "at path '…'" to the text. Nothing is told of a branch that is only tried, nor looked up for a full report: to find
 * the place walks through the whole schema. */
static void report(struct checker *checker, const struct compat_place *place, struct compat_finding finding,
		   const char *format, ...)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	_cleanup_(buffer_release)
	struct buffer path = {0};
	_cleanup_(buffer_release)
	struct buffer pointer = {0};
	va_list args;

	if (checker->muted > 0 || checker->reporter->report->count == COMPAT_FINDINGS_MAX)
		return;
	append_place(&path, place);
	if (path.len == 0)
		buffer_append_byte(&path, '/');
	finding.path = buffer_text(&path);
	finding.place.schema = owner_at(checker, place);
	json_append_pointer(&pointer, finding.place.schema->avro->json, json_at(checker, place));
	finding.place.pointer = buffer_text(&pointer);
	va_start(args, format);
	buffer_append_va(&text, format, args);
	va_end(args);
	compat_reporter_add(checker->reporter, &finding, "%s at path '%s'", buffer_text(&text), finding.path);
}

#define REPORT(checker, place, type_, hint_, ...)                                                                      \
	report(checker, place, (struct compat_finding){.type = (type_), .hint = (hint_)}, __VA_ARGS__)

/* What to do in the new schema: in the direction FORWARD the reader is the old one, and cannot be mended. */
static const char *advice(const struct checker *checker, const char *backward, const char *forward)
{
	return checker->reporter->is_forward ? forward : backward;
}

/* ---- pairs of records ---- */

static size_t hash_pair(const struct avro_type *reader, const struct avro_type *writer)
{
	uint64_t hash = (uint64_t)(uintptr_t)reader * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)writer;

	hash *= 0xbf58476d1ce4e5b9u;
	return (size_t)(hash ^ hash >> 29);
}

static uint32_t *slot_of(const struct checker *checker, const struct avro_type *reader, const struct avro_type *writer)
{
	size_t at = hash_pair(reader, writer) & (checker->slot_count - 1);

	for (;; at = (at + 1) & (checker->slot_count - 1)) {
		uint32_t *slot = &checker->slots[at];

		if (*slot == 0 ||
		    (checker->pairs[*slot - 1].reader == reader && checker->pairs[*slot - 1].writer == writer))
			return slot;
	}
}

static void grow_pairs(struct checker *checker)
{
	checker->pair_capacity = checker->pair_capacity ? checker->pair_capacity * 2 : 16;
	checker->pairs = xrealloc_array(checker->pairs, checker->pair_capacity, sizeof(*checker->pairs));
	free(checker->slots);
	checker->slot_count = checker->pair_capacity * 2;
	checker->slots = xcalloc(checker->slot_count, sizeof(*checker->slots));
	for (size_t i = 0; i < checker->pair_count; i++)
		*slot_of(checker, checker->pairs[i].reader, checker->pairs[i].writer) = (uint32_t)i + 1;
}

static size_t find_pair(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer)
{
	uint32_t *slot;

	if (checker->pair_count == checker->pair_capacity)
		grow_pairs(checker);
	slot = slot_of(checker, reader, writer);
	if (*slot == 0) {
		checker->pairs[checker->pair_count++] = (struct record_pair){reader, writer, VERDICT_UNKNOWN, false};
		*slot = (uint32_t)checker->pair_count;
	}
	return *slot - 1;
}

static void note_fitting(struct checker *checker, size_t at)
{
	if (checker->fitting_count == checker->fitting_capacity) {
		checker->fitting_capacity = checker->fitting_capacity ? checker->fitting_capacity * 2 : 16;
		checker->fitting =
			xrealloc_array(checker->fitting, checker->fitting_capacity, sizeof(*checker->fitting));
	}
	checker->fitting[checker->fitting_count++] = (uint32_t)at;
}

static void forget_fitting(struct checker *checker, size_t mark)
{
	while (checker->fitting_count > mark)
		checker->pairs[checker->fitting[--checker->fitting_count]].verdict = VERDICT_UNKNOWN;
}

/* ---- rules ---- */

/* Namespaces do not count between the names; an alias counts with its own. */
static bool has_name_of(const struct avro_type *reader, const struct avro_type *writer)
{
	if (strcmp(reader->name, writer->name) == 0)
		return true;
	for (size_t i = 0; i < reader->alias_count; i++) {
		if (strcmp(reader->aliases[i], writer->base.full_name) == 0)
			return true;
	}
	return false;
}

static bool check_name(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
		       const struct compat_place *place)
{
	struct compat_place at = {.up = place, .name = "name", .part = new_member(checker, reader, writer, "name")};

	if (has_name_of(reader, writer))
		return true;
	REPORT(checker, &at, "NAME_MISMATCH",
	       advice(checker, "keep the name, or list the older one among the aliases", "keep the name"),
	       "the name '%s' of the %s schema is '%s' in the %s schema,", reader->base.full_name, checker->reader_name,
	       writer->base.full_name, checker->writer_name);
	return false;
}

static bool check_fixed(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			const struct compat_place *place)
{
	struct compat_place at = {.up = place, .name = "size", .part = new_member(checker, reader, writer, "size")};
	bool fits = check_name(checker, reader, writer, place);

	if (reader->fixed_bytes == writer->fixed_bytes)
		return fits;
	REPORT(checker, &at, "FIXED_SIZE_MISMATCH", "give the other size another name, in a new field",
	       "the size %zu of the %s schema is %zu in the %s schema,", reader->fixed_bytes, checker->reader_name,
	       writer->fixed_bytes, checker->writer_name);
	return false;
}

static bool check_enum(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
		       const struct compat_place *place)
{
	struct compat_place at = {
		.up = place, .name = "symbols", .part = new_member(checker, reader, writer, "symbols")};
	bool fits = check_name(checker, reader, writer, place);
	_cleanup_(buffer_release)
	struct buffer missing = {0};

	for (size_t i = 0; i < writer->symbol_count; i++) {
		if (name_index_find(&reader->symbol_index, bytes_of_text(writer->symbols[i])) < 0)
			buffer_append_format(&missing, "%s%s", missing.len > 0 ? ", " : "", writer->symbols[i]);
	}
	if (missing.len == 0 || reader->default_symbol >= 0)
		return fits;
	REPORT(checker, &at, "MISSING_ENUM_SYMBOLS",
	       advice(checker, "keep the symbols, or give the enum a default that stands for unknown ones",
		      "leave out what the old enum does not know, since it has no default that stands for it"),
	       "the %s schema lacks the symbols [%s] of the %s schema's enum", checker->reader_name,
	       buffer_text(&missing), checker->writer_name);
	return false;
}

static const struct avro_field *find_field(const struct avro_type *record, const char *name)
{
	int64_t at = name_index_find(&record->field_index, bytes_of_text(name));

	return at < 0 ? NULL : &record->fields[at];
}

static const struct avro_field *find_written_field(const struct avro_field *field, const struct avro_type *writer)
{
	const struct avro_field *found = find_field(writer, field->name);

	for (size_t i = 0; !found && i < field->alias_count; i++)
		found = find_field(writer, field->aliases[i]);
	return found;
}

static bool check_fields(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			 const struct compat_place *place)
{
	struct compat_place fields_at = {.up = place, .name = "fields"};
	bool fits = true;

	for (size_t i = 0; i < reader->field_count; i++) {
		const struct avro_field *field = &reader->fields[i];
		const struct avro_field *written = find_written_field(field, writer);
		struct compat_place field_at = {
			.up = &fields_at,
			.index = i,
			.part = new_part(checker, reader, field->json, writer, json_object_get(writer->json, "name"))};
		struct compat_place type_at = {.up = &field_at, .name = "type"};

		if (written) {
			type_at.part = new_part(checker, reader, json_object_get(field->json, "type"), writer,
						json_object_get(written->json, "type"));
			fits &= check(checker, field->type, written->type, &type_at);
		} else if (!field->default_json &&
			   !(field->type->kind == AVRO_ENUM && field->type->default_symbol >= 0)) {
			REPORT(checker, &field_at, "READER_FIELD_MISSING_DEFAULT_VALUE",
			       advice(checker, "give the field a default", "keep the field"),
			       "field '%s' of the %s schema has no default and is missing in the %s schema,",
			       field->name, checker->reader_name, checker->writer_name);
			fits = false;
		}
	}
	return fits;
}

static bool check_records(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			  const struct compat_place *place)
{
	const struct record_pair *pair;
	size_t at;
	bool fits;

	at = find_pair(checker, reader, writer);
	pair = &checker->pairs[at];
	if (pair->verdict == VERDICT_UNDER_WAY || pair->verdict == VERDICT_FITS)
		return true;
	if (pair->verdict == VERDICT_MISFIT && (pair->is_reported || checker->muted > 0))
		return false;
	checker->pairs[at].verdict = VERDICT_UNDER_WAY;
	fits = check_name(checker, reader, writer, place);
	fits &= check_fields(checker, reader, writer, place);
	checker->pairs[at].verdict = fits ? VERDICT_FITS : VERDICT_MISFIT;
	checker->pairs[at].is_reported = !fits && checker->muted == 0;
	if (fits)
		note_fitting(checker, at);
	return fits;
}

static bool is_promotion(enum avro_kind reader, enum avro_kind writer)
{
	switch (reader) {
	case AVRO_LONG:
		return writer == AVRO_INT;
	case AVRO_FLOAT:
		return writer == AVRO_INT || writer == AVRO_LONG;
	case AVRO_DOUBLE:
		return writer == AVRO_INT || writer == AVRO_LONG || writer == AVRO_FLOAT;
	case AVRO_BYTES:
		return writer == AVRO_STRING;
	case AVRO_STRING:
		return writer == AVRO_BYTES;
	default:
		return false;
	}
}

/* ---- unions ---- */

/* What can be told of a branch without looking inside. */
static bool may_fit(const struct avro_type *branch, const struct avro_type *writer)
{
	if (branch->kind != writer->kind)
		return is_promotion(branch->kind, writer->kind);
	return branch->kind < AVRO_FIXED || has_name_of(branch, writer);
}

static bool try_branch(struct checker *checker, const struct avro_type *branch, const struct avro_type *writer)
{
	size_t mark = checker->fitting_count;
	bool fits;

	checker->muted++;
	fits = check(checker, branch, writer, NULL);
	checker->muted--;
	if (!fits)
		forget_fitting(checker, mark);
	return fits;
}

/* The branch that was meant, when none fits: the one of the same kind and name. */
static bool is_meant(const struct avro_type *branch, const struct avro_type *writer)
{
	return branch->kind == writer->kind && branch->kind >= AVRO_ARRAY &&
	       (branch->kind < AVRO_FIXED || strcmp(branch->name, writer->name) == 0);
}

static bool check_reader_union(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			       const struct compat_place *place)
{
	checker->steps += reader->branch_count;
	for (size_t i = 0; i < reader->branch_count; i++) {
		if (may_fit(reader->branches[i], writer) && try_branch(checker, reader->branches[i], writer))
			return true;
	}
	for (size_t i = 0; i < reader->branch_count; i++) {
		struct compat_place at = {.up = place, .index = i};

		if (!checker->reporter->is_forward)
			at.part.json = json_array_get(json_at(checker, place), i);
		if (is_meant(reader->branches[i], writer)) {
			(void)check(checker, reader->branches[i], writer, &at); /* for its reasons */
			if (checker->reporter->report->count > 0)
				return false;
		}
	}
	REPORT(checker, place, "MISSING_UNION_BRANCH",
	       advice(checker, "add the type to the union", "leave the type out of the union"),
	       "the union of the %s schema has no branch for type '%s' of the %s schema,", checker->reader_name,
	       writer->base.full_name, checker->writer_name);
	return false;
}

/* Whatever branch the data holds must be readable. */
static bool check_writer_union(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			       const struct compat_place *place)
{
	bool fits = true;

	for (size_t i = 0; i < writer->branch_count; i++) {
		struct compat_place at = {.up = place, .index = i, .is_silent = reader->kind != AVRO_UNION};

		if (checker->reporter->is_forward)
			at.part.json = json_array_get(json_at(checker, place), i);
		fits &= check(checker, reader, writer->branches[i], &at);
	}
	return fits;
}

/* ---- types ---- */

static bool check_same_kind(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			    const struct compat_place *place)
{
	const char *element = reader->kind == AVRO_ARRAY ? "items" : "values";
	struct compat_place at = {.up = place, .name = element};

	switch (reader->kind) {
	case AVRO_ARRAY:
	case AVRO_MAP:
		at.part = new_member(checker, reader, writer, element);
		return check(checker, reader->element, writer->element, &at);
	case AVRO_FIXED:
		return check_fixed(checker, reader, writer, place);
	case AVRO_ENUM:
		return check_enum(checker, reader, writer, place);
	case AVRO_RECORD:
		return check_records(checker, reader, writer, place);
	default:
		return true;
	}
}

static bool check_inner(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
			const struct compat_place *place)
{
	if (writer->kind == AVRO_UNION)
		return check_writer_union(checker, reader, writer, place);
	if (reader->kind == AVRO_UNION)
		return check_reader_union(checker, reader, writer, place);
	if (reader->kind == writer->kind)
		return check_same_kind(checker, reader, writer, place);
	if (is_promotion(reader->kind, writer->kind))
		return true;
	REPORT(checker, place, "TYPE_MISMATCH",
	       advice(checker, "a type may only widen: int, long, float, double; or use a new field",
		      "keep the type, or use a new field: the old schema reads no wider one"),
	       "type '%s' of the %s schema cannot read type '%s' of the %s schema,", reader->base.full_name,
	       checker->reader_name, writer->base.full_name, checker->writer_name);
	return false;
}

static bool check(struct checker *checker, const struct avro_type *reader, const struct avro_type *writer,
		  const struct compat_place *place)
{
	bool fits;

	if (checker->depth == COMPAT_DEPTH_MAX) {
		REPORT(checker, place, "NESTED_TOO_DEEP", "make the schema flatter", "more than %d types are nested",
		       COMPAT_DEPTH_MAX);
		return false;
	}
	if (++checker->steps > COMPAT_STEPS_MAX) {
		if (!checker->is_exhausted) /* told even when muted: it decides the verdict */
			compat_reporter_add(checker->reporter,
					    &(struct compat_finding){.type = "TOO_COMPLEX",
								     .path = "/",
								     .hint = "make the unions smaller",
								     .place = {checker->new_schema, ""}},
					    "the comparison takes more than %d steps, at path '/'", COMPAT_STEPS_MAX);
		checker->is_exhausted = true;
		return false;
	}
	checker->depth++;
	fits = check_inner(checker, reader, writer, place);
	checker->depth--;
	return fits;
}

bool avro_compat_check(const struct schema *reader, const struct schema *writer, struct compat_reporter *reporter)
{
	struct checker checker = {.reporter = reporter,
				  .new_schema = reporter->is_forward ? writer : reader,
				  .reader_name = reporter->is_forward ? "old" : "new",
				  .writer_name = reporter->is_forward ? "new" : "old"};
	bool fits = check(&checker, avro_type_of(reader->root), avro_type_of(writer->root), NULL);

	free(checker.pairs);
	free(checker.slots);
	free(checker.fitting);
	return fits;
}
