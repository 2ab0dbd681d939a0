/* subject_map_test.c - the map of subjects: what it says, and every mistake at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/subject_map.h"

static char folder[] = "/tmp/subject_map_test.XXXXXX";
static char path[64];
static char link_path[64];

static void write_map(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void entries_have_format_topic_and_path_beside_the_map(void **state)
{
	struct subject_map map;
	struct problems problems;
	struct error err;
	char expected[96];

	(void)state;
	problems_init(&problems);
	write_map("# shop\nsubjects:\n  - {subject: a-value, topic: a, schema: x/a.proto}\n"
		  "  - subject: b-input\n    schema: /else/b.avsc\n");
	assert_int_equal(subject_map_load(path, &map, &problems, &err), 0);
	assert_int_equal(map.count, 2);
	assert_string_equal(map.entries[0].subject, "a-value");
	assert_string_equal(map.entries[0].topic, "a");
	assert_int_equal(map.entries[0].format, SCHEMA_FORMAT_PROTOBUF);
	(void)snprintf(expected, sizeof(expected), "%s/x/a.proto", folder);
	assert_string_equal(map.entries[0].schema_path, expected);
	assert_null(map.entries[1].topic);
	assert_int_equal(map.entries[1].format, SCHEMA_FORMAT_AVRO);
	assert_string_equal(map.entries[1].schema_path, "/else/b.avsc");
	subject_map_release(&map);
	problems_release(&problems);
}

static void every_mistake_is_named_at_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *place; /* of the first problem */
		size_t count;
	} cases[] = {
		{"", ":1:1", 1},
		{"- a\n", ":1:1", 1},
		{"topics: []\n", ":1:1", 1},
		{"subjects: {}\n", ":1:11", 1},
		{"subjects:\n  - a\n  - [b]\n", ":2:5", 2},
		{"subjects:\n  - subject: a\n    schema: x.txt\n", ":3:13", 1},
		{"subjects:\n  - subject: a\n    schema: .proto\n", ":3:13", 1},
		{"subjects:\n  - subject: ''\n    schema: x.avsc\n    other: 1\n", ":2:14", 2},
		{"subjects:\n  - topic: t\n", ":2:5", 2},
		{"subjects:\n  - {subject: a, schema: x.avsc}\n  - {subject: a, schema: y.avsc}\n", ":3:5", 1},
		{"subjects: [\n", ":2:1", 1},
		{"a: &a [*a]\nsubjects: *a\n", ":1:1", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct subject_map map;
		struct problems problems;
		struct error err;
		char expected[96];

		problems_init(&problems);
		write_map(cases[i].text);
		assert_int_equal(subject_map_load(path, &map, &problems, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		(void)snprintf(expected, sizeof(expected), "%s%s", path, cases[i].place);
		assert_string_equal(problems.items[0].place, expected);
		assert_int_equal(problems.count, cases[i].count);
		problems_release(&problems);
	}
}

static void a_file_has_the_subjects_of_all_its_names(void **state)
{
	struct subject_map map;
	struct problems problems;
	const char *const *subjects;
	struct arena arena;
	struct error err;
	size_t count;

	(void)state;
	problems_init(&problems);
	arena_init(&arena, 0);
	write_map("subjects:\n  - {subject: a, schema: ./none.proto}\n  - {subject: b, schema: self.avsc}\n"
		  "  - subject: c\n    schema: ././self.avsc\n");
	(void)snprintf(link_path, sizeof(link_path), "%s/self.avsc", folder);
	assert_int_equal(symlink("map.yaml", link_path), 0);
	assert_int_equal(subject_map_load(path, &map, &problems, &err), 0);
	assert_string_equal(map.path, path);
	assert_null(map.entries[0].real_path);
	assert_int_equal(map.entries[2].subject_line, 4);
	assert_int_equal(map.entries[2].schema_line, 5);
	assert_int_equal(map.entries[2].schema_column, 13);
	subjects = subject_map_of(&map, path, &arena, &count); /* by its other name */
	assert_int_equal(count, 2);
	assert_string_equal(subjects[0], "b");
	assert_string_equal(subjects[1], "c");
	(void)subject_map_of(&map, "/none", &arena, &count);
	assert_int_equal(count, 0);
	assert_int_equal(unlink(link_path), 0);
	subject_map_release(&map);
	problems_release(&problems);
	arena_release(&arena);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/map.yaml", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_have_format_topic_and_path_beside_the_map),
		cmocka_unit_test(every_mistake_is_named_at_its_place),
		cmocka_unit_test(a_file_has_the_subjects_of_all_its_names),
	};

	return cmocka_run_group_tests_name("subject_map", tests, make_folder, remove_folder);
}
