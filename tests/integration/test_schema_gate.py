"""`sagactl schema check` as a gate: that it gets in where a credential is needed, compares what is registered, and never says
"compatible" of what it did not compare."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
import schema_trees
from conftest import BUILD
from secure_coordinator import Authority, free_port, new_token
from shop_client import http
from test_http_security import Server
from test_schema_check import FORMATS, check, git, places_of

SAGACTL = BUILD / "bin" / "sagactl"


def run_schema(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SAGACTL, "schema", *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})


def record(name: str, field: str = "string", **more: object) -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": "x", "type": field}], **more})


def counts(run: subprocess.CompletedProcess[str]) -> tuple[int, int, int]:
    answer = json.loads(run.stdout)
    return answer["compared"], answer["new"], answer["skipped"]


def rules(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [item["rule"] for item in json.loads(run.stdout)["findings"]]


# ---- credentials -----------------------------------------------------------------------------------------------------


class Guarded:
    """A registry with TLS and an access file, and a tree of which all is registered there."""

    def __init__(self, url: str, authority: Authority, token: str, folder: Path):
        self.url, self.ca, self.token, self.folder = url, str(authority.certificate), token, folder
        self.token_file = folder / "token"
        self.token_file.write_text(token + "\n")
        self.token_file.chmod(0o600)


@pytest.fixture
def guarded(stack, tmp_path: Path) -> Iterator[Guarded]:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("registry", "IP:127.0.0.1")
    token, line = new_token(SAGACTL, "ci", "schema-writer")
    (tmp_path / "access").write_text(line + "\n")
    port = free_port()
    mark = f"g{uuid.uuid4().hex[:12]}"
    files = {name.replace(".proto", f"-{mark}.proto").replace(".avsc", f"-{mark}.avsc"): text.replace("common", f"common{mark}")
             .replace("shop", f"shop{mark}").replace("/money.proto", f"/money-{mark}.proto")
             for name, text in schema_trees.BASE.items()}
    files = {name.replace("common/", f"common{mark}/"): text for name, text in files.items()}
    schema_trees.write(tmp_path / "schemas", files)
    with Server("schema-registry", tmp_path, "--listen-port", port, "--access-file", tmp_path / "access", "--tls-cert", certificate,
                "--tls-key", key, environment={"REGISTRY_POSTGRES": stack.endpoints["PG_REGISTRY_DSN"]}):
        yield Guarded(f"https://127.0.0.1:{port}", authority, token, tmp_path)


def test_every_schema_command_shows_its_credential(guarded: Guarded) -> None:
    with_ca = ("--registry-ca", guarded.ca)
    own = ("--registry-url", guarded.url)
    by_file = ("--registry-token-file", guarded.token_file)
    made = run_schema(guarded.folder, "register", "schemas", *own, *with_ca, *by_file, "-o", "json")
    assert made.returncode == 0, made.stderr
    subject = json.loads(made.stdout.splitlines()[-1])["subject"]
    commands = [("check", "schemas", "--against", guarded.url, "--format", "json"), ("list", subject, *own),
                ("get", subject, *own), ("diff", subject, "schemas/stock-" + subject.split("-")[1] + ".avsc", *own)]
    for command in commands:
        run = run_schema(guarded.folder, *command, *with_ca, *by_file)
        assert run.returncode == 0, (command, run.stdout, run.stderr)
        assert run_schema(guarded.folder, *command, *with_ca, REGISTRY_TOKEN=guarded.token).returncode == 0
        assert run_schema(guarded.folder, *command, REGISTRY_CA=guarded.ca, REGISTRY_TOKEN=guarded.token).returncode == 0
        assert run_schema(guarded.folder, *command, *with_ca, REGISTRY_USER_INFO=f"ci:{guarded.token}").returncode == 0
        for refused in (run_schema(guarded.folder, *command, *with_ca), run_schema(guarded.folder, *command, *by_file),
                        run_schema(guarded.folder, *command, *with_ca, REGISTRY_USER_INFO="ci:wrong")):
            assert refused.returncode not in (0, 2), (command, refused.stdout)
    assert counts(run_schema(guarded.folder, *commands[0], *with_ca, *by_file)) == (4, 0, 0)


def test_a_password_in_the_address_is_shown_to_nobody(guarded: Guarded) -> None:
    url = guarded.url.replace("https://", f"https://ci:{guarded.token}@")
    for kind in FORMATS:
        run = run_schema(guarded.folder, "check", "schemas", "--registry-ca", guarded.ca, "--format", kind, SAGACTL_AGAINST=url)
        assert run.returncode == 3, run.stdout  # nothing of it is registered
        assert guarded.token not in run.stdout + run.stderr
        run = run_schema(guarded.folder, "check", "schemas", "--format", kind, SAGACTL_AGAINST=url)  # an unknown authority
        assert run.returncode == 3, run.stdout
        assert guarded.token not in run.stdout + run.stderr
    refused = run_schema(guarded.folder, "check", "schemas", "--against", url)  # others see the flags of a process
    assert refused.returncode == 2 and guarded.token not in refused.stdout + refused.stderr


def test_an_address_in_capitals_is_one_and_no_folder(tmp_path: Path) -> None:
    schema_trees.write(tmp_path / "schemas", {"a.avsc": record("A")})
    for kind in FORMATS:
        run = run_schema(tmp_path, "check", "schemas", "--format", kind, SAGACTL_AGAINST="HTTP://ci:hidden@127.0.0.1:1")
        assert run.returncode == 3
        assert "/schemas/types" in run.stdout and "hidden" not in run.stdout + run.stderr


def test_a_refused_credential_decides_nothing_and_says_what_is_missing(guarded: Guarded) -> None:
    run = run_schema(guarded.folder, "check", "schemas", "--against", guarded.url, "--registry-ca", guarded.ca)
    assert run.returncode == 3
    assert "answered 401" in run.stdout and "registry-token" in run.stdout
    both = run_schema(guarded.folder, "list", REGISTRY_TOKEN="x", REGISTRY_USER_INFO="a:b")
    assert both.returncode == 2 and "exclude each other" in both.stderr


@pytest.mark.parametrize("kind", FORMATS)
def test_ten_breaks_are_told_against_a_guarded_registry(guarded: Guarded, kind: str) -> None:
    mark = uuid.uuid4().hex[:12]
    folder = schema_trees.write(guarded.folder / "ten" / "schemas", schema_trees.BASE).parent
    (folder / "map.yaml").write_text("subjects:\n" + "".join(f"  - {{subject: {mark}.{number}, schema: schemas/{file}}}\n"
                                                              for number, file in enumerate(schema_trees.BASE)))
    secure = ("--map", "map.yaml", "--registry-ca", guarded.ca, "--registry-token-file", guarded.token_file)
    made = run_schema(folder, "register", "--registry-url", guarded.url, *secure)
    assert made.returncode == 0, made.stderr
    schema_trees.write(folder / "schemas", schema_trees.broken())
    arguments = ("check", "schemas", "--against", guarded.url, "--level", "WIRE", "--format", kind, *secure)
    run = run_schema(folder, *arguments)
    assert run.returncode == 1, run.stderr
    assert places_of(kind, run.stdout) == schema_trees.expected_places()
    assert sums(kind, run.stdout) == (4, 0, 0)
    schema_trees.write(folder / "schemas", schema_trees.harmless())
    run = run_schema(folder, *arguments)
    assert (run.returncode, places_of(kind, run.stdout), sums(kind, run.stdout)) == (0, set(), (4, 0, 0)), run.stdout


# ---- one truth about subjects ----------------------------------------------------------------------------------------


@pytest.fixture
def url(stack) -> str:
    return stack.endpoints["REGISTRY_URL"]


class Tree:
    """Schemas of which each format has one that is imported, with names of the test's own."""

    def __init__(self, folder: Path):
        mark = self.mark = f"g{uuid.uuid4().hex[:12]}"
        self.folder = folder
        self.money = f"{mark}/money.proto"
        self.price = f"{mark}/price.avsc"
        self.files = {
            f"{mark}-order.proto": f'syntax = "proto3";\npackage {mark};\nimport "{self.money}";\nmessage Order {{ Money total = 1; }}\n',
            self.money: f'syntax = "proto3";\npackage {mark};\nmessage Money {{\n  int64 minor = 1;\n}}\nmessage Rate {{ double of = 1; }}\n',
            f"{mark}-stock.avsc": json.dumps({"type": "record", "name": "Stock", "namespace": mark,
                                              "fields": [{"name": "price", "type": "Price"}]}),
            self.price: record("Price", "long", namespace=mark),
        }
        schema_trees.write(folder / "schemas", self.files)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / "schemas" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def register(self, url: str, *arguments: object) -> dict[str, int]:
        run = run_schema(self.folder, "register", "schemas", "--registry-url", url, "-o", "json", *arguments)
        assert run.returncode == 0, run.stderr
        return {row["subject"]: row["version"] for row in map(json.loads, run.stdout.splitlines())}

    def check(self, url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return run_schema(self.folder, "check", "schemas", "--against", url, "--format", "json", *arguments)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_what_is_registered_is_what_is_compared(url: str, tree: Tree) -> None:
    subjects = tree.register(url)
    assert set(subjects) == {f"{tree.mark}-order-value", tree.money, f"{tree.mark}-stock-value", f"{tree.mark}.Price"}
    run = tree.check(url)
    assert (run.returncode, counts(run)) == (0, (4, 0, 0)), run.stdout
    assert {item["subject"] for item in json.loads(run.stdout)["schemas"]} == set(subjects)
    tree.edit(tree.money, "double of", "string of")  # which no importer uses
    tree.edit(tree.price, '"long"', '"int"')
    run = tree.check(url)
    found = {(item["file"], item["subject"], item["rule"]) for item in json.loads(run.stdout)["findings"]}
    assert (f"schemas/{tree.money}", tree.money, "FIELD_SCALAR_KIND_CHANGED") in found
    assert {file for file, _, _ in found} == {f"schemas/{tree.money}", f"schemas/{tree.price}"}


def test_the_references_of_what_is_registered_are_followed(url: str, tree: Tree) -> None:
    content = {"Content-Type": "application/json"}
    for file, subject, kind in ((tree.money, f"{tree.mark}-m-value", "PROTOBUF"), (tree.price, f"{tree.mark}-p-value", "AVRO")):
        body = {"schema": tree.files[file], "schemaType": kind}
        assert http("POST", f"{url}/subjects/{subject}/versions", body, content)[0] == 200
    for file, kind, name, subject in ((f"{tree.mark}-order", "PROTOBUF", tree.money, f"{tree.mark}-m-value"),
                                      (f"{tree.mark}-stock", "AVRO", f"{tree.mark}.Price", f"{tree.mark}-p-value")):
        body = {"schema": tree.files[file + (".proto" if kind == "PROTOBUF" else ".avsc")], "schemaType": kind,
                "references": [{"name": name, "subject": subject, "version": 1}]}
        assert http("POST", f"{url}/subjects/{file}-value/versions", body, content)[0] == 200
    run = tree.check(url)
    assert (run.returncode, counts(run)) == (0, (4, 0, 0)), run.stdout
    assert set(tree.register(url).values()) == {1}  # and register knows them by the same names
    tree.edit(tree.money, "double of", "string of")
    run = tree.check(url)
    [finding] = json.loads(run.stdout)["findings"]
    assert (finding["subject"], finding["against"], finding["line"]) == (f"{tree.mark}-m-value", "version 1", 6)


def test_a_map_goes_over_all_rules(url: str, tree: Tree) -> None:
    names = {file: f"{tree.mark}.{number}" for number, file in enumerate(tree.files)}
    (tree.folder / "map.yaml").write_text("subjects:\n" + "".join(f"  - {{subject: {subject}, schema: schemas/{file}}}\n"
                                                                   for file, subject in names.items()))
    assert set(tree.register(url, "--map", "map.yaml")) == set(names.values())
    run = tree.check(url, "--map", "map.yaml")
    assert (run.returncode, counts(run)) == (0, (4, 0, 0)), run.stdout


def test_an_imported_file_that_is_registered_under_its_topic_alone_is_told(url: str, tree: Tree) -> None:
    topic = f"{tree.mark}t"
    (tree.folder / "schemas" / tree.price).rename(tree.folder / "schemas" / f"{topic}.avsc")
    body = {"schema": tree.files[tree.price]}
    assert http("POST", f"{url}/subjects/{topic}-value/versions", body, {"Content-Type": "application/json"})[0] == 200
    run = tree.check(url, "--allow-new")
    assert run.returncode == 0
    [told] = [item["message"] for item in json.loads(run.stdout)["findings"] if item["file"].endswith(f"{topic}.avsc")]
    assert f"'{topic}-value' is there" in told and f"'{tree.mark}.Price'" in told


# ---- what was not compared -------------------------------------------------------------------------------------------


def sums(kind: str, output: str) -> tuple[int, int, int]:
    if kind in ("text", "github"):
        words = output.splitlines()[-1].rsplit(": ", 1)[1].replace(",", "").split()
        return int(words[0]), int(words[2]), int(words[-2])
    if kind == "json":
        answer = json.loads(output)
    elif kind == "junit":
        answer = {item.attrib["name"]: int(item.attrib["value"]) for item in ElementTree.fromstring(output).iter("property")}
    else:
        answer = json.loads(output)["runs"][0]["properties"]
    return answer["compared"], answer["new"], answer["skipped"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_says_how_much_was_compared(url: str, tree: Tree, kind: str) -> None:
    tree.register(url)
    (tree.folder / "schemas" / f"{tree.mark}-new.avsc").write_text('"string"')
    (tree.folder / "schemas" / f"{tree.mark}-bad.avsc").write_text('"strin')
    run = run_schema(tree.folder, "check", "schemas", "--against", url, "--format", kind)
    assert (run.returncode, sums(kind, run.stdout)) == (1, (4, 1, 1)), run.stdout
    if kind == "junit":
        cases = {case.attrib["name"].rsplit("-")[-1]: case for case in ElementTree.fromstring(run.stdout).iter("testcase")}
        assert cases["new.avsc"].find("skipped") is not None
        assert cases["bad.avsc"].find("failure") is not None


@pytest.mark.parametrize("kind", FORMATS)
def test_a_new_schema_fails_where_it_must(url: str, tree: Tree, kind: str) -> None:
    tree.register(url)
    (tree.folder / "schemas" / f"{tree.mark}-new.avsc").write_text('"string"')
    arguments = ("check", "schemas", "--against", url, "--format", kind)
    assert run_schema(tree.folder, *arguments).returncode == 0
    run = run_schema(tree.folder, *arguments, "--fail-on-new")
    assert run.returncode == 1, run.stdout
    assert places_of(kind, run.stdout) == {(f"{tree.mark}-new.avsc", 1, "NEW_SCHEMA")}
    assert run_schema(tree.folder, *arguments, "--fail-on-new", "--allow-new").returncode == 2


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("against", ["registry", "context", "git:HEAD", "elsewhere", "git:nope", "http://127.0.0.1:9", "empty"])
def test_comparing_nothing_decides_nothing(url: str, tree: Tree, against: str, kind: str) -> None:
    path = "schemas"
    for name in ("empty", "elsewhere"):
        (tree.folder / name).mkdir()
    (tree.folder / "elsewhere" / "other.proto").write_text('syntax = "proto3";')
    git(tree.folder, "init", "--quiet")
    git(tree.folder, "add", "elsewhere")
    git(tree.folder, "commit", "--quiet", "-m", "base")
    if against == "empty":
        path, against = "empty", "git:HEAD"
    baseline = {"registry": url, "context": f"{url}/contexts/.{tree.mark}"}.get(against, against)
    run = run_schema(tree.folder, "check", path, "--against", baseline, "--format", kind)
    assert run.returncode == 3, run.stdout + run.stderr
    assert sums(kind, run.stdout) == (0, *((4, 0) if "--allow-new" in run.stdout else (0, 0) if path == "empty" else (0, 4)))
    assert "compatible;" not in run.stdout
    if kind == "json":
        assert json.loads(run.stdout)["compatible"] is False
        assert rules(run).count("CANNOT_DECIDE") == 1
    elif kind == "junit":
        suite = ElementTree.fromstring(run.stdout).find("testsuite")
        assert suite.attrib["errors"] == "1" and len(list(suite.iter("error"))) == 1
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    elif kind == "sarif":
        [result] = [item for item in json.loads(run.stdout)["runs"][0]["results"] if item["level"] == "error"]
        assert result["ruleId"] == "CANNOT_DECIDE" and result["locations"] == []
    if against in ("registry", "context", "git:HEAD", "elsewhere") and path != "empty":
        assert "--allow-new" in run.stdout
        assert run_schema(tree.folder, "check", path, "--against", baseline, "--format", kind, "--allow-new").returncode == 0


def test_a_map_without_the_files_decides_nothing_and_level_none_does(url: str, tree: Tree) -> None:
    subjects = tree.register(url)
    (tree.folder / "map.yaml").write_text("subjects: []\n")
    for flags in ((), ("--allow-new",)):
        run = tree.check(url, "--map", "map.yaml", *flags)
        assert (run.returncode, counts(run)) == (3, (0, 0, 4)), run.stdout
    for subject in subjects:
        quoted = subject.replace("/", "%2F")
        assert http("PUT", f"{url}/config/{quoted}", {"compatibility": "NONE"}, {"Content-Type": "application/json"})[0] == 200
    run = tree.check(url)
    assert (run.returncode, counts(run), set(rules(run))) == (0, (0, 0, 4), {"LEVEL_NONE"}), run.stdout


def test_a_map_that_misses_is_told(url: str, tree: Tree) -> None:
    (tree.folder / "all.yaml").write_text("subjects:\n" + "".join(f"  - {{subject: {tree.mark}.{number}-topic, schema: schemas/{file}}}\n"
                                                                   for number, file in enumerate(tree.files)))
    tree.register(url, "--map", "all.yaml")
    stock = f"{tree.mark}-stock.avsc"
    text = (tree.folder / "all.yaml").read_text()
    (tree.folder / "map.yaml").write_text(text.replace(".1-topic", ".1-tpoic").replace(f"schemas/{stock}", "schemas/stok.avsc"))
    run = tree.check(url, "--map", "map.yaml")
    assert run.returncode == 1
    places = {(item["file"], item["line"], item["column"], item["rule"]) for item in json.loads(run.stdout)["findings"]}
    column = text.splitlines()[1].index("schemas/") + 1
    assert places == {("map.yaml", 3, 15, "MAP_SUBJECT_UNKNOWN"), ("map.yaml", 4, column, "MAP_FILE_MISSING"),
                      (f"schemas/{stock}", 1, 1, "NOT_IN_MAP")}
    assert counts(run) == (2, 0, 2)
    renamed = text.replace(".1-topic", ".1-topics")  # which may be meant
    (tree.folder / "map.yaml").write_text(renamed)
    assert tree.check(url, "--map", "map.yaml").returncode == 1
    run = tree.check(url, "--map", "map.yaml", "--allow-new")
    assert (run.returncode, counts(run)) == (0, (3, 1, 0))
    run = run_schema(tree.folder, "check", f"schemas/{tree.money}", "--against", url, "--map", "all.yaml", "--format", "json")
    assert (run.returncode, set(rules(run))) == (0, {"MAP_FILE_OUTSIDE"})


@pytest.mark.parametrize("against", ["git:HEAD", "old"])
def test_files_that_moved_are_known_by_what_they_declare(tree: Tree, against: str) -> None:
    folder = tree.folder
    schema_trees.write(folder / "old", tree.files)
    git(folder, "init", "--quiet")
    git(folder, "add", "schemas")
    git(folder, "commit", "--quiet", "-m", "base")
    schemas = folder / "schemas"
    (schemas / "elsewhere").mkdir()
    for old, new in ((f"{tree.mark}-order.proto", "elsewhere/purchase.proto"), (tree.price, "elsewhere/cost.avsc")):
        (schemas / old).rename(schemas / new)
    run = tree.check(against)
    assert (run.returncode, counts(run), rules(run)) == (0, (4, 0, 0), []), run.stdout
    tree.edit("elsewhere/purchase.proto", "Money total", "string total")
    tree.edit("elsewhere/cost.avsc", '"long"', '"int"')
    run = tree.check(against)
    places = {(item["file"], item["against"].removeprefix("git:HEAD:").split("/", 1)[1]) for item in json.loads(run.stdout)["findings"]}
    assert places == {("schemas/elsewhere/purchase.proto", f"{tree.mark}-order.proto"),
                      ("schemas/elsewhere/cost.avsc", tree.price)}


def test_a_folder_that_moved_is_found_in_the_revision(tree: Tree) -> None:
    git(tree.folder, "init", "--quiet")
    git(tree.folder, "add", "schemas")
    git(tree.folder, "commit", "--quiet", "-m", "base")
    git(tree.folder, "mv", "schemas", "contracts")
    run = run_schema(tree.folder, "check", "contracts", "--against", "git:HEAD", "--format", "json")
    assert (run.returncode, counts(run)) == (0, (4, 0, 0)), run.stdout
    price = tree.folder / "contracts" / tree.price
    price.write_text(price.read_text().replace('"long"', '"int"'))
    run = run_schema(tree.folder, "check", "contracts", "--against", "git:HEAD", "--format", "json")
    assert rules(run) == ["TYPE_MISMATCH"]


# ---- one subject, one file -------------------------------------------------------------------------------------------


def test_two_files_of_one_subject_are_refused_by_both_commands(url: str, tree: Tree) -> None:
    tree.register(url)
    other = f"other/{tree.mark}-order.proto"
    schema_trees.write(tree.folder / "schemas", {other: 'syntax = "proto3";\nmessage Other {}\n'})
    run = tree.check(url)
    told = {item["file"]: item["message"] for item in json.loads(run.stdout)["findings"] if item["rule"] == "SUBJECT_OF_TWO_FILES"}
    assert run.returncode == 1
    assert set(told) == {f"schemas/{other}", f"schemas/{tree.mark}-order.proto"}
    assert f"schemas/{other}" in told[f"schemas/{tree.mark}-order.proto"]
    run = run_schema(tree.folder, "register", "schemas", "--registry-url", url)
    assert run.returncode == 2
    assert f"schemas/{other}:1:1: error: its subject '{tree.mark}-order-value' is that of" in run.stderr
    assert http("GET", f"{url}/subjects/{tree.mark}-order-value/versions")[1] == [1]


@pytest.mark.parametrize("command", ["check", "register"])
def test_two_files_that_declare_one_name_differently_are_refused(url: str, tree: Tree, command: str) -> None:
    schema_trees.write(tree.folder / "schemas", {"a.avsc": record("Twin"), "b.avsc": record("Twin", "long")})
    arguments = ["--against", "schemas"] if command == "check" else ["--registry-url", url, "--dry-run"]
    run = run_schema(tree.folder, command, "schemas", *arguments)
    assert run.returncode == (1 if command == "check" else 2)
    for file, other in (("a", "b"), ("b", "a")):
        assert f"schemas/{file}.avsc:1:1: error: type 'Twin' is declared in 'schemas/{other}.avsc', too" in run.stdout + run.stderr
    (tree.folder / "schemas" / "b.avsc").write_text(record("Twin", doc="a copy"))
    assert run_schema(tree.folder, command, "schemas", *arguments).returncode == 0


# ---- register and diff -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_what_the_registry_refuses_is_told_at_its_line_and_whole(url: str, tree: Tree, flags: tuple[str, ...]) -> None:
    fields = [{"name": f"field_{number:03}", "type": "string"} for number in range(40)]
    name = f"{tree.mark}-wide"
    path = tree.folder / "schemas" / f"{name}.avsc"
    path.write_text(json.dumps({"type": "record", "name": "Wide", "fields": fields}, indent=1))
    tree.register(url)
    text = path.read_text().replace('"type": "string"', '"type": "int"')
    path.write_text(text)
    run = run_schema(tree.folder, "register", "schemas", "--registry-url", url, *flags)
    assert run.returncode == 1
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "field_" in line or '"type": "int"' in line]
    told = [line for line in run.stderr.splitlines() if "TYPE_MISMATCH" in line]
    assert len(told) == 40
    for line in told:
        file, number, column, *_ = line.split(":")
        assert file == f"schemas/{name}.avsc" and int(number) in lines and int(column) > 1


def test_normalize_makes_one_schema_of_two_orders(url: str, tree: Tree) -> None:
    name = f"{tree.mark}-n"
    path = tree.folder / f"{name}.proto"
    for text in ("message A { int32 a = 1; int32 b = 2; }", "message A { int32 b = 2; int32 a = 1; }"):
        path.write_text(f'syntax = "proto3";\npackage {tree.mark};\n{text}\n')
        run = run_schema(tree.folder, "register", path.name, "--registry-url", url, "--normalize")
        assert run.returncode == 0, run.stderr
    assert http("GET", f"{url}/subjects/{name}-value/versions")[1] == [1]
    run = run_schema(tree.folder, "register", path.name, "--registry-url", url, "--normalize", "--dry-run", "-o", "json")
    assert json.loads(run.stdout)["outcome"] == "known"
    assert run_schema(tree.folder, "register", path.name, "--registry-url", url).returncode == 0
    assert http("GET", f"{url}/subjects/{name}-value/versions")[1] == [1, 2]


def test_diff_compares_like_with_like(url: str, tree: Tree) -> None:
    tree.register(url)
    order = tree.folder / "schemas" / f"{tree.mark}-order.proto"
    order.write_text(order.read_text().replace("message Order", "// a comment\nmessage   Order"))
    for name in ("order.proto", "stock.avsc"):  # both need their imports
        subject = f"{tree.mark}-{name.split('.')[0]}-value"
        alone = tree.folder / "alone" / name
        alone.parent.mkdir(exist_ok=True)
        alone.write_text((tree.folder / "schemas" / f"{tree.mark}-{name}").read_text())
        for path in (f"schemas/{tree.mark}-{name}", f"alone/{name}"):  # here, or where only the registry has them
            run = run_schema(tree.folder, "diff", subject, path, "--registry-url", url)
            assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr
    tree.edit(f"{tree.mark}-order.proto", "total = 1", "sum = 1")
    run = run_schema(tree.folder, "diff", f"{tree.mark}-order-value", f"schemas/{tree.mark}-order.proto", "--registry-url", url)
    changed = [line.split() for line in run.stdout.splitlines() if line[0] != " "]
    assert [line[0] for line in changed] == ["-", "+"] and "total" in changed[0] and "sum" in changed[1]
    order.write_text('syntax = "proto3";\nmessage {}')
    run = run_schema(tree.folder, "diff", f"{tree.mark}-order-value", f"schemas/{tree.mark}-order.proto", "--registry-url", url)
    assert run.returncode == 2 and f"schemas/{tree.mark}-order.proto:2:" in run.stderr


# ---- the rest --------------------------------------------------------------------------------------------------------


def test_names_of_files_are_escaped_in_sarif(tmp_path: Path) -> None:
    name = "sp ace/é,:%#?.avsc"
    schema_trees.write(tmp_path, {f"old/{name}": '"string"', f"new/{name}": '"int"'})
    run = check(tmp_path, "new", "--against", "old", "--format", "sarif")
    [result] = json.loads(run.stdout)["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "new/sp%20ace/%C3%A9%2C%3A%25%23%3F.avsc"


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    os.mkfifo(tmp_path / "schemas" / "pipe.avsc")
    for path in ("schemas", "schemas/pipe.avsc"):
        run = check(tmp_path, path, "--against", "schemas")
        assert run.returncode == 1
        assert "schemas/pipe.avsc:1:1: error: schemas/pipe.avsc: is no regular file" in run.stdout


def test_an_empty_map_is_told(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("subjects: []\n")
    run = run_schema(tmp_path, "register", "--map", "map.yaml")
    assert (run.returncode, run.stderr) == (2, "sagactl: map.yaml lists no subject: nothing is registered\n")


def test_a_transitive_level_says_that_files_have_one_version(tmp_path: Path) -> None:
    schema_trees.write(tmp_path, {"old/a.avsc": '"int"', "new/a.avsc": '"long"'})
    run = check(tmp_path, "new", "--against", "old", "--level", "BACKWARD_TRANSITIVE")
    assert run.returncode == 0
    assert "note: old has one version of each schema, so BACKWARD_TRANSITIVE is no more than BACKWARD here" in run.stdout


def test_list_and_get_know_contexts(url: str, tree: Tree) -> None:
    context = f":.{tree.mark}:"
    for subject, schema in ((f"{context}a-value", '"string"'), (f"{context}b-value", '"int"')):
        status, answer = http("POST", f"{url}/subjects/{subject}/versions", {"schema": schema}, {"Content-Type": "application/json"})
        assert status == 200, answer

    def listed(*prefix: str) -> set[str]:
        run = run_schema(tree.folder, "list", *prefix, "--registry-url", url, "-o", "json")
        assert run.returncode == 0, run.stderr
        return {row["subject"] for row in json.loads(run.stdout)}

    both = {f"{context}a-value", f"{context}b-value"}
    assert listed(context) == both
    assert listed(f"{context}b") == {f"{context}b-value"}
    assert both <= listed(":*:")
    assert not both & listed()
    for subject, schema in ((f"{context}a-value", '"string"'), (f"{context}b-value", '"int"')):
        run = run_schema(tree.folder, "get", subject, "--registry-url", url)
        assert run.stdout.strip() == schema


def test_subjects_of_a_context_have_their_own_ids_and_references(url: str, tree: Tree) -> None:
    context = f":.{tree.mark}:"
    tree.register(f"{url}/contexts/.{tree.mark}")
    assert tree.check(f"{url}/contexts/.{tree.mark}").returncode == 0
    for name, first in (("order", 'syntax = "proto3";'), ("stock", "{")):
        run = run_schema(tree.folder, "get", f"{context}{tree.mark}-{name}-value", "--registry-url", url)
        assert run.returncode == 0 and run.stdout.startswith(first), run.stderr
        file = f"schemas/{tree.mark}-{name}." + ("proto" if name == "order" else "avsc")
        run = run_schema(tree.folder, "diff", f"{context}{tree.mark}-{name}-value", file, "--registry-url", url)
        assert (run.returncode, run.stdout) == (0, ""), run.stderr
    # a map may name them, beside those of the default context, whose ids begin with 1, too
    (tree.folder / "map.yaml").write_text("subjects:\n" + "".join(
        f"  - {{subject: '{context}{tree.mark}-{name}-value', schema: schemas/{tree.mark}-{name}.{end}}}\n"
        for name, end in (("order", "proto"), ("stock", "avsc"))))
    run = tree.check(url, "--map", "map.yaml")
    assert (run.returncode, counts(run)) == (0, (4, 0, 0)), run.stdout
    tree.edit(tree.money, "double of", "string of")
    [finding] = json.loads(tree.check(url, "--map", "map.yaml").stdout)["findings"]
    assert (finding["rule"], finding["subject"]) == ("FIELD_SCALAR_KIND_CHANGED", f"{context}{tree.money}")


def test_help_of_a_group_is_help() -> None:
    for flag in ("--help", "-h"):
        run = subprocess.run([SAGACTL, "schema", flag], capture_output=True, text=True, timeout=30)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout.startswith("Usage: sagactl schema COMMAND")
        for command in ("register", "list", "get", "diff", "check", "decode"):
            assert f"\n  schema {command}" in run.stdout
        assert "Examples:\n  sagactl schema " in run.stdout
        assert "needs one more word" not in run.stdout
    run = subprocess.run([SAGACTL, "schema"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 2 and run.stdout == "" and "needs one more word" in run.stderr
