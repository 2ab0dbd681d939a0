/* topic_plan_test.c - which topics there should be, and what is said of those that fall short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/topic_plan.h"

enum { DAY_MS = 86400000 };

static const struct topic_sizes SIZES = {.partitions = 6,
					 .replication = 3,
					 .retention_ms = 7 * (int64_t)DAY_MS,
					 .dead_retention_ms = 30 * (int64_t)DAY_MS};

static void side_topics_stand_beside_each_topic_once(void **state)
{
	static const char *const names[] = {"a.command", "a.command.dlq", "a.command.retry.1s", "a.command.retry.30s",
					    "b",         "b.dlq"};
	struct topic_plan plan;

	(void)state;
	topic_plan_init(&plan, &SIZES);
	topic_plan_add(&plan, "b", "one");
	topic_plan_add(&plan, "a.command", "one");
	topic_plan_add(&plan, "b", "two");
	topic_plan_add(&plan, "b", "two");
	topic_plan_sort(&plan);
	assert_int_equal(plan.count, ARRAY_LEN(names));
	for (size_t i = 0; i < plan.count; i++) {
		const struct topic_want *want = &plan.items[i];
		bool is_dead = strstr(want->topic.name, ".dlq") != NULL;

		assert_string_equal(want->topic.name, names[i]);
		assert_int_equal(want->topic.partitions, is_dead ? 1 : 6);
		assert_int_equal(want->topic.replication_factor, 3);
		assert_int_equal(want->topic.retention_ms, (is_dead ? 30 : 7) * (int64_t)DAY_MS);
		assert_int_equal(want->needed_count, names[i][0] == 'b' ? 2 : 1);
		assert_string_equal(want->needed_by[0], "one");
	}
	topic_plan_release(&plan);
}

static void what_is_less_than_wanted_or_deletes_early_is_a_problem(void **state)
{
	static const char *const said[] = {"has 3 partitions, not 6", "has 1 replica, not 3",
					   "keeps records for 90m, not 7d",
					   "deletes what is beyond 1000 bytes of a partition",
					   "is compacted: of each key only the last record stays"};
	const struct topic_want want = {
		.topic = {.name = "a", .partitions = 6, .replication_factor = 3, .retention_ms = 7 * (int64_t)DAY_MS}};
	struct topic_state bad = {.name = "a",
				  .exists = true,
				  .partitions = 3,
				  .replication_factor = 1,
				  .retention_ms = 90 * 60 * 1000,
				  .retention_bytes = 1000,
				  .cleanup = "compact,delete"};
	const struct topic_state good = {.name = "a",
					 .exists = true,
					 .partitions = 12,
					 .replication_factor = 3,
					 .retention_ms = -1,
					 .retention_bytes = -1,
					 .cleanup = "delete"};
	const char *problems[TOPIC_PROBLEMS_MAX];
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(topic_want_check(&want, &good, &arena, problems), 0);
	assert_int_equal(topic_want_check(&want, &bad, &arena, problems), ARRAY_LEN(said));
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		assert_string_equal(problems[i], said[i]);
	bad.exists = false;
	assert_int_equal(topic_want_check(&want, &bad, &arena, problems), 1);
	assert_string_equal(problems[0], "does not exist");
	arena_release(&arena);
}

static void retentions_are_in_their_largest_whole_unit(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{-1, "for ever"}, {0, "0ms"},      {1, "1ms"},       {2000, "2s"},
		     {60000, "1m"},    {3600000, "1h"}, {86400000, "1d"}, {90000000, "25h"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buffer_release)
		struct buffer out = {0};

		retention_append(&out, cases[i].ms);
		assert_string_equal(buffer_text(&out), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(side_topics_stand_beside_each_topic_once),
		cmocka_unit_test(what_is_less_than_wanted_or_deletes_early_is_a_problem),
		cmocka_unit_test(retentions_are_in_their_largest_whole_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
