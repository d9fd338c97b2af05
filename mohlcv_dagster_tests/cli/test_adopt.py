"""Trees that stood there before, adopted by the command into a real home."""

import io
import json
import os
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from mohlcv_dagster import cli
from mohlcv_dagster.checks import registry
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.model import timeframes
from mohlcv_dagster_tests.defs.location import rules_of
from mohlcv_dagster_tests.storage.old_trees import FAULTY, MONTHS, put, put_month, put_tree, raw_path, text

HALF = FAULTY["half file"]
MOVED_TO = "raw_1s/EAST/EAST_2024_02.csv"
KEYS = [asset_key(each) for each in (timeframes.RAW, *timeframes.parse_list("15s,30s,1min"))]
CHECKS = [
    dg.AssetCheckKey(asset_key(each), check.name)
    for each in (timeframes.RAW, *timeframes.parse_list("15s,30s,1min"))
    for check in registry.checks_for(each)
]


@dataclass(frozen=True)
class Step:
    """What a call of the command said, and how the project stood after it."""

    code: int
    out: str
    files: dict
    written: dict
    materialized: set
    evaluations: int
    red: dict
    symbols: set
    runs: list


@contextmanager
def remembering(project):
    """The Dagster of a project."""
    home = str(project / ".mohlcv/home")
    with mock.patch.dict(os.environ, DAGSTER_HOME=home), dg.DagsterInstance.from_config(home) as instance:
        yield instance


def step(project, *words):
    with mock.patch.dict(os.environ), chdir(project), redirect_stdout(io.StringIO()) as said:
        code = cli.mohlcv.main(list(words), prog_name="mohlcv", standalone_mode=False)
    data = [at for at in (project / "data").rglob("*") if at.is_file()]
    with remembering(project) as instance:
        history = {key: instance.event_log_storage.get_asset_check_execution_history(key, limit=1000) for key in CHECKS}
        return Step(
            code,
            said.getvalue(),
            {str(at.relative_to(project / "data")): at.read_bytes() for at in data if at.suffix == ".csv"},
            {at: at.stat().st_mtime_ns for at in data},
            {(key.to_user_string(), each) for key in KEYS for each in instance.get_materialized_partitions(key)},
            sum(map(len, history.values())),
            dict(_red(history)),
            set(instance.get_dynamic_partitions("symbol")),
            [run.status for run in instance.get_runs()],
        )


def _red(history):
    """The rules that failed as errors in the latest evaluation of each check of a partition."""
    found = {}
    for key, records in history.items():
        latest = {each.evaluation.partition: each.evaluation for each in reversed(records)}
        for partition, told in latest.items():
            errors = {rule for rule, row in rules_of(told).items() if row["result"] == "error"}
            if errors:
                assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.ERROR)
                found.setdefault((key.asset_key.to_user_string(), partition), set()).update(errors)
    return found


def of(*paths):
    """Asset and partition of each file."""
    parts = [(path.split("/"), Path(path).stem.split("_")) for path in paths]
    return {("/".join(at[: -2 if at[0] == "raw_1s" else -1]), f"{name[1]}-{name[2]}|{name[0]}") for at, name in parts}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """24 files, six of them faulty: adopted twice, rewritten twice; and what each file should be."""
    project = tmp_path_factory.mktemp("project")
    due = put_tree(project / "data")
    before = {path: (project / "data" / path).read_bytes() for path in due}
    steps = [step(project, "adopt", *words) for words in (["--json"], [], ["--rewrite", "--json"], ["--rewrite"])]
    return due, before, steps, step(project, "verify")


def test_each_of_six_faults_in_24_files_is_named_and_nothing_on_disk_is_changed(story):
    due, before, [first, *_], _ = story
    files = json.loads(first.out)["files"]

    assert (len(due), len(files), first.code) == (24, 24, 1)
    assert {each["path"]: set(each["faults"]) for each in files if each["faults"]} == {
        **{path: {fault} for fault, path in FAULTY.items()},
        FAULTY["repeated rows"]: {"repeated rows", "unsorted rows"},
    }
    assert first.files == before


def test_each_good_file_is_a_green_partition_and_each_broken_one_a_red_one(story):
    due, _, [first, *_], _ = story
    good = of(*(path for path in due if path not in FAULTY.values()))

    assert len(good) == 18
    assert first.materialized == of(*due) - of(HALF)
    assert good <= first.materialized
    assert first.red == {
        of(HALF).pop(): {"readable"},
        of(FAULTY["Eastern month"]).pop(): {"inside_month"},
        of(FAULTY["whole volumes as decimals"]).pop(): {"volume_type"},
        of(FAULTY["repeated rows"]).pop(): {"rising_time"},
    }
    assert first.symbols == {"SPY", "QQQ", "DBN", "DOS", "EAST", "HALF", "FLT", "DUP"}
    assert first.runs == [dg.DagsterRunStatus.SUCCESS]


def test_the_second_run_records_and_writes_nothing_says_so_and_names_the_faults_again(story):
    _, _, [first, second, *_], _ = story

    assert (second.evaluations, second.runs, second.written) == (first.evaluations, first.runs, first.written)
    assert second.code == 1
    assert "Nothing to do" in second.out
    for fault, path in FAULTY.items():
        assert f"{path}  {fault}:" in second.out


def test_rewrite_makes_each_file_what_it_should_be_byte_for_byte_and_refuses_the_half_one(story):
    due, before, [*_, third, _], _ = story
    told = json.loads(third.out)

    assert third.files == due | {HALF: before[HALF]}
    assert set(told["refused"]) == {HALF}
    assert set(told["rewritten"]) == set(FAULTY.values()) - {HALF} | {MOVED_TO}
    assert told["rewritten"][FAULTY["additional columns"]] == (
        "columns dropped: rtype, publisher_id, instrument_id, symbol"
    )
    assert "5 rows added" in told["rewritten"][MOVED_TO]
    assert third.materialized == of(*due) - of(HALF)
    assert third.red.keys() == of(HALF)


def test_after_rewrite_another_run_does_nothing_and_the_tree_is_proven_but_for_the_half_file(story):
    _, _, [*_, third, fourth], verified = story

    assert (fourth.evaluations, fourth.runs, fourth.written) == (third.evaluations, third.runs, third.written)
    assert "Nothing to do" in fourth.out
    assert verified.out.splitlines()[0].startswith(f"✗ {HALF}  no entry:")
    assert "24 files" in verified.out
    assert "1 difference." in verified.out


def test_what_a_damaged_manifest_entry_said_is_not_lost_in_silence(tmp_path):
    path = raw_path("SPY", "2024_01")
    put(tmp_path, f"data/{path}", text(MONTHS["2024_01"]))
    step(tmp_path, "adopt")
    entry = tmp_path / f"data/manifest/{path}.json"
    entry.write_bytes(entry.read_bytes().replace(b'"rows"', b'"rowz"'))
    (tmp_path / ".mohlcv").rename(tmp_path / "another-home")

    said = step(tmp_path, "adopt")

    assert "its bytes do not match its checksum" in said.out
    assert "is lost unless a copy of it is put back" in said.out


@pytest.mark.slow
def test_facts_come_back_from_manifest_entries_and_a_changed_file_is_red_until_it_is_accepted(tmp_path):
    path = raw_path("SPY", "2024_01")
    at = put(tmp_path, f"data/{path}", text(MONTHS["2024_01"]))
    step(tmp_path, "adopt")
    entry = tmp_path / f"data/manifest/{path}.json"
    told = json.loads(entry.read_text())
    del told["checksum"]  # an entry of an earlier version has none
    assert [told[name] for name in ("vendor", "adjusted", "fetched_at", "state")] == [None] * 4
    entry.write_text(json.dumps({**told, "vendor": "Massive.com", "adjusted": False, "checks": []}))
    (tmp_path / ".mohlcv").rename(tmp_path / "another-home")

    known = step(tmp_path, "adopt")
    with remembering(tmp_path) as instance:
        [made] = instance.fetch_materializations(dg.AssetKey("raw_1s"), limit=9).records
    at.write_bytes(at.read_bytes().replace(b",107\n", b",106\n", 1).replace(b"\n", b"\r\n"))
    stood = at.read_bytes()
    changed, again = step(tmp_path, "adopt"), step(tmp_path, "adopt", "--rewrite")
    assert at.read_bytes() == stood  # mended, a change would look like our own work
    accepted = step(tmp_path, "adopt", "--accept-changed")
    last = step(tmp_path, "adopt")

    assert (known.code, known.red) == (0, {})
    assert made.asset_materialization.metadata["vendor"].value == "Massive.com"
    assert made.asset_materialization.metadata["adjusted"].value is False
    assert "fetched_at" not in made.asset_materialization.metadata
    assert f"✗ {path}  changed: its bytes are not those that were recorded" in changed.out
    assert changed.red == again.red == {("raw_1s", "2024-01|SPY"): {"as_recorded"}}
    assert again.evaluations == changed.evaluations
    assert (accepted.code, accepted.red) == (0, {})
    assert json.loads(entry.read_text())["vendor"] is None
    assert "Nothing to do" in last.out


@pytest.mark.slow
def test_aggregates_are_checked_again_once_their_raw_file_is_mended(tmp_path):
    frame = MONTHS["2024_01"]
    put_month(tmp_path / "data", "SPY", "2024_01", frame, ("15s",))
    put(tmp_path / "data", raw_path("SPY", "2024_01"), text(frame.astype({"volume": float})))

    first, mended, again = (step(tmp_path, "adopt", *words) for words in ([], ["--rewrite"], []))

    assert first.red == {(asset, "2024-01|SPY"): {"volume_type"} for asset in ("raw_1s", "aggregated/15s")}
    assert (mended.red, mended.code) == ({}, 0)
    assert "Nothing to do" in again.out
    assert again.evaluations == mended.evaluations


@pytest.mark.slow
def test_with_the_setting_on_adopt_writes_the_mirrors_that_are_missing(tmp_path, monkeypatch):
    path = raw_path("SPY", "2024_01")
    put(tmp_path, f"data/{path}", text(MONTHS["2024_01"]))
    monkeypatch.setenv("MOHLCV_PARQUET", "true")
    step(tmp_path, "adopt")
    mirror = tmp_path / "data/parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"
    assert mirror.exists()
    mirror.unlink()
    told = step(tmp_path, "adopt")

    assert mirror.exists()
    assert "Nothing to do" not in told.out
    assert step(tmp_path, "verify").code == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["elsewhere"], 2, "elsewhere is not the data folder of this project, which is"),
        (["--symbol", "S_P"], 2, "'S_P' is not a US stock symbol"),
        ([], 2, "there is no folder"),
    ],
)
def test_what_is_invalid_is_refused_with_the_cure(mohlcv, project, words, code, told):
    said = mohlcv("adopt", *words)

    assert said.code == code
    assert told in said.err
    assert "MOHLCV_DATA_DIR" in said.err or "symbol" in said.err


def test_a_dry_run_tells_and_leaves_not_even_a_home(mohlcv, project):
    due = put_tree(project / "data")
    before = {path: (project / "data" / path).read_bytes() for path in due}

    said = mohlcv("adopt", "data", "--rewrite", "--dry-run")

    assert said.code == 1
    assert f"✓ {FAULTY['Eastern month']}  would be rewritten: 5 rows of 2024-02 moved to" in said.out
    assert said.out.endswith("24 files: 6 with faults, 1 of them unreadable. Nothing was recorded or written.\n")
    assert {path: (project / "data" / path).read_bytes() for path in due} == before
    assert [each.name for each in project.iterdir()] == ["data"]
    assert [each.name for each in (project / "data").iterdir() if each.name == "manifest"] == []


def test_files_without_a_partition_here_are_told_with_the_reason(mohlcv, project):
    put(project, "data/raw_1s/SPY/SPY_2003_01.csv", text(MONTHS["2024_01"]))
    put(project, "data/aggregated/5min/SPY_2024_01_5min.csv", text(MONTHS["2024_01"]))
    put(project, "data/raw_1s/spy-2024-01.csv", text(MONTHS["2024_01"]))

    said = mohlcv("adopt")

    assert said.code == 1
    assert "2003-01 is before 2003-09, the first month of MOHLCV_START; set it earlier" in said.out
    assert "5min is not among MOHLCV_TIMEFRAMES; add it there" in said.out
    assert "if it is raw_1s/SPY/SPY_2024_01.csv, move it there and run this again" in said.out
