/* text_cache_test.c - schemas by the text that they were sent as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema-registry/server/text_cache.h"

static struct schema *parse(const char *text)
{
	struct problems problems;
	struct schema *schema = NULL;

	problems_init(&problems);
	assert_int_equal(schema_parse(SCHEMA_FORMAT_AVRO, bytes_of_text(text), NULL, 0, &schema, &problems), 0);
	problems_release(&problems);
	return schema;
}

static void a_text_is_found_by_format_order_and_every_byte(void **state)
{
	struct text_cache *cache = text_cache_new();
	struct schema *schema = parse("\"int\"");
	struct text_key key = text_key_of(SCHEMA_FORMAT_AVRO, false, bytes_of_text("\"int\""));
	const struct text_key others[] = {text_key_of(SCHEMA_FORMAT_PROTOBUF, false, bytes_of_text("\"int\"")),
					  text_key_of(SCHEMA_FORMAT_AVRO, true, bytes_of_text("\"int\"")),
					  text_key_of(SCHEMA_FORMAT_AVRO, false, bytes_of_text("\"int\" "))};
	struct schema *found;

	(void)state;
	assert_null(text_cache_get(cache, &key));
	text_cache_put(cache, &key, schema);
	found = text_cache_get(cache, &key);
	assert_ptr_equal(found, schema);
	schema_unref(found);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_null(text_cache_get(cache, &others[i]));
	text_cache_free(cache);
	schema_unref(schema);
}

static void the_latest_of_a_slot_stays_and_holders_keep_theirs(void **state)
{
	struct text_cache *cache = text_cache_new();
	struct schema *first = parse("\"int\"");
	struct schema *second = parse("\"long\"");
	struct text_key first_key = {{7}};
	struct text_key second_key = {{7, 0, 1}};
	struct schema *held;

	(void)state;
	text_cache_put(cache, &first_key, first);
	held = text_cache_get(cache, &first_key);
	schema_unref(first);
	text_cache_put(cache, &second_key, second);
	assert_null(text_cache_get(cache, &first_key));
	assert_string_equal(schema_text(held), "\"int\"");
	schema_unref(held);
	schema_unref(second);
	text_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_found_by_format_order_and_every_byte),
		cmocka_unit_test(the_latest_of_a_slot_stays_and_holders_keep_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
