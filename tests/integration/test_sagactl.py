"""sagactl as people and scripts use it: every command in both formats, exit codes, errors, completion, the man page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import BUILD, ROOT
from harness import TestStack
from shop_client import Shop, wait_until

SAGACTL = BUILD / "bin" / "sagactl"
UNKNOWN_ID = "01990a6e-7d3f-7c52-9a53-0d6a6c1b2f10"
Done = subprocess.CompletedProcess[str]


def run(*words: str, environment: dict[str, str] | None = None, given: str = "") -> Done:
    """Without any server in the environment."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SAGA", "KAFKA", "REGISTRY"))}
    return subprocess.run([SAGACTL, *words], input=given, capture_output=True, text=True, timeout=90,
                          env=plain | (environment or {}))


class Sagactl:
    """With the stack's addresses."""

    def __init__(self, stack: TestStack):
        self.environment = dict(stack.endpoints)

    def __call__(self, *words: str, given: str = "", code: int = 0) -> Done:
        done = run(*words, environment=self.environment, given=given)
        assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def start(self, *words: str, **fields: object) -> str:
        given = json.dumps(Shop.input(**fields))
        return self("start", "checkout", "--input", "-", "--quiet", *words, given=given).stdout.strip()


@pytest.fixture(scope="module")
def sagactl(stack: TestStack) -> Sagactl:
    return Sagactl(stack)


# ---- start and get -----------------------------------------------------------------------------------------------------


def test_start_takes_input_from_argument_file_and_stdin(sagactl: Sagactl, tmp_path: Path) -> None:
    tree = Shop.input(force_payment_fail=True)
    text = json.dumps(tree)
    path = tmp_path / "order.json"
    path.write_text(text)
    words = ("start", "checkout", "--key", tree["order_id"], "--quiet", "--input")
    ids = {sagactl(*words, text).stdout, sagactl(*words, f"@{path}").stdout, sagactl(*words, "-", given=text).stdout}
    assert len(ids) == 1, "the key makes them one saga"
    again = sagactl("start", "checkout", "--input", text, "--key-from", "order_id")
    assert again.stdout.endswith("\n  an earlier call had started it\n")


def test_start_in_json_is_the_answer_of_the_call(sagactl: Sagactl) -> None:
    given = json.dumps(Shop.input())
    answer = json.loads(sagactl("start", "checkout", "--input", given, "--label", "from=test", "-o", "json").stdout)
    assert answer["saga"]["definition"] == "checkout"
    assert answer["saga"]["labels"] == {"from": "test"}


def test_get_shows_steps_and_timeline_or_the_message(sagactl: Sagactl) -> None:
    saga_id = sagactl.start(force_inventory_fail=True)
    text = sagactl("get", saga_id, "--wait", "30s").stdout
    assert text.startswith(f"saga {saga_id}  checkout v")
    assert "COMPENSATED  INVENTORY_FAILED\n" in text
    assert "charge-payment (compensation)" in text and "PAYMENT_REFUNDED" in text
    assert "\x1b" not in text
    saga = json.loads(sagactl("get", saga_id, "-o", "json").stdout)
    assert saga["sagaId"] == saga_id and saga["state"] == "SAGA_STATE_COMPENSATED"
    [line] = sagactl("get", saga_id, "-o", "jsonl").stdout.splitlines()
    assert json.loads(line) == saga


def test_get_reads_ids_from_stdin(sagactl: Sagactl) -> None:
    ids = [sagactl.start(), sagactl.start()]
    lines = sagactl("get", "-", "-o", "jsonl", given="\n".join(ids)).stdout.splitlines()
    assert [json.loads(line)["sagaId"] for line in lines] == ids
    sagactl("get", "-", given="", code=2)


def test_a_delayed_saga_is_scheduled_and_can_be_cancelled(sagactl: Sagactl, shop: Shop) -> None:
    for flag in (("--delay", "1h"), ("--at", "24h")):
        saga_id = sagactl.start(*flag)
        text = sagactl("get", saga_id).stdout
        assert "SCHEDULED" in text and ", due 2" in text
        sagactl("cancel", saga_id, "--reason", "not needed")
        assert shop.finished(saga_id).state != 0
    sagactl("start", "checkout", "--input", "{}", "--delay", "1h", "--at", "1h", code=2)


def test_a_batch_is_started_line_by_line(sagactl: Sagactl, shop: Shop, tmp_path: Path) -> None:
    orders = [Shop.input(), Shop.input() | {"total_amount_minor": "many"}, Shop.input(force_payment_fail=True)]
    path = tmp_path / "orders.jsonl"
    path.write_text("\n".join(json.dumps(order) for order in orders))
    words = ("start", "checkout", "--batch", str(path), "--key-from", "order_id")
    done = sagactl(*words, "--quiet", code=2)
    ids = done.stdout.split()
    assert len(ids) == 2
    assert f"{path}:2: refused:" in done.stderr and "total_amount_minor" in done.stderr
    again = sagactl(*words, "-o", "jsonl", code=2)
    results = [json.loads(line) for line in again.stdout.splitlines()]
    assert [result.get("response", {}).get("saga", {}).get("sagaId") for result in results] == [ids[0], None, ids[1]]
    assert results[1]["error"]["code"] == 3
    shop.finished(ids[1])


# ---- cancel ------------------------------------------------------------------------------------------------------------


def test_cancel_after_the_pivot_is_refused_with_the_reason(sagactl: Sagactl, shop: Shop) -> None:
    saga_id = sagactl.start()
    shop.finished(saga_id)
    refused = sagactl("cancel", saga_id, "--reason", "too late", code=1)
    assert refused.stderr.startswith("sagactl: ") and len(refused.stderr.splitlines()) >= 1
    assert refused.stdout == ""


def test_cancel_turns_a_running_saga_back(sagactl: Sagactl, shop: Shop, stack: TestStack) -> None:
    stack.suspend("payment")
    try:
        saga_id = sagactl.start()
        wait_until(lambda: "ORDER_CREATED" in sagactl("get", saga_id).stdout, "the first step is done")
        cancelled = json.loads(sagactl("cancel", saga_id, "--reason", "the customer called", "-o", "json").stdout)
        assert cancelled["saga"]["sagaId"] == saga_id and "alreadyTurnedBack" not in cancelled
        again = sagactl("cancel", saga_id, "--reason", "again").stdout
        assert again.endswith("  it had turned back before\n")
    finally:
        stack.resume("payment")
    shop.finished(saga_id)
    assert "the customer called" in sagactl("get", saga_id).stdout


# ---- definitions, topics, health -----------------------------------------------------------------------------------------


def test_definitions_in_both_formats(sagactl: Sagactl) -> None:
    table = sagactl("definitions", "list").stdout
    assert table.splitlines()[0].split() == ["NAME", "VERSION", "STATE", "STEPS"]
    assert any(line.split()[0] == "checkout" for line in table.splitlines())
    listed = json.loads(sagactl("definitions", "list", "-o", "json").stdout)
    assert "checkout" in [definition["name"] for definition in listed]
    assert [json.loads(line) for line in sagactl("definitions", "list", "-o", "jsonl").stdout.splitlines()] == listed
    assert "steps\n  create-order\n" in sagactl("definitions", "get", "checkout").stdout
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text()
    assert sagactl("definitions", "put", "-", "--check", given=source).stdout == "-: valid\n"


def test_health_says_who_is_well(sagactl: Sagactl) -> None:
    assert [line.split() for line in sagactl("health").stdout.splitlines()] == [
        ["coordinator", "healthy"], ["registry", "healthy"], ["kafka", "healthy"]]
    done = sagactl("health", "--address", "127.0.0.1:1", "-o", "json", code=4)
    health = json.loads(done.stdout)
    assert health["coordinator"]["status"] == "unavailable" and health["kafka"]["status"] == "healthy"


def test_topics_that_exist_are_left_alone(sagactl: Sagactl) -> None:
    subjects = str(ROOT / "proto" / "shop" / "subjects.yaml")
    assert json.loads(sagactl("topics", "create", "--map", subjects, "-o", "json").stdout)["created"] == 0


def test_topics_that_sagas_need_are_listed_with_what_is_wrong(sagactl: Sagactl, shop: Shop) -> None:
    listed = {topic["topic"]: topic for topic in json.loads(sagactl("topics", "list", "-o", "json").stdout)}
    assert {"order.create.command", "order.create.command.retry.30s", "order.create.command.dlq", "order.created.dlq"} <= listed.keys()
    created = listed["order.created"]
    assert (created["exists"], created["partitions"], created["problems"]) == (True, 6, [])
    assert created["retentionMs"] == 7 * 86_400_000 and created["cleanupPolicy"] == "delete" and "checkout" in created["neededBy"]
    assert listed["order.created.dlq"]["partitions"] == 1 and listed["order.created.dlq"]["retentionMs"] == 30 * 86_400_000
    lines = sagactl("topics", "list", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["topic"] for line in lines] == sorted(listed)
    table = sagactl("topics", "list").stdout.splitlines()
    assert table[0].split()[:2] == ["TOPIC", "PARTITIONS"] and len(table) == len(listed) + 1


def test_topics_that_fall_short_make_the_exit_code_1(sagactl: Sagactl, shop: Shop, tmp_path: Path) -> None:
    name = f"short-{uuid.uuid4()}"
    (tmp_path / "a.proto").write_text('syntax = "proto3"; message A {}')
    subjects = tmp_path / "subjects.yaml"
    subjects.write_text("subjects:\n" + "".join(
        f"  - {{subject: {topic}-value, topic: {topic}, schema: a.proto}}\n" for topic in (name, f"{name}.away")))
    admin = AdminClient({"bootstrap.servers": shop.endpoints["KAFKA_BOOTSTRAP"]})
    made = [NewTopic(name, 1, 1, config={"cleanup.policy": "compact", "retention.bytes": "1000"}), NewTopic(f"{name}.dlq", 1, 1)]
    for future in admin.create_topics(made).values():
        future.result(30)
    try:
        shown = sagactl("topics", "list", "--map", str(subjects), "--partitions", "2", "--replication", "2", "-o", "jsonl", code=1)
        found = {topic["topic"]: topic["problems"] for topic in map(json.loads, shown.stdout.splitlines())}
        assert found == {
            name: ["has 1 partition, not 2", "has 1 replica, not 2", "deletes what is beyond 1000 bytes of a partition",
                   "is compacted: of each key only the last record stays"],
            f"{name}.away": ["does not exist"],
            f"{name}.away.dlq": ["does not exist"],
            f"{name}.dlq": ["has 1 replica, not 2", "keeps records for 7d, not 30d"],
        }
        assert "does not exist" in sagactl("topics", "list", "--map", str(subjects), code=1).stdout
        away = sagactl("topics", "list", "--kafka-brokers", "127.0.0.1:1", code=4)
        assert "cannot list the topics" in away.stderr
    finally:
        for future in admin.delete_topics([name, f"{name}.dlq"]).values():
            future.result(30)


# ---- errors ------------------------------------------------------------------------------------------------------------


def test_exit_codes_tell_what_is_wrong(sagactl: Sagactl) -> None:
    assert f"'{UNKNOWN_ID}' does not exist" in sagactl("get", UNKNOWN_ID, code=3).stderr
    sagactl("definitions", "get", "nothing", code=3)
    sagactl("get", "17", code=2)
    refused = sagactl("start", "checkout", "--input", '{"order_id": 7, "surprise": 1}', code=2)
    assert "input.order_id: " in refused.stderr and "input.surprise: " in refused.stderr, "every field at once"
    tree = Shop.input(force_payment_fail=True)
    for amount, code in ((1000, 0), (1001, 1)):
        given = json.dumps(tree | {"total_amount_minor": amount})
        sagactl("start", "checkout", "--key", tree["order_id"], "--input", given, code=code)


def test_a_server_that_is_away_is_explained() -> None:
    done = run("get", UNKNOWN_ID, "--address", "127.0.0.1:1")
    assert done.returncode == 4
    assert done.stderr.startswith("sagactl: cannot reach the coordinator: 127.0.0.1:1: ")
    assert "--address or SAGACTL_ADDRESS" in done.stderr and "sagactl health" in done.stderr
    named = run("get", UNKNOWN_ID, environment={"SAGACTL_ADDRESS": "127.0.0.1:2", "SAGA_GRPC": "127.0.0.1:3"})
    assert "127.0.0.1:2" in named.stderr


def test_slips_are_recognized() -> None:
    assert "did you mean 'watch'" in run("wacth").stderr
    assert "did you mean 'definitions put'" in run("definitions", "putt").stderr
    assert "did you mean --reason?" in run("cancel", UNKNOWN_ID, "--raeson", "x").stderr
    assert "did you mean stuck?" in run("list", "--state", "stcuk").stderr
    assert run("wacth").returncode == run("list", "--state", "stcuk").returncode == 2
    assert run("health", environment={"SAGACTL_OUTPUT": "xml"}).returncode == 78


def test_output_that_cannot_be_written_is_a_failure() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([SAGACTL, "man"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "sagactl: the output cannot be written: No space left on device\n"


# ---- help, completion, man -----------------------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    lines = run("--help").stdout.split("Commands (", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    words = [line.split("  ")[1].split() for line in lines]
    return [[word for word in words_of if word.islower() and "|" not in word] for words_of in words]


def test_every_command_has_help_with_examples_that_parse() -> None:
    assert ["watch"] in commands() and ["definitions", "put"] in commands()
    for command in commands():
        help_text = run(*command, "--help").stdout
        assert f"Usage: sagactl {' '.join(command)} " in help_text
        assert "\nExamples:\n" in help_text, command


def test_the_exit_codes_of_the_help_and_of_the_document_are_the_same() -> None:
    section = run("--help").stdout.split("\nExit codes:\n", 1)[1].split("\n\n", 1)[0]
    said = [line.split(maxsplit=1) for line in section.splitlines()]
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "docs" / "sagactl.md").read_text().splitlines()
            if line.startswith("| ") and line[2].isdigit()]
    assert rows == said and ["0", "4"] == [said[0][0], said[4][0]]


def test_bash_completes_commands_flags_and_names(sagactl: Sagactl) -> None:
    script = f"""
        PATH={SAGACTL.parent}:$PATH
        source <(sagactl completion bash)
        for COMP_LINE in "$@"; do COMP_POINT=${{#COMP_LINE}}; _sagactl; echo "${{COMPREPLY[*]}}"; done"""
    lines = ["sagactl canc", "sagactl definitions ", "sagactl get --output=js", "sagactl list --state comple",
             "sagactl start che", f"sagactl definitions put {ROOT}/REA"]
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", *lines], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **sagactl.environment})
    completed = done.stdout.splitlines()
    assert "checkout" in completed.pop(4).split(), done.stderr  # other tests may have put definitions of such names, too
    assert completed == ["cancel", "put get list pause resume", "json jsonl", "completing completed", f"{ROOT}/README.md"], done.stderr


def test_completion_scripts_are_good_syntax_in_the_shells_that_are_here() -> None:
    for shell in filter(shutil.which, ("bash", "zsh", "fish")):
        script = run("completion", shell).stdout
        subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True, timeout=30)


def test_the_man_page_is_installed_and_complete(tmp_path: Path) -> None:
    subprocess.run(["cmake", "--install", BUILD, "--prefix", tmp_path], check=True, capture_output=True,
                   timeout=60)
    page = (tmp_path / "share" / "man" / "man1" / "sagactl.1").read_text()
    assert page == run("man").stdout
    for command in commands():
        assert f".SS sagactl {' '.join(command)}".replace("-", "\\-") in page
    assert os.access(tmp_path / "bin" / "sagactl", os.X_OK)
    for script in ("bash-completion/completions/sagactl", "zsh/site-functions/_sagactl",
                   "fish/vendor_completions.d/sagactl.fish"):
        assert "__complete" in (tmp_path / "share" / script).read_text()
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-k", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, text=True, timeout=30)
        assert done.stderr == ""


def test_a_key_may_be_anything_and_stays_harmless(sagactl: Sagactl) -> None:
    order_id = f"\x1b[31m{uuid.uuid4()}\u202e"
    saga_id = sagactl.start(order_id=order_id, force_payment_fail=True)
    text = sagactl("get", saga_id).stdout
    assert "\x1b" not in text and "\u202e" not in text
    assert json.loads(sagactl("get", saga_id, "-o", "json").stdout)["key"] == order_id
