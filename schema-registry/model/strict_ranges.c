/* strict_ranges.c - numbers and names that messages and enums have given up, or left to extensions (protobuf_strict.h). */
#include <stdlib.h>

#include "schema-registry/model/protobuf_strict.h"

/* ---- sets of numbers ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct number_range *left = a;
	const struct number_range *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Sorts them, and makes one of those that touch. */
static void merge(struct number_ranges *ranges)
{
	size_t count = 0;

	if (ranges->count > 1)
		qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
	for (size_t i = 0; i < ranges->count; i++) {
		struct number_range *last = count > 0 ? &ranges->items[count - 1] : NULL;

		if (last && ranges->items[i].first <= last->last + 1)
			last->last = ranges->items[i].last > last->last ? ranges->items[i].last : last->last;
		else
			ranges->items[count++] = ranges->items[i];
	}
	ranges->count = count;
}

static void add(struct number_ranges *ranges, int64_t first, int64_t last)
{
	ranges->items[ranges->count++] = (struct number_range){first, last};
}

/* The range of `ranges` that has the number; NULL: none. */
static const struct number_range *find(const struct number_ranges *ranges, int64_t number)
{
	size_t low = 0;
	size_t high = ranges->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct number_range *range = &ranges->items[middle];

		if (number >= range->first && number <= range->last)
			return range;
		if (range->last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool have(const struct number_ranges *ranges, struct number_range wanted)
{
	const struct number_range *range = find(ranges, wanted.first);

	return range && wanted.last <= range->last;
}

/* ---- what is reserved ---- */

static struct name_index index_names(struct strict_checker *checker, char *const *names, size_t count)
{
	struct name_index index = {0};

	for (size_t i = 0; i < count; i++)
		(void)name_index_add(&index, &checker->arena, names[i], i); /* once is enough */
	return index;
}

static void add_reserved(struct number_ranges *ranges, const message_proto *message)
{
	for (size_t i = 0; i < message->n_reserved_range; i++) /* a message's end is one past its last */
		add(ranges, message->reserved_range[i]->start, (int64_t)message->reserved_range[i]->end - 1);
}

struct strict_reserved strict_reserved_of_message(struct strict_checker *checker, const message_proto *message)
{
	size_t bytes = (message->n_reserved_range + 1) * sizeof(struct number_range);
	struct strict_reserved reserved = {
		.numbers.items = arena_alloc(&checker->arena, bytes),
		.names = index_names(checker, message->reserved_name, message->n_reserved_name)};

	add_reserved(&reserved.numbers, message);
	merge(&reserved.numbers);
	return reserved;
}

struct strict_reserved strict_reserved_of_enum(struct strict_checker *checker, const enum_proto *enumeration)
{
	size_t bytes = (enumeration->n_reserved_range + 1) * sizeof(struct number_range);
	struct strict_reserved reserved = {
		.numbers.items = arena_alloc(&checker->arena, bytes),
		.names = index_names(checker, enumeration->reserved_name, enumeration->n_reserved_name)};

	for (size_t i = 0; i < enumeration->n_reserved_range; i++)
		add(&reserved.numbers, enumeration->reserved_range[i]->start, enumeration->reserved_range[i]->end);
	merge(&reserved.numbers);
	return reserved;
}

bool strict_reserves_number(const struct strict_reserved *reserved, int64_t number)
{
	return find(&reserved->numbers, number) != NULL;
}

bool strict_reserves_name(const struct strict_reserved *reserved, const char *name)
{
	return name_index_find(&reserved->names, bytes_of_text(name)) >= 0;
}

/* ---- what is reserved no longer ---- */

static void report_freed_numbers(struct strict_checker *checker, const struct strict_spot *spot,
				 struct number_range range)
{
	static const char hint[] = "keep it reserved; old data may still hold it";

	if (range.first == range.last)
		strict_report(checker, spot, "RESERVED_NUMBER_FREED", hint, "number %lld was reserved and is no longer",
			      (long long)range.first);
	else
		strict_report(checker, spot, "RESERVED_NUMBER_FREED", hint,
			      "numbers %lld to %lld were reserved, and not all of them are any longer",
			      (long long)range.first, (long long)range.last);
}

static void report_freed_name(struct strict_checker *checker, const struct strict_spot *spot, const char *name)
{
	strict_report(checker, spot, "RESERVED_NAME_FREED", "keep the name reserved; old JSON may still hold it",
		      "the name '%s' was reserved and is no longer", name);
}

/* Where what is left of the reservations stands; where nothing is, the message or enum itself. */
static struct strict_spot reservations(struct strict_checker *checker, const struct strict_spot *spot, int number_field,
				       size_t number_count, int name_field, size_t name_count, bool is_name)
{
	bool has_numbers = number_count > 0 && (!is_name || name_count == 0);

	if (has_numbers)
		return strict_below(checker, spot, NULL, number_field, 0);
	if (name_count > 0)
		return strict_below(checker, spot, NULL, name_field, 0);
	return *spot;
}

/* Of a number that was freed the field that uses it is what has to be mended. */
static struct strict_spot place_of_number(struct strict_checker *checker, const struct strict_spot *spot,
					  const struct strict_message *update, struct number_range range)
{
	const message_proto *proto = update->proto;

	for (size_t i = 0; i < update->table->field_count; i++) {
		const struct protobuf_field *field = &update->table->fields[update->table->by_number[i]];

		if (field->number >= range.first && field->number <= range.last)
			return strict_below(checker, spot, NULL, MESSAGE_FIELD,
					    (size_t)(field - update->table->fields));
	}
	return reservations(checker, spot, MESSAGE_RESERVED_RANGE, proto->n_reserved_range, MESSAGE_RESERVED_NAME,
			    proto->n_reserved_name, false);
}

static struct strict_spot place_of_name(struct strict_checker *checker, const struct strict_spot *spot,
					const struct strict_message *update, const char *name)
{
	int64_t at = name_index_find(&update->table->field_index, bytes_of_text(name));

	if (at >= 0)
		return strict_below(checker, spot, NULL, MESSAGE_FIELD, (size_t)at);
	return reservations(checker, spot, MESSAGE_RESERVED_RANGE, update->proto->n_reserved_range,
			    MESSAGE_RESERVED_NAME, update->proto->n_reserved_name, true);
}

static void check_reserved(struct strict_checker *checker, const struct strict_spot *spot,
			   const struct strict_message *old, const struct strict_message *update)
{
	for (size_t i = 0; i < old->proto->n_reserved_range; i++) {
		struct number_range range = {old->proto->reserved_range[i]->start,
					     (int64_t)old->proto->reserved_range[i]->end - 1};
		struct strict_spot place;

		if (have(&update->reserved.numbers, range))
			continue;
		place = place_of_number(checker, spot, update, range);
		report_freed_numbers(checker, &place, range);
	}
	for (size_t i = 0; i < old->proto->n_reserved_name && checker->strictness >= STRICTNESS_WIRE_JSON; i++) {
		const char *name = old->proto->reserved_name[i];
		struct strict_spot place;

		if (strict_reserves_name(&update->reserved, name))
			continue;
		place = place_of_name(checker, spot, update, name);
		report_freed_name(checker, &place, name);
	}
}

/* ---- what is left to extensions ---- */

/* What may have become of the numbers of extensions: below STRICT they may be reserved, or a field where the extension was. */
static struct number_ranges ranges_for_extensions(struct strict_checker *checker, const struct strict_message *update)
{
	const message_proto *proto = update->proto;
	struct number_ranges ranges = {.items = arena_alloc(&checker->arena, (proto->n_extension_range +
									      proto->n_reserved_range + proto->n_field +
									      1) * sizeof(*ranges.items))};

	for (size_t i = 0; i < proto->n_extension_range; i++)
		add(&ranges, proto->extension_range[i]->start, (int64_t)proto->extension_range[i]->end - 1);
	if (checker->strictness < STRICTNESS_STRICT) {
		add_reserved(&ranges, proto);
		for (size_t i = 0; i < proto->n_field; i++) {
			if (strict_find_extension(&checker->old_extensions, update->full_name, proto->field[i]->number))
				add(&ranges, proto->field[i]->number, proto->field[i]->number);
		}
	}
	merge(&ranges);
	return ranges;
}

static void report_closed_numbers(struct strict_checker *checker, const struct strict_spot *spot,
				  struct number_range range)
{
	const char *hint = checker->strictness >= STRICTNESS_STRICT
				   ? "keep the range: extensions in other files may use it"
				   : "keep the range, or reserve it: extensions in other files may use it";

	if (range.first == range.last)
		strict_report(checker, spot, "EXTENSION_RANGE_REMOVED", hint,
			      "number %lld was left to extensions and is no longer", (long long)range.first);
	else
		strict_report(checker, spot, "EXTENSION_RANGE_REMOVED", hint,
			      "numbers %lld to %lld were left to extensions, and not all of them are any longer",
			      (long long)range.first, (long long)range.last);
}

static void check_extension_ranges(struct strict_checker *checker, const struct strict_spot *spot,
				   const struct strict_message *old, const struct strict_message *update)
{
	struct number_ranges ranges = {0};

	if (old->proto->n_extension_range > 0)
		ranges = ranges_for_extensions(checker, update);
	for (size_t i = 0; i < old->proto->n_extension_range; i++) {
		struct number_range range = {old->proto->extension_range[i]->start,
					     (int64_t)old->proto->extension_range[i]->end - 1};
		struct strict_spot place = *spot;

		if (have(&ranges, range))
			continue;
		if (update->proto->n_extension_range > 0)
			place = strict_below(checker, spot, NULL, MESSAGE_EXTENSION_RANGE, 0);
		report_closed_numbers(checker, &place, range);
	}
}

void strict_check_message_ranges(struct strict_checker *checker, const struct strict_spot *spot,
				 const struct strict_message *old, const struct strict_message *update)
{
	check_reserved(checker, spot, old, update);
	check_extension_ranges(checker, spot, old, update);
}

/* ---- enums ---- */

static struct strict_spot place_of_value(struct strict_checker *checker, const struct strict_spot *spot,
					 const enum_proto *update, const struct number_range *range, const char *name)
{
	for (size_t i = 0; i < update->n_value; i++) {
		int32_t number = update->value[i]->number;

		if (name ? strcmp(update->value[i]->name, name) == 0 : number >= range->first && number <= range->last)
			return strict_below(checker, spot, NULL, ENUM_VALUE, i);
	}
	return reservations(checker, spot, ENUM_RESERVED_RANGE, update->n_reserved_range, ENUM_RESERVED_NAME,
			    update->n_reserved_name, name != NULL);
}

void strict_check_enum_ranges(struct strict_checker *checker, const struct strict_spot *spot, const enum_proto *old,
			      const enum_proto *update, const struct strict_reserved *reserved)
{
	for (size_t i = 0; i < old->n_reserved_range; i++) {
		struct number_range range = {old->reserved_range[i]->start, old->reserved_range[i]->end};
		struct strict_spot place;

		if (have(&reserved->numbers, range))
			continue;
		place = place_of_value(checker, spot, update, &range, NULL);
		report_freed_numbers(checker, &place, range);
	}
	for (size_t i = 0; i < old->n_reserved_name && checker->strictness >= STRICTNESS_WIRE_JSON; i++) {
		struct strict_spot place;

		if (strict_reserves_name(reserved, old->reserved_name[i]))
			continue;
		place = place_of_value(checker, spot, update, NULL, old->reserved_name[i]);
		report_freed_name(checker, &place, old->reserved_name[i]);
	}
}
