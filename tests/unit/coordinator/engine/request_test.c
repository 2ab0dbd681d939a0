/* request_test.c - what is asked of sagas; sagas that start later, and that are started together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/unit/coordinator/engine/fake_world.h"

static const struct saga_request CANCEL = {.type = SAGA_EVENT_CANCELLED, .actor = "bob", .reason = "changed my mind"};

struct cancelled {
	int calls;
	bool has_view;
	enum saga_state state;
	int64_t version;
	enum saga_verdict verdict;
	char why[240];
	struct error err;
	size_t problem_count;
};

static void cancel_done(void *ctx, const struct request_answer *answer)
{
	struct cancelled *cancelled = ctx;

	cancelled->calls++;
	assert_true(!answer->view == !!answer->err);
	if (answer->err) {
		cancelled->err = *answer->err;
		cancelled->problem_count = answer->problems ? answer->problems->count : 0;
		return;
	}
	cancelled->has_view = true;
	cancelled->state = answer->view->saga->state;
	cancelled->version = answer->view->saga->version;
	cancelled->verdict = answer->verdict;
	assert_true(!answer->why == (answer->verdict == SAGA_VERDICT_APPLIED));
	if (answer->why)
		strncpy(cancelled->why, answer->why, sizeof(cancelled->why) - 1);
}

static void reply(struct fake_saga *f, const char *outcome)
{
	fake_reply(f->world, f->engine, fake_last_sent(f->world, f->id), outcome, NULL);
	fake_turns(f->engine);
}

static struct cancelled cancel(struct fake_saga *f)
{
	struct cancelled cancelled = {0};

	engine_request(f->engine, f->id, &CANCEL, cancel_done, &cancelled);
	fake_turns(f->engine);
	assert_int_equal(cancelled.calls, 1);
	return cancelled;
}

static void a_cancelled_saga_undoes_what_ran_and_says_why_in_its_log(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;
	const struct store_log_row *row;

	(void)unused;
	reply(&f, "succeeded");
	cancelled = cancel(&f);
	assert_true(cancelled.has_view);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_APPLIED);
	assert_int_equal(cancelled.state, SAGA_STATE_COMPENSATING);
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "charge");
	assert_true(fake_last_sent(f.world, f.id)->is_compensation);
	row = &f.world->log[f.world->log_count - 1];
	assert_int_equal(row->entry.event.type, SAGA_EVENT_CANCELLED);
	assert_string_equal(row->entry.event.detail, "changed my mind");
	assert_string_equal(row->step_id, "");
	reply(&f, "succeeded");
	reply(&f, "succeeded");
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_COMPENSATED);
	fake_saga_end(&f);
}

static void the_log_names_whose_call_it_was_from_memory_and_from_the_table(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");
	struct fake_answer answers[2] = {0};

	(void)unused;
	reply(&f, "succeeded");
	(void)cancel(&f);
	reply(&f, "succeeded");
	reply(&f, "succeeded");
	engine_get_saga(f.engine, f.id, 10000, fake_get_done, &answers[0]);
	fake_turns(f.engine);
	assert_int_equal(f.world->log_loads, 0);
	engine_get_saga(other, f.id, 0, fake_get_done, &answers[1]);
	fake_turns(other);
	assert_int_equal(f.world->log_loads, 1);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(answers[i].actors, "ann - bob - -");
	engine_free(other);
	fake_saga_end(&f);
}

static void a_second_cancel_changes_nothing(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;

	(void)unused;
	cancelled = cancel(&f);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_APPLIED);
	cancelled = cancel(&f);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_IGNORED);
	assert_int_equal(cancelled.state, SAGA_STATE_COMPENSATING);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, 2);
	fake_saga_end(&f);
}

static void a_cancel_after_the_pivot_began_is_refused_with_the_reason(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;

	(void)unused;
	reply(&f, "succeeded");
	reply(&f, "succeeded");
	cancelled = cancel(&f);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_REFUSED);
	assert_string_equal(cancelled.why, "pivot step 'confirm' has begun: the saga can only go forward");
	assert_int_equal(cancelled.state, SAGA_STATE_RUNNING);
	reply(&f, "succeeded");
	cancelled = cancel(&f);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_REFUSED);
	assert_int_equal(cancelled.state, SAGA_STATE_COMPLETED);
	fake_saga_end(&f);
}

static void a_cancel_is_decided_on_what_another_instance_committed(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct engine *other = fake_engine_new(f.world, "two");
	struct cancelled cancelled;

	(void)unused;
	for (int i = 0; i < 3; i++) { /* this one's cache does not know that it completed */
		fake_reply(f.world, other, fake_last_sent(f.world, f.id), "succeeded", NULL);
		fake_turns(other);
	}
	cancelled = cancel(&f);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_REFUSED);
	assert_int_equal(cancelled.state, SAGA_STATE_COMPLETED);
	engine_free(other);
	fake_saga_end(&f);
}

static void a_cancel_of_an_unknown_saga_is_not_found(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;

	(void)unused;
	f.id = uuid_v7_new();
	cancelled = cancel(&f);
	assert_int_equal(cancelled.err.code, ERR_NOT_FOUND);
	fake_saga_end(&f);
}

static void a_cancel_whose_commit_is_lost_is_answered_and_may_be_repeated(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;

	(void)unused;
	f.world->fault = FAULT_LOST_APPLIED;
	cancelled = cancel(&f);
	assert_int_equal(cancelled.err.code, ERR_UNAVAILABLE);
	fake_pass(f.world, f.engine, 1000);
	cancelled = cancel(&f);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_IGNORED);
	assert_int_equal(cancelled.state, SAGA_STATE_COMPENSATING);
	fake_saga_end(&f);
}

static void a_cancel_is_answered_while_the_store_is_away_and_when_the_engine_ends(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled = {0};

	(void)unused;
	f.world->is_store_away = true;
	cancelled = cancel(&f);
	assert_int_equal(cancelled.err.code, ERR_UNAVAILABLE);
	f.world->is_store_away = false;
	cancelled = (struct cancelled){0};
	engine_request(f.engine, f.id, &CANCEL, cancel_done, &cancelled);
	engine_drain(f.engine, 0);
	assert_int_equal(cancelled.calls, 1);
	assert_int_equal(cancelled.err.code, ERR_UNAVAILABLE);
	engine_request(f.engine, f.id, &CANCEL, cancel_done, &cancelled);
	assert_int_equal(cancelled.calls, 2);
	fake_saga_end(&f);
}

static void a_cancel_that_the_store_refuses_says_so_and_the_saga_goes_on(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;

	(void)unused;
	f.world->refused_detail = "changed my mind";
	cancelled = cancel(&f);
	assert_int_equal(cancelled.err.code, ERR_INVALID);
	reply(&f, "succeeded");
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "charge");
	fake_saga_end(&f);
}

static void a_reply_that_the_store_refuses_is_no_answer_to_a_cancel_beside_it(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled = {0};

	(void)unused;
	reply(&f, "succeeded");
	reply(&f, "succeeded");
	f.world->refused_detail = "bad";
	engine_request(f.engine, f.id, &CANCEL, cancel_done, &cancelled);
	fake_reply(f.world, f.engine, fake_last_sent(f.world, f.id), "retriable", "bad");
	fake_turns(f.engine);
	assert_int_equal(cancelled.calls, 1);
	assert_true(cancelled.has_view);
	assert_int_equal(cancelled.verdict, SAGA_VERDICT_REFUSED);
	assert_int_equal(fake_metric(f.world, "saga_refused_total"), 1);
	fake_saga_end(&f);
}

/* ---- signals ---- */
static struct fake_saga begin_waiting(void)
{
	struct fake_saga f = fake_saga_begin();
	const struct start_request request = {
		.plan = &FAKE_WAITING_PLAN, .idempotency_key = "w", .key = "w", .input = bytes_of_text("input")};

	f.started = (struct fake_answer){0};
	engine_start_saga(f.engine, &request, fake_start_done, &f.started);
	fake_turns(f.engine);
	assert_true(f.started.has_view);
	f.id = f.started.saga_id;
	return f;
}

static struct cancelled signal_with(struct fake_saga *f, const char *signal, const char *value)
{
	const struct saga_request request = {.type = SAGA_EVENT_SIGNALLED,
					     .signal = signal,
					     .value = bytes_of_text(value),
					     .actor = "ann",
					     .reason = ""};
	struct cancelled answer = {0};

	engine_request(f->engine, f->id, &request, cancel_done, &answer);
	fake_turns(f->engine);
	assert_int_equal(answer.calls, 1);
	return answer;
}

static void a_signals_value_is_kept_before_its_step_begins_and_is_in_the_log(void **unused)
{
	struct fake_saga f = begin_waiting();
	struct cancelled answer = signal_with(&f, "approved", "yes");
	const struct fake_row *row = fake_find_row(f.world, f.id);
	struct saga *saga;
	struct error err;

	(void)unused;
	assert_int_equal(answer.verdict, SAGA_VERDICT_APPLIED);
	assert_int_equal(saga_decode(&FAKE_WAITING_PLAN.definition, row->row.data, &f.world->arena, &saga, &err), 0);
	assert_true(bytes_equal_text(saga->steps[1].reply, "yes"));
	assert_int_equal(saga->steps[1].state, STEP_STATE_PENDING);
	assert_int_equal(f.world->last_value_bytes, strlen("yes"));
	reply(&f, "succeeded");
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "confirm");
	fake_saga_end(&f);
}

static void a_signal_that_comes_again_counts_with_the_same_value_only(void **unused)
{
	struct fake_saga f = begin_waiting();
	struct cancelled answer = signal_with(&f, "approved", "yes");

	(void)unused;
	for (int i = 0; i < 2; i++) {
		answer = signal_with(&f, "approved", "yes");
		assert_int_equal(answer.verdict, SAGA_VERDICT_IGNORED);
		answer = signal_with(&f, "approved", "no");
		assert_int_equal(answer.err.code, ERR_CONFLICT);
		assert_non_null(strstr(answer.err.msg, "before, with another value"));
		engine_free(f.engine); /* and after a restart */
		f.engine = fake_engine_new(f.world, "one");
	}
	reply(&f, "succeeded");
	reply(&f, "succeeded");
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_COMPLETED);
	answer = signal_with(&f, "approved", "yes");
	assert_int_equal(answer.verdict, SAGA_VERDICT_IGNORED);
	answer = signal_with(&f, "approved", "no");
	assert_int_equal(answer.err.code, ERR_CONFLICT);
	fake_saga_end(&f);
}

static void a_value_that_does_not_fit_changes_nothing_and_says_all_that_is_wrong(void **unused)
{
	struct fake_saga f = begin_waiting();
	struct cancelled answer = signal_with(&f, "approved", "");
	const int64_t version = fake_find_row(f.world, f.id)->row.version;

	(void)unused;
	assert_int_equal(answer.err.code, ERR_INVALID);
	assert_string_equal(answer.err.msg, "value: is required; value.by: is required, too");
	assert_int_equal(answer.problem_count, 2);
	assert_int_equal(fake_find_row(f.world, f.id)->row.version, version);
	answer = signal_with(&f, "aproved", "yes");
	assert_int_equal(answer.verdict, SAGA_VERDICT_REFUSED);
	assert_string_equal(answer.why, "no step of its definition waits for this signal");
	fake_saga_end(&f);
}

/* ---- later starts ---- */
static void start_later(struct fake_saga *f, int64_t start_us, int64_t delay_us)
{
	const struct start_request request = {.plan = &FAKE_PLAN,
					      .idempotency_key = "later",
					      .key = "later",
					      .input = bytes_of_text("input"),
					      .start_us = start_us,
					      .delay_us = delay_us};

	f->started = (struct fake_answer){0};
	engine_start_saga(f->engine, &request, fake_start_done, &f->started);
	fake_turns(f->engine);
	assert_true(f->started.has_view);
	f->id = f->started.saga_id;
}

static void a_delayed_saga_sends_nothing_before_its_time_even_after_a_restart(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	start_later(&f, 0, 10 * 1000000);
	assert_int_equal(f.started.state, SAGA_STATE_SCHEDULED);
	fake_pass(f.world, f.engine, 5000);
	engine_free(f.engine);
	f.engine = fake_engine_new(f.world, "one");
	fake_pass(f.world, f.engine, 4000);
	assert_null(fake_last_sent(f.world, f.id));
	fake_pass(f.world, f.engine, 3000);
	assert_non_null(fake_last_sent(f.world, f.id));
	assert_string_equal(fake_last_sent(f.world, f.id)->step, "create");
	assert_int_equal(fake_find_row(f.world, f.id)->row.state, SAGA_STATE_RUNNING);
	fake_saga_end(&f);
}

static void a_start_time_that_is_past_starts_at_once(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	start_later(&f, 1, 0);
	assert_int_equal(f.started.state, SAGA_STATE_RUNNING);
	assert_non_null(fake_last_sent(f.world, f.id));
	fake_saga_end(&f);
}

static void a_delayed_saga_whose_first_commit_was_lost_is_answered_once_it_is_found(void **unused)
{
	struct fake_saga f = fake_saga_begin();

	(void)unused;
	f.world->fault = FAULT_LOST_APPLIED;
	{
		const struct start_request request = {.plan = &FAKE_PLAN,
						      .idempotency_key = "later",
						      .key = "later",
						      .input = bytes_of_text("input"),
						      .delay_us = 10 * 1000000};

		f.started = (struct fake_answer){0};
		engine_start_saga(f.engine, &request, fake_start_done, &f.started);
	}
	fake_pass(f.world, f.engine, 1000);
	assert_true(f.started.has_view);
	assert_int_equal(f.started.state, SAGA_STATE_SCHEDULED);
	assert_null(fake_last_sent(f.world, f.started.saga_id));
	fake_saga_end(&f);
}

static void a_cancelled_delayed_saga_never_starts(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	struct cancelled cancelled;

	(void)unused;
	start_later(&f, 0, 10 * 1000000);
	cancelled = cancel(&f);
	assert_int_equal(cancelled.state, SAGA_STATE_COMPENSATED);
	fake_pass(f.world, f.engine, 12000);
	assert_null(fake_last_sent(f.world, f.id));
	fake_saga_end(&f);
}

/* ---- starts together ---- */
static void a_batch_of_starts_is_one_commit_and_each_has_its_answer(void **unused)
{
	struct fake_saga f = fake_saga_begin();
	size_t commits = f.world->commits;
	struct start_request requests[3];
	struct fake_answer answers[3] = {0};
	void *ctxs[3];

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		static const char *const keys[] = {"a", "k", "a"}; /* new, existing, the same again */

		requests[i] = (struct start_request){.plan = &FAKE_PLAN,
						     .idempotency_key = keys[i],
						     .key = keys[i],
						     .input = bytes_of_text(i == 1 ? "other" : "input")};
		ctxs[i] = &answers[i];
	}
	engine_start_sagas(f.engine, requests, 3, fake_start_done, ctxs);
	fake_turns(f.engine);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(answers[i].calls, 1);
	assert_true(answers[0].has_view);
	assert_int_equal(answers[1].err.code, ERR_CONFLICT);
	assert_true(answers[2].has_view && answers[2].already_existed);
	assert_true(uuid_equal(answers[0].saga_id, answers[2].saga_id));
	assert_int_equal(f.world->commits, commits + 1);
	fake_saga_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cancelled_saga_undoes_what_ran_and_says_why_in_its_log),
		cmocka_unit_test(the_log_names_whose_call_it_was_from_memory_and_from_the_table),
		cmocka_unit_test(a_second_cancel_changes_nothing),
		cmocka_unit_test(a_cancel_after_the_pivot_began_is_refused_with_the_reason),
		cmocka_unit_test(a_cancel_is_decided_on_what_another_instance_committed),
		cmocka_unit_test(a_cancel_of_an_unknown_saga_is_not_found),
		cmocka_unit_test(a_cancel_whose_commit_is_lost_is_answered_and_may_be_repeated),
		cmocka_unit_test(a_cancel_is_answered_while_the_store_is_away_and_when_the_engine_ends),
		cmocka_unit_test(a_cancel_that_the_store_refuses_says_so_and_the_saga_goes_on),
		cmocka_unit_test(a_reply_that_the_store_refuses_is_no_answer_to_a_cancel_beside_it),
		cmocka_unit_test(a_signals_value_is_kept_before_its_step_begins_and_is_in_the_log),
		cmocka_unit_test(a_signal_that_comes_again_counts_with_the_same_value_only),
		cmocka_unit_test(a_value_that_does_not_fit_changes_nothing_and_says_all_that_is_wrong),
		cmocka_unit_test(a_delayed_saga_sends_nothing_before_its_time_even_after_a_restart),
		cmocka_unit_test(a_start_time_that_is_past_starts_at_once),
		cmocka_unit_test(a_delayed_saga_whose_first_commit_was_lost_is_answered_once_it_is_found),
		cmocka_unit_test(a_cancelled_delayed_saga_never_starts),
		cmocka_unit_test(a_batch_of_starts_is_one_commit_and_each_has_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
