"""Several registry instances over one Postgres: sixteen clients at once, kill -9 in the middle, caches that may not lie."""

from __future__ import annotations

import json
import random
import threading
import urllib.error
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from harness import TestStack
from postgres_proxy import Lost, PostgresProxy
from psycopg.conninfo import make_conninfo
from registry_instance import Instance
from shop_client import http, wait_until

CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
CLIENTS = 16
AWAY = (urllib.error.URLError, ConnectionError, TimeoutError)  # no answer came


@pytest.fixture
def urls(start_registry: Callable[..., Instance]) -> list[str]:
    return [start_registry().url, start_registry().url]


@pytest.fixture
def subject() -> str:
    return f"instances-{uuid.uuid4()}"


def record(mark: str, kind: str = "string") -> str:
    fields = [{"name": "id", "type": "string"}, {"name": "value", "type": kind}]
    return json.dumps({"type": "record", "name": f"R{mark}", "fields": fields})


def call(method: str, url: str, body: Any = None) -> tuple[int, Any]:
    return http(method, url, body, CONTENT)


def register(url: str, subject: str, schema: str) -> tuple[int, Any]:
    return call("POST", f"{url}/subjects/{subject}/versions", {"schema": schema})


def together(work: Callable[[int], Any]) -> list[Any]:
    """Sixteen threads that begin at the same moment."""
    barrier = threading.Barrier(CLIENTS)

    def run(client: int) -> Any:
        barrier.wait(30)
        return work(client)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))


def test_the_same_schemas_have_one_id_and_gapless_versions(urls: list[str], subject: str) -> None:
    assert call("PUT", f"{urls[0]}/config/{subject}", {"compatibility": "NONE"})[0] == 200
    schemas = [record(f"{uuid.uuid4().hex}") for _ in range(10)]

    def work(client: int) -> dict[str, int]:
        order = random.Random(client).sample(schemas, len(schemas))
        answers = {schema: register(urls[client % 2], subject, schema) for schema in order}
        assert {status for status, _ in answers.values()} == {200}, answers
        return {schema: answer["id"] for schema, (_, answer) in answers.items()}

    found = together(work)
    assert all(ids == found[0] for ids in found)
    assert len(set(found[0].values())) == len(schemas)
    for url in urls:
        assert call("GET", f"{url}/subjects/{subject}/versions")[1] == list(range(1, len(schemas) + 1))


def test_one_schema_in_many_subjects_has_one_id(urls: list[str], subject: str) -> None:
    schema = record(uuid.uuid4().hex)
    answers = together(lambda client: register(urls[client % 2], f"{subject}-{client}", schema))
    assert {status for status, _ in answers} == {200}
    assert len({answer["id"] for _, answer in answers}) == 1


def test_of_schemas_that_exclude_each_other_one_wins(urls: list[str], subject: str) -> None:
    kinds = ["int", "string", "boolean", "null"]  # none reads another
    mark = uuid.uuid4().hex
    answers = together(lambda client: register(urls[client % 2], subject, record(mark, kinds[client % 4])))
    won = {kind for kind, (status, _) in zip(kinds * 4, answers, strict=True) if status == 200}
    assert len(won) == 1
    assert {status for status, _ in answers} == {200, 409}
    assert call("GET", f"{urls[0]}/subjects/{subject}/versions")[1] == [1]


def test_kill_9_in_the_middle_loses_nothing_that_was_acknowledged(start_registry: Callable[..., Instance], subject: str) -> None:
    victim, survivor = start_registry(), start_registry()
    assert call("PUT", f"{survivor.url}/config/{subject}", {"compatibility": "NONE"})[0] == 200
    acknowledged: dict[str, int] = {}
    guard = threading.Lock()
    enough = threading.Event()

    def work(client: int) -> int:
        url = (victim if client % 2 else survivor).url
        for turn in range(40):
            schema = record(f"{client}_{turn}_{uuid.uuid4().hex}")
            try:
                status, answer = register(url, subject, schema)
            except AWAY:
                return turn
            assert status == 200, answer
            with guard:
                acknowledged[schema] = answer["id"]
                if len(acknowledged) > 60:
                    enough.set()
        return 40

    def kill() -> None:
        assert enough.wait(60)
        victim.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    turns = together(work)
    killer.join(60)
    assert all(turn == 40 for turn in turns[0::2])
    assert any(turn < 40 for turn in turns[1::2]), "the kill came after the work"
    versions = call("GET", f"{survivor.url}/subjects/{subject}/versions")[1]
    assert versions == list(range(1, len(versions) + 1))
    again = start_registry()
    kept = {version: call("GET", f"{again.url}/subjects/{subject}/versions/{version}")[1] for version in versions}
    ids = {answer["id"]: json.loads(answer["schema"])["name"] for answer in kept.values()}
    assert len(ids) == len(versions)
    assert {schema_id: json.loads(schema)["name"] for schema, schema_id in acknowledged.items()}.items() <= ids.items()


@pytest.mark.parametrize("lost", Lost, ids=lambda lost: f"{lost.value}-lost")
def test_an_unknown_commit_is_not_answered_with_what_it_did(stack: TestStack, start_registry: Callable[..., Instance],
                                                            subject: str, lost: Lost) -> None:
    """A registration or a level is the same when it is done twice; what is unset is not there the second time."""
    with closing(PostgresProxy(stack.stack.ports["postgres"], lambda sql: sql.startswith((b"COMMIT", b"WITH moved")))) as proxy:
        conninfo = make_conninfo(stack.endpoints["PG_REGISTRY_DSN"], port=proxy.port, sslmode="disable", gssencmode="disable")
        url = start_registry(conninfo=conninfo).url
        proxy.cut(lost, 1, every=1)
        status, answer = register(url, subject, record("Once"))
        assert (status, proxy.cuts) == (200, 1), answer
        proxy.cut(lost, 1, every=1)
        assert call("PUT", f"{url}/config/{subject}", {"compatibility": "FULL"})[0] == 200
        proxy.cut(lost, 1, every=1)
        status, answer = call("DELETE", f"{url}/config/{subject}")
        assert (status, answer["error_code"], proxy.cuts) == (500, 50001, 3), answer
        assert call("GET", f"{url}/config/{subject}")[0] == (404 if lost == Lost.REPLY else 200)
        assert call("GET", f"{url}/subjects/{subject}/versions")[1] == [1]


def test_what_another_instance_changes_shows_at_once(urls: list[str], subject: str) -> None:
    first, second = urls
    schema = record(uuid.uuid4().hex)
    assert register(first, subject, schema)[0] == 200
    assert call("GET", f"{second}/subjects/{subject}/versions/latest")[1]["version"] == 1
    assert call("PUT", f"{first}/config/{subject}", {"compatibility": "NONE"})[0] == 200
    assert register(second, subject, record(uuid.uuid4().hex, "int"))[0] == 200
    assert call("GET", f"{first}/subjects/{subject}/versions/latest")[1]["version"] == 2
    assert call("PUT", f"{first}/mode/{subject}", {"mode": "READONLY"})[0] == 200
    status, answer = register(second, subject, record(uuid.uuid4().hex))
    assert (status, answer["error_code"]) == (422, 42205)
    assert call("DELETE", f"{second}/subjects/{subject}")[1]["error_code"] == 42205
    assert call("PUT", f"{second}/mode/{subject}", {"mode": "READWRITE"})[0] == 200
    assert call("DELETE", f"{first}/subjects/{subject}") == (200, [1, 2])
    assert call("GET", f"{second}/subjects/{subject}/versions")[1]["error_code"] == 40401


def test_a_permanent_deletion_reaches_the_other_cache(urls: list[str], subject: str) -> None:
    first, second = urls
    schema_id = register(first, subject, record(uuid.uuid4().hex))[1]["id"]
    for url in urls:  # both have it in their caches now
        assert call("GET", f"{url}/schemas/ids/{schema_id}")[0] == 200
    assert call("DELETE", f"{first}/subjects/{subject}")[0] == 200
    assert call("GET", f"{second}/schemas/ids/{schema_id}")[0] == 200  # softly deleted ones still answer by id
    assert call("DELETE", f"{first}/subjects/{subject}?permanent=true")[0] == 200
    assert call("GET", f"{first}/schemas/ids/{schema_id}")[0] == 404
    answer = wait_until(lambda: _gone(second, schema_id), "the second instance forgets it", deadline_s=5)
    assert answer["error_code"] == 40403


def _gone(url: str, schema_id: int) -> Any:
    status, answer = call("GET", f"{url}/schemas/ids/{schema_id}")
    return answer if status == 404 else None


def test_a_large_body_is_refused_and_the_instance_lives_on(urls: list[str], subject: str) -> None:
    status, answer = call("POST", f"{urls[0]}/subjects/{subject}/versions", b'{"schema": "' + b"x" * (17 << 20) + b'"}')
    assert status == 413
    assert answer
    assert register(urls[0], subject, record(uuid.uuid4().hex))[0] == 200


def test_a_config_that_one_instance_takes_soon_holds_at_the_other(urls: list[str], subject: str) -> None:
    schema = record(uuid.uuid4().hex)
    assert register(urls[1], subject, schema)[0] == 200  # the second one has read what there was
    assert call("PUT", f"{urls[0]}/config/{subject}-old", {"alias": subject})[0] == 200
    assert call("GET", f"{urls[0]}/subjects/{subject}-old/versions") == (200, [1])
    assert call("GET", f"{urls[1]}/config/{subject}-old")[1]["alias"] == subject  # who asks for it sees it at once
    wait_until(lambda: call("GET", f"{urls[1]}/subjects/{subject}-old/versions") == (200, [1]), "the alias holds", 10)
    assert call("DELETE", f"{urls[1]}/config/{subject}-old")[0] == 200
    assert call("GET", f"{urls[1]}/subjects/{subject}-old/versions")[0] == 404
    wait_until(lambda: call("GET", f"{urls[0]}/subjects/{subject}-old/versions")[0] == 404, "the alias is gone", 10)


def test_a_context_is_deleted_or_registered_in_but_not_both(urls: list[str]) -> None:
    for turn in range(15):
        context = f".{uuid.uuid4()}"
        place = f"/contexts/{context}/subjects"
        assert call("POST", f"{urls[0]}{place}/first/versions", {"schema": '"int"'}) == (200, {"id": 1})
        for permanent in ("", "?permanent=true"):
            assert call("DELETE", f"{urls[0]}{place}/first{permanent}")[0] == 200

        def work(client: int) -> int:
            if client % 2:
                return call("DELETE", f"{urls[turn % 2]}/contexts/{context}")[0]
            return call("POST", f"{urls[client // 2 % 2]}{place}/s{client}/versions", {"schema": record(f"C{client}")})[0]

        statuses = together(work)
        assert set(statuses[::2]) == {200}, statuses
        assert set(statuses[1::2]) <= {204, 404, 422}, statuses
        assert context in call("GET", f"{urls[0]}/contexts")[1]
        assert call("GET", f"{urls[1]}{place}")[1] == sorted(f":{context}:s{client}" for client in range(0, CLIENTS, 2))
        ids = [call("GET", f"{urls[0]}{place}/s{client}/versions/1")[1]["id"] for client in range(0, CLIENTS, 2)]
        assert len(set(ids)) == len(ids)
