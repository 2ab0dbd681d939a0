"""deploy/registry-copy between two instances of ours over databases of their own: what is copied is what was there."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from conftest import ROOT
from harness import TestStack
from psycopg.conninfo import make_conninfo
from registry_instance import Instance
from shop_client import http
from stack.postgres import BINARIES, SUPERUSER

CONTENT = {"Content-Type": "application/json"}
MONEY = {"type": "record", "name": "Money", "fields": [{"name": "amount", "type": "long"}]}
LINE = {"type": "record", "name": "Line", "fields": [{"name": "price", "type": "Money"}]}
ORDER = {"type": "record", "name": "Order", "fields": [{"name": "lines", "type": {"type": "array", "items": "Line"}}]}
ODD = "odd/name %20 ü?&#"


class Registry:
    def __init__(self, url: str, conninfo: str = ""):
        self.url = url
        self.conninfo = conninfo

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return http(method, self.url + path, body, CONTENT)

    def must(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.send(method, path, body)
        assert status < 300, (method, path, answer)
        return answer

    def register(self, subject: str, schema: Any, **more: Any) -> int:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self.must("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": text, **more})["id"]

    def dump(self) -> dict[str, Any]:
        """All that can be seen, in whatever way the copy read it."""
        seen: dict[str, Any] = {"contexts": self.must("GET", "/contexts"), "all": self.must("GET", "/schemas?subjectPrefix=:*:&deleted=true")}
        for name in ("", ":.staging:", ":.other:", *self.must("GET", "/subjects?subjectPrefix=:*:&deleted=true")):
            place = f"/{quote(name, safe='')}" if name else ""
            for kind in ("config", "mode"):
                seen[f"{kind} {name}"] = self.send("GET", f"/{kind}{place}")
            if not name or name.startswith(":.") and name.endswith(":"):
                continue
            seen[f"versions {name}"] = [self.send("GET", f"/subjects{place}/versions{query}") for query in ("", "?deleted=true")]
            for version in seen[f"versions {name}"][1][1]:
                path = f"/subjects{place}/versions/{version}"
                seen[path] = [self.send("GET", path + query) for query in ("", "?deleted=true", "/referencedby")]
        for context in seen["contexts"]:
            for schema_id in range(1, 30):
                path = f"/contexts/{context}/schemas/ids/{schema_id}"
                seen[path] = [self.send("GET", path + more) for more in ("", "/versions?deleted=true")]
        return seen


@pytest.fixture
def start(stack: TestStack, start_registry: Callable[..., Instance]) -> Iterator[Callable[..., Registry]]:
    """Each over a database of its own, which is empty, or what `fill` makes of it."""
    admin = psycopg.connect(stack.stack.postgres.login("postgres", SUPERUSER).dsn, autocommit=True)
    names: list[str] = []
    instances: list[Instance] = []

    def make(fill: Callable[[str], None] = lambda _: None) -> Registry:
        names.append(f"copy_{uuid.uuid4().hex[:8]}")
        admin.execute(f"create database {names[-1]} owner registry")
        conninfo = make_conninfo(stack.endpoints["PG_REGISTRY_DSN"], dbname=names[-1])
        fill(conninfo)
        instances.append(start_registry(conninfo=conninfo))
        return Registry(instances[-1].url, conninfo)

    yield make
    for instance in instances:
        instance.stop()
    for name in names:
        admin.execute(f"drop database {name}")
    admin.close()


@pytest.fixture
def source(start: Callable[..., Registry]) -> Registry:
    registry = start()
    registry.must("PUT", "/config", {"compatibility": "FULL"})
    for prefix in ("", ":.staging:"):  # a context has the same names, and ids of its own
        money, line = [{"name": "Money", "subject": "money", "version": 2}], [{"name": "Line", "subject": "line", "version": 1}]
        registry.register(f"{prefix}money", '"int"')
        registry.must("PUT", f"/config/{prefix}money", {"compatibility": "NONE"})
        registry.register(f"{prefix}money", MONEY)
        registry.register(f"{prefix}line", LINE, references=money)
        registry.register(f"{prefix}order", ORDER, references=line)
    registry.register(":.other:order", ORDER, references=[{"name": "Line", "subject": ":.staging:line", "version": 1}])
    registry.must("PUT", "/config/:.staging:", {"compatibility": "FORWARD", "normalize": True})
    registry.register(ODD, '"string"', metadata={"properties": {"owner": "me"}})
    registry.register("twice", '"string"')
    registry.must("PUT", "/config/twice", {"compatibility": "NONE", "compatibilityGroup": "major"})
    for _ in range(2):  # an old one comes back with its id and a new version
        registry.register("twice", '"bytes"')
        registry.must("DELETE", "/subjects/twice/versions/latest")
    for number in (1, 2):  # a version that is gone for good leaves a gap
        registry.register("gap", {"type": "fixed", "name": "F", "size": 4, "doc": str(number)})
    registry.must("DELETE", "/subjects/gap/versions/1")
    registry.must("DELETE", "/subjects/gap/versions/1?permanent=true")
    registry.register("file", 'syntax = "proto3"; package a; message Money { int64 amount = 1; }', schemaType="PROTOBUF")
    registry.register("user", 'syntax = "proto3"; package a; import "money.proto"; message Use { Money money = 1; }',
                      schemaType="PROTOBUF", references=[{"name": "money.proto", "subject": "file", "version": 1}])
    for subject in ("user", "file"):
        registry.must("DELETE", f"/subjects/{subject}")
    registry.register("closed", '"long"')
    registry.must("PUT", "/mode/closed", {"mode": "READONLY"})
    registry.must("PUT", "/config/old-name", {"alias": "money"})
    return registry


def copy(source: Registry, target: Registry, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "deploy" / "registry-copy", source.url, target.url, *flags], capture_output=True, text=True,
                          timeout=120)


def test_a_copy_is_what_was_there_and_goes_on_from_there(source: Registry, start: Callable[..., Registry]) -> None:
    target = start()
    before = target.dump()
    checked = copy(source, target, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert target.dump() == before
    copied = copy(source, target, "--settings-of", "old-name")
    assert (copied.returncode, copied.stderr) == (0, "")
    left = source.dump()
    assert target.dump() == left
    assert target.must("GET", "/subjects/old-name/versions") == [1, 2]  # an alias
    again = copy(source, target)
    assert (again.returncode, again.stderr) == (0, "")
    highest = max(version["id"] for version in left["all"] if not version["subject"].startswith(":."))
    assert target.register("after", {"type": "fixed", "name": "After", "size": 1}) == highest + 1
    assert target.must("POST", "/subjects/order", {"schema": json.dumps(ORDER), "references": [
        {"name": "Line", "subject": "line", "version": 1}]})["version"] == 1


def test_a_dump_of_the_database_is_a_copy(source: Registry, start: Callable[..., Registry]) -> None:
    """As docs/registry.md says it."""
    dump = subprocess.run([BINARIES / "pg_dump", "--format=custom", "--no-owner", source.conninfo], capture_output=True, timeout=60,
                          check=True).stdout

    def restore(conninfo: str) -> None:
        subprocess.run([BINARIES / "pg_restore", "--no-owner", "--exit-on-error", "--dbname", conninfo], input=dump, timeout=60,
                       check=True)

    target = start(restore)
    assert target.dump() == source.dump()
    assert target.register("after", '"double"') == source.register("after", '"double"')


def test_what_was_interrupted_is_finished(source: Registry, start: Callable[..., Registry]) -> None:
    target = start()
    target.must("PUT", "/mode/money", {"mode": "IMPORT"})
    first = source.must("GET", "/subjects/money/versions/1")
    target.register("money", first["schema"], id=first["id"], version=1)
    copied = copy(source, target)
    assert (copied.returncode, copied.stderr) == (0, "")
    assert target.dump()["all"] == source.dump()["all"]


def test_modes_of_an_interrupted_copy_go_back(source: Registry, start: Callable[..., Registry]) -> None:
    target = start()
    assert copy(source, target, "--settings-of", "old-name").returncode == 0
    for subject in ("money", "closed"):  # as it is while versions are written
        target.must("PUT", f"/mode/{subject}?force=true", {"mode": "IMPORT"})
    copied = copy(source, target)
    assert (copied.returncode, copied.stderr) == (0, "")
    assert target.dump() == source.dump()


def test_a_mode_stays_where_versions_are_added(source: Registry, start: Callable[..., Registry]) -> None:
    target = start()
    assert copy(source, target, "--settings-of", "old-name").returncode == 0
    source.must("PUT", "/mode/closed", {"mode": "READWRITE"})
    source.register("closed", '"long"', metadata={"properties": {"owner": "me"}})
    source.must("PUT", "/mode/closed", {"mode": "READONLY"})
    copied = copy(source, target)
    assert (copied.returncode, copied.stderr) == (0, "")
    assert target.dump() == source.dump()


def test_a_target_in_the_way_is_told_and_left_as_it_was(source: Registry, start: Callable[..., Registry]) -> None:
    target = start()
    target.register("money", '"float"')  # the id of the source's first one
    target.register("stranger", '"double"')
    target.register("line", '"boolean"')
    before = target.dump()
    refused = copy(source, target)
    assert refused.returncode == 1
    assert "money version 1: the target has another schema there" in refused.stderr
    assert "money version 2: the target has id 2 for another schema, stranger version 1" in refused.stderr
    assert target.dump() == before


def test_a_registry_that_is_away_is_told(start: Callable[..., Registry], tmp_path: Path) -> None:
    away = copy(Registry("http://127.0.0.1:1"), start())
    assert away.returncode == 1
    assert "http://127.0.0.1:1 does not answer GET /subjects" in away.stderr
    assert copy(Registry("nothing"), Registry("nothing")).returncode == 1


@pytest.mark.parametrize("url", ["htp://me:hidden@127.0.0.1:1", "http://me:hidden/@127.0.0.1:1", "http://me:hidden@127.0.0.1:1",
                                 "http://[me:hidden@127.0.0.1:1"])
def test_a_login_is_shown_to_nobody(url: str) -> None:
    refused = copy(Registry("http://127.0.0.1:1"), Registry(url))
    assert refused.returncode == 1 and refused.stderr.startswith("error: ") and "hidden" not in refused.stderr
    refused = copy(Registry(url), Registry("http://127.0.0.1:1"))
    assert refused.returncode == 1 and refused.stderr.startswith("error: ") and "hidden" not in refused.stderr


@pytest.mark.parametrize("role", ["SOURCE", "TARGET"])
@pytest.mark.parametrize(("name", "expected"), [("USER_INFO", "Basic bWU6aGlkZGVu"), ("TOKEN", "Bearer me:hidden")])
def test_a_login_may_be_in_the_environment(start: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch, role: str, name: str,
                                           expected: str) -> None:
    seen: list[str | None] = []

    class Doorman(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802, the name is the library's
            seen.append(self.headers["Authorization"])
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Doorman) as guarded:
        threading.Thread(target=guarded.serve_forever, daemon=True).start()
        monkeypatch.setenv(f"{role}_{name}", "me:hidden")
        both = [Registry(f"http://127.0.0.1:{guarded.server_port}"), start()]
        refused = copy(*both) if role == "SOURCE" else copy(*reversed(both))
        guarded.shutdown()
    assert refused.returncode == 1 and "hidden" not in refused.stderr
    assert set(seen) == {expected}
