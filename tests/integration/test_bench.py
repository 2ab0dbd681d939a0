"""The benchmark: its arithmetic, its JSON and its picture, and that it runs. Never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests" / "bench"))

import bench_stack  # noqa: E402
import instances_report  # noqa: E402
import model  # noqa: E402
import overload_report  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import sampling  # noqa: E402
import sizes  # noqa: E402
import soak_report  # noqa: E402
from stack.errors import StackError  # noqa: E402
from stack.folders import Folders  # noqa: E402

EVENT = {"sagas": 1000, "seconds": 2.0, "failures": 1, "overdue": 2, "p50_ms": 4.0, "p99_ms": 9.0, "p999_ms": 11.0, "max_ms": 12.0}
POSTGRES = {"wal_bytes": 0, "wal_syncs": 0, "commits": 0, "updates": 0, "hot_updates": 0, "sagas": 0, "log_rows": 0}


def sample(cpu: dict[str, int], machine: list[int], postgres: dict[str, float], coordinator: dict[str, float] | None = None,
           kafka: dict[str, int] | None = None) -> sampling.Sample:
    return sampling.Sample(cpu, {name: 10.04 for name in cpu}, machine, coordinator or {}, {**POSTGRES, **postgres}, kafka or {})


def one_round(rate: float, others: float = 0.0, p50_ms: float = 5.0, **more: object) -> dict:
    return {"sagas_per_s": rate, "p50_ms": p50_ms, "p99_ms": 9.0, "p999_ms": 11.0, "wal_bytes_per_saga": 100,
            "wal_syncs_per_saga": 0.1, "commits_per_saga": 0.2, "hot_percent": 66.6, "kafka_bytes_per_saga": 300, "failures": 0,
            "overdue": 0, "cpu_us_per_saga": {"postgres": rate / 100, "client": 1.0}, "rss_mb": {"postgres": rate / 10, "client": 2.0},
            "machine_percent": {"idle": 1.0, "steal": 0.0, "others": others}, **more}


CASE = {"mode": "engine", "path": "happy", "in_flight": 1000, "settings": {"seconds": 2}}


# ---- figures of one measurement ----

def test_figures_are_shares_of_the_sagas_that_ended():
    before = sample({"kafka": 100}, [0] * 8, {"wal_bytes": 50, "commits": 7, "updates": 10, "hot_updates": 10}, kafka={"a": 5})
    after = sample({"kafka": 150}, [100, 0, 0, 200, 0, 0, 0, 100],
                   {"wal_bytes": 3_000_050, "commits": 57, "updates": 40, "hot_updates": 30, "wal_syncs": 10}, kafka={"a": 5005, "b": 1000})
    one = report.figures(EVENT, before, after, ticks_per_s=100)
    assert one["sagas_per_s"] == 500.0
    assert one["cpu_us_per_saga"] == {"kafka": 500.0}  # 0.5 s over 1,000 sagas
    assert one["rss_mb"] == {"kafka": 10.0}
    assert one["wal_bytes_per_saga"] == 3000
    assert one["wal_syncs_per_saga"] == 0.01
    assert one["commits_per_saga"] == 0.05
    assert one["hot_percent"] == pytest.approx(66.7)
    assert one["kafka_bytes_per_saga"] == 6
    assert one["machine_percent"] == {"idle": 50.0, "steal": 25.0, "others": 12.5}
    assert "resends" not in one  # nobody's counters were read


def test_figures_without_a_single_saga_or_update_divide_by_nothing():
    nothing = sample({"kafka": 0}, [0] * 8, {})
    one = report.figures({**EVENT, "sagas": 0}, nothing, nothing, ticks_per_s=100)
    assert one["sagas_per_s"] == 0
    assert one["hot_percent"] is None


def test_figures_have_the_coordinators_counters():
    before = sample({}, [0] * 8, {}, dict.fromkeys(sampling.COORDINATOR_COUNTERS, 0.0))
    after = sample({}, [0] * 8, {}, {"saga_resends_total": 3, "saga_turn_events_sum": 900, "saga_turn_events_count": 9,
                                     "saga_commit_seconds_sum": 0.5, "saga_commit_seconds_count": 10})
    one = report.figures(EVENT, before, after, ticks_per_s=100)
    assert (one["resends"], one["changes_per_turn"], one["commit_ms"]) == (3, 100.0, 50.0)


# ---- the JSON ----

def test_summary_has_the_spread_of_both_and_their_ratio():
    ours = [one_round(30.0, resends=1, changes_per_turn=4.0, commit_ms=2.0), one_round(10.0, p50_ms=7.0, resends=0), one_round(20.0)]
    summary = report.summarize(CASE, ours, [one_round(80.0, others=9.4), one_round(40.0), one_round(50.0)])
    assert summary["ours"] == {"min": 10.0, "median": 20.0, "max": 30.0}
    assert summary["floor"] == {"min": 40.0, "median": 50.0, "max": 80.0}
    assert summary["ratio"] == 0.4
    assert (summary["mode"], summary["path"], summary["in_flight"]) == ("engine", "happy", 1000)
    assert (summary["p50_ms"], summary["p99_ms"], summary["wal_bytes_per_saga"]) == (5.0, 9.0, 100)
    assert summary["cpu_us_per_saga"] == {"postgres": 0.2, "client": 1.0}  # the median
    assert summary["rss_mb"] == {"postgres": 3.0, "client": 2.0}  # the most
    assert summary["floor_details"]["rss_mb"]["postgres"] == 8.0
    assert summary["resends"] == 1
    assert summary["settings"] == {"seconds": 2}
    assert [len(summary["rounds"][who]) for who in ("ours", "floor")] == [3, 3]
    assert "0 to 9 %" in summary["not_controlled"][1]
    assert json.loads(json.dumps(summary)) == summary


def test_summary_without_a_floor_says_so_by_null():
    summary = report.summarize(CASE, [one_round(30.0)], [])
    assert summary["floor"] is None and summary["ratio"] is None and summary["floor_details"] is None
    assert "floor" not in report.text(summary)


def test_text_shows_both_sides():
    text = report.text(report.summarize(CASE, [one_round(30.0)], [one_round(60.0)]))
    assert "engine, happy, 1,000 in flight" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("ours : floor")] == ["0.500"]


# ---- the floor's sizes ----

def test_sizes_of_records_leave_out_other_topics_and_kafkas_own_bytes():
    before = sizes.Totals(10, 40, {"a.command": 1000})
    after = sizes.Totals(110, 440, {"a.command": 1000 + 100 * 3 * 216, "a.done": 100 * 3 * 116, "a.command.dlq": 5, "floor.reply": 7,
                                    "__consumer_offsets": 9})
    assert sizes.of_one(before, after, replies=3) == {"log_rows": 4, "command_bytes": 200, "reply_bytes": 100}


def test_sizes_without_sagas_are_refused():
    nothing = sizes.Totals(10, 40, {})
    with pytest.raises(Exception, match="no saga was started"):
        sizes.of_one(nothing, nothing, replies=3)


# ---- the picture ----

@pytest.mark.parametrize("has_floor", [True, False])
def test_plot_is_a_picture_of_every_result(has_floor: bool):
    results = [report.summarize({**CASE, "in_flight": n}, [one_round(20.0 * n)], [one_round(50.0 * n)] if has_floor else [])
               for n in (1000, 1, 100)]
    picture = ElementTree.fromstring(plot.svg(results))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in picture.iter(f"{space}text")]
    assert [text for text in texts if text in ("1", "100", "1,000")][-3:] == ["1", "100", "1,000"]  # in order
    bars = [bar for bar in picture.iter(f"{space}rect") if bar.get("fill") in (plot.OURS, plot.FLOOR) and bar.get("width") != "12"]
    assert len(bars) == (6 if has_floor else 3)
    for bar in picture.iter(f"{space}rect"):
        assert 0 <= float(bar.get("y", 0)) <= 2 * plot.PANEL and float(bar.get("height")) >= 0


# ---- all of it ----

def test_benchmark_runs_beside_the_floor_and_leaves_nothing_behind(tmp_path: Path):
    state = set((ROOT / "build").glob("bench-stack-*"))
    result = subprocess.run(
        [ROOT / "tests" / "bench" / "run", "--path", "compensating", "--in-flight", "20", "--starts", "batch", "--seconds", "4",
         "--warmup", "2", "--preheat", "4", "--repeat", "1", "--floor", "--build", BUILD, "--json", tmp_path / "result.json", "--plot",
         tmp_path / "result.svg", "--port-base", str(23000 + os.getpid() % 100 * 20)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["failures"] == 0 and found["floor_details"]["failures"] == 0
    assert found["ours"]["median"] > 0 and found["floor"]["median"] > 0
    assert set(found["cpu_us_per_saga"]) == {"coordinator", "postgres", "kafka", "participant", "registry", "client"}
    assert set(found["floor_details"]["cpu_us_per_saga"]) == {"floor", "postgres", "kafka"}
    assert found["floor_sizes"]["log_rows"] >= 6
    ElementTree.parse(tmp_path / "result.svg")
    assert set((ROOT / "build").glob("bench-stack-*")) == state


# ---- more than can be done ----

@pytest.mark.parametrize(("rate", "batch"), [("20000", "1"), ("60000", "500")], ids=["a call each", "batches"])
def test_overload_sheds_starts_and_every_accepted_saga_ends(tmp_path: Path, rate: str, batch: str):
    """Nobody gets through what is offered here."""
    result = subprocess.run(
        [ROOT / "tests" / "bench" / "overload", "--capacity", rate, "--times", "1", "--batch", batch, "--in-flight", "20", "--seconds",
         "3", "--warmup", "1", "--preheat", "3", "--build", BUILD, "--json", tmp_path / "overload.json", "--port-base",
         str(23000 + os.getpid() % 100 * 20)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    level = json.loads((tmp_path / "overload.json").read_text())["levels"][0]
    assert level["shed_per_s"] > 0 and level["accepted_per_s"] > 0
    assert level["failures"] == 0  # whatever was refused was refused by RESOURCE_EXHAUSTED
    assert level["drain_s"] is not None


def test_figures_of_a_level_tell_answers_from_refusals():
    said = {**EVENT, "accepted": {"count": 1200, "p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0},
            "shed": {"count": 600, "p50_ms": 0.1, "p99_ms": 0.2, "max_ms": 0.3}}
    counted = {"saga_resends_total": 0.0, "saga_turn_events_sum": 0.0, "saga_turn_events_count": 0.0, "saga_commit_seconds_sum": 0.0,
               "saga_commit_seconds_count": 0.0}
    before = sample({"client": 0, "coordinator": 0}, [0] * 8, {}, counted)
    after = sample({"client": 30, "coordinator": 10}, [100, 0, 0, 100, 0, 0, 0, 0], {}, counted)
    level = overload_report.figures(5, 1000, said, before, after)
    assert (level["finished_per_s"], level["accepted_per_s"], level["shed_per_s"]) == (500.0, 600.0, 300.0)
    assert level["unanswered_per_s"] == 100.0
    assert level["client_cpu_percent"] == 15.0
    assert level["shed"]["p99_ms"] == 0.2
    level |= {"open_at_end": 0, "drain_s": None, "coordinator_mb": 1.0}
    text = overload_report.line(level)
    assert "offered 1,000/s, accepted 600/s, shed 300/s, unanswered 100/s, finished 500/s" in text
    assert "refusal p50 0.1 ms, p99 0.2 ms" in text


def test_line_of_a_level_adds_up_and_shows_no_time_of_refusals_that_were_none():
    level = {"times": 1, "offered_per_s": 1000, "finished_per_s": 0.0, "saga": {"p50_ms": 1.0, "p99_ms": 1.0}, "open_at_end": 0, "drain_s": 1.0,
             "accepted": {"p50_ms": 1.0, "p99_ms": 1.0}, "shed": {"p50_ms": 0.0, "p99_ms": 0.0}, "coordinator_mb": 1.0,
             "client_cpu_percent": 1.0, "failures": 0, "unsent": 0, "resends": 0}
    text = overload_report.line(level | {"accepted_per_s": 899.6, "shed_per_s": 0.0})
    assert "accepted 900/s, shed 0/s, unanswered 100/s" in text and "refusal -\n" in text
    text = overload_report.line(level | {"accepted_per_s": 1012.4, "shed_per_s": 0.0})
    assert "accepted 1,012/s, shed 0/s, 12/s of these offered in the warm-up" in text


# ---- two of each ----

def test_both_instances_count_together():
    assert instances_report.by_kind({"coordinator": 100.0, "coordinator-2": 50.5, "kafka": 7.0}) == {"coordinator": 150.5, "kafka": 7.0}


def test_instances_summary_compares_two_with_one():
    rounds = {"one": [one_round(100.0), one_round(200.0)], "two": [one_round(300.0)]}
    summary = instances_report.summarize(10, rounds, [])
    assert summary["ratio"] == 2.0
    assert summary["one"]["cpu_us_per_saga_all"] == 2.5 and summary["cpu_ratio"] == 1.6
    assert "two : one = 2.00" in instances_report.text(summary)
    assert instances_report.summarize(10, {"one": [], "two": []}, [])["ratio"] is None


def test_work_of_killed_instances_moves_and_ends(tmp_path: Path):
    result = subprocess.run(
        [ROOT / "tests" / "bench" / "instances", "--repeat", "0", "--in-flight", "50", "--settle", "2", "--build", BUILD, "--json",
         tmp_path / "moves.json", "--port-base", str(23000 + os.getpid() % 100 * 20)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    moves = json.loads((tmp_path / "moves.json").read_text())["moves"]
    assert [(move["killed"], move["is_restarted"]) for move in moves] == [
        (name, is_restarted) for name in ("coordinator-2", "participant-2") for is_restarted in (False, True)]


# ---- millions in the tables ----

def test_scale_fills_tables_that_the_coordinator_works_on(tmp_path: Path):
    state = set((ROOT / "build").glob("bench-stack-*"))
    result = subprocess.run(
        [ROOT / "tests" / "bench" / "scale", "--finished", "20000", "--open", "6000", "--in-flight", "20", "--killed", "50", "--calls",
         "2", "--seconds", "1", "--warmup", "1", "--preheat", "1", "--repeat", "1", "--build", BUILD, "--json",
         tmp_path / "result.json", "--port-base", str(23000 + os.getpid() % 100 * 20)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["empty"]["failures"] == 0 and found["full"]["failures"] == 0
    assert found["full"]["sagas_per_s"]["median"] > 0
    assert found["lists"]["a rare state, all pages"]["pages"] >= 6  # 26,000 rows, 5,000 a call
    assert found["lists"]["by a rare label"]["pages"] == 1
    assert found["kills"][0]["in_flight"] > 0
    assert set((ROOT / "build").glob("bench-stack-*")) == state


# ---- a long run ----

@pytest.mark.parametrize("load", [("--in-flight", "20"), ("--rate", "100")], ids=["closed loop", "steady rate"])
def test_soak_shows_that_finished_sagas_leave(tmp_path: Path, load: tuple[str, str]):
    result = subprocess.run(
        [ROOT / "tests" / "bench" / "soak", "--minutes", "0.4", "--every", "8", "--keep", "10", *load, "--build", BUILD,
         "--json", tmp_path / "soak.json", "--port-base", str(23000 + os.getpid() % 100 * 20)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "soak.json").read_text())
    assert [one["after_s"] for one in found["rounds"]] == [8, 16, 24]
    assert all(one["failures"] == 0 and one["tables"]["saga"]["table_mb"] > 0 for one in found["rounds"])
    ended = sum(one["sagas_per_s"] * 8 for one in found["rounds"])
    assert found["rounds"][-1]["tables"]["saga"]["live_rows"] < 0.9 * ended


def tables_of(saga_mb: float) -> dict:
    one = {"table_mb": 10.0, "indexes_mb": 0.0, "live_rows": 1, "dead_rows": 0, "vacuums": 0}
    return {**dict.fromkeys(soak_report.TABLES, one), "saga": {**one, "table_mb": saga_mb}}


def test_growth_compares_the_last_quarter_with_the_second():
    rounds = [{"tables": tables_of(mb)} for mb in (1, 5, 100, 100, 105, 120, 110, 500)]
    growth = soak_report.growth(rounds)
    assert growth["saga.table_mb"] == 205.0  # 305 beside 100
    assert growth["saga_log.table_mb"] == 0.0
    assert growth["saga_open.indexes_mb"] == 0.0  # nothing cannot grow by a share
    assert soak_report.growth(rounds[:3]) == {}
    assert "too short" in soak_report.growth_text({})


# ---- the cost model ----

COST = {"cpu_us_per_saga": {"coordinator": 100.0, "postgres": 60.0, "kafka": 50.0, "participant": 30.0, "registry": 1.0, "client": 9.0},
        "wal_bytes_per_saga": 4000, "wal_syncs_per_saga": 0.01, "kafka_bytes_per_saga": 2000,
        "floor_sizes": {"row_bytes": 300, "log_rows": 4, "log_bytes": 100}}


def test_model_takes_a_sagas_cost_from_a_result():
    cost = model.cost_of(COST)
    assert (cost.participant_us, cost.stored_bytes, cost.wal_syncs) == (30.0, 1000, 0.01)


def test_model_names_what_ends_first():
    cost, machine = model.cost_of(COST), model.Machine(cores=4, use=0.5, wal_mb_per_s=80, syncs_per_s=1000, engine_share=0.4)
    assert model.tightest(model.coordinator_limits(cost, machine)) == ("one engine thread and its connection", 5000.0)
    assert model.tightest(model.cell_limits(cost, machine)) == ("Postgres's WAL", 10000.0)
    small, large = model.plan(cost, machine, 1000), model.plan(cost, machine, 40000)
    assert (small["cells"], small["coordinators"], small["brokers"]) == (1, 2, 3)
    assert (large["cells"], large["coordinators"]) == (4, 12)  # two each, and one to spare
    assert large["brokers"] >= 4 * 3  # a cluster for each cell
    assert large["wal_mb_per_s"] == 160.0 and large["stored_gb_per_day"] == 3456.0


def test_plan_prints_its_table(tmp_path: Path):
    (tmp_path / "result.json").write_text(json.dumps(COST))
    command = [ROOT / "tests" / "bench" / "plan", tmp_path / "result.json"]
    told = subprocess.run([*command, "--rate", "7000"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "| 7,000 |" in told.stdout
    assert "| 0.5 |" in subprocess.run([*command, "--rate", "0.5"], capture_output=True, text=True).stdout


@pytest.mark.parametrize(("text", "wanted"), [
    ('{"mode": "engine", "levels": []}', "is not what tests/bench/run --json writes: it lacks cpu_us_per_saga.coordinator (a number above 0)"),
    (json.dumps({**COST, "wal_bytes_per_saga": 0}), "it lacks wal_bytes_per_saga (a number above 0)"),
    (json.dumps({**COST, "floor_sizes": [1]}), "must hold numbers"),
    ("[]", "is not what tests/bench/run --json writes"), ("{", "is not JSON"), (None, "cannot be read: No such file")])
def test_plan_refuses_files_of_other_programs(tmp_path: Path, text: str | None, wanted: str):
    file = tmp_path / "result.json"
    if text is not None:
        file.write_text(text)
    told = tool("plan", file)
    assert told.returncode == 1 and told.stderr.startswith(f"error: {file} ") and wanted in told.stderr, told.stderr


@pytest.mark.parametrize(("text", "wanted"), [
    ('{"levels": []}', "it lacks in_flight (a number above 0)"), ("{", "is not JSON"), (None, "cannot be read: No such file")])
def test_plot_names_the_file_that_it_cannot_draw(tmp_path: Path, text: str | None, wanted: str):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(report.summarize(CASE, [one_round(20.0)], [])))
    if text is not None:
        bad.write_text(text)
    told = tool("plot.py", "--svg", tmp_path / "all.svg", good, bad)
    assert told.returncode == 1 and told.stderr.startswith(f"error: {bad} ") and wanted in told.stderr, told.stderr
    assert tool("plot.py", "--svg", tmp_path / "all.svg", good).returncode == 0


# ---- what is refused before anything is built or started ----

def tool(name: str, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run([ROOT / "tests" / "bench" / name, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)


@pytest.mark.parametrize(("line", "wanted"), [
    ("run --lanes 17", "--lanes: '17' must be a whole number from 0 to 16"),
    ("run --warmup -1", "--warmup: '-1' must be a whole number from 0"),
    ("run --preheat -1", "--preheat: '-1' must be a whole number from 0"),
    ("run --in-flight many", "--in-flight: 'many' must be a whole number from 1"),
    ("overload --capacity -1", "--capacity: '-1' must be a number from 1 to 1,000,000, or 0"),
    ("overload --times 1,x", "--times: '1,x' must be numbers from 0.001 to 1,000 with commas between"),
    ("overload --capacity 500000 --times 1,5", "--capacity times the largest of --times must be at most 1,000,000"),
    ("instances --repeat -1", "--repeat: '-1' must be a whole number from 0"),
    ("instances --repeat 0 --moves 0", "--repeat 0 --moves 0 leaves nothing to measure"),
    ("instances --settle 6", "--settle must be above 6"),
    ("plan result.json --rate inf", "--rate: 'inf' must be numbers from"),
    ("plan result.json --rate 5,nan", "--rate: '5,nan' must be numbers from"),
    ("plan result.json --wal-mb nan", "--wal-mb: 'nan' must be a number from"),
    ("scale --port-base 500", "--port-base: '500' must be a whole number from 1,024 to 65,000"),
    ("registry --port-base 70000", "--port-base: '70000' must be a whole number from 1,024 to 65,000"),
])
def test_wrong_numbers_are_refused_with_what_is_wanted(line: str, wanted: str):
    told = tool(*line.split())
    assert told.returncode == 2 and wanted in told.stderr, told.stderr
    assert told.stdout == ""  # not even a build


@pytest.mark.parametrize("line", ["run --json", "run --plot", "plan result.json --json", "overload --json", "scale --json", "scale --lock",
                                  "instances --json", "registry --json", "plot.py result.json --svg"])
def test_files_that_cannot_be_written_are_told_first(tmp_path: Path, line: str):
    told = tool(*line.split(), tmp_path / "none" / "file")
    assert told.returncode == 2 and f"cannot be written: there is no folder {tmp_path}/none" in told.stderr, told.stderr
    told = tool(*line.split(), tmp_path)
    assert told.returncode == 2 and "is a folder: name a file" in told.stderr, told.stderr


# ---- what stays behind ----

@pytest.mark.parametrize("trouble", [StackError("no free port"), KeyboardInterrupt()], ids=["error", "signal"])
def test_nothing_stays_of_folders_in_which_nothing_was_logged(tmp_path: Path, trouble: BaseException):
    folders = Folders(ROOT, tmp_path / "state", BUILD)
    with pytest.raises(type(trouble)), bench_stack.made(folders):
        assert folders.data.is_dir() and folders.logs.is_dir()
        raise trouble
    assert not folders.data.exists() and not folders.state.exists()


def test_nothing_stays_of_folders_that_were_only_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folders, make = Folders(ROOT, tmp_path / "state", BUILD), Folders.make

    def make_and_be_interrupted(self: Folders) -> None:
        make(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Folders, "make", make_and_be_interrupted)
    with pytest.raises(KeyboardInterrupt), bench_stack.made(folders):
        pass
    assert not folders.data.exists() and not folders.state.exists()


def test_logs_stay_and_are_named_where_something_went_wrong(tmp_path: Path, capsys: pytest.CaptureFixture):
    folders = Folders(ROOT, tmp_path / "state", BUILD)
    with pytest.raises(StackError), bench_stack.made(folders):
        (folders.logs / "postgres.log").write_text("no room\n")
        raise StackError("postgres ended")
    assert not folders.data.exists() and (folders.logs / "postgres.log").read_text() == "no room\n"
    assert capsys.readouterr().err == f"logs are in {folders.logs}\n"
    with bench_stack.made(folders):
        pass
    assert not folders.state.exists()  # all was well


def test_what_the_disk_has_no_room_for_is_refused_before_the_build(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench_stack, "build", lambda folder: pytest.fail("built"))
    with pytest.raises(StackError, match="needs about 1,000,000,000 GB in /.*: free some, or ask for less"):
        with bench_stack.running(BUILD, 23000, BUILD, data_bytes=10**18):
            pass
