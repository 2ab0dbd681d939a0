"""WIRE, WIRE_JSON and STRICT over files that import each other: a break in an import is told there, once, and a type that
moves between files is no break. By `sagactl schema check`, and by the registry's own levels."""

from __future__ import annotations

import json
import uuid
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import schema_trees
from shop_client import http
from test_schema_check import CONTENT, check, git

HEAD = 'syntax = "proto3";\npackage p;\n'
MONEY = HEAD + "message Money {\n  int64 minor = 1;\n  Unit unit = 2;\n}\nenum Unit {\n  EUR = 0;\n  USD = 1;\n}\n"
USES = {f"{name}.proto": f'{HEAD}import "money.proto";\nmessage {name} {{\n  Money money = 1;\n}}\n' for name in ("A", "Z")}
BROKEN = MONEY.replace("int64 minor = 1;", "int64 cents = 3;").replace("  USD = 1;\n", "")
BREAKS = {"4:3 FIELD_REMOVED_UNRESERVED", "7:1 ENUM_VALUE_REMOVED_UNRESERVED"}


def findings(folder: Path, *arguments: str) -> list[tuple[str, str]]:
    """(file, line:column RULE) of each finding that is a failure, as often as it is told."""
    run = check(folder, *arguments, "--format", "json")
    found = [(item["file"], f"{item['line']}:{item['column']} {item['rule']}") for item in json.loads(run.stdout)["findings"]
             if item["kind"] != "note"]
    assert run.returncode == (1 if found else 0), run.stdout + run.stderr
    return found


def commit(folder: Path, files: dict[str, str]) -> None:
    schema_trees.write(folder, files)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "base")


@pytest.mark.parametrize("level", ["WIRE", "WIRE_JSON", "STRICT"])
@pytest.mark.parametrize("paths", [["schemas", "-I", "shared"], ["schemas", "shared"], ["schemas/Z.proto", "-I", "shared"]])
def test_a_break_in_an_import_is_told_there_and_once(tmp_path: Path, level: str, paths: list[str]) -> None:
    files = {f"schemas/{name}": text for name, text in USES.items()}
    commit(tmp_path, {**files, "shared/money.proto": MONEY})
    arguments = [*paths, "--against", "git:HEAD", "--level", level]
    assert findings(tmp_path, *arguments) == []
    (tmp_path / "shared/money.proto").write_text(BROKEN)
    found = findings(tmp_path, *arguments)
    assert len(found) == len(set(found)) == 2, found
    assert {file for file, _ in found} == {"shared/money.proto"}
    assert {place.split()[0] for _, place in found} == {"3:1", "7:1"}
    if level == "WIRE":
        assert [item for item in findings(tmp_path, *paths, "--against", "git:HEAD")] == []  # Confluent's level: it is no break


def test_a_folder_is_compared_with_its_imports_too(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        schema_trees.write(tmp_path / folder, {**USES, "money.proto": MONEY})
    (tmp_path / "new/money.proto").write_text(BROKEN)
    for paths in (["new"], ["new/A.proto", "new/Z.proto"]):
        found = findings(tmp_path, *paths, "--against", "old", "--level", "WIRE")
        assert len(found) == len(set(found)) == 2, found
        assert {file for file, _ in found} == {"new/money.proto"}


@pytest.mark.parametrize("against", ["git:HEAD", "baseline"])
def test_a_type_may_move_to_another_file(tmp_path: Path, against: str) -> None:
    order = "message Order {\n  Money total = 1;\n}\n"
    other = 'import "order.proto";\nmessage Bill {\n  Order order = 1;\n}\n'
    old = {"order.proto": MONEY + order, "bill.proto": HEAD + other}
    commit(tmp_path, {f"{folder}/{name}": text for folder in ("schemas", "baseline") for name, text in old.items()})
    schema_trees.write(tmp_path / "schemas", {"order.proto": f'{HEAD}import "cash.proto";\n{order}', "cash.proto": MONEY})
    for level in ("WIRE", "WIRE_JSON"):
        assert findings(tmp_path, "schemas", "--against", against, "--level", level) == []
    for level in ("BACKWARD", "STRICT"):  # of both the file is what counts
        assert "MESSAGE_REMOVED" in str(findings(tmp_path, "schemas", "--against", against, "--level", level))
    (tmp_path / "schemas/cash.proto").write_text(BROKEN)
    found = findings(tmp_path, "schemas", "--against", against, "--level", "WIRE")
    assert sorted(found) == [("schemas/cash.proto", "3:1 FIELD_REMOVED_UNRESERVED"),
                             ("schemas/cash.proto", "7:1 ENUM_VALUE_REMOVED_UNRESERVED")]


def test_a_shared_file_may_be_split(tmp_path: Path) -> None:
    """The part that leaves is in no import of the rest: it is found in the tree."""
    address = "message Address {\n  string city = 1;\n}\n"
    user = f'{HEAD}import "common.proto";\nmessage User {{\n  Address address = 1;\n  Money money = 2;\n}}\n'
    commit(tmp_path, {"common.proto": MONEY + address, "user.proto": user})
    moved = {"common.proto": MONEY, "place.proto": HEAD + address, "user.proto": user.replace("import", 'import "place.proto";\nimport', 1)}
    schema_trees.write(tmp_path, moved)
    arguments = [".", "--against", "git:HEAD", "--level"]
    assert findings(tmp_path, *arguments, "WIRE_JSON") == []
    assert "MESSAGE_REMOVED" in str(findings(tmp_path, *arguments, "STRICT"))
    (tmp_path / "place.proto").write_text(HEAD + address.replace("string", "int32"))
    assert findings(tmp_path, *arguments, "WIRE") == [("place.proto", "4:3 FIELD_SCALAR_KIND_CHANGED")]
    (tmp_path / "place.proto").unlink()
    (tmp_path / "user.proto").write_text(HEAD + "message User {\n  reserved 1, 2;\n}\n")
    assert findings(tmp_path, *arguments, "WIRE") == [("common.proto", "2:1 MESSAGE_REMOVED")]


def test_findings_are_in_the_order_of_the_text(tmp_path: Path) -> None:
    """Two of one line; JUnit counts the tests that fail, not what was found in them."""
    text = HEAD + "message M { string a = 1; string b = 2; }\n"
    commit(tmp_path, {"m.proto": text, "n.proto": text.replace("M", "N")})
    (tmp_path / "m.proto").write_text(HEAD + "message M { int32 b = 2; int32 a = 1; }\n")
    rule = "FIELD_SCALAR_KIND_CHANGED"
    arguments = [".", "--against", "git:HEAD"]
    assert findings(tmp_path, *arguments) == [("m.proto", f"3:13 {rule}"), ("m.proto", f"3:26 {rule}")]
    suite = ElementTree.fromstring(check(tmp_path, *arguments, "--format", "junit").stdout)
    suite = suite if suite.tag == "testsuite" else suite[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["2", "1", "0"]
    assert len(list(suite.iter("failure"))) == 2


def test_a_login_without_http_is_shown_to_nobody(tmp_path: Path) -> None:
    schema_trees.write(tmp_path, {"m.proto": HEAD})
    run = check(tmp_path, "m.proto", "--against", "me:hidden@registry:8081")
    assert run.returncode == 2 and "https://" in run.stderr
    assert "hidden" not in run.stdout + run.stderr


class Registered:
    """money.proto and what imports it, in subjects of the test's own; whatever is registered, money's own subject takes it."""

    def __init__(self, url: str):
        self.url = url
        self.mark = uuid.uuid4().hex[:12]
        self.set_level("money", "NONE")

    def set_level(self, name: str, level: str) -> None:
        assert http("PUT", f"{self.url}/config/{self.mark}-{name}", {"compatibility": level}, CONTENT)[0] == 200

    def body(self, text: str, money_version: int) -> dict[str, object]:
        references = [{"name": "money.proto", "subject": f"{self.mark}-money", "version": money_version}] if money_version else []
        return {"schema": text, "schemaType": "PROTOBUF", "references": references}

    def register(self, name: str, text: str, money_version: int = 0) -> tuple[int, dict]:
        return http("POST", f"{self.url}/subjects/{self.mark}-{name}/versions", self.body(text, money_version), CONTENT)

    def check(self, name: str, text: str, money_version: int = 0) -> dict:
        url = f"{self.url}/compatibility/subjects/{self.mark}-{name}/versions/latest?verbose=true"
        status, answer = http("POST", url, self.body(text, money_version), CONTENT)
        assert status == 200, answer
        return answer


@pytest.fixture
def registered(shop) -> Registered:
    return Registered(shop.endpoints["REGISTRY_URL"])


def test_the_registrys_levels_look_through_references(registered: Registered) -> None:
    for text in (MONEY, BROKEN, MONEY + "message More {}\n"):
        assert registered.register("money", text)[0] == 200
    user = USES["A.proto"]
    newer = user.replace("money = 1;\n", "money = 1;\n  string note = 2;\n")
    assert registered.register("user", user, 1)[0] == 200
    for level in ("WIRE", "WIRE_JSON", "STRICT"):
        registered.set_level("user", level)
        answer = registered.check("user", newer, 2)
        assert not answer["is_compatible"]
        assert "'#/Money/1'" in str(answer["messages"]) and "'#/Unit/USD'" in str(answer["messages"]), answer
        status, refusal = registered.register("user", newer, 2)
        assert (status, refusal["error_code"]) == (409, 409)
        assert registered.check("user", newer, 3) == {"is_compatible": True, "messages": []}
    registered.set_level("user", "FULL")
    assert registered.check("user", newer, 2)["is_compatible"]  # as Confluent's
    registered.set_level("user", "STRICT")
    assert registered.register("user", newer, 3)[0] == 200


def test_the_registry_lets_a_type_move_into_a_reference(registered: Registered) -> None:
    assert registered.register("money", MONEY)[0] == 200
    assert registered.register("money", BROKEN)[0] == 200
    order = "message Order {\n  Money total = 1;\n}\n"
    apart = f'{HEAD}import "money.proto";\n{order}'
    assert registered.register("order", MONEY + order)[0] == 200
    for level, is_compatible in (("BACKWARD", False), ("STRICT", False), ("WIRE_JSON", True), ("WIRE", True)):
        registered.set_level("order", level)
        assert registered.check("order", apart, 1)["is_compatible"] == is_compatible, level
        assert not registered.check("order", apart, 2)["is_compatible"], level
    assert registered.register("order", apart, 1)[0] == 200
    assert registered.check("order", MONEY + order)["is_compatible"]  # and back
