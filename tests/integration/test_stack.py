"""The fixtures' own test: everything is up, and what is registered at the start is registered."""

from __future__ import annotations

from datetime import datetime

import psycopg
import pytest
import requests
import yaml
from confluent_kafka.admin import AdminClient
from conftest import ROOT
from harness import TestStack
from stack.services import SERVICES

SUBJECTS = yaml.safe_load((ROOT / "proto" / "shop" / "subjects.yaml").read_text())["subjects"]


DEPENDENCIES = {"registry": {"database"}, "checkout": {"coordinator"}}  # of the others: database, kafka and registry


@pytest.mark.parametrize("service", SERVICES, ids=lambda row: row.name)
def test_service_is_ready_and_healthy_in_the_same_words(stack: TestStack, service) -> None:
    url = stack.http_url(service.name)
    assert requests.get(f"{url}/livez", timeout=5).json() == {"status": "alive"}
    ready = requests.get(f"{url}/readyz", timeout=5)
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    answer = requests.get(f"{url}/health", timeout=5)
    health = answer.json()
    assert answer.status_code == 200
    assert (health["status"], health["reasons"]) == ("healthy", []), health
    assert (health["service"], health["port"]) == (service.program, int(url.rsplit(":", 1)[1]))
    assert health["version"] and health["environment"]
    assert datetime.fromisoformat(health["timestamp"]).tzinfo is not None
    dependencies = health["dependencies"]
    assert set(dependencies) == DEPENDENCIES.get(service.name, {"database", "kafka", "registry"})
    assert {dependency["status"] for dependency in dependencies.values()} == {"healthy"}
    if "kafka" in dependencies:
        assert (dependencies["kafka"]["brokers"], dependencies["kafka"]["controller"]) == (1, 1)


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
