/* text_cache_test.c - schemas by the text that they were sent as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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

static struct text_key key_of_number(size_t number)
{
	struct text_key key = {{0}};

	memcpy(key.digest, &number, sizeof(number));
	return key;
}

static bool has(struct text_cache *cache, size_t number)
{
	struct text_key key = key_of_number(number);
	struct schema *found = text_cache_get(cache, &key);

	schema_unref(found);
	return found != NULL;
}

static void what_was_not_asked_for_longest_goes_and_holders_keep_theirs(void **state)
{
	struct text_cache *cache = text_cache_new();
	struct schema *schema = parse("\"int\"");
	size_t room = TEXT_CACHE_BYTES_MAX / schema_bytes_about(strlen("\"int\""));
	struct text_key first = key_of_number(0);
	struct text_key second = key_of_number(1);
	struct schema *held;

	(void)state;
	text_cache_put(cache, &first, schema);
	text_cache_put(cache, &second, schema);
	held = text_cache_get(cache, &second);
	schema_unref(schema);
	for (size_t i = 2; i < room + 2; i++) {
		struct schema *next = parse("\"int\"");
		struct text_key key = key_of_number(i);

		assert_true(has(cache, 0)); /* asked for all the time */
		text_cache_put(cache, &key, next);
		schema_unref(next);
	}
	assert_true(has(cache, 0));
	assert_false(has(cache, 1));
	assert_true(has(cache, room + 1));
	assert_string_equal(schema_text(held), "\"int\"");
	schema_unref(held);
	text_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_found_by_format_order_and_every_byte),
		cmocka_unit_test(what_was_not_asked_for_longest_goes_and_holders_keep_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
