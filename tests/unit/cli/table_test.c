/* table_test.c - columns, colours, and lines that fit the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "cli/table.h"
#include "lib/base/memory.h"

static const char *const HEAD[] = {"SAGA", "STEP", "REASON"};

static void fill(struct table *table)
{
	table_add_head(table, HEAD);
	table_add(table, TABLE_PLAIN, "%s", "0190-1");
	table_add(table, TABLE_GREEN, "%s", "größer");
	table_add(table, TABLE_PLAIN, "%s", "");
	table_add(table, TABLE_PLAIN, "%s", "0190-2");
	table_add(table, TABLE_RED, "%s", "charge-payment");
	table_add(table, TABLE_PLAIN, "%s", "card declined:\n\033[2J no funds");
}

static void assert_prints(const struct table *table, const char *expected)
{
	_cleanup_(buffer_release)
	struct buffer out = {0};

	table_print(table, &out);
	assert_string_equal(buffer_text(&out), expected);
}

static void columns_are_aligned_and_nothing_trails(void **state)
{
	struct table table;

	(void)state;
	table_init(&table, 3, false);
	fill(&table);
	assert_prints(&table, "  SAGA    STEP            REASON\n"
			      "  0190-1  größer\n"
			      "  0190-2  charge-payment  card declined:  [2J no funds\n");
	table_release(&table);
}

static void colours_surround_the_text_alone(void **state)
{
	struct table table;

	(void)state;
	table_init(&table, 2, true);
	table_add(&table, TABLE_RED, "%s", "x");
	table_add(&table, TABLE_PLAIN, "%s", "y");
	table_add(&table, TABLE_RED, "%s", "");
	table_add(&table, TABLE_BOLD, "%s", "z");
	assert_prints(&table, "  \033[31mx\033[0m  y\n     \033[1mz\033[0m\n");
	table_release(&table);
}

static void flexible_columns_give_way_to_the_width_and_others_never(void **state)
{
	struct table table;

	(void)state;
	table_init(&table, 3, false);
	fill(&table);
	table.width_max = 40;
	table.flexible = 1u << 2;
	assert_prints(&table, "  SAGA    STEP            REASON\n"
			      "  0190-1  größer\n"
			      "  0190-2  charge-payment  card declined…\n");
	table.width_max = 30;
	table.flexible = 1u << 1 | 1u << 2;
	assert_prints(&table, "  SAGA    STEP       REASON\n"
			      "  0190-1  größer\n"
			      "  0190-2  charge-p…  card dec…\n");
	table.width_max = 5; /* no more can be taken than a column's least */
	assert_prints(&table, "  SAGA    STEP      REASON\n"
			      "  0190-1  größer\n"
			      "  0190-2  charge-…  card de…\n");
	table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned_and_nothing_trails),
		cmocka_unit_test(colours_surround_the_text_alone),
		cmocka_unit_test(flexible_columns_give_way_to_the_width_and_others_never),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
