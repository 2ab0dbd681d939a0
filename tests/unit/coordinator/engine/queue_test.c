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

static void starts_have_a_bound_of_their_own_and_other_definitions_their_share(void **state)
{
	struct start_item items[5], others[2];
	struct queue_load load;
	struct queue queue;

	(void)state;
	queue_init(&queue, 100);
	queue_limit_starts(&queue, 2);
	assert_int_equal(queue_look(&queue, "flood"), QUEUE_TAKEN);
	for (int i = 0; i < 2; i++)
		assert_int_equal(push(&queue, &items[i], &FLOOD), QUEUE_TAKEN);
	assert_int_equal(queue_look(&queue, "flood"), QUEUE_FULL);
	assert_int_equal(push(&queue, &items[2], &FLOOD), QUEUE_FULL);
	assert_int_equal(queue_look(&queue, "other"), QUEUE_TAKEN);
	assert_int_equal(push(&queue, &others[0], &OTHER), QUEUE_TAKEN);
	assert_int_equal(push(&queue, &others[1], &OTHER), QUEUE_FULL);
	queue_take(&queue, 1, &load);
	assert_int_equal(queue_starts(&queue), 2);
	assert_int_equal(push(&queue, &items[3], &FLOOD), QUEUE_FULL);
	queue_limit_starts(&queue, SIZE_MAX);
	assert_int_equal(push(&queue, &items[4], &FLOOD), QUEUE_TAKEN);
	queue_end(&queue, &load);
	assert_int_equal(load.start_count, 3);
	assert_int_equal(queue_look(&queue, "other"), QUEUE_CLOSED);
	queue_release(&queue);
}

static enum queue_answer push_large(struct queue *queue, struct start_item *item, size_t input_bytes)
{
	*item = (struct start_item){.request = {.plan = &FLOOD, .input = {NULL, input_bytes}}};
	return queue_push_starts(queue, item, 1);
}

static void starts_that_wait_have_a_bound_of_bytes(void **state)
{
	struct start_item items[4];
	struct queue_load load;
	struct queue queue;

	(void)state;
	queue_init(&queue, 100);
	assert_int_equal(push_large(&queue, &items[0], QUEUE_INPUT_BYTES_MAX / 2), QUEUE_TAKEN);
	assert_int_equal(push_large(&queue, &items[1], QUEUE_INPUT_BYTES_MAX / 2), QUEUE_TAKEN);
	assert_int_equal(push_large(&queue, &items[2], 1), QUEUE_FULL);
	assert_int_equal(queue_look(&queue, "flood"), QUEUE_FULL);
	assert_int_equal(queue_look(&queue, "other"), QUEUE_FULL);
	queue_take(&queue, 1, &load);
	assert_int_equal(load.start_count, 1);
	assert_int_equal(queue_look(&queue, "flood"), QUEUE_TAKEN);
	assert_int_equal(push_large(&queue, &items[2], QUEUE_INPUT_BYTES_MAX / 2 + 1), QUEUE_FULL);
	assert_int_equal(push_large(&queue, &items[2], QUEUE_INPUT_BYTES_MAX / 2), QUEUE_TAKEN);
	queue_take(&queue, 2, &load);
	assert_int_equal(push_large(&queue, &items[3], QUEUE_INPUT_BYTES_MAX + 1), QUEUE_TAKEN); /* none waits */
	queue_end(&queue, &load);
	assert_int_equal(load.start_count, 1);
	queue_release(&queue);
}

static void a_batch_beyond_the_bound_gets_in_where_none_waits(void **state)
{
	struct start_item items[3];
	struct queue_load load;
	struct queue queue;

	(void)state;
	for (int i = 0; i < 3; i++)
		items[i] = (struct start_item){.request = {.plan = &FLOOD}, .next = i < 2 ? &items[i + 1] : NULL};
	queue_init(&queue, 100);
	queue_limit_starts(&queue, 2);
	assert_int_equal(queue_push_starts(&queue, items, 3), QUEUE_TAKEN);
	queue_end(&queue, &load);
	assert_int_equal(load.start_count, 3);
	queue_release(&queue);
}

static void counts_the_records_of_what_was_delivered(void **state)
{
	struct bus_batch batches[2] = {{.count = 3}, {.count = 4}};
	struct delivery_item items[2] = {{.batch = &batches[0]}, {.batch = &batches[1]}};
	struct queue_load load;
	struct queue queue;

	(void)state;
	queue_init(&queue, 100);
	for (int i = 0; i < 2; i++)
		assert_int_equal(queue_push_delivery(&queue, &items[i]), QUEUE_TAKEN);
	assert_int_equal(queue_records(&queue), 7);
	queue_take(&queue, 1, &load);
	assert_int_equal(load.record_count, 7);
	assert_int_equal(queue_records(&queue), 0);
	queue_release(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_starts_in_turns_by_definition),
		cmocka_unit_test(a_full_queue_has_a_share_left_for_another_definition),
		cmocka_unit_test(starts_have_a_bound_of_their_own_and_other_definitions_their_share),
		cmocka_unit_test(starts_that_wait_have_a_bound_of_bytes),
		cmocka_unit_test(a_batch_beyond_the_bound_gets_in_where_none_waits),
		cmocka_unit_test(counts_the_records_of_what_was_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
