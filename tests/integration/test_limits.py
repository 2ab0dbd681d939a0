"""Limits on the real stack: how much a participant has in flight, fair between definitions, and how many sagas are open."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from flow_trade import ONE_STEP, Participant
from google.rpc import error_details_pb2
from harness import TestStack
from saga.v1 import saga_pb2
from shop_client import Shop, http, wait_until
from test_api import details
from test_operators import metric

IN_FLIGHT = 4
OPEN = 60


@pytest.fixture
def participant(stack: TestStack, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Participant]:
    """Two definitions that share it; it may have IN_FLIGHT commands, and the first definition OPEN sagas."""
    one = Participant(stack, shop)
    stack.add_arguments("coordinator", "--max-in-flight-of", f"{one.name}={IN_FLIGHT}", "--max-open-sagas-of", f"{one.name}-flood={OPEN}")
    stack.restart("coordinator")
    one.start(tmp_path_factory.mktemp("limits"), {f"{one.name}-flood": ONE_STEP, f"{one.name}-calm": ONE_STEP})
    for name in ("flood", "calm"):
        one.wait_startable(f"{one.name}-{name}")
    one.answer_all(2)
    for name in ("flood", "calm"):  # what made sure that they can be started counts until it has ended
        shop.finished(one.begin(f"{one.name}-{name}", f"first-{one.name}-{name}"))
    wait_until(lambda: metric(shop, "saga_commands_waiting") == 0, "nothing waits")
    yield one
    one.stop()
    stack.add_arguments("coordinator")
    stack.restart("coordinator")


def test_a_flood_of_one_definition_does_not_starve_another(stack: TestStack, shop: Shop, participant: Participant) -> None:
    before = len(participant.came)
    flood = participant.begin_many(f"{participant.name}-flood", 40)
    wait_until(lambda: len(participant.open()) == IN_FLIGHT, "the participant has what it may have")
    calm = participant.begin_many(f"{participant.name}-calm", 3)
    wait_until(lambda: metric(shop, "saga_commands_waiting") == 40 + 3 - IN_FLIGHT, "the others wait")
    status, health = http("GET", f"{shop.endpoints['SAGA_HTTP']}/health")
    assert status == 200 and health["status"] == "healthy"

    held = shop.get(calm[0])
    assert held.steps[0].state == saga_pb2.STEP_STATE_HELD
    assert not held.steps[0].attempts
    told = stack.sagactl("explain", calm[0])
    assert told.returncode == 0, told.stderr
    assert f"step 'pay' waits for room: participant '{participant.name}' has as many commands as it may" in told.stdout
    assert "its time begins then" in told.stdout

    participant.answer_all(before + 43)
    order = participant.came[before:]
    assert sorted(order) == sorted(flood + calm)
    # The flood had its IN_FLIGHT before the calm ones came; from then on they take turns. As they come by several partitions,
    # those in flight together may overtake each other; first come, first served would be 40 and later.
    assert max(order.index(saga_id) for saga_id in calm) < IN_FLIGHT + 2 * len(calm) + IN_FLIGHT, order
    assert participant.most_open <= IN_FLIGHT
    for saga_id in flood + calm:
        assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED


def test_what_waits_for_room_survives_a_kill(stack: TestStack, shop: Shop, participant: Participant) -> None:
    before = len(participant.came)
    flood = participant.begin_many(f"{participant.name}-flood", 30)
    wait_until(lambda: len(participant.open()) == IN_FLIGHT, "the participant has what it may have")
    stack.kill("coordinator")
    stack.wait_ready("coordinator")
    wait_until(lambda: metric(shop, "saga_commands_waiting") == 30 - IN_FLIGHT, "those that waited are found")
    participant.answer_all(before + 30)
    for saga_id in flood:
        assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
    assert participant.most_open <= IN_FLIGHT
    log = stack.sagactl("log", flood[-1]).stdout
    assert "held" in log and "released" in log


def test_a_start_beyond_the_limit_says_which_limit_and_when_to_come_again(stack: TestStack, shop: Shop, participant: Participant) -> None:
    definition = f"{participant.name}-flood"
    before = len(participant.came)
    refused = metric(shop, "saga_starts_refused_total")
    participant.begin_many(definition, OPEN - 1)
    last = participant.begin(definition, "the last one")
    with pytest.raises(grpc.RpcError) as failure:
        participant.begin(definition, "one too many")
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"'{definition}' has {OPEN} open sagas" in failure.value.details()
    [violation] = details(failure.value, error_details_pb2.QuotaFailure).violations
    assert violation.subject == "max-open-sagas" and definition in violation.description
    assert details(failure.value, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
    assert metric(shop, "saga_starts_refused_total") == refused + 1

    assert participant.begin(definition, "the last one") == last, "what was started before is no other saga"
    participant.begin(f"{participant.name}-calm")
    participant.answer_all(before + OPEN + 1)
    wait_until(lambda: shop.finished(last).state == saga_pb2.SAGA_STATE_COMPLETED, "a place is free")
    participant.begin(definition, "one too many")
    participant.answer_all(before + OPEN + 2)
