"""Records on Kafka as any client sees them: Confluent's consumer, producer and deserializers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition


Headers = dict[str, Any] | list[tuple[str, Any]]  # pairs where a name repeats


def headers_of(message: Message) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in message.headers() or []}


def read_until(
    bootstrap: str,
    topics: Iterable[str],
    wanted: Callable[[Message], bool],
    count: int = 1,
    deadline_s: float = 30,
    distinct: Callable[[Message], Any] = lambda message: (message.topic(), message.partition(), message.offset()),
) -> list[Message]:
    """The first `count` wanted records of the topics, read from their beginning.

    Delivery is at least once: of records that are alike in `distinct` only the first counts.
    """
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"test-{uuid.uuid4()}"})
    try:
        partitions = []
        for topic in topics:
            metadata = consumer.list_topics(topic, timeout=10).topics[topic]
            assert metadata.error is None, metadata.error
            partitions += [TopicPartition(topic, number, 0) for number in metadata.partitions]
        consumer.assign(partitions)
        found: dict[Any, Message] = {}
        end = time.monotonic() + deadline_s
        while len(found) < count:
            assert time.monotonic() < end, f"found {len(found)} of {count} records in {deadline_s} s on {list(topics)}"
            message = consumer.poll(0.2)
            if message is not None and message.error() is None and wanted(message):
                found.setdefault(distinct(message), message)
        return list(found.values())
    finally:
        consumer.close()


def send(bootstrap: str, topic: str, key: str | None, value: bytes | None, headers: Headers) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 2_000_000})
    failures: list[Any] = []
    producer.produce(
        topic,
        key=key,
        value=value,
        headers=[(name, text if isinstance(text, bytes) else str(text)) for name, text in (headers.items() if isinstance(headers, dict) else headers)],
        on_delivery=lambda error, _: failures.append(error) if error else None,
    )
    assert producer.flush(10) == 0
    assert not failures, failures


def saga_of_now() -> str:
    """An id as coordinators make them (UUIDv7), of a saga that none has: whoever checks what comes later does not meet it."""
    return str(uuid.UUID(int=time.time_ns() // 10**6 << 80 | 7 << 76 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1))


def command_headers(saga_id: str, step: str, phase: str, attempt: int = 1) -> dict[str, str]:
    return {
        "saga-id": saga_id,
        "saga-step": step,
        "saga-phase": phase,
        "saga-command-id": f"{saga_id}/{step}/{phase}",
        "saga-attempt": str(attempt),
        "ce_specversion": "1.0",
        "ce_id": str(uuid.uuid4()),
        "ce_source": "test",
        "correlationid": saga_id,
    }
