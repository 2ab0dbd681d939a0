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

/* 2,000 schemas of 16 KB are 32 MB of texts, which fit; parsed, they are many times that. */
static void parsed_forms_count_for_the_limit(void **state)
{
	enum { SCHEMAS = 2000, TEXT_BYTES = 16 * 1024 };
	struct schema_cache *cache = schema_cache_new(NULL);
	char *text = xmalloc(TEXT_BYTES);
	struct problems problems;
	struct schema *schema = NULL;

	(void)state;
	problems_init(&problems);
	memset(text, ' ', TEXT_BYTES);
	memcpy(text, "\"long\"", 6);
	text[TEXT_BYTES - 1] = 0;
	assert_int_equal(schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text(text), NULL, 0, &schema, &problems), 0);
	for (int with_parsed = 0; with_parsed <= 1; with_parsed++) {
		struct schema_entry *entry;

		for (int32_t id = 1; id <= SCHEMAS; id++) {
			struct stored_schema stored = {.id = id, .text = text};

			entry = schema_cache_put(cache, with_parsed ? ".parsed" : ".", &stored);
			if (with_parsed)
				schema_entry_set_parsed(cache, entry, schema);
			schema_entry_unref(entry);
		}
		entry = schema_cache_get(cache, with_parsed ? ".parsed" : ".", 1, true);
		assert_true(with_parsed ? entry == NULL : entry != NULL);
		schema_entry_unref(entry);
	}
	schema_unref(schema);
	problems_release(&problems);
	schema_cache_free(cache);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_ids_of_contexts_apart),
		cmocka_unit_test(entries_outlive_their_removal),
		cmocka_unit_test(keeps_the_parsed_form_while_the_identity_stays),
		cmocka_unit_test(parsed_forms_count_for_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
