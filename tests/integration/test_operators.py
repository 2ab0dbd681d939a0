"""What operators do about sagas that are stuck, and about those that shall wait: on the real stack, with a participant that
fails as the test says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2
from harness import TestStack
from operator_trade import Trade, lines_of
from saga.v1 import saga_pb2, saga_service_pb2, saga_service_pb2_grpc
from shop_client import Shop, http, wait_until
from terminal import Terminal
from test_api import details
from test_audit import Guarded, guarded  # noqa: F401 - a fixture

MANY = 300


@pytest.fixture(scope="module")
def opened_trade(stack: TestStack, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trade]:
    trade = Trade(stack, shop)
    trade.start(tmp_path_factory.mktemp("trade"))
    yield trade
    trade.stop()


@pytest.fixture
def trade(opened_trade: Trade) -> Iterator[Trade]:
    """With no saga that has not ended."""
    yield opened_trade
    opened_trade.mend()


def metric(shop: Shop, name: str) -> float:
    status, text = http("GET", f"{shop.endpoints['SAGA_HTTP']}/metrics")
    assert status == 200
    [line] = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(line.split()[-1])


def run(stack: TestStack, *words: str, code: int = 0, **options) -> subprocess.CompletedProcess[str]:
    done = stack.sagactl(*words, **options)
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done


def states(saga: saga_pb2.Saga) -> dict[str, str]:
    return {step.step_id: saga_pb2.StepState.Name(step.state).removeprefix("STEP_STATE_") for step in saga.steps}


def asked(shop: Shop, saga_id: str) -> list[tuple[str, str, str]]:
    """What somebody asked for, by its log: what, who and why."""
    events = shop.sagas.GetSagaLog(saga_service_pb2.GetSagaLogRequest(saga_id=saga_id), timeout=10).events
    return [(event.event, event.actor, event.detail) for event in events if event.actor and event.event != "started"]


# ---- retry -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "reason", "tries"), [("retriable", "attempts_exhausted", 3), ("rejected", "compensation_rejected", 1)])
def test_a_compensation_that_never_succeeds_is_stuck_and_ends_once_it_is_mended(
        stack: TestStack, shop: Shop, trade: Trade, outcome: str, reason: str, tries: int) -> None:
    before = metric(shop, "saga_stuck_total")
    trade.answers |= {("book", "forward"): "rejected", ("pay", "compensation"): outcome}
    saga_id = trade.begin()
    saga = trade.stuck(saga_id)
    assert states(saga)["pay"] == "COMPENSATION_STUCK"
    [pay] = [step for step in saga.steps if step.step_id == "pay"]
    assert (pay.compensation_attempts, pay.reason) == (tries, reason)
    assert "step 'pay' compensation: " in saga.stuck_reason
    assert metric(shop, "saga_stuck_total") == before + 1
    [line] = [line for line in stack.log("coordinator").read_text().splitlines() if "event=saga_stuck" in line and saga_id in line]
    assert line.startswith("error ") or "level=error" in line or " error " in line, line
    assert "step 'pay' compensation" in line
    shown = run(stack, "get", saga_id).stdout
    assert "COMPENSATION_STUCK" in shown and "stuck: step 'pay' compensation" in shown

    run(stack, "retry", saga_id, "--reason", "still broken")  # it is tried as often again
    wait_until(lambda: (at := shop.get(saga_id)).state == saga_pb2.SAGA_STATE_STUCK
               and at.steps[0].compensation_attempts == 2 * tries, "it is stuck again")
    trade.answers.pop(("pay", "compensation"))
    done = run(stack, "retry", saga_id, "--reason", "the bank is back")
    assert "COMPENSATING" in done.stdout
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED and not saga.stuck_reason
    assert states(saga)["pay"] == "COMPENSATED"
    assert asked(shop, saga_id) == [("retry_requested", "anonymous", "still broken"), ("retry_requested", "anonymous", "the bank is back")]


def test_a_step_that_can_only_go_forward_is_tried_again_too(stack: TestStack, shop: Shop, trade: Trade) -> None:
    saga_id = trade.stuck_going_forward("ship")
    assert states(shop.get(saga_id)) == {"pay": "SUCCEEDED", "book": "SUCCEEDED", "confirm": "SUCCEEDED", "ship": "STUCK", "tell": "PENDING"}
    trade.answers.clear()
    run(stack, "retry", saga_id, "--reason", "mended")
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED


# ---- skip and resolve ------------------------------------------------------------------------------------------------


def test_a_skipped_step_is_gone_on_without(stack: TestStack, shop: Shop, trade: Trade) -> None:
    saga_id = trade.stuck_going_forward("tell")
    run(stack, "skip", saga_id, "tell", "--reason", "told by phone")
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED and states(saga)["tell"] == "SKIPPED"
    assert asked(shop, saga_id) == [("skip_requested", "anonymous", "told by phone")]
    assert "SKIPPED" in run(stack, "get", saga_id).stdout


def test_a_skipped_compensation_is_gone_on_without(stack: TestStack, shop: Shop, trade: Trade) -> None:
    saga_id = trade.stuck_going_back()
    run(stack, "skip", saga_id, "pay", "--reason", "refunded by hand")
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED and states(saga)["pay"] == "SKIPPED"


def test_a_step_whose_reply_is_needed_cannot_be_skipped(stack: TestStack, shop: Shop, trade: Trade) -> None:
    saga_id = trade.stuck_going_forward("ship")
    refused = run(stack, "skip", saga_id, "ship", "--reason", "x", code=1)
    assert "later commands take fields from the reply of step 'ship'" in refused.stderr
    refused = run(stack, "skip", saga_id, "pay", "--reason", "x", code=1)
    assert "step 'pay' is not stuck" in refused.stderr
    run(stack, "skip", saga_id, "no-such", "--reason", "x", code=3)
    assert shop.get(saga_id).state == saga_pb2.SAGA_STATE_STUCK and asked(shop, saga_id) == []


@pytest.mark.parametrize("outcome", ["completed", "compensated", "failed"])
def test_a_stuck_saga_is_resolved_as_somebody_says(stack: TestStack, shop: Shop, trade: Trade, outcome: str) -> None:
    saga_id = trade.stuck_going_back()
    sent = sum(trade.seen.values())
    run(stack, "resolve", saga_id, "--as", outcome, "--reason", "seen to")
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SagaState.Value(f"SAGA_STATE_{outcome.upper()}") and saga.HasField("end_time")
    assert asked(shop, saga_id) == [(f"resolved_{outcome}", "anonymous", "seen to")]
    assert sum(trade.seen.values()) == sent
    run(stack, "resolve", saga_id, "--as", outcome, "--reason", "seen to")  # harmless to repeat
    assert len(asked(shop, saga_id)) == 1
    other = "failed" if outcome != "failed" else "completed"
    assert "the saga has ended" in run(stack, "resolve", saga_id, "--as", other, "--reason", "no", code=1).stderr


def test_what_is_not_stuck_is_refused_with_its_state(shop: Shop, stack: TestStack, trade: Trade) -> None:
    trade.answers[("pay", "forward")] = None
    saga_id = trade.begin()
    calls = [(shop.sagas.RetrySaga, saga_service_pb2.RetrySagaRequest, {}, "RETRY_REFUSED"),
             (shop.sagas.SkipStep, saga_service_pb2.SkipStepRequest, {"step_id": "pay"}, "SKIP_REFUSED"),
             (shop.sagas.ResolveSaga, saga_service_pb2.ResolveSagaRequest,
              {"outcome": saga_service_pb2.RESOLVED_OUTCOME_FAILED}, "RESOLVE_REFUSED")]
    for call, request, fields, reason in calls:
        with pytest.raises(grpc.RpcError) as caught:
            call(request(saga_id=saga_id, reason="x", **fields), timeout=10)
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        info = details(caught.value, error_details_pb2.ErrorInfo)
        failure = details(caught.value, error_details_pb2.PreconditionFailure)
        assert (info.reason, info.metadata["state"]) == (reason, "RUNNING")
        assert failure.violations[0].description == "the saga is not stuck"
    assert shop.get(saga_id).state == saga_pb2.SAGA_STATE_RUNNING


# ---- pause -----------------------------------------------------------------------------------------------------------


def test_a_paused_saga_waits_and_its_replies_count(stack: TestStack, shop: Shop, trade: Trade) -> None:
    trade.answers[("pay", "forward")] = None
    saga_id, other = trade.begin(), trade.begin()
    wait_until(lambda: trade.times_sent(saga_id, "pay") and trade.times_sent(other, "pay"), "both are sent")
    run(stack, "pause", saga_id, "--reason", "the bank asks")
    assert "it was paused before" in run(stack, "pause", saga_id, "--reason", "again").stdout
    assert shop.get(saga_id).HasField("pause_time")
    shown = run(stack, "get", saga_id).stdout
    assert "paused since " in shown and "the bank asks" in shown
    listed = ("list", "--paused", "--definition", trade.name, "--quiet")
    assert run(stack, *listed).stdout.split() == [saga_id]
    with_page = saga_service_pb2.ListSagasRequest(filter={"paused": True, "definition": trade.name}, page_size=1)
    assert [saga.saga_id for saga in shop.sagas.ListSagas(with_page, timeout=10).sagas] == [saga_id]
    before, before_other = trade.times_sent(saga_id, "pay"), trade.times_sent(other, "pay")
    wait_until(lambda: trade.times_sent(other, "pay") >= before_other + 2, "the other one is sent again and again")
    assert trade.times_sent(saga_id, "pay") <= before + 1  # one may have been on its way to us
    before = trade.times_sent(saga_id, "pay")

    trade.reply(saga_id, "pay", "succeeded")
    wait_until(lambda: states(shop.get(saga_id))["pay"] == "SUCCEEDED", "the reply counts")
    assert states(shop.get(saga_id))["book"] == "PENDING"
    before_other = trade.times_sent(other, "pay")
    wait_until(lambda: trade.times_sent(other, "pay") > before_other, "time goes by")
    assert trade.times_sent(saga_id, "book") == 0 and trade.times_sent(saga_id, "pay") == before

    run(stack, "resume", saga_id, "--reason", "the bank agreed")
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED and not saga.HasField("pause_time")
    assert run(stack, *listed).stdout == ""
    assert asked(shop, saga_id) == [("paused", "anonymous", "the bank asks"), ("resumed", "anonymous", "the bank agreed")]
    refused = run(stack, "pause", saga_id, "--reason", "x", code=1)
    assert "the saga has ended" in refused.stderr
    run(stack, "cancel", other, "--reason", "not needed")


# ---- crashes and other coordinators ----------------------------------------------------------------------------------


def test_what_was_asked_outlives_a_kill(stack: TestStack, shop: Shop, trade: Trade) -> None:
    stuck_id = trade.stuck_going_back()
    trade.answers[("pay", "forward")] = None
    paused_id, clock_id = trade.begin(), trade.begin()
    wait_until(lambda: trade.times_sent(paused_id, "pay") and trade.times_sent(clock_id, "pay"), "both are sent")
    run(stack, "pause", paused_id, "--reason", "hold")
    stack.kill("coordinator")
    before = dict(trade.seen)
    stack.wait_ready("coordinator")
    assert shop.get(stuck_id).state == saga_pb2.SAGA_STATE_STUCK and shop.get(paused_id).HasField("pause_time")
    wait_until(lambda: trade.times_sent(clock_id, "pay") >= before[(clock_id, "pay", "forward")] + 3, "the restart sends what waits")
    assert trade.times_sent(paused_id, "pay") <= before[(paused_id, "pay", "forward")] + 1

    trade.answers.clear()
    run(stack, "retry", stuck_id, "--reason", "mended")
    stack.kill("coordinator")  # the answer came after the commit
    stack.wait_ready("coordinator")
    assert shop.finished(stuck_id).state == saga_pb2.SAGA_STATE_COMPENSATED
    run(stack, "resume", paused_id, "--reason", "go")
    assert shop.finished(paused_id).state == saga_pb2.SAGA_STATE_COMPLETED
    assert shop.finished(clock_id).state == saga_pb2.SAGA_STATE_COMPLETED


def test_any_coordinator_takes_what_an_operator_decides(stack: TestStack, shop: Shop, trade: Trade) -> None:
    stuck_id = trade.stuck_going_back()
    trade.answers[("pay", "forward")] = None
    paused_id = trade.begin()
    wait_until(lambda: trade.times_sent(paused_id, "pay"), "it is sent")
    trade.answers.pop(("pay", "compensation"))
    with stack.second_coordinator() as second:
        there = ("--address", second.target)
        groups = lines_of(run(stack, "stuck", "--definition", trade.name, "-o", "jsonl", *there).stdout)
        assert [(group["stepId"], group["count"]) for group in groups] == [("pay", "1")]
        assert "COMPENSATING" in run(stack, "retry", stuck_id, "--reason", "mended", *there).stdout
        run(stack, "pause", paused_id, "--reason", "hold", *there)
        assert shop.get(paused_id).HasField("pause_time"), "the first one sees it as well"
        trade.answers.clear()
        assert shop.finished(stuck_id).state == saga_pb2.SAGA_STATE_COMPENSATED
        run(stack, "resume", paused_id, "--reason", "go")
        assert shop.finished(paused_id).state == saga_pb2.SAGA_STATE_COMPLETED


# ---- explain ---------------------------------------------------------------------------------------------------------


def explained(stack: TestStack, saga_id: str) -> dict:
    [answer] = lines_of(run(stack, "explain", saga_id, "-o", "json").stdout)
    assert not any("cannot be told" in line["text"] for line in answer["next"]), answer
    return answer


def test_explain_knows_when_a_command_is_sent_again(stack: TestStack, shop: Shop, trade: Trade) -> None:
    trade.answers[("pay", "forward")] = None
    saga_id = trade.begin()
    wait_until(lambda: trade.times_sent(saga_id, "pay") >= 3, "it is sent again and again")
    answer = explained(stack, saga_id)
    assert "step 'pay' waits for a reply to its command, attempt 1 of 3" in answer["why"][0]["text"]
    assert answer["next"][0]["text"] == "pay: without a reply, its command is sent again"
    due = timestamp_pb2.Timestamp()
    due.FromJsonString(answer["next"][0]["time"])

    def later() -> list[saga_pb2.SagaEvent]:
        events = shop.sagas.GetSagaLog(saga_service_pb2.GetSagaLogRequest(saga_id=saga_id), timeout=10).events
        return [event for event in events if event.event == "resent" and event.time.ToMicroseconds() >= due.ToMicroseconds()]

    sent = wait_until(later, "it is sent again when it was said")[0]
    assert sent.time.ToMicroseconds() - due.ToMicroseconds() < 2_000_000
    run(stack, "cancel", saga_id, "--reason", "not needed")


def test_explain_offers_what_is_possible_wherever_a_saga_is(stack: TestStack, shop: Shop, trade: Trade) -> None:
    def offered(saga_id: str) -> list[str]:
        return [line["command"].split()[1] for line in explained(stack, saga_id)["commands"]]

    saga_id = trade.stuck_going_back()
    assert offered(saga_id) == ["retry", "skip", "resolve", "pause"]
    assert "step 'pay' could not be undone: attempts_exhausted" in explained(stack, saga_id)["why"][0]["text"]
    trade.answers[("pay", "compensation")] = None
    run(stack, "retry", saga_id, "--reason", "mended")
    assert offered(saga_id) == ["pause"]
    run(stack, "pause", saga_id, "--reason", "hold")
    assert offered(saga_id) == ["resume"]
    assert explained(stack, saga_id)["why"][0]["text"] == "it is paused by anonymous: hold"
    trade.answers.clear()
    run(stack, "resume", saga_id, "--reason", "go")
    shop.finished(saga_id)
    assert offered(saga_id) == []
    assert "because step 'book' failed: bank_away" in explained(stack, saga_id)["why"][0]["text"]
    needed = trade.stuck_going_forward("ship")  # later commands take fields from its reply
    assert offered(needed) == ["retry", "resolve", "pause"]
    assert run(stack, "explain", needed).stdout.startswith(f"saga {needed}  {trade.name} v1  STUCK")


# ---- who may, and who did --------------------------------------------------------------------------------------------


def test_only_operators_may_and_the_log_says_who_did(shop: Shop, trade: Trade, guarded: Guarded) -> None:  # noqa: F811
    saga_id = trade.stuck_going_back()
    trade.answers.clear()
    with guarded.channel() as channel:
        stub = saga_service_pb2_grpc.SagaServiceStub(channel)
        requests = [(stub.RetrySaga, saga_service_pb2.RetrySagaRequest), (stub.SkipStep, saga_service_pb2.SkipStepRequest),
                    (stub.ResolveSaga, saga_service_pb2.ResolveSagaRequest), (stub.PauseSaga, saga_service_pb2.PauseSagaRequest),
                    (stub.ResumeSaga, saga_service_pb2.ResumeSagaRequest)]
        for call, request in requests:
            with pytest.raises(grpc.RpcError) as caught:
                call(request(saga_id=saga_id, reason="x"), timeout=10)  # the certificate's role is `starter`
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        listed = stub.ListStuck(saga_service_pb2.ListStuckRequest(filter={"definition": trade.name}), timeout=10)
        assert [group.count for group in listed.groups] == [1]  # looking is for viewers
        stub.RetrySaga(saga_service_pb2.RetrySagaRequest(saga_id=saga_id, reason="mended"), timeout=10, metadata=guarded.token("ann"))
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPENSATED
    assert asked(shop, saga_id) == [("retry_requested", "ann", "mended")]


# ---- ListStuck -------------------------------------------------------------------------------------------------------


def test_liststuck_tells_the_cause_and_refuses_what_makes_no_sense(shop: Shop, trade: Trade) -> None:
    first = trade.stuck_going_back()
    second = trade.stuck_going_back()
    request = saga_service_pb2.ListStuckRequest(filter={"definition": trade.name}, include_saga_ids=True)
    [group] = shop.sagas.ListStuck(request, timeout=10).groups
    assert (group.definition, group.definition_version, group.step_id, group.reason) == (trade.name, 1, "pay", "attempts_exhausted")
    assert (group.phase, group.state) == (saga_pb2.STEP_PHASE_COMPENSATION, saga_pb2.STEP_STATE_COMPENSATION_STUCK)
    assert group.count == 2 and set(group.saga_ids) == {first, second} and group.oldest_saga_id == first
    assert group.oldest_time == shop.get(first).steps[0].update_time
    assert "the bank does not answer" in group.samples[0]
    for fields in ({"step_id": "book"}, {"reason": "timed_out"}, {"phase": saga_pb2.STEP_PHASE_FORWARD}):
        other = saga_service_pb2.ListStuckRequest(filter={"definition": trade.name}, **fields)
        assert not shop.sagas.ListStuck(other, timeout=10).groups
    bad = saga_service_pb2.ListStuckRequest(
        filter={"states": [saga_pb2.SAGA_STATE_RUNNING], "definition_version": 1}, phase=7, page_token="x")
    with pytest.raises(grpc.RpcError) as caught:
        shop.sagas.ListStuck(bad, timeout=10)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    violations = details(caught.value, error_details_pb2.BadRequest).field_violations
    assert {violation.field for violation in violations} == {"filter.states", "filter.definition_version", "phase", "page_token"}


# ---- many ------------------------------------------------------------------------------------------------------------


def test_many_stuck_sagas_are_shown_by_cause_and_tried_again_at_once(stack: TestStack, shop: Shop, trade: Trade) -> None:
    trade.answers[("tell", "forward")] = "retriable"
    sagas = trade.begin_many(MANY, batch="17")
    others = trade.begin_many(3, batch="18")
    wait_until(lambda: trade.count_in(saga_pb2.SAGA_STATE_STUCK) == MANY + len(others), "all are stuck", 120)
    shown = run(stack, "stuck", "--definition", trade.name).stdout
    assert f"{trade.name} v1" in shown and "attempts_exhausted" in shown and f" {MANY + len(others)} " in shown
    assert f"sagactl retry --definition {trade.name} --definition-version 1 --step tell --stuck-reason attempts_exhausted" in shown
    assert run(stack, "stuck", "--definition", trade.name, "--step", "pay").stdout == ""

    chosen = ("--definition", trade.name, "--step", "tell", "--label", "batch=17", "--reason", "mended")
    dry = run(stack, "retry", *chosen, "--dry-run")
    assert {line.split()[0] for line in dry.stdout.splitlines()} == set(sagas)
    assert run(stack, "retry", *chosen, code=2).stderr.splitlines()[0] == f"sagactl retry: {MANY} sagas fit:"
    assert trade.count_in(saga_pb2.SAGA_STATE_STUCK) == MANY + len(others)

    trade.answers.clear()
    assert run(stack, "retry", *chosen, "--yes").stdout.startswith(f"{MANY} of {MANY} sagas tried again in ")
    wait_until(lambda: trade.count_in(saga_pb2.SAGA_STATE_COMPLETED, batch="17") == MANY, "all end", 120)
    rows = shop.query("saga", "select count(distinct saga_id) from saga_events where event = 'retry_requested' and actor = 'anonymous'"
                              " and detail = 'mended' and saga_id = any(%s)", sagas)
    assert rows == [(MANY,)]
    again = run(stack, "retry", *sagas[:20], "--reason", "x", code=1)
    assert "0 of 20 sagas tried again" in again.stdout and "20 refused: is COMPLETED and cannot be tried again" in again.stdout
    assert [shop.get(other).state for other in others] == [saga_pb2.SAGA_STATE_STUCK] * len(others)


def test_a_person_is_asked_before_many_are_changed(stack: TestStack, shop: Shop, trade: Trade) -> None:
    trade.answers[("tell", "forward")] = "rejected"
    sagas = trade.begin_many(40, batch="19")
    wait_until(lambda: trade.count_in(saga_pb2.SAGA_STATE_STUCK) == len(sagas), "all are stuck")
    words = [stack.program("sagactl"), "skip", "tell", "--definition", trade.name, "--reason", "told by hand"]
    for answer, code in (("n", 1), ("", 1), ("y", 0)):
        assert trade.count_in(saga_pb2.SAGA_STATE_STUCK) == len(sagas)
        terminal = Terminal(words, stack.endpoints)
        terminal.wait_for(lambda screen: "Do it? [y/N]" in screen, "the question")
        assert f"{len(sagas)}  {trade.name} v1 tell: bank_away" in terminal.screen
        terminal.type(answer + "\n")
        assert terminal.finish() == code, terminal.screen
        assert ("nothing was changed" in terminal.screen) == (code == 1)
    assert re.search(rf"skip  \d+ of {len(sagas)}  \d+ %", terminal.raw), "the progress"
    assert "40 of 40 sagas gone on without the step in " in terminal.screen
    assert trade.count_in(saga_pb2.SAGA_STATE_COMPLETED, batch="19") == len(sagas)
