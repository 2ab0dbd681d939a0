"""Starting, stopping and upgrading: SIGTERM drains, a second one ends at once, migrations survive a kill, two coordinators
take turns under load, the watchdog ends a server that accepts no more, logs come as JSON."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import psycopg
import pytest
import requests
from saga.v1 import saga_pb2, saga_service_pb2, saga_service_pb2_grpc
from shop_client import Shop, wait_until
from stack.postgres import SUPERUSER

SAGAS = 120
# How a client survives upgrades, as docs/outages.md says: it retries UNAVAILABLE, and asks health which server to use.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "saga.v1.SagaService"},
    "methodConfig": [{
        "name": [{"service": "saga.v1.SagaService"}],
        "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"]},
    }],
}


def channel_to(*targets: str) -> grpc.Channel:
    return grpc.insecure_channel(f"ipv4:{','.join(targets)}", [
        ("grpc.service_config", json.dumps(SERVICE_CONFIG)), ("grpc.enable_retries", 1),
        ("grpc.max_reconnect_backoff_ms", 1000), ("grpc.initial_reconnect_backoff_ms", 100)])


@contextmanager
def starting(shop: Shop) -> Iterator[list[tuple[str, str]]]:
    """Starts sagas all the time, as a client that asks again after UNAVAILABLE with the same key; what was acknowledged,
    as (order id, saga id)."""
    acknowledged: list[tuple[str, str]] = []
    failures: list[grpc.RpcError] = []
    is_over = threading.Event()

    channel = channel_to(shop.endpoints["SAGA_GRPC"])
    stub = saga_service_pb2_grpc.SagaServiceStub(channel)

    def run() -> None:
        while not is_over.is_set():
            one = shop.input(str(uuid.uuid4()), force_payment_fail=True)
            while True:
                try:
                    started = stub.StartSaga(shop.start_request(one), timeout=10, wait_for_ready=True)
                    acknowledged.append((one["order_id"], started.saga.saga_id))
                    break
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        failures.append(error)
                        return
                    is_over.wait(0.02)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(acknowledged) >= SAGAS, "the load runs", 60)
        yield acknowledged
    finally:
        is_over.set()
        for thread in threads:
            thread.join(60)
        channel.close()
    assert not failures, failures[0]


@pytest.mark.parametrize("name", ["coordinator", "payment", "registry"])
def test_sigterm_under_load_drains_and_loses_nothing(stack, shop: Shop, name: str) -> None:
    with starting(shop) as acknowledged:
        begin = time.monotonic()
        assert stack.terminate(name) == 0
        assert time.monotonic() - begin < 30
        if name != "coordinator":
            before = len(acknowledged)
            wait_until(lambda: len(acknowledged) > before + 20, "starts go on without it")
        stack.start(name)
    assert len(set(acknowledged)) == len(acknowledged)
    for _, saga_id in acknowledged:
        assert shop.finished(saga_id, 120).state == saga_pb2.SAGA_STATE_COMPENSATED


def test_sigterm_answers_the_checkouts_that_wait(stack, shop: Shop) -> None:
    stack.suspend("payment")
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(shop.checkout) for _ in range(4)]
        wait_until(lambda: 'checkout_requests_total{outcome="running"} 0' in metrics(stack, "checkout"), "checkout counts")
        wait_until(lambda: open_sagas(shop) >= 4, "the checkouts are started")
        assert stack.terminate("checkout") == 0
        answers = [one.result(30) for one in waiting]
    stack.resume("payment")
    stack.start("checkout")
    assert [status for status, _ in answers] == [202] * 4, answers
    for _, answer in answers:
        assert shop.finished(answer["sagaId"]).step == "COMPLETED"


def metrics(stack, name: str) -> str:
    return requests.get(f"{stack.http_url(name)}/metrics", timeout=5).text


def open_sagas(shop: Shop) -> int:
    return shop.query("saga", "select count(*) from sagas where status = 'RUNNING'")[0][0]


def test_sigterm_answers_the_calls_that_wait(stack, shop: Shop) -> None:
    stack.suspend("payment")
    started = shop.start(shop.input()).saga
    with ThreadPoolExecutor(1) as pool, stack.second_coordinator() as second:
        with grpc.insecure_channel(second.target) as channel:
            stub = saga_service_pb2_grpc.SagaServiceStub(channel)
            request = saga_service_pb2.GetSagaRequest(saga_id=started.saga_id)
            request.wait.FromSeconds(60)
            assert stub.GetSaga(saga_service_pb2.GetSagaRequest(saga_id=started.saga_id), timeout=10)
            waiting = pool.submit(stub.GetSaga, request, timeout=60)
            wait_until(waiting.running, "the call waits")
            assert second.terminate() == 0
            try:
                assert waiting.result(10).saga.saga_id == started.saga_id
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
    stack.resume("payment")
    assert shop.finished(started.saga_id).step == "COMPLETED"


def test_a_second_sigterm_ends_at_once(stack, shop: Shop) -> None:
    with stack.second_coordinator() as second:
        stack.suspend("postgres")
        try:
            with grpc.insecure_channel(second.target) as channel:
                stub = saga_service_pb2_grpc.SagaServiceStub(channel)
                waiting = stub.StartSaga.future(shop.start_request(shop.input()), timeout=60)
                wait_until(lambda: "degraded" in requests.get(f"http://127.0.0.1:{second.http_port}/health", timeout=10).text,
                           "the database is missed")
                second.child.signal(signal.SIGTERM)
                wait_until(lambda: "event=stopping" in second.said(), "it drains")
                assert second.child.exit_code() is None
                second.child.signal(signal.SIGTERM)
                assert second.child.popen.wait(5) == 128 + signal.SIGTERM
                assert waiting.exception(10) is not None
        finally:
            stack.resume("postgres")


# ---- migrations ------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty_database(stack) -> Iterator[str]:
    name = f"lifecycle_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.stack.postgres.login("postgres", SUPERUSER).dsn, autocommit=True) as admin:
        admin.execute(f"create database {name} owner saga")
        try:
            yield name
        finally:
            admin.execute(f"drop database {name} with (force)")


def test_a_migration_killed_half_way_does_no_harm(stack, shop: Shop, empty_database: str) -> None:
    from harness import Coordinator

    dsn = psycopg.conninfo.make_conninfo(shop.endpoints["PG_SAGA_DSN"], dbname=empty_database)
    with psycopg.connect(dsn) as other:
        # A table of that name that is not committed yet: the migration, with tables of its own made, waits for it.
        other.execute("create table saga_log ()")
        first = Coordinator(stack, empty_database, ())
        first.spawn()
        try:
            with psycopg.connect(dsn, autocommit=True) as looker:
                waiting = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
                wait_until(lambda: looker.execute(waiting, [empty_database]).fetchone()[0] == 1, "it is half-way")
                first.child.kill()
                other.rollback()
                left = "select count(*) from pg_stat_activity where application_name like 'saga-coordinator%%' and datname = %s"
                wait_until(lambda: looker.execute(left, [empty_database]).fetchone()[0] == 0, "its transaction is over")
                found = looker.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
                assert found == (0,), "nothing of it stays"
        finally:
            first.child.kill()
    # Two at once: one migrates, the other finds it done.
    with stack.second_coordinator(empty_database, ("--instance", "coordinator-a")) as one:
        with stack.second_coordinator(empty_database, ("--instance", "coordinator-b")) as two:
            assert one.child.exit_code() is None and two.child.exit_code() is None
    with psycopg.connect(dsn) as looker:
        rows = looker.execute("select name from schema_migration order by 1").fetchall()
        assert [row[0][:4] for row in rows] == [f"{number:04}" for number in range(1, len(rows) + 1)]
        assert looker.execute("select count(*) from sagas").fetchone() == (0,)


# ---- a rolling upgrade -----------------------------------------------------------------------------------------------


def test_two_coordinators_are_restarted_in_turn_and_no_call_fails(stack, shop: Shop) -> None:
    is_over = threading.Event()
    sagas: list[str] = []
    failures: list[BaseException] = []

    with stack.second_coordinator() as second:
        with channel_to(shop.endpoints["SAGA_GRPC"], second.target) as channel:
            stub = saga_service_pb2_grpc.SagaServiceStub(channel)

            def run() -> None:
                try:
                    while not is_over.is_set():
                        started = stub.StartSaga(shop.start_request(shop.input(force_payment_fail=True)), timeout=30,
                                                 wait_for_ready=True)
                        saga_id = started.saga.saga_id
                        sagas.append(saga_id)
                        seen = stub.GetSaga(saga_service_pb2.GetSagaRequest(saga_id=saga_id), timeout=30)
                        assert seen.saga.saga_id == saga_id  # I14
                except BaseException as error:
                    failures.append(error)

            threads = [threading.Thread(target=run) for _ in range(8)]
            for thread in threads:
                thread.start()
            try:
                wait_until(lambda: len(sagas) > 100 or failures, "the load runs", 60)
                assert second.terminate() == 0
                after = len(sagas)
                wait_until(lambda: len(sagas) > after + 100 or failures, "one serves alone", 60)
                second.start()
                assert stack.terminate("coordinator") == 0
                after = len(sagas)
                wait_until(lambda: len(sagas) > after + 100 or failures, "the other serves alone", 60)
                stack.start("coordinator")
            finally:
                is_over.set()
                for thread in threads:
                    thread.join(60)
        assert not failures, failures[0]
        assert len(set(sagas)) == len(sagas)
        for saga_id in sagas:
            assert shop.finished(saga_id, 120).state == saga_pb2.SAGA_STATE_COMPENSATED


# ---- the watchdog ----------------------------------------------------------------------------------------------------


def test_a_server_that_accepts_no_more_ends_itself(stack) -> None:
    """All descriptors are taken by connections: gRPC gives up accepting, and does not begin again."""
    with stack.second_coordinator(arguments=("--watchdog-ms", "300")) as second:
        resource.prlimit(second.child.pid, resource.RLIMIT_NOFILE, (150, 150))
        connections = []
        try:
            for _ in range(400):
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", second.grpc_port))
                connections.append(connection)
            assert second.child.popen.wait(30) == 1
        finally:
            for connection in connections:
                connection.close()
        assert "event=watchdog_ends_process" in second.said()


# ---- logs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["saga-coordinator", "order-service"])
def test_every_line_of_a_json_log_is_an_object(stack, program: str) -> None:
    listen = ["--grpc-listen", "127.0.0.1:0"] if program == "saga-coordinator" else []
    child = subprocess.Popen(
        [stack.program(program), "--log-format", "json", "--http-port", "0", "--postgres", "host=127.0.0.1 port=1",
         "--kafka-brokers", "127.0.0.1:1", "--registry-url", "http://127.0.0.1:1", *listen],
        stderr=subprocess.PIPE, text=True)
    try:
        lines = []
        while not lines or "note" not in lines[-1]:
            lines.append(json.loads(child.stderr.readline()))
        child.send_signal(signal.SIGTERM)
        lines += [json.loads(line) for line in child.stderr]
        assert child.wait(30) == 0
    finally:
        child.kill()
    assert all(line["service"] and line["event"] and re.fullmatch(r"20\d\d-.*Z", line["ts"]) for line in lines)
    assert lines[-1]["event"] in ("stopped", "service_stopped") and lines[-1]["status"] == 0
