/* schema_cache_test.c - what is kept, for whom, and until when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema-registry/server/schema_cache.h"

static struct schema_entry *put(struct schema_cache *cache, const char *context, int32_t id, uint8_t identity)
{
	struct stored_reference reference = {"Money", {".", "money"}, 1};
	struct stored_schema schema = {.id = id, .text = "\"long\"", .references = &reference, .reference_count = 1};

	memset(schema.identity, identity, sizeof(schema.identity));
	return schema_cache_put(cache, context, &schema);
}

static void keeps_ids_of_contexts_apart(void **state)
{
	struct schema_cache *cache = schema_cache_new(NULL);
	struct schema_entry *first = put(cache, ".", 1, 'a');
	struct schema_entry *second = put(cache, ".staging", 1, 'b');
	struct schema_entry *found = schema_cache_get(cache, ".", 1, false);

	(void)state;
	assert_ptr_equal(found, first);
	assert_ptr_not_equal(first, second);
	assert_null(schema_cache_get(cache, ".", 4097, true)); /* shares the bucket */
	schema_entry_unref(found);
	schema_entry_unref(first);
	schema_entry_unref(second);
	schema_cache_free(cache);
}

static void entries_outlive_their_removal(void **state)
{
	struct schema_cache *cache = schema_cache_new(NULL);
	struct schema_entry *entry = put(cache, ".", 1, 'a');

	(void)state;
	schema_cache_drop(cache, ".", 1);
	schema_cache_drop(cache, ".", 1);
	assert_null(schema_cache_get(cache, ".", 1, true));
	assert_string_equal(schema_entry_stored(entry)->text, "\"long\"");
	assert_string_equal(schema_entry_stored(entry)->references[0].subject.name, "money");
	schema_entry_unref(entry);
	schema_cache_free(cache);
}

static void keeps_the_parsed_form_while_the_identity_stays(void **state)
{
	struct schema_cache *cache = schema_cache_new(NULL);
	struct schema_entry *first = put(cache, ".", 1, 'a');
	struct schema_entry *again;
	struct problems problems;
	struct schema *schema = NULL;
	struct schema *parsed;

	(void)state;
	problems_init(&problems);
	assert_int_equal(schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text("\"long\""), NULL, 0, &schema, &problems), 0);
	schema_entry_set_parsed(cache, first, schema);
	again = put(cache, ".", 1, 'a');
	assert_ptr_equal(again, first);
	parsed = schema_entry_parsed(cache, again);
	assert_ptr_equal(parsed, schema);
	schema_unref(parsed);
	schema_entry_unref(again);
	again = put(cache, ".", 1, 'b'); /* deleted for good, and imported anew with another content */
	assert_ptr_not_equal(again, first);
	assert_null(schema_entry_parsed(cache, again));
	schema_entry_unref(again);
	schema_entry_unref(first);
	schema_unref(schema);
	problems_release(&problems);
	schema_cache_free(cache);
}

/* A text of so many bytes, and what a check made of it. */
static struct schema_entry *put_parsed(struct schema_cache *cache, int32_t id, size_t text_bytes, bool is_parsed)
{
	char *text = xmalloc(text_bytes);
	struct stored_schema stored = {.id = id, .text = text};
	struct schema *schema = NULL;
	struct schema_entry *entry;
	struct problems problems;

	memset(text, ' ', text_bytes);
	memcpy(text, "\"long\"", 6);
	text[text_bytes - 1] = 0;
	entry = schema_cache_put(cache, ".", &stored);
	if (is_parsed) {
		problems_init(&problems);
		assert_int_equal(
			schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text("\"long\""), NULL, 0, &schema, &problems), 0);
		schema_entry_set_parsed(cache, entry, schema);
		schema_unref(schema);
		problems_release(&problems);
	}
	free(text);
	return entry;
}

static bool has(struct schema_cache *cache, int32_t id, bool *ret_is_parsed)
{
	struct schema_entry *entry = schema_cache_get(cache, ".", id, true);
	struct schema *parsed = entry ? schema_entry_parsed(cache, entry) : NULL;

	*ret_is_parsed = parsed != NULL;
	schema_unref(parsed);
	schema_entry_unref(entry);
	return entry != NULL;
}

enum { TEXT_BYTES = 16 * 1024 };

/* Forms of 16 KB count for some 640 KB each: a dozen fit. The texts stay. */
static void parsed_forms_that_were_not_used_for_long_go(void **state)
{
	struct schema_cache *cache = schema_cache_new(NULL);
	bool is_parsed;

	(void)state;
	for (int32_t id = 1; id <= 40; id++) {
		schema_entry_unref(put_parsed(cache, id, TEXT_BYTES, true));
		assert_true(has(cache, 1, &is_parsed) && is_parsed); /* for it is used again and again */
	}
	assert_true(has(cache, 40, &is_parsed) && is_parsed);
	for (int32_t id = 2; id <= 20; id++)
		assert_true(has(cache, id, &is_parsed) && !is_parsed);
	schema_cache_free(cache);
}

static void texts_that_were_not_asked_for_long_go(void **state)
{
	enum { FITTING = SCHEMA_CACHE_TEXT_BYTES_MAX / TEXT_BYTES };
	struct schema_cache *cache = schema_cache_new(NULL);
	struct schema_entry *held = put_parsed(cache, 2, TEXT_BYTES, true);
	bool is_parsed;

	(void)state;
	schema_entry_unref(put_parsed(cache, 1, TEXT_BYTES, false));
	for (int32_t id = 3; id <= 2 * FITTING; id++) {
		schema_entry_unref(put_parsed(cache, id, TEXT_BYTES, false));
		assert_true(has(cache, 1, &is_parsed));
	}
	assert_false(has(cache, 2, &is_parsed));
	assert_false(has(cache, FITTING / 2, &is_parsed));
	assert_true(has(cache, 2 * FITTING, &is_parsed));
	assert_memory_equal(schema_entry_stored(held)->text, "\"long\"", 6);
	assert_null(schema_entry_parsed(cache, held)); /* who still needs it parses it for himself */
	schema_entry_unref(held);
	schema_cache_free(cache);
}

static void one_beyond_all_limits_is_used_but_not_kept(void **state)
{
	struct schema_cache *cache = schema_cache_new(NULL);
	struct schema_entry *huge = put_parsed(cache, 1, SCHEMA_CACHE_TEXT_BYTES_MAX + 1, true);
	bool is_parsed;

	(void)state;
	assert_false(has(cache, 1, &is_parsed));
	assert_int_equal(schema_entry_stored(huge)->id, 1);
	schema_entry_unref(huge);
	schema_cache_free(cache);
}

static void a_parsed_form_that_cannot_stay_drives_out_no_other(void **state)
{
	enum { SMALL_COUNT = 3, HUGE_ID };
	struct schema_cache *cache = schema_cache_new(NULL);
	bool is_parsed;

	(void)state;
	for (int32_t id = 1; id <= SMALL_COUNT; id++)
		schema_entry_unref(put_parsed(cache, id, TEXT_BYTES, true));
	schema_entry_unref(put_parsed(cache, HUGE_ID, SCHEMA_CACHE_PARSED_BYTES_MAX / 40, true));
	assert_true(has(cache, HUGE_ID, &is_parsed) && !is_parsed);
	for (int32_t id = 1; id <= SMALL_COUNT; id++)
		assert_true(has(cache, id, &is_parsed) && is_parsed);
	schema_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_ids_of_contexts_apart),
		cmocka_unit_test(entries_outlive_their_removal),
		cmocka_unit_test(keeps_the_parsed_form_while_the_identity_stays),
		cmocka_unit_test(parsed_forms_that_were_not_used_for_long_go),
		cmocka_unit_test(texts_that_were_not_asked_for_long_go),
		cmocka_unit_test(one_beyond_all_limits_is_used_but_not_kept),
		cmocka_unit_test(a_parsed_form_that_cannot_stay_drives_out_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
