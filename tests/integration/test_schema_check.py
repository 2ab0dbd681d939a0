"""`sagactl schema check`: ten planted breaks at their lines, in every format and against every kind of baseline; and none
on a tree that only grew."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import schema_trees
from conftest import BUILD
from shop_client import http

SAGACTL = BUILD / "bin" / "sagactl"
FORMATS = ("text", "json", "github", "junit", "sarif")
CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
Places = set[tuple[str, int, str]]


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SAGACTL, "schema", "check", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


def places_of(kind: str, output: str) -> Places:
    """(file below schemas/, line, rule) of every failure in one of the formats."""
    found: list[tuple[str, str, str]] = []
    if kind == "text":
        found = re.findall(r"^(\S+):(\d+):\d+: error: .* \[(\w+)\]$", output, re.M)
    elif kind == "github":
        found = re.findall(r"^::error file=([^,]+),line=(\d+),col=\d+,title=(\w+)::", output, re.M)
    elif kind == "json":
        found = [(item["file"], item["line"], item["rule"]) for item in json.loads(output)["findings"]]
    elif kind == "junit":
        for case in ElementTree.fromstring(output).iter("testcase"):
            for failure in case.findall("failure"):
                line = re.match(r"[^:]+:(\d+):", failure.text or "")
                found.append((case.attrib["name"], line[1] if line else "0", failure.attrib["type"]))
    else:
        for result in json.loads(output)["runs"][0]["results"]:
            place = result["locations"][0]["physicalLocation"]
            found.append((place["artifactLocation"]["uri"], place["region"]["startLine"], result["ruleId"]))
    assert len(found) == len(set(found))
    return {(file.removeprefix("schemas/"), int(line), rule) for file, line, rule in found}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], cwd=folder, check=True,
                   capture_output=True, timeout=60)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository whose only commit has the base tree in schemas/; a copy is in baseline/."""
    schema_trees.write(tmp_path / "schemas", schema_trees.BASE)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "schemas")
    git(tmp_path, "commit", "--quiet", "-m", "base")
    schema_trees.write(tmp_path / "baseline", schema_trees.BASE)
    return tmp_path


@pytest.mark.parametrize("against", ["git:HEAD", "baseline"])
@pytest.mark.parametrize("kind", FORMATS)
def test_ten_breaks_are_told_at_their_lines(project: Path, kind: str, against: str) -> None:
    schema_trees.write(project / "schemas", schema_trees.broken())
    run = check(project, "schemas", "--against", against, "--level", "WIRE", "--format", kind)
    assert run.returncode == 1, run.stdout + run.stderr
    assert places_of(kind, run.stdout) == schema_trees.expected_places()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_tree_that_only_grew_is_compatible(project: Path, kind: str) -> None:
    schema_trees.write(project / "schemas", schema_trees.harmless())
    for against in ("git:HEAD", "baseline"):
        for level in ("BACKWARD", "WIRE", "WIRE_JSON", "STRICT"):
            run = check(project, "schemas", "--against", against, "--level", level, "--format", kind)
            assert run.returncode == 0, run.stdout + run.stderr
            assert places_of(kind, run.stdout) == set()


def proto(text: str, syntax: str = "proto3") -> str:
    return f'syntax = "{syntax}";\n{text}\n'


def avro(field_type: object, **more: object) -> str:
    return json.dumps({"type": "record", "name": "A", "fields": [{"name": "x", "type": field_type, **more}]})


ENUM = {"type": "enum", "name": "E", "symbols": ["ONE", "TWO"]}
LESS = {"type": "enum", "name": "E", "symbols": ["ONE"]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9}

# name, old, new, and (place, rule) of each finding: as Confluent judges BACKWARD, and what WIRE finds besides
CHANGES = {
    "package renamed": ("x.proto", proto("package a;\nmessage M {}"), proto("package b;\nmessage M {}"),
                        {"2:1 PACKAGE_CHANGED"}, set()),
    "import taken out": ("x.proto", proto('import "google/protobuf/empty.proto";\nmessage M { google.protobuf.Empty e = 1; }'),
                         proto("message M { google.protobuf.Empty e = 1; }"), {"2:13 INVALID_SCHEMA"}, set()),
    "proto2 to proto3": ("x.proto", proto("message M { optional int32 a = 1; }", "proto2"), proto("message M { optional int32 a = 1; }"),
                         set(), set()),
    "a required field loses its label": ("x.proto", proto("message M {\nrequired int32 a = 1; }", "proto2"),
                                         proto("message M {\nint32 a = 1; }"), set(), {"3:1 FIELD_LABEL_CHANGED"}),
    "one field into a new oneof": ("x.proto", proto("message M {\nint32 a = 1; }"), proto("message M { oneof o {\nint32 a = 1; } }"),
                                   set(), {"3:1 FIELD_ONEOF_CHANGED"}),
    "a field into an old oneof": ("x.proto", proto("message M { int32 a = 1; oneof o { int32 b = 2; } }"),
                                  proto("message M { oneof o { int32 b = 2;\nint32 a = 1; } }"),
                                  {"3:1 FIELD_MOVED_TO_EXISTING_ONEOF"}, set()),
    "a member out of its oneof": ("x.proto", proto("message M { oneof o { int32 a = 1; int32 b = 2; } }"),
                                  proto("message M { oneof o { int32 b = 2; }\nint32 a = 1; }"), {"3:1 ONEOF_FIELD_REMOVED"}, set()),
    "renamed with aliases": ("x.avsc", avro("int"), '{"type": "record", "name": "B", "aliases": ["A"], '
                             '"fields": [{"name": "y", "aliases": ["x"], "type": "int"}]}', set(),
                             {"1:28 NAME_MISMATCH", "1:28 READER_FIELD_MISSING_DEFAULT_VALUE"}),
    "a branch leaves its union": ("x.avsc", avro(["null", "int", "string"]), avro(["null", "int"]), {"1:66 MISSING_UNION_BRANCH"}, set()),
    "a symbol goes, the enum has a default": ("x.avsc", avro(ENUM), avro({**LESS, "default": "ONE"}), set(), set()),
    "a symbol goes, the field has a default": ("x.avsc", avro(ENUM), avro(LESS, default="ONE"), {"1:107 MISSING_ENUM_SYMBOLS"}, set()),
    "a type widens": ("x.avsc", avro("int"), avro("double"), set(), {"1:66 TYPE_MISMATCH"}),
    "a type narrows": ("x.avsc", avro("long"), avro("int"), {"1:66 TYPE_MISMATCH"}, set()),
    "text becomes bytes": ("x.avsc", avro("string"), avro("bytes"), set(), set()),
    "a date becomes a timestamp": ("x.avsc", avro({"type": "int", "logicalType": "date"}),
                                   avro({"type": "long", "logicalType": "timestamp-millis"}), set(), {"1:66 TYPE_MISMATCH"}),
    "a decimal's scale": ("x.avsc", avro({**DECIMAL, "scale": 2}), avro({**DECIMAL, "scale": 3}), set(), {"1:135 DECIMAL_CHANGED"}),
    "another namespace": ("x.avsc", avro("int"), avro("int").replace('"name": "A"', '"name": "A", "namespace": "n"'), set(), set()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_verdicts_are_confluents_and_wire_finds_the_rest(tmp_path: Path, what: str) -> None:
    name, old, new, breaking, besides = CHANGES[what]
    schema_trees.write(tmp_path, {f"old/{name}": old, f"new/{name}": new})
    for level, expected in (("BACKWARD", breaking), ("WIRE", breaking | besides)):
        run = check(tmp_path, "new", "--against", "old", "--level", level, "--format", "json")
        found = {f"{item['line']}:{item['column']} {item['rule']}" for item in json.loads(run.stdout)["findings"]}
        assert found == expected, f"{level}: {run.stdout}"
        assert run.returncode == (1 if expected else 0)


def test_imports_may_be_as_deep_as_they_are_many(tmp_path: Path) -> None:
    """The first file of the list is the top: the way down is all 300 of them."""
    files = {}
    for i in range(300):
        imports, field = (f'import "f{i + 1:03}.proto";\n', f"M{i + 1} m = 1;") if i < 299 else ("", "")
        files[f"f{i:03}.proto"] = f'syntax = "proto3";\n{imports}message M{i} {{ {field} }}\n'
    schema_trees.write(tmp_path, {f"{folder}/{name}": text for folder in ("old", "new") for name, text in files.items()})
    run = check(tmp_path, "new", "--against", "old", "--level", "STRICT")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "300 schema files checked" in run.stdout + run.stderr


def test_findings_have_path_reason_and_hint(project: Path) -> None:
    schema_trees.write(project / "schemas", schema_trees.broken())
    run = check(project, "schemas", "--against", "git:HEAD", "--level", "WIRE", "--format", "json")
    findings = json.loads(run.stdout)["findings"]
    assert all(item["path"] and item["message"] and item["hint"] and item["against"] for item in findings)
    [money] = [item for item in findings if item["file"] == "schemas/common/money.proto"]
    assert money["path"] == "#/Money/1"
    assert money["against"] == "git:HEAD:schemas/common/money.proto"


def test_confluents_level_finds_what_confluent_finds(project: Path) -> None:
    schema_trees.write(project / "schemas", schema_trees.broken())
    run = check(project, "schemas", "--against", "git:HEAD")
    rules = {rule for _, _, rule in places_of("text", run.stdout)}
    assert rules == {"FIELD_SCALAR_KIND_CHANGED", "ONEOF_FIELD_REMOVED", "READER_FIELD_MISSING_DEFAULT_VALUE",
                     "MISSING_ENUM_SYMBOLS", "TYPE_MISMATCH"}


def test_a_file_that_moved_is_still_compared(project: Path) -> None:
    (project / "schemas/common/money.proto").rename(project / "schemas/money.proto")
    text = (project / "schemas/order.proto").read_text().replace("common/money.proto", "money.proto")
    (project / "schemas/order.proto").write_text(text)
    assert check(project, "schemas", "--against", "git:HEAD").returncode == 0
    money = (project / "schemas/money.proto").read_text()
    (project / "schemas/money.proto").write_text(money.replace("int64", "string"))
    run = check(project, "schemas", "--against", "git:HEAD")
    assert places_of("text", run.stdout) == {("money.proto", 5, "FIELD_SCALAR_KIND_CHANGED")}


def test_a_single_file_finds_its_imports(project: Path) -> None:
    run = check(project, "schemas/order.proto", "--against", "git:HEAD")
    assert (run.returncode, run.stdout) == (
        0, "1 schema file checked against git:HEAD: compatible; files: 1 compared, 0 new, 0 skipped\n")


def test_a_file_that_is_gone_is_a_note(project: Path) -> None:
    (project / "schemas/stock.avsc").unlink()
    run = check(project, "schemas", "--against", "baseline")
    assert run.returncode == 0
    assert "baseline/stock.avsc:1:1: note: the schema file is gone" in run.stdout


def test_what_is_no_schema_fails_at_its_place(project: Path) -> None:
    (project / "schemas/order.proto").write_text('syntax = "proto3";\nmessage A { string x = ; }\n')
    (project / "schemas/stock.avsc").write_text('{"type": "record",\n "name": "A", "fields": [{"name": "f", "type": "Nope"}]}')
    run = check(project, "schemas", "--against", "git:HEAD")
    assert run.returncode == 1
    assert places_of("text", run.stdout) == {("order.proto", 2, "INVALID_SCHEMA"), ("stock.avsc", 2, "INVALID_SCHEMA")}


def test_imports_that_run_in_a_circle_are_told(project: Path) -> None:
    (project / "schemas/a.proto").write_text('syntax = "proto3";\nimport "b.proto";\n')
    (project / "schemas/b.proto").write_text('syntax = "proto3";\nimport "a.proto";\n')
    run = check(project, "schemas", "--against", "git:HEAD")
    assert run.returncode == 1
    assert "import each other" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["schemas"], 2),
        (["nowhere", "--against", "git:HEAD"], 2),
        (["schemas", "--against", "git:HEAD", "--level", "SOMEHOW"], 2),
        (["schemas", "--against", "git:HEAD", "--format", "html"], 2),
        (["schemas", "--against", "git:HEAD", "--map", "nowhere.yaml"], 2),
        ([".git", "--against", "git:HEAD"], 3),
        (["schemas", "--against", "git:no-such-branch"], 3),
        (["schemas", "--against", "nowhere"], 3),
        (["schemas", "--against", "http://127.0.0.1:9"], 3),
    ],
)
def test_exit_codes_tell_usage_from_what_cannot_be_decided(project: Path, arguments: list[str], code: int) -> None:
    run = check(project, *arguments)
    assert run.returncode == code, run.stdout + run.stderr
    assert run.stdout + run.stderr


def test_a_baseline_that_cannot_be_parsed_decides_nothing(project: Path) -> None:
    (project / "baseline/order.proto").write_text("message")
    run = check(project, "schemas", "--against", "baseline")
    assert run.returncode == 3
    assert "baseline/order.proto cannot be used" in run.stdout


class Subjects:
    """The base tree in the registry, under names of its own."""

    def __init__(self, registry_url: str):
        self.url = registry_url
        self.mark = uuid.uuid4().hex[:12]
        self._register("common/money.proto")
        self._register("order.proto", {"name": "common/money.proto", "subject": self.name("common/money.proto"), "version": 1})
        self._register("parts/price.avsc")
        self._register("stock.avsc", {"name": "shop.Price", "subject": self.name("parts/price.avsc"), "version": 1})

    def name(self, file: str) -> str:
        return f"{self.mark}.{Path(file).stem}-value"

    def map(self) -> str:
        entries = [f"  - {{subject: {self.name(file)}, schema: schemas/{file}}}" for file in schema_trees.BASE]
        return "\n".join(["subjects:", *entries, ""])

    def set_level(self, level: str) -> None:
        for file in schema_trees.BASE:
            status, answer = http("PUT", f"{self.url}/config/{self.name(file)}", {"compatibility": level}, CONTENT)
            assert (status, answer) == (200, {"compatibility": level})

    def _register(self, file: str, *references: dict[str, object]) -> None:
        body = {"schema": schema_trees.BASE[file], "schemaType": "PROTOBUF" if file.endswith(".proto") else "AVRO",
                "references": list(references)}
        status, answer = http("POST", f"{self.url}/subjects/{self.name(file)}/versions", body, CONTENT)
        assert status == 200, answer


@pytest.fixture
def subjects(shop, project: Path) -> Subjects:
    subjects = Subjects(shop.endpoints["REGISTRY_URL"])
    (project / "map.yaml").write_text(subjects.map())
    return subjects


def test_the_registry_is_a_baseline_with_levels_of_its_own(subjects: Subjects, project: Path) -> None:
    def run_check() -> subprocess.CompletedProcess[str]:
        return check(project, "schemas", "--against", subjects.url, "--map", "map.yaml", "--format", "json")

    assert run_check().returncode == 0
    schema_trees.write(project / "schemas", schema_trees.broken())
    subjects.set_level("WIRE")
    run = run_check()
    assert run.returncode == 1, run.stdout + run.stderr
    assert places_of("json", run.stdout) == schema_trees.expected_places()
    assert {item["against"] for item in json.loads(run.stdout)["findings"]} == {"version 1"}
    subjects.set_level("NONE")
    assert run_check().returncode == 0


def test_the_registry_refuses_by_the_stricter_level_itself(subjects: Subjects) -> None:
    text = schema_trees.ORDER.replace("  reserved 9;\n", "")
    body = {"schema": text, "schemaType": "PROTOBUF",
            "references": [{"name": "common/money.proto", "subject": subjects.name("common/money.proto"), "version": 1}]}
    where = f"{subjects.url}/compatibility/subjects/{subjects.name('order.proto')}/versions/latest?verbose=true"
    assert http("POST", where, body, CONTENT)[1]["is_compatible"] is True
    subjects.set_level("WIRE")
    answer = http("POST", where, body, CONTENT)[1]
    assert answer["is_compatible"] is False
    assert "RESERVED_NUMBER_FREED" in answer["messages"][0]
    status, answer = http("POST", f"{subjects.url}/subjects/{subjects.name('order.proto')}/versions", body, CONTENT)
    assert (status, answer["error_code"]) == (409, 409)


def test_without_a_map_the_file_is_named_after_its_topic(shop, tmp_path: Path) -> None:
    url = shop.endpoints["REGISTRY_URL"]
    topic = f"orders-{uuid.uuid4().hex[:12]}"
    for subject, kind in ((f"{topic}-value", "long"), (f"{topic}-key", "string")):
        assert http("POST", f"{url}/subjects/{subject}/versions", {"schema": f'"{kind}"'}, CONTENT)[0] == 200
    (tmp_path / f"{topic}.avsc").write_text('"int"')
    (tmp_path / f"{topic}-key.avsc").write_text('"string"')
    run = check(tmp_path, ".", "--against", url)
    assert run.returncode == 1
    assert places_of("text", run.stdout) == {(f"{topic}.avsc", 1, "TYPE_MISMATCH")}
    assert f"of {topic}-value" in run.stdout


def test_transitive_levels_look_at_all_versions(shop, tmp_path: Path) -> None:
    url = shop.endpoints["REGISTRY_URL"]
    subject = f"{uuid.uuid4().hex[:12]}-value"
    assert http("PUT", f"{url}/config/{subject}", {"compatibility": "NONE"}, CONTENT)[0] == 200
    for kind in ("string", "int"):
        assert http("POST", f"{url}/subjects/{subject}/versions", {"schema": f'"{kind}"'}, CONTENT)[0] == 200
    (tmp_path / f"{subject}.avsc").write_text('"long"')
    assert check(tmp_path, ".", "--against", url, "--level", "BACKWARD").returncode == 0
    run = check(tmp_path, ".", "--against", url, "--level", "BACKWARD_TRANSITIVE")
    assert run.returncode == 1
    assert "against version 1" in run.stdout
