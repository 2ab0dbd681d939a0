/* encoding_test.c - what is stored is what was, and nothing else is taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/base/memory.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

/* A saga with all there is to store: a kept reply, reasons, re-sends, attempts, a failure on the way back. */
static struct world rich_world(void)
{
	struct world world;
	struct saga_event event = {.type = SAGA_EVENT_SUCCEEDED, .attempt = 1, .reply = bytes_of_text("\x01\x02reply")};

	world_init(&world, "cccp");
	world_start(&world);
	(void)world_tick(&world); /* a re-send */
	event.time_us = world.now_us;
	assert_int_equal(world_apply(&world, &event), SAGA_VERDICT_APPLIED);
	assert_int_equal(world_reply(&world, SAGA_EVENT_SUCCEEDED, 1, FORWARD), SAGA_VERDICT_APPLIED);
	assert_int_equal(world_reply(&world, SAGA_EVENT_RETRIABLE, 2, FORWARD), SAGA_VERDICT_APPLIED);
	(void)world_tick(&world);
	assert_int_equal(world_reply(&world, SAGA_EVENT_REJECTED, 2, FORWARD), SAGA_VERDICT_APPLIED);
	assert_int_equal(world_reply(&world, SAGA_EVENT_RETRIABLE, 1, COMPENSATION), SAGA_VERDICT_APPLIED);
	return world;
}

/* One step is asked about, another one is to be asked again. */
static struct world asking_world(void)
{
	struct world world = world_of("c(qq)p");

	assert_int_equal(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, FORWARD), SAGA_VERDICT_APPLIED);
	while (world.saga->steps[2].state != STEP_STATE_INQUIRING || world.saga->steps[1].state != STEP_STATE_INQUIRING)
		(void)world_tick(&world);
	assert_int_equal(world_reply(&world, SAGA_EVENT_RETRIABLE, 2, INQUIRY), SAGA_VERDICT_APPLIED);
	return world;
}

static struct bytes encode(struct world *world, const struct saga *saga)
{
	struct buffer out = {0};
	struct bytes bytes;

	saga_encode(saga, &out);
	bytes = arena_bytes(&world->arena, buffer_bytes(&out));
	buffer_release(&out);
	return bytes;
}

static void assert_text_equal(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same_step(const struct step *a, const struct step *b)
{
	assert_int_equal(a->state, b->state);
	for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
		assert_int_equal(a->attempts[phase], b->attempts[phase]);
	assert_int_equal(a->resends, b->resends);
	assert_int_equal(a->resends_total, b->resends_total);
	assert_int_equal(a->started_us, b->started_us);
	assert_int_equal(a->updated_us, b->updated_us);
	assert_int_equal(a->deadline_us, b->deadline_us);
	assert_int_equal(a->due_us, b->due_us);
	assert_int_equal(a->has_no_effect, b->has_no_effect);
	assert_text_equal(a->reason, b->reason);
	assert_text_equal(a->detail, b->detail);
	assert_true(bytes_equal(a->reply, b->reply));
}

static void reads_back_what_was_stored(void **state)
{
	struct world world = rich_world();
	const struct bytes bytes = encode(&world, world.saga);
	struct saga *again;
	struct error err;

	(void)state;
	assert_int_equal(saga_decode(&world.definition, bytes, &world.arena, &again, &err), 0);
	assert_true(uuid_equal(again->id, world.saga->id));
	assert_int_equal(again->version, world.saga->version);
	assert_int_equal(again->state, world.saga->state);
	assert_int_equal(again->created_us, world.saga->created_us);
	assert_int_equal(again->updated_us, world.saga->updated_us);
	assert_int_equal(again->ended_us, world.saga->ended_us);
	assert_text_equal(again->milestone, world.saga->milestone);
	assert_text_equal(again->failure_milestone, world.saga->failure_milestone);
	assert_text_equal(again->stuck_reason, world.saga->stuck_reason);
	for (size_t i = 0; i < again->step_count; i++)
		assert_same_step(&again->steps[i], &world.saga->steps[i]);
	assert_true(bytes_equal(encode(&world, again), bytes));
	world_release(&world);
}

static void reads_back_inquiries(void **state)
{
	struct world world = asking_world();
	const struct bytes bytes = encode(&world, world.saga);
	struct saga *again;
	struct error err;

	(void)state;
	assert_int_equal(saga_decode(&world.definition, bytes, &world.arena, &again, &err), 0);
	for (size_t i = 0; i < again->step_count; i++)
		assert_same_step(&again->steps[i], &world.saga->steps[i]);
	assert_int_equal(again->steps[2].attempts[INQUIRY], 1);
	assert_int_equal(again->steps[2].state, STEP_STATE_INQUIRY_RETRY_WAIT);
	assert_true(bytes_equal(encode(&world, again), bytes));
	world_release(&world);
}

static void reads_back_stuck_and_ended_sagas(void **state)
{
	struct world world;
	struct bytes bytes;
	struct saga *again;
	struct error err;

	(void)state;
	world_init(&world, "p");
	world_start(&world);
	assert_int_equal(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD), SAGA_VERDICT_APPLIED);
	for (int i = 0; i < 2; i++) {
		(void)world_tick(&world);
		assert_int_equal(world_reply(&world, SAGA_EVENT_RETRIABLE, 0, FORWARD), SAGA_VERDICT_APPLIED);
	}
	assert_int_equal(world.saga->state, SAGA_STATE_STUCK);
	bytes = encode(&world, world.saga);
	assert_int_equal(saga_decode(&world.definition, bytes, &world.arena, &again, &err), 0);
	assert_string_equal(again->stuck_reason, world.saga->stuck_reason);
	assert_int_equal(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, FORWARD), SAGA_VERDICT_APPLIED);
	bytes = encode(&world, world.saga);
	assert_int_equal(saga_decode(&world.definition, bytes, &world.arena, &again, &err), 0);
	assert_int_equal(again->state, SAGA_STATE_COMPLETED);
	assert_int_equal(again->ended_us, world.saga->ended_us);
	world_release(&world);
}

static void refuses_bytes_cut_at_any_length(void **state)
{
	struct world world = rich_world();
	const struct bytes bytes = encode(&world, world.saga);
	struct saga *again;
	struct error err;

	(void)state;
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *cut = xmalloc(len + 1); /* on the heap, so that a sanitizer sees a read beyond it */

		memcpy(cut, bytes.data, len);
		err = (struct error){0};
		assert_int_equal(saga_decode(&world.definition, (struct bytes){cut, len}, &world.arena, &again, &err),
				 -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		free(cut);
	}
	world_release(&world);
}

static void refuses_bytes_after_the_end(void **state)
{
	struct world world = rich_world();
	struct buffer out = {0};
	struct saga *again;
	struct error err;

	(void)state;
	saga_encode(world.saga, &out);
	buffer_append_byte(&out, 0);
	assert_int_equal(saga_decode(&world.definition, buffer_bytes(&out), &world.arena, &again, &err), -1);
	buffer_release(&out);
	world_release(&world);
}

/* Whatever is taken must be usable: every event can be applied to it without an assertion. */
static void survive_every_changed_byte(struct world world)
{
	const struct bytes bytes = encode(&world, world.saga);
	struct error err;

	for (size_t at = 0; at < bytes.len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			uint8_t *changed = arena_copy(&world.arena, bytes.data, bytes.len);
			struct saga_effects effects;
			struct saga_event event;
			struct saga *saga;
			struct saga *next;
			const char *why;
			int32_t first = 0;

			changed[at] ^= (uint8_t)(1 << bit);
			if (saga_decode(&world.definition, (struct bytes){changed, bytes.len}, &world.arena, &saga,
					&err) < 0)
				continue;
			(void)saga_due_us(saga);
			if (saga_due_event(&world.definition, saga, world.now_us + 1000000000, &first, &event))
				(void)saga_apply(&world.definition, saga, &event, &world.arena, &next, &effects, &why);
			for (int i = 0; i < 4 * STEP_PHASE_COUNT * 2; i++) {
				event = (struct saga_event){.type = i % 2 ? SAGA_EVENT_SUCCEEDED : SAGA_EVENT_REJECTED,
							    .time_us = world.now_us,
							    .step = i / 2 % 4,
							    .phase = (enum step_phase)(i / 8),
							    .attempt = 1};
				(void)saga_apply(&world.definition, saga, &event, &world.arena, &next, &effects, &why);
			}
		}
	}
	world_release(&world);
}

static void survives_every_changed_byte(void **state)
{
	(void)state;
	survive_every_changed_byte(rich_world());
	survive_every_changed_byte(asking_world());
}

static void refuses_a_saga_of_another_definition(void **state)
{
	struct world world = rich_world();
	struct world other;
	struct saga *again;
	struct error err;

	(void)state;
	world_init(&other, "ccp");
	assert_int_equal(saga_decode(&other.definition, encode(&world, world.saga), &other.arena, &again, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	world_release(&other);
	world_init(&other, "ccpr"); /* as many steps, but the third, refused, is the pivot */
	assert_int_equal(saga_decode(&other.definition, encode(&world, world.saga), &other.arena, &again, &err), 0);
	world_release(&other);
	world_init(&other, "cprr"); /* the second, being compensated, is the pivot */
	assert_int_equal(saga_decode(&other.definition, encode(&world, world.saga), &other.arena, &again, &err), -1);
	world_release(&other);
	world_release(&world);
}

static void names_the_form_it_cannot_read(void **state)
{
	struct world world = rich_world();
	uint8_t *bytes;
	struct bytes good = encode(&world, world.saga);
	struct saga *again;
	struct error err;

	(void)state;
	bytes = arena_copy(&world.arena, good.data, good.len);
	bytes[0] = 3;
	assert_int_equal(saga_decode(&world.definition, (struct bytes){bytes, good.len}, &world.arena, &again, &err),
			 -1);
	assert_string_equal(err.msg,
			    "stored saga has form 3, this program reads forms 1 to 2: was it written by a later one?");
	world_release(&world);
}

static void makes_the_first_version_again_from_its_event(void **state)
{
	struct world world = world_of("cp");
	struct saga_event first = {.type = SAGA_EVENT_STARTED, .time_us = world.now_us, .step = -1};
	const int64_t later_us = world.now_us + 5;
	struct saga *again = saga_begin_again(&world.definition, world.saga->id, &first, 0, &world.arena);

	(void)state;
	assert_true(bytes_equal(encode(&world, again), encode(&world, world.saga)));
	world_schedule(&world, later_us);
	first.type = SAGA_EVENT_SCHEDULED;
	again = saga_begin_again(&world.definition, world.saga->id, &first, later_us, &world.arena);
	assert_true(bytes_equal(encode(&world, again), encode(&world, world.saga)));
	assert_null(saga_begin_again(&world.definition, world.saga->id, &first, first.time_us, &world.arena));
	first.type = SAGA_EVENT_SUCCEEDED;
	assert_null(saga_begin_again(&world.definition, world.saga->id, &first, later_us, &world.arena));
	world_release(&world);
}

static void reads_the_head_alone_without_a_definition(void **state)
{
	struct world world = rich_world();
	const struct bytes good = encode(&world, world.saga);
	uint8_t *bytes = arena_copy(&world.arena, good.data, good.len);
	struct saga head;
	struct error err;

	(void)state;
	assert_int_equal(saga_decode_head(good, &world.arena, &head, &err), 0);
	assert_true(uuid_equal(head.id, world.saga->id));
	assert_int_equal(head.version, world.saga->version);
	assert_int_equal(head.state, world.saga->state);
	assert_string_equal(head.milestone, world.saga->milestone);
	for (size_t len = 0; len < 20; len++)
		assert_int_equal(saga_decode_head((struct bytes){bytes, len}, &world.arena, &head, &err), -1);
	bytes[0] = 3;
	assert_int_equal(saga_decode_head((struct bytes){bytes, good.len}, &world.arena, &head, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	world_release(&world);
}

static struct saga *decode_hex(struct world *world, const char *hex)
{
	struct buffer bytes = {0};
	struct saga *saga = NULL;
	struct error err = {0};
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		buffer_append_byte(&bytes, (uint8_t)byte);
	if (saga_decode(&world->definition, buffer_bytes(&bytes), &world->arena, &saga, &err) < 0)
		fail_msg("%s", err.msg);
	buffer_release(&bytes);
	return saga;
}

/* Written by a program that knew no other form. */
static const char RUNNING_FORM_1[] =
	"0101020300000000000000000000000000020180897a0000020106615f444f4e450000030431010000"
	"01f10101000080dac409c2b68d010000";
static const char STUCK_FORWARD_FORM_1[] = "01010203000000000000000000000000000e0680897a808ece1c0002010b425f54494d45445"
					   "f4f555400013a737465702027622720666f7277"
					   "6172643a20617474656d70747320657868617573746564202833293a206e6f207265706c792"
					   "0696e2074696d6503043101000006bd04030309"
					   "00808ece1c0974696d65645f6f75740000";
static const char STUCK_BACK_FORM_1[] = "0101020300000000000000000000000000040680897a0000010108625f4641494c45440108625f"
					"4641494c45440140737465702027612720"
					"636f6d70656e736174696f6e3a20636f6d70656e736174696f6e5f72656a65637465643a206e6f"
					"5f6c75636b3a206e6f7420746f64617903"
					"08b30c0101000015636f6d70656e736174696f6e5f72656a6563746564096e6f7420746f646179"
					"05b10c010000076e6f5f6c75636b096e6f"
					"7420746f6461790000";

/* A refused step succeeded after all, while the one before it was being undone. */
static const char LATE_FORM_1[] = "0101020300000000000000000000000000040480897a0000010106625f444f4e450108625f4641494c45"
				  "44000308f30101010000809c9c39"
				  "82cc8f0104b10c010000076e6f5f6c75636b096e6f7420746f6461790000";
/* A step succeeded after its compensation had found no effect; a refused pivot did: the one in hand was left alone. */
static const char NO_BARRIER_FORM_1[] = "0101020300000000000000000000000000050680897a000002010943414e43454c4c4544010943"
					"414e43454c4c454401a301737465702027"
					"622720666f72776172643a207375636365656465642061667465722069747320636f6d70656e73"
					"6174696f6e2068616420666f756e64206e"
					"6f206566666563743a20746865207061727469636970616e7420686173206e6f20626172726965"
					"72202861206c61746520636f6d6d616e64"
					"206d757374206d6565742074686520746f6d6273746f6e65206f662069747320636f6d70656e73"
					"6174696f6e29030833010100000bb30e01"
					"0100000963616e63656c6c65640f6368616e676564206d79206d696e640000";
static const char LATE_PIVOT_FORM_1[] = "0101020300000000000000000000000000040680897a0000020106625f444f4e450108625f4641"
					"494c45440161737465702027622720666f"
					"72776172643a207375636365656465642061667465722069742077617320726566757365642c20"
					"7768696c65207468652073746570732062"
					"65666f726520697420617265206265696e6720636f6d70656e73617465640208330101000004b1"
					"0c010000076e6f5f6c75636b096e6f7420"
					"746f646179";

static void reads_what_was_stored_in_form_1(void **state)
{
	struct world world;
	struct saga *saga;

	(void)state;
	world_init(&world, "cpr");
	saga = decode_hex(&world, RUNNING_FORM_1);
	assert_int_equal(saga->state, SAGA_STATE_RUNNING);
	assert_false(saga->is_decided);
	assert_false(saga_is_of_earlier_form(encode(&world, saga)));
	assert_true(saga_is_of_earlier_form(bytes_of_text("\x01")));
	assert_false(saga_is_of_earlier_form(bytes_of_text("")));
	saga = decode_hex(&world, STUCK_FORWARD_FORM_1);
	assert_int_equal(saga->steps[1].state, STEP_STATE_STUCK);
	assert_string_equal(saga->steps[1].stuck_why, "attempts exhausted (3): no reply in time");
	assert_true(saga->is_decided);
	saga = decode_hex(&world, STUCK_BACK_FORM_1);
	assert_int_equal(saga->steps[0].state, STEP_STATE_COMPENSATION_STUCK);
	assert_string_equal(saga->steps[0].stuck_why, "compensation_rejected: no_luck: not today");
	world_release(&world);
}

static void reads_what_form_1_left_in_the_middle(void **state)
{
	struct world world;
	struct saga *saga;

	(void)state;
	world_init(&world, "ccp");
	saga = decode_hex(&world, LATE_FORM_1);
	assert_int_equal(saga->steps[0].state, STEP_STATE_COMPENSATING);
	assert_true(saga->steps[1].came_late);
	world.saga = saga; /* what came late is undone with the next event */
	world.now_us = saga->updated_us + 1;
	assert_int_equal(world_reply(&world, SAGA_EVENT_SUCCEEDED, 0, COMPENSATION), SAGA_VERDICT_APPLIED);
	assert_true(world_sends(&world, 1, COMPENSATION, 1));
	saga = decode_hex(&world, NO_BARRIER_FORM_1);
	assert_int_equal(saga->steps[1].state, STEP_STATE_VIOLATED);
	assert_int_equal(saga->steps[0].state, STEP_STATE_COMPENSATION_STUCK);
	world_release(&world);
	world_init(&world, "cp");
	saga = decode_hex(&world, LATE_PIVOT_FORM_1);
	assert_int_equal(saga->steps[1].state, STEP_STATE_VIOLATED);
	assert_int_equal(saga->steps[0].state, STEP_STATE_COMPENSATION_STUCK);
	world_release(&world);
}

static void reads_back_a_saga_that_starts_later(void **state)
{
	struct world world;
	struct saga *again;
	struct error err;

	(void)state;
	world_init(&world, "cp");
	world_schedule(&world, world.now_us + 77);
	for (int i = 0; i < 2; i++) {
		struct bytes bytes = encode(&world, world.saga);

		assert_int_equal(saga_decode(&world.definition, bytes, &world.arena, &again, &err), 0);
		assert_int_equal(again->start_us, world.saga->start_us);
		assert_true(bytes_equal(encode(&world, again), bytes));
		assert_int_equal(world_cancel(&world), SAGA_VERDICT_APPLIED + i); /* ended: both times are there */
	}
	world_release(&world);
}

static void stores_a_fresh_saga_in_few_bytes(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, "cccpr");
	world_start(&world);
	assert_in_range(encode(&world, world.saga).len, 1, 80);
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_was_stored),
		cmocka_unit_test(reads_back_inquiries),
		cmocka_unit_test(makes_the_first_version_again_from_its_event),
		cmocka_unit_test(reads_back_stuck_and_ended_sagas),
		cmocka_unit_test(refuses_bytes_cut_at_any_length),
		cmocka_unit_test(refuses_bytes_after_the_end),
		cmocka_unit_test(survives_every_changed_byte),
		cmocka_unit_test(refuses_a_saga_of_another_definition),
		cmocka_unit_test(names_the_form_it_cannot_read),
		cmocka_unit_test(reads_the_head_alone_without_a_definition),
		cmocka_unit_test(reads_what_was_stored_in_form_1),
		cmocka_unit_test(reads_what_form_1_left_in_the_middle),
		cmocka_unit_test(reads_back_a_saga_that_starts_later),
		cmocka_unit_test(stores_a_fresh_saga_in_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
