"""The fixtures' own test: everything is up, and what is registered at the start is registered."""

from __future__ import annotations

import psycopg
import pytest
import requests
import yaml
from confluent_kafka.admin import AdminClient
from conftest import ROOT
from harness import TestStack
from stack.services import SERVICES

SUBJECTS = yaml.safe_load((ROOT / "proto" / "shop" / "subjects.yaml").read_text())["subjects"]


@pytest.mark.parametrize("service", [row.name for row in SERVICES])
def test_service_is_ready_and_healthy(stack: TestStack, service: str) -> None:
    url = stack.http_url(service)
    assert requests.get(f"{url}/readyz", timeout=5).status_code == 200
    health = requests.get(f"{url}/health", timeout=5)
    assert health.status_code == 200
    assert health.json()["status"] == "healthy", health.text


@pytest.mark.parametrize("service", [row for row in SERVICES if row.database], ids=lambda row: row.name)
def test_service_has_a_database_of_its_own(stack: TestStack, service) -> None:
    own = f"PG_{service.database.removesuffix('_db').upper()}_DSN"
    for name in [name for name in stack.endpoints if name.startswith("PG_")]:
        dsn = psycopg.conninfo.make_conninfo(stack.endpoints[own], dbname=stack.endpoints[name].rsplit("/", 1)[1])
        if name == own:
            with psycopg.connect(dsn) as connection:
                assert connection.execute("select current_user").fetchone() == (service.database,)
        else:
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(dsn)


def test_topics_and_schemas_are_there(stack: TestStack) -> None:
    topics = AdminClient({"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP"]}).list_topics(timeout=10).topics
    assert {entry["topic"] for entry in SUBJECTS if entry.get("topic")} <= set(topics)
    subjects = requests.get(f"{stack.endpoints['REGISTRY_URL']}/subjects", timeout=5).json()
    assert {entry["subject"] for entry in SUBJECTS} <= set(subjects)


def test_checkout_is_registered(shop) -> None:
    from saga.v1 import saga_service_pb2

    answer = shop.sagas.GetDefinition(saga_service_pb2.GetDefinitionRequest(name="checkout"), timeout=10)
    assert answer.definition.name == "checkout"
    assert answer.definition.version >= 1
