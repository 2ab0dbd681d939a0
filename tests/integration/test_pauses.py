"""A definition, or a participant, is paused as a whole: nothing is sent, no time runs out, nothing is lost; on the real stack."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2
from harness import TestStack
from operator_trade import Trade, lines_of
from saga.v1 import saga_pb2, saga_service_pb2, saga_service_pb2_grpc
from shop_client import Shop, http, wait_until
from test_api import details
from test_audit import Guarded, guarded  # noqa: F401 - a fixture
from test_check import check
from test_operators import opened_trade, run, states, trade  # noqa: F401 - fixtures

PAUSED_S = 20  # how soon coordinators follow, generously


@pytest.fixture
def nothing_paused(stack: TestStack, trade: Trade) -> Iterator[None]:  # noqa: F811
    yield
    for kind in ("definitions", "participants"):
        run(stack, kind, "resume", trade.name, "--reason", "the test is over")


def health(shop: Shop) -> dict:
    return http("GET", f"{shop.endpoints['SAGA_HTTP']}/health")[1]


def pause(stack: TestStack, shop: Shop, kind: str, name: str, reason: str) -> None:
    """And waits until the coordinator has read it, since what it sends at the same moment may still go out."""
    assert "is paused" in run(stack, kind, "pause", name, "--reason", reason).stdout
    wait_until(lambda: any(name in text and reason in text for text in health(shop)["paused"]), "the coordinator follows", PAUSED_S)


def paused_metric(shop: Shop, what: str) -> int:
    text = http("GET", f"{shop.endpoints['SAGA_HTTP']}/metrics")[1]
    [line] = [line for line in text.splitlines() if line.startswith(f'saga_paused{{what="{what}"}} ')]
    return int(line.split()[-1])


def test_starts_of_a_paused_definition_are_accepted_and_wait(
        stack: TestStack, shop: Shop, trade: Trade, nothing_paused: None) -> None:  # noqa: F811
    trade.answers[("pay", "forward")] = None
    running = trade.begin()
    wait_until(lambda: trade.times_sent(running, "pay"), "it is sent")
    pause(stack, shop, "definitions", trade.name, "prices are wrong")
    assert health(shop)["paused"] == [f"definition '{trade.name}' is paused by anonymous: prices are wrong"]
    assert paused_metric(shop, "definition") == 1 and paused_metric(shop, "participant") == 0
    trade.answers.clear()
    started = trade.begin()
    wait_until(lambda: states(shop.get(started))["pay"] == "HELD", "the first command is held back")
    trade.reply(running, "pay", "succeeded")  # replies still count
    wait_until(lambda: states(shop.get(running)) == {"pay": "SUCCEEDED", "book": "HELD", "confirm": "PENDING", "ship": "PENDING",
                                                     "tell": "PENDING"}, "the next command is held back")
    assert trade.times_sent(started, "pay") == 0 and trade.times_sent(running, "book") == 0
    explained = run(stack, "explain", started).stdout
    assert "prices are wrong" in explained and "is paused by anonymous" in explained
    [listed] = lines_of(run(stack, "pauses", "-o", "jsonl").stdout)
    assert (listed["definition"], listed["reason"], listed["actor"]) == (trade.name, "prices are wrong", "anonymous")
    assert "prices are wrong" in run(stack, "pauses").stdout
    assert "was paused before, by anonymous: prices are wrong" in run(stack, "definitions", "pause", trade.name, "--reason", "x").stdout

    assert "goes on" in run(stack, "definitions", "resume", trade.name, "--reason", "prices are right").stdout
    for saga_id in (started, running):
        assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
    assert trade.times_sent(started, "pay") == 1
    assert "was not paused" in run(stack, "definitions", "resume", trade.name, "--reason", "x").stdout
    assert check(shop).returncode == 0


def test_compensations_to_a_paused_participant_wait_and_their_time_does_not_run(
        stack: TestStack, shop: Shop, trade: Trade, nothing_paused: None) -> None:  # noqa: F811
    trade.answers[("book", "forward")] = None
    saga_id = trade.begin()
    wait_until(lambda: trade.times_sent(saga_id, "book"), "it is sent")
    pause(stack, shop, "participants", trade.name, "it moves")
    assert paused_metric(shop, "participant") == 1
    trade.reply(saga_id, "book", "rejected")
    wait_until(lambda: states(shop.get(saga_id))["pay"] == "COMPENSATION_HELD", "the compensation is held back")
    stack.kill("coordinator")
    stack.wait_ready("coordinator")
    wait_until(lambda: health(shop)["paused"], "it is paused after a restart as well", PAUSED_S)
    assert states(shop.get(saga_id))["pay"] == "COMPENSATION_HELD" and trade.times_sent(saga_id, "pay", "compensation") == 0
    run(stack, "participants", "resume", trade.name, "--reason", "it has moved")
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPENSATED
    assert check(shop).returncode == 0


def test_a_pause_that_one_coordinator_was_told_holds_for_all(
        stack: TestStack, shop: Shop, trade: Trade, nothing_paused: None) -> None:  # noqa: F811
    with stack.second_coordinator() as second:
        run(stack, "participants", "pause", trade.name, "--reason", "it moves", "--address", second.target)
        wait_until(lambda: health(shop)["paused"], "the first one follows", PAUSED_S)
        sagas = trade.begin_many(5)
        wait_until(lambda: all(states(shop.get(saga_id))["pay"] == "HELD" for saga_id in sagas), "all are held back")
        assert not any(trade.times_sent(saga_id, "pay") for saga_id in sagas)
        run(stack, "participants", "resume", trade.name, "--reason", "it has moved")
        for saga_id in sagas:
            assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
    rows = shop.query("saga", "select actor, reason, ended_by, end_reason from saga_pause where name = %s order by at desc limit 1", trade.name)
    assert rows == [("anonymous", "it moves", "anonymous", "it has moved")]


def test_what_does_not_exist_cannot_be_paused(stack: TestStack, shop: Shop) -> None:
    refused = run(stack, "definitions", "pause", "chekout", "--reason", "x", code=3)
    assert "near are 'checkout'" in refused.stderr
    refused = run(stack, "participants", "pause", "paymnt", "--reason", "x", code=3)
    assert "no definition sends commands to a participant 'paymnt'" in refused.stderr and "payment" in refused.stderr
    with pytest.raises(grpc.RpcError) as caught:
        shop.sagas.PauseDefinition(saga_service_pb2.PauseDefinitionRequest(), timeout=10)
    violations = details(caught.value, error_details_pb2.BadRequest).field_violations
    assert {violation.field for violation in violations} == {"definition", "reason"}
    assert "no definition or participant is paused" in run(stack, "pauses").stderr


def test_only_operators_pause_and_the_list_says_who_did(shop: Shop, guarded: Guarded) -> None:  # noqa: F811
    with guarded.channel() as channel:
        stub = saga_service_pb2_grpc.SagaServiceStub(channel)
        for call, request in ((stub.PauseDefinition, saga_service_pb2.PauseDefinitionRequest(definition="checkout", reason="x")),
                              (stub.PauseParticipant, saga_service_pb2.PauseParticipantRequest(participant="payment", reason="x")),
                              (stub.ResumeDefinition, saga_service_pb2.ResumeDefinitionRequest(definition="checkout", reason="x")),
                              (stub.ResumeParticipant, saga_service_pb2.ResumeParticipantRequest(participant="payment", reason="x"))):
            with pytest.raises(grpc.RpcError) as caught:
                call(request, timeout=10)  # the certificate's role is `starter`
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        assert not stub.ListPauses(saga_service_pb2.ListPausesRequest(), timeout=10).pauses
        ann = guarded.token("ann")
        answer = stub.PauseParticipant(saga_service_pb2.PauseParticipantRequest(participant="payment", reason="it moves"), timeout=10, metadata=ann)
        assert (answer.pause.participant, answer.pause.actor, answer.was_paused) == ("payment", "ann", False)
        [listed] = stub.ListPauses(saga_service_pb2.ListPausesRequest(), timeout=10).pauses
        assert listed == answer.pause
        assert stub.ResumeParticipant(
            saga_service_pb2.ResumeParticipantRequest(participant="payment", reason="it has moved"), timeout=10, metadata=ann).was_paused
