"""A small trade of the operators' tests: a definition, topics and schemas of its own, and a participant in this process that
answers each command as the test says: what is refused, what fails for a while, what gets no answer at all."""

from __future__ import annotations

import json
import struct
import threading
import uuid
from collections import defaultdict
from pathlib import Path

from confluent_kafka import Consumer, Producer
from google.protobuf import struct_pb2
from harness import TestStack
from kafka_tools import headers_of, send
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, http, wait_until

SCHEMA = 'syntax = "proto3"; package trade; message Note { string order_id = 1; optional string note = 2; }'
COPIED = ("saga-id", "saga-step", "saga-phase", "saga-command-id", "saga-attempt", "correlationid")
Command = tuple[str, str]  # step and phase

OPEN = (saga_pb2.SAGA_STATE_SCHEDULED, saga_pb2.SAGA_STATE_RUNNING, saga_pb2.SAGA_STATE_COMPLETING,
        saga_pb2.SAGA_STATE_COMPENSATING, saga_pb2.SAGA_STATE_STUCK)

DEFINITION = """
saga: {name}
runbook: Ask the bank; then retry.
key: order_id
defaults:
  {{timeout: 10m, resend: 500ms, attempts: 3, backoff: 50ms, compensation: {{timeout: 10m, resend: 500ms, attempts: 3, backoff: 50ms}}}}
steps:
  - id: pay
    command: {name}.command
    replies: {{succeeded: {name}.reply}}
    compensation: {{command: {name}.command, replies: {{succeeded: {name}.reply}}}}
  - id: book
    command: {name}.command
    replies: {{succeeded: {name}.reply}}
    compensation: {{command: {name}.command, replies: {{succeeded: {name}.reply}}}}
  - id: confirm
    kind: pivot
    command: {name}.command
    replies: {{succeeded: {name}.reply}}
  - id: ship
    kind: retriable
    command: {name}.command
    replies: {{succeeded: {name}.reply}}
  - id: tell
    kind: retriable
    command: {name}.command
    replies: {{succeeded: {name}.reply}}
    fields: {{note: ship.note}}
"""


class Trade:
    def __init__(self, stack: TestStack, shop: Shop):
        self.stack = stack
        self.shop = shop
        self.name = f"trade-{uuid.uuid4().hex[:8]}"
        self.bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
        self.answers: dict[Command, str | None] = {}  # for all sagas; what is not here succeeds; None: no answer
        self.seen: dict[tuple[str, str, str], int] = defaultdict(int)  # by saga, step and phase: how often it was sent
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trade")

    def start(self, folder: Path) -> None:
        """`folder` is for the map of subjects, from which topics and schemas are made as anybody would."""
        (folder / "note.proto").write_text(SCHEMA)
        topics = (f"{self.name}.command", f"{self.name}.reply")
        subjects = folder / "subjects.yaml"
        subjects.write_text("subjects:\n" + f"  - {{subject: {self.name}-input, schema: note.proto}}\n" + "".join(
            f"  - {{subject: {topic}-value, topic: {topic}, schema: note.proto}}\n" for topic in topics))
        (folder / "trade.yaml").write_text(DEFINITION.format(name=self.name))
        for words in (("topics", "create", "--map", str(subjects)), ("schema", "register", "--map", str(subjects)),
                      ("definitions", "put", str(folder / "trade.yaml"))):
            done = self.stack.sagactl(*words)
            assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        status, answer = http("GET", f"{self.shop.endpoints['REGISTRY_URL']}/subjects/{topics[1]}-value/versions/latest")
        assert status == 200, answer
        self._reply_schema = answer["id"]
        self._thread.start()

    def mend(self) -> None:
        """Everything succeeds, and no saga of it is left that has not ended."""
        self.answers.clear()
        done = self.stack.sagactl("resume", "--definition", self.name, "--reason", "the test is over", "--yes")
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

        def is_over() -> bool:
            self.stack.sagactl("resolve", "--definition", self.name, "--as", "failed", "--reason", "the test is over", "--yes")
            return not any(self.count_in(state) for state in OPEN)

        wait_until(is_over, "all sagas of the trade end", 60, 0.5)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(30)

    # ---- sagas ---------------------------------------------------------------------------------------------------

    def begin(self, **labels: str) -> str:
        tree = struct_pb2.Struct()
        tree["order_id"] = str(uuid.uuid4())
        request = saga_service_pb2.StartSagaRequest(definition=self.name, json=tree, labels=labels)
        return self.shop.sagas.StartSaga(request, timeout=10, wait_for_ready=True).saga.saga_id

    def begin_many(self, count: int, **labels: str) -> list[str]:
        requests = []
        for _ in range(count):
            tree = struct_pb2.Struct()
            tree["order_id"] = str(uuid.uuid4())
            requests.append(saga_service_pb2.StartSagaRequest(definition=self.name, json=tree, labels=labels))
        results = self.shop.sagas.BatchStartSagas(
            saga_service_pb2.BatchStartSagasRequest(requests=requests), timeout=30, wait_for_ready=True).results
        return [result.response.saga.saga_id for result in results]

    def stuck(self, saga_id: str) -> saga_pb2.Saga:
        saga = self.shop.finished(saga_id)
        assert saga.state == saga_pb2.SAGA_STATE_STUCK, saga
        return saga

    def stuck_going_back(self) -> str:
        """One whose `book` was refused and whose payment cannot be given back."""
        self.answers[("book", "forward")] = "rejected"
        self.answers[("pay", "compensation")] = "retriable"
        saga_id = self.begin()
        self.stuck(saga_id)
        return saga_id

    def stuck_going_forward(self, step: str = "tell") -> str:
        self.answers[(step, "forward")] = "retriable"
        saga_id = self.begin()
        self.stuck(saga_id)
        return saga_id

    def count_in(self, state: int, **labels: str) -> int:
        request = saga_service_pb2.ListSagasRequest(
            filter=saga_service_pb2.SagaFilter(definition=self.name, states=[state], labels=labels), page_size=1000)
        return len(self.shop.sagas.ListSagas(request, timeout=10).sagas)

    def times_sent(self, saga_id: str, step: str, phase: str = "forward") -> int:
        return self.seen[(saga_id, step, phase)]

    # ---- the participant -----------------------------------------------------------------------------------------

    def reply(self, saga_id: str, step: str, outcome: str, attempt: int = 1) -> None:
        """As the participant would, unasked."""
        headers = {"saga-id": saga_id, "saga-step": step, "saga-phase": "forward", "saga-attempt": str(attempt),
                   "saga-command-id": f"{saga_id}/{step}/forward", "correlationid": saga_id, "saga-outcome": outcome}
        send(self.bootstrap, f"{self.name}.reply", self.shop.get(saga_id).key, self._value(), self._envelope(headers))

    def _value(self) -> bytes:
        return b"\x00" + struct.pack(">I", self._reply_schema) + b"\x00" + b"\x12\x02hi"

    @staticmethod
    def _envelope(headers: dict[str, str]) -> dict[str, str]:
        return headers | {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "trade", "ce_type": "Note"}

    def _run(self) -> None:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.name, "auto.offset.reset": "earliest"})
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 1})
        consumer.subscribe([f"{self.name}.command"])
        while not self._is_over.is_set():
            record = consumer.poll(0.1)
            producer.poll(0)
            if record is None or record.error():
                continue
            asked = headers_of(record)
            command = (asked["saga-step"], asked["saga-phase"])
            self.seen[(asked["saga-id"], *command)] += 1
            outcome = self.answers.get(command, "succeeded")
            if outcome is None:
                continue
            headers = {name: asked[name] for name in COPIED if name in asked} | {"saga-outcome": outcome}
            if outcome != "succeeded":
                headers |= {"saga-reason": "bank_away", "saga-detail": "the bank does not answer"}
            producer.produce(f"{self.name}.reply", key=record.key(), value=self._value(),
                             headers=list(self._envelope(headers).items()))
        producer.flush(10)
        consumer.close()


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]
