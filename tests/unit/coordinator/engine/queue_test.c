/* queue_test.c - starts take turns by definition, and a flood of one leaves room for the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/engine/queue.h"

static const struct plan FLOOD = {.definition = {.name = "flood"}};
static const struct plan OTHER = {.definition = {.name = "other"}};

static enum queue_answer push(struct queue *queue, struct start_item *item, const struct plan *plan)
{
	*item = (struct start_item){.request = {.plan = plan}};
	return queue_push_starts(queue, item, 1);
}

static void takes_starts_in_turns_by_definition(void **state)
{
	struct start_item items[6];
	struct queue_load load;
	struct queue queue;

	(void)state;
	queue_init(&queue, 100);
	for (int i = 0; i < 5; i++)
		assert_int_equal(push(&queue, &items[i], &FLOOD), QUEUE_TAKEN);
	assert_int_equal(push(&queue, &items[5], &OTHER), QUEUE_TAKEN);
	queue_take(&queue, 3, &load);
	assert_int_equal(load.start_count, 3);
	assert_ptr_equal(load.starts, &items[0]);
	assert_ptr_equal(load.starts->next, &items[5]);
	assert_ptr_equal(load.starts->next->next, &items[1]);
	assert_null(load.starts->next->next->next);
	queue_take(&queue, 100, &load);
	assert_int_equal(load.start_count, 3);
	assert_ptr_equal(load.starts, &items[2]);
	assert_int_equal(queue_length(&queue), 0);
	queue_release(&queue);
}

static void a_full_queue_has_a_share_left_for_another_definition(void **state)
{
	struct start_item items[5], refused, others[3];
	struct queue_load load;
	struct queue queue;

	(void)state;
	queue_init(&queue, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(push(&queue, &items[i], &FLOOD), QUEUE_TAKEN);
	assert_int_equal(push(&queue, &items[4], &FLOOD), QUEUE_FULL);
	assert_int_equal(push(&queue, &others[0], &OTHER), QUEUE_TAKEN);
	assert_int_equal(push(&queue, &others[1], &OTHER), QUEUE_TAKEN);
	assert_int_equal(push(&queue, &others[2], &OTHER), QUEUE_FULL);
	assert_int_equal(push(&queue, &refused, &FLOOD), QUEUE_FULL);
	queue_end(&queue, &load);
	assert_int_equal(load.start_count, 6);
	queue_release(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_starts_in_turns_by_definition),
		cmocka_unit_test(a_full_queue_has_a_share_left_for_another_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
