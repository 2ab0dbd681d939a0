"""Lists, logs, cancels, later starts and batches over gRPC, against the whole shop."""

from __future__ import annotations

import time
import uuid

import grpc
from google.rpc import error_details_pb2
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, wait_until
from test_api import details, refusal

LIMIT_S = 60


def label() -> dict[str, str]:
    """A label that only the sagas of one test have."""
    return {"test": str(uuid.uuid4())}


def pages(shop: Shop, **fields) -> list[list[saga_pb2.Saga]]:
    found, token = [], ""
    while True:
        answer = shop.sagas.ListSagas(saga_service_pb2.ListSagasRequest(page_token=token, **fields), timeout=LIMIT_S)
        found.append(list(answer.sagas))
        token = answer.next_page_token
        if not token:
            return found


def ids(sagas) -> list[str]:
    return [saga.saga_id for saga in sagas]


def everything(shop: Shop, **fields) -> list[str]:
    return [saga_id for page in pages(shop, **fields) for saga_id in ids(page)]


def cancel(shop: Shop, saga_id: str, reason: str = "changed my mind") -> saga_service_pb2.CancelSagaResponse:
    return shop.sagas.CancelSaga(saga_service_pb2.CancelSagaRequest(saga_id=saga_id, reason=reason), timeout=10)


# ---- lists ---------------------------------------------------------------------------------------------------------


def test_list_finds_sagas_by_everything_they_are_known_by(shop: Shop) -> None:
    labels = label()
    refused = shop.start(shop.input(force_payment_fail=True), labels=labels | {"kind": "refused"}).saga
    good = shop.start(shop.input(), labels=labels | {"kind": "good"}).saga
    shop.finished(refused.saga_id)
    saga = shop.finished(good.saga_id)
    assert everything(shop, filter={"labels": labels}) == [good.saga_id, refused.saga_id]
    assert everything(shop, filter={"labels": labels}, order="SAGA_ORDER_OLDEST_FIRST") == [
        refused.saga_id, good.saga_id]
    assert everything(shop, filter={"labels": labels | {"kind": "good"}}) == [good.saga_id]
    assert everything(shop, filter={"key": saga.key}) == [good.saga_id]
    assert everything(shop, filter={"labels": labels, "definition": "checkout"}) == [good.saga_id, refused.saga_id]
    assert everything(shop, filter={"labels": labels, "definition": "other"}) == []
    assert everything(shop, filter={"labels": labels, "states": ["SAGA_STATE_COMPENSATED"]}) == [refused.saga_id]
    assert everything(shop, filter={"labels": labels, "states": ["SAGA_STATE_RUNNING", "SAGA_STATE_STUCK"]}) == []
    assert everything(shop, filter={"labels": labels}, create_time={"from": saga.create_time}) == [good.saga_id]
    assert everything(shop, filter={"labels": labels}, create_time={"before": saga.create_time}) == [refused.saga_id]
    assert everything(shop, filter={"labels": labels}, update_time={"from": saga.update_time}) == [good.saga_id]


def test_listed_sagas_are_as_get_shows_them_without_steps_events_and_input(shop: Shop) -> None:
    labels = label()
    saga = shop.finished(shop.start(shop.input(), labels=labels).saga.saga_id)
    [[listed]] = pages(shop, filter={"labels": labels})
    for field in ("steps", "events", "input"):
        saga.ClearField(field)
    assert listed == saga


def test_pages_neither_overlap_nor_miss_and_tokens_are_bound_to_their_list(shop: Shop) -> None:
    labels = label()
    batch = [shop.start_request(shop.input(force_payment_fail=True), labels=labels) for _ in range(7)]
    shop.sagas.BatchStartSagas(saga_service_pb2.BatchStartSagasRequest(requests=batch), timeout=10)
    filter = {"labels": labels}
    for order in ("SAGA_ORDER_NEWEST_FIRST", "SAGA_ORDER_OLDEST_FIRST"):
        found = pages(shop, filter=filter, page_size=3, order=order)
        assert [len(page) for page in found] == [3, 3, 1]
        together = [saga_id for page in found for saga_id in ids(page)]
        assert together == sorted(together, reverse=order == "SAGA_ORDER_NEWEST_FIRST")
        assert len(set(together)) == 7
    first = shop.sagas.ListSagas(saga_service_pb2.ListSagasRequest(filter=filter, page_size=3), timeout=10)
    other = saga_service_pb2.ListSagasRequest(filter={"labels": label()}, page_token=first.next_page_token)
    for request in (other, saga_service_pb2.ListSagasRequest(page_token="not a token")):
        error = refusal(shop.sagas.ListSagas, request, timeout=10)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        [violation] = details(error, error_details_pb2.BadRequest).field_violations
        assert violation.field == "page_token"


def test_open_sagas_are_listed_without_a_label(shop: Shop) -> None:
    saga = shop.start(shop.input(), delay={"seconds": 600}).saga
    assert saga.saga_id in everything(shop, filter={"states": ["SAGA_STATE_SCHEDULED"]}, page_size=1000)
    assert saga.saga_id in everything(shop, page_size=1000)
    cancel(shop, saga.saga_id)
    assert saga.saga_id not in everything(shop, filter={"states": ["SAGA_STATE_SCHEDULED"]}, page_size=1000)


def test_every_wrong_field_of_a_list_is_named_at_once(shop: Shop) -> None:
    request = saga_service_pb2.ListSagasRequest(
        filter={"definition_version": 1, "states": [99]},
        create_time={"from": {"seconds": 5}, "before": {"seconds": 4}},
        page_size=-1,
    )
    error = refusal(shop.sagas.ListSagas, request, timeout=10)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    fields = {entry.field for entry in details(error, error_details_pb2.BadRequest).field_violations}
    assert fields == {"filter.definition_version", "filter.states", "create_time", "page_size"}


def test_log_comes_in_pages_and_is_the_timeline(shop: Shop) -> None:
    saga = shop.finished(shop.start(shop.input()).saga.saga_id)
    events, token = [], ""
    while True:
        request = saga_service_pb2.GetSagaLogRequest(saga_id=saga.saga_id, page_size=3, page_token=token)
        answer = shop.sagas.GetSagaLog(request, timeout=10)
        assert len(answer.events) <= 3
        events += answer.events
        token = answer.next_page_token
        if not token:
            break
    assert events == list(saga.events)
    error = refusal(shop.sagas.GetSagaLog, saga_service_pb2.GetSagaLogRequest(saga_id=str(uuid.uuid4())), timeout=10)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert details(error, error_details_pb2.ResourceInfo).resource_type == "saga.v1.Saga"


# ---- cancels -------------------------------------------------------------------------------------------------------


def test_cancelled_saga_gives_the_money_back_and_says_why(shop: Shop, stack) -> None:
    stack.suspend("inventory")
    try:
        saga = shop.start(shop.input()).saga
        wait_until(lambda: shop.get(saga.saga_id).step == "PAYMENT_CHARGED", "the payment is charged")
        answer = cancel(shop, saga.saga_id, "ordered twice")
        assert answer.saga.state == saga_pb2.SAGA_STATE_COMPENSATING
        assert not answer.already_turned_back
        again = cancel(shop, saga.saga_id)
        assert again.already_turned_back
    finally:
        stack.resume("inventory")
    ended = shop.finished(saga.saga_id)
    assert (ended.state, ended.step) == (saga_pb2.SAGA_STATE_COMPENSATED, "CANCELLED")
    assert [event.detail for event in ended.events if event.event == "cancelled"] == ["ordered twice"]
    assert shop.payment_status(saga.key) == "REFUNDED"
    assert shop.order_status(saga.key) == "CANCELLED"
    assert cancel(shop, saga.saga_id).already_turned_back


def test_completed_saga_cannot_be_cancelled(shop: Shop) -> None:
    saga = shop.finished(shop.start(shop.input()).saga.saga_id)
    error = refusal(cancel, shop, saga.saga_id)
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert details(error, error_details_pb2.ErrorInfo).reason == "CANCEL_REFUSED"
    assert details(error, error_details_pb2.ErrorInfo).metadata["state"] == "COMPLETED"
    [violation] = details(error, error_details_pb2.PreconditionFailure).violations
    assert (violation.type, violation.subject) == ("SAGA_STATE", saga.saga_id)
    assert shop.get(saga.saga_id).version == saga.version


def test_cancel_needs_a_saga_and_a_reason(shop: Shop) -> None:
    error = refusal(cancel, shop, "no uuid", "")
    fields = {entry.field for entry in details(error, error_details_pb2.BadRequest).field_violations}
    assert fields == {"saga_id", "reason"}
    error = refusal(cancel, shop, str(uuid.uuid4()))
    assert error.code() == grpc.StatusCode.NOT_FOUND


# ---- later starts and batches --------------------------------------------------------------------------------------


def test_delayed_saga_starts_after_a_restart_of_the_coordinator_and_not_before_its_time(shop: Shop, stack) -> None:
    saga = shop.start(shop.input(force_payment_fail=True), delay={"seconds": 4}).saga
    assert saga.state == saga_pb2.SAGA_STATE_SCHEDULED
    stack.kill("coordinator")
    stack.wait_ready("coordinator")
    ended = shop.finished(saga.saga_id)
    assert ended.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert ended.start_time.ToNanoseconds() - ended.create_time.ToNanoseconds() == 4 * 10**9
    scheduled, started, *_ = ended.events
    assert (scheduled.event, started.event) == ("scheduled", "started")
    assert started.time.ToNanoseconds() >= ended.start_time.ToNanoseconds()


def test_start_time_is_kept_and_a_repeated_start_answers_the_same_saga(shop: Shop) -> None:
    tree = shop.input()
    at = {"seconds": int(time.time()) + 600}
    first = shop.start(tree, start_time=at)
    assert first.saga.start_time.seconds == at["seconds"]
    again = shop.start(tree, delay={"seconds": 1})
    assert again.already_existed and again.saga.saga_id == first.saga.saga_id
    assert cancel(shop, first.saga.saga_id).saga.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert shop.order_status(tree["order_id"]) is None


def test_each_item_of_a_batch_has_its_own_result(shop: Shop) -> None:
    same = shop.input(force_payment_fail=True)
    requests = [shop.start_request(shop.input(force_payment_fail=True)) for _ in range(100)]
    requests += [shop.start_request(same), shop.start_request(same),
                 shop.start_request(same | {"total_amount_minor": 7}),
                 shop.start_request(shop.input(colour="red")),
                 shop.start_request(shop.input(), definition="chekout")]
    results = shop.sagas.BatchStartSagas(
        saga_service_pb2.BatchStartSagasRequest(requests=requests), timeout=LIMIT_S).results
    assert len(results) == len(requests)
    assert len({result.response.saga.saga_id for result in results[:100]}) == 100
    assert results[100].response.saga.saga_id == results[101].response.saga.saga_id
    assert sorted(result.response.already_existed for result in results[100:102]) == [False, True]
    assert [result.error.code for result in results[102:]] == [
        grpc.StatusCode.ALREADY_EXISTS.value[0],
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        grpc.StatusCode.NOT_FOUND.value[0],
    ]
    assert results[103].error.details
    for request, result in zip(requests[:100], results[:100]):
        assert result.response.saga.key == request.idempotency_key
