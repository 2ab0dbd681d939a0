/* schema_uses_test.c - what a file needs of others, read without parsing it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/schema_uses.h"
#include "lib/base/memory.h"

static void expect(const struct schema_names *names, const char *const *expected, size_t count)
{
	assert_int_equal(names->count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(names->items[i], expected[i]);
}

static void imports_are_found_and_nothing_that_looks_like_one(void **state)
{
	static const char text[] = "syntax = \"proto3\"; // import \"a.proto\";\n/* import \"b.proto\"; */\n"
				   "import \"c/d.proto\";import public 'e.proto';\nimport weak \"f.proto\";\n"
				   "option (x) = \"import \\\"g.proto\\\"\";\n"
				   "message import { string import = 1 [json_name = \"h.proto\"]; }\n"
				   "/* import \"i.proto\"";
	struct schema_names imports;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	schema_uses_of_proto(bytes_of_text(text), &arena, &imports);
	expect(&imports, (const char *const[]){"c/d.proto", "e.proto", "f.proto"}, 3);
	arena_release(&arena);
}

static void texts_that_end_early_are_harmless(void **state)
{
	static const char *const texts[] = {"",  "import", "import \"", "import \"a", "import \"a\\",
					    "/", "/*",     "//",        "\"\\"};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct bytes copy = arena_bytes(&arena, bytes_of_text(texts[i]));
		struct schema_names imports;

		schema_uses_of_proto(copy, &arena, &imports);
		assert_true(imports.count <= 1);
		assert_non_null(schema_uses_of_avro(copy, &arena));
	}
	arena_release(&arena);
}

static void names_of_avro_are_complete(void **state)
{
	static const char text[] =
		"{\"type\":\"record\",\"name\":\"A\",\"namespace\":\"n\",\"fields\":["
		"{\"name\":\"a\",\"type\":[\"null\",\"B\",{\"type\":\"array\",\"items\":\"m.C\"}]},"
		"{\"name\":\"d\",\"type\":{\"type\":\"enum\",\"name\":\"o.D\",\"symbols\":[\"X\"]}}]}";
	struct arena arena;
	const struct schema_uses *uses;

	(void)state;
	arena_init(&arena, 0);
	uses = schema_uses_of_avro(bytes_of_text(text), &arena);
	expect(&uses->declared, (const char *const[]){"n.A", "o.D"}, 2);
	expect(&uses->used, (const char *const[]){"n.B", "B", "m.C", "m.C"}, 4);
	arena_release(&arena);
}

/* Whether the namespace is written or comes from around, and what is said about it, is no difference. */
static void copies_of_a_type_have_equal_definitions(void **state)
{
	static const char outer[] = "{\"type\":\"record\",\"name\":\"B\",\"namespace\":\"n\",\"doc\":\"b\",\"fields\":["
				    "{\"name\":\"c\",\"doc\":\"c\",\"type\":{\"type\":\"map\",\"values\":{\"type\":"
				    "\"fixed\",\"name\":\"F\","
				    "\"size\":1,\"doc\":\"f\"}}}]}";
	static const char inner[] =
		"{\"type\":\"record\",\"name\":\"n.A\",\"fields\":[{\"name\":\"b\",\"type\":"
		"{\"fields\":[{\"name\":\"c\",\"type\":{\"type\":\"map\",\"values\":"
		"{\"type\":\"fixed\",\"name\":\"F\",\"size\":1}}}],\"type\":\"record\",\"name\":\"B\"}}]}";
	static const char other[] = "{\"type\":\"enum\",\"name\":\"n.B\",\"symbols\":[]}";
	struct schema_uses *uses[3];
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	uses[0] = schema_uses_of_avro(bytes_of_text(outer), &arena);
	uses[1] = schema_uses_of_avro(bytes_of_text(inner), &arena);
	uses[2] = schema_uses_of_avro(bytes_of_text(other), &arena);
	assert_string_equal(uses[1]->declared.items[1], "n.B");
	assert_int_equal(uses[1]->definitions.count, 3);
	assert_string_equal(uses[0]->definitions.items[0], uses[1]->definitions.items[1]);
	assert_string_not_equal(uses[0]->definitions.items[0], uses[2]->definitions.items[0]);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imports_are_found_and_nothing_that_looks_like_one),
		cmocka_unit_test(texts_that_end_early_are_harmless),
		cmocka_unit_test(names_of_avro_are_complete),
		cmocka_unit_test(copies_of_a_type_have_equal_definitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
