"""A small trade of the operators' tests: a definition, topics and schemas of its own, and a participant in this process that
answers each command as the test says: what is refused, what fails for a while, what gets no answer at all."""

from __future__ import annotations

import json
import struct
import threading
import uuid
from collections import defaultdict

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from google.protobuf import struct_pb2
from kafka_tools import headers_of, send
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, http, wait_until

SCHEMA = 'syntax = "proto3"; package trade; message Note { string order_id = 1; optional string note = 2; }'
COPIED = ("saga-id", "saga-step", "saga-phase", "saga-command-id", "saga-attempt", "correlationid")
Command = tuple[str, str]  # step and phase

DEFINITION = """
saga: {name}
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
    def __init__(self, shop: Shop):
        self.shop = shop
        self.name = f"trade-{uuid.uuid4().hex[:8]}"
        self.bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
        self.answers: dict[Command, str | None] = {}  # for all sagas; what is not here succeeds; None: no answer
        self.seen: dict[tuple[str, str, str], int] = defaultdict(int)  # by saga, step and phase: how often it was sent
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trade")

    def start(self) -> None:
        topics = [f"{self.name}.{kind}" for kind in ("command", "reply", "reply.dlq")]
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for made in admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1) for topic in topics]).values():
            made.result(20)
        for subject in (f"{self.name}-input", f"{self.name}.command-value", f"{self.name}.reply-value"):
            status, answer = http("POST", f"{self.shop.endpoints['REGISTRY_URL']}/subjects/{subject}/versions",
                                  {"schemaType": "PROTOBUF", "schema": SCHEMA},
                                  {"Content-Type": "application/vnd.schemaregistry.v1+json"})
            assert status == 200, answer
            self._reply_schema = answer["id"]
        source = DEFINITION.format(name=self.name)
        self.shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source, file_name="trade.yaml"), timeout=30)
        request = saga_service_pb2.GetDefinitionRequest(name=self.name)
        wait_until(lambda: self.shop.sagas.GetDefinition(request, timeout=5).definition.ready, "the trade is ready")
        self._thread.start()

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

    def count_in(self, state: int) -> int:
        request = saga_service_pb2.ListSagasRequest(
            filter=saga_service_pb2.SagaFilter(definition=self.name, states=[state]), page_size=1000)
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
