"""Definitions of one step or more, and the participant that they share, in this process: it answers when the test says so."""

from __future__ import annotations

import struct
import threading
import uuid
from pathlib import Path

import grpc
from confluent_kafka import Consumer, Producer
from google.protobuf import struct_pb2
from harness import TestStack
from kafka_tools import headers_of
from saga.v1 import saga_service_pb2
from shop_client import Shop, http, wait_until

SCHEMA = 'syntax = "proto3"; package flow; message Note { string order_id = 1; optional string note = 2; }'
COPIED = ("saga-id", "saga-step", "saga-phase", "saga-command-id", "saga-attempt", "correlationid")

ONE_STEP = """
saga: {definition}
key: order_id
steps:
  - id: pay
    command: {participant}.command
    timeout: 5m
    resend: 1m
    replies: {{succeeded: {participant}.reply}}
    compensation: {{command: {participant}.command, replies: {{succeeded: {participant}.reply}}}}
"""

AROUND_A_WAIT = """
saga: {definition}
key: order_id
steps:
  - id: pay
    command: {participant}.command
    timeout: 5m
    replies: {{succeeded: {participant}.reply}}
    compensation: none
  - id: NAME
    wait: {{WAIT}}
  - id: ship
    kind: retriable
    command: {participant}.command
    timeout: 5m
    replies: {{succeeded: {participant}.reply}}
    fields: {{note: NAME.note}}
"""


def around_a_wait(name: str, wait: str) -> str:
    """A definition of a step, the wait, and a last step that takes its note from what the wait got."""
    return AROUND_A_WAIT.replace("NAME", name).replace("WAIT", wait)


class Participant:
    """Its commands are kept in the order in which they came; each is answered once, when the test wants it."""

    def __init__(self, stack: TestStack, shop: Shop):
        self.stack = stack
        self.shop = shop
        self.name = f"flow{uuid.uuid4().hex[:8]}"
        self.came: list[str] = []  # saga ids, each once
        self.values: dict[tuple[str, str], bytes] = {}  # by saga and step
        self.most_open = 0
        self._open: dict[str, tuple[bytes, dict[str, str]]] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name)
        self._producer = Producer({"bootstrap.servers": shop.endpoints["KAFKA_BOOTSTRAP"], "linger.ms": 1})

    def start(self, folder: Path, definitions: dict[str, str], schemas: dict[str, str] | None = None) -> None:
        """`definitions`: their texts by name; `schemas`: further subjects, with their topics, and their Protobuf source."""
        (folder / "note.proto").write_text(SCHEMA)
        lines = [f"  - {{subject: {name}-input, schema: note.proto}}" for name in definitions]
        lines += [f"  - {{subject: {self.name}.{what}-value, topic: {self.name}.{what}, schema: note.proto}}" for what in ("command", "reply")]
        for number, (subject, source) in enumerate((schemas or {}).items()):
            (folder / f"more{number}.proto").write_text(source)
            topic = f", topic: {subject.removesuffix('-value')}" if subject.endswith("-value") else ""
            lines.append(f"  - {{subject: {subject}{topic}, schema: more{number}.proto}}")
        (folder / "subjects.yaml").write_text("subjects:\n" + "\n".join(lines) + "\n")
        self._sagactl("topics", "create", "--map", str(folder / "subjects.yaml"))
        self._sagactl("schema", "register", "--map", str(folder / "subjects.yaml"))
        for name, text in definitions.items():
            (folder / f"{name}.yaml").write_text(text.format(definition=name, participant=self.name))
            self._sagactl("definitions", "put", str(folder / f"{name}.yaml"))
        status, answer = http("GET", f"{self.shop.endpoints['REGISTRY_URL']}/subjects/{self.name}.reply-value/versions/latest")
        assert status == 200, answer
        self._reply_schema = answer["id"]
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(30)
        self._producer.flush(10)

    def _sagactl(self, *words: str) -> None:
        done = self.stack.sagactl(*words)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    # ---- sagas ---------------------------------------------------------------------------------------------------

    def request(self, definition: str, key: str = "") -> saga_service_pb2.StartSagaRequest:
        tree = struct_pb2.Struct()
        tree["order_id"] = key or str(uuid.uuid4())
        return saga_service_pb2.StartSagaRequest(definition=definition, json=tree, idempotency_key=key)

    def begin(self, definition: str, key: str = "") -> str:
        return self.shop.sagas.StartSaga(self.request(definition, key), timeout=10, wait_for_ready=True).saga.saga_id

    def begin_many(self, definition: str, count: int) -> list[str]:
        requests = [self.request(definition) for _ in range(count)]
        results = self.shop.sagas.BatchStartSagas(
            saga_service_pb2.BatchStartSagasRequest(requests=requests), timeout=30, wait_for_ready=True).results
        assert all(result.HasField("response") for result in results), results
        return [result.response.saga.saga_id for result in results]

    def wait_startable(self, definition: str) -> None:
        """Until a start is not refused because its reply topics are not listened to yet."""

        def is_startable() -> bool:
            try:
                self.begin(definition, f"first-{definition}")
            except grpc.RpcError as failure:
                assert failure.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND), failure
                return False
            return True

        wait_until(is_startable, f"{definition} can be started", 60)

    # ---- commands ------------------------------------------------------------------------------------------------

    def open(self) -> list[str]:
        with self._lock:
            return list(self._open)

    def answer(self, saga_id: str) -> None:
        with self._lock:
            key, asked = self._open.pop(saga_id)
        headers = {name: asked[name] for name in COPIED if name in asked} | {
            "saga-outcome": "succeeded", "ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "flow", "ce_type": "Note"}
        value = b"\x00" + struct.pack(">I", self._reply_schema) + b"\x00" + b"\x12\x02hi"
        self._producer.produce(f"{self.name}.reply", key=key, value=value, headers=list(headers.items()))
        self._producer.poll(0)

    def answer_all(self, count: int, deadline_s: float = 60) -> None:
        """One after another, until so many have come in all."""

        def is_done() -> bool:
            for saga_id in self.open():
                self.answer(saga_id)
            return len(self.came) >= count and not self.open()

        wait_until(is_done, f"{count} commands have come and are answered", deadline_s, 0.01)

    def _run(self) -> None:
        consumer = Consumer({"bootstrap.servers": self.shop.endpoints["KAFKA_BOOTSTRAP"], "group.id": self.name,
                             "auto.offset.reset": "earliest"})
        consumer.subscribe([f"{self.name}.command"])
        while not self._is_over.is_set():
            record = consumer.poll(0.1)
            if record is None or record.error():
                continue
            asked = headers_of(record)
            saga_id = asked["saga-id"]
            with self._lock:
                if (saga_id, asked["saga-step"]) in self.values and saga_id not in self._open:
                    continue  # sent again, and answered before
                if (saga_id, asked["saga-step"]) not in self.values:
                    self.came.append(saga_id)
                self.values[(saga_id, asked["saga-step"])] = record.value()
                self._open[saga_id] = (record.key(), asked)
                self.most_open = max(self.most_open, len(self._open))
        consumer.close()
