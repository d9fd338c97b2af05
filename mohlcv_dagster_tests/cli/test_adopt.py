"""Trees that stood there before, adopted by the command into a real home."""

import json
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster_tests.adoption.old_trees import FAULTY, put_tree

ASSETS = ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")


def home(project):
    return dg.DagsterInstance.from_config(str(project / ".mohlcv/home"))


def asset_of(path):
    return "raw_1s" if path.startswith("raw_1s") else "/".join(path.split("/")[:2])


def partition_of(path):
    symbol, year, month = Path(path).stem.split("_")[:3]
    return f"{year}-{month}|{symbol}"


def materialized(project):
    with home(project) as instance:
        return {
            (asset, key)
            for asset in ASSETS
            for key in instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))
        }


def events(project):
    """How many events there are, of each kind."""
    with home(project) as instance:
        made = sum(
            len(instance.fetch_materializations(dg.AssetKey.from_user_string(asset), limit=1000).records)
            for asset in ASSETS
        )
        checks = instance.event_log_storage
        evaluated = sum(len(checks.get_asset_check_execution_history(key, limit=1000)) for key in _checks())
    return made, evaluated


def _checks():
    from mohlcv_dagster.bars import rules, timeframes  # noqa: PLC0415
    from mohlcv_dagster.defs.partitions import asset_key  # noqa: PLC0415

    for name in ("1s", "15s", "30s", "1min"):
        timeframe = timeframes.RAW if name == "1s" else timeframes.parse(name)
        for rule in rules.for_timeframe(timeframe):
            yield dg.AssetCheckKey(asset_key(timeframe), rule.name)


def red(project):
    """The checks that failed as errors, by asset and partition, as the UI has them."""
    found = {}
    with home(project) as instance:
        for key in _checks():
            latest = {}
            for record in reversed(instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)):
                latest[record.evaluation.partition] = record.evaluation
            for partition, told in latest.items():
                if not told.passed and told.severity == dg.AssetCheckSeverity.ERROR:
                    found.setdefault((key.asset_key.to_user_string(), partition), set()).add(key.name)
    return found


def of(paths):
    return {(asset_of(path), partition_of(path)) for path in paths}


def contents(folder):
    return {str(at.relative_to(folder)): at.read_bytes() for at in folder.rglob("*.csv")}


@pytest.fixture
def tree(project):
    """The data folder of a project with 24 files, six of them faulty; what each should be."""
    return put_tree(project / "data")


def test_a_tree_of_24_files_with_six_faults_is_adopted_and_each_fault_named(project, mohlcv, tree):
    before = contents(project / "data")
    said = mohlcv("adopt", "--json")
    told = json.loads(said.out)

    assert said.code == 1
    assert len(told["files"]) == 24
    faults = {each["path"]: set(each["faults"]) for each in told["files"] if each["faults"]}
    assert faults == {path: {fault} for fault, path in FAULTY.items()} | {
        FAULTY["repeated rows"]: {"repeated rows", "unsorted rows"}
    }
    assert contents(project / "data") == before
    assert materialized(project) == of(tree) - of([FAULTY["half file"]])
    broken = {
        fault: red(project)[asset_of(path), partition_of(path)]
        for fault, path in FAULTY.items()
        if fault in {"Eastern month", "half file", "whole volumes as decimals", "repeated rows"}
    }
    assert broken["Eastern month"] == {"inside_month"}
    assert "readable" in broken["half file"]
    assert broken["whole volumes as decimals"] == {"volume_type"}
    assert broken["repeated rows"] == {"rising_time"}
    good = of(path for path in tree if path not in FAULTY.values())
    assert len(good) == 18
    assert not good & red(project).keys()
    with home(project) as instance:
        assert set(instance.get_dynamic_partitions("symbol")) == {
            "SPY",
            "QQQ",
            "DBN",
            "DOS",
            "EAST",
            "HALF",
            "FLT",
            "DUP",
        }


def test_the_second_run_records_nothing_and_says_so_and_names_the_faults_again(project, mohlcv, tree):
    first = mohlcv("adopt")
    recorded, stood = events(project), {at: at.stat().st_mtime_ns for at in project.rglob("data/**/*") if at.is_file()}

    second = mohlcv("adopt")

    assert second.code == first.code == 1
    assert events(project) == recorded
    assert {at: at.stat().st_mtime_ns for at in project.rglob("data/**/*") if at.is_file()} == stood
    assert "Nothing to do" in second.out
    assert "23 registered now" in first.out
    for fault, path in FAULTY.items():
        assert f"{path}  {fault}:" in first.out
        assert f"{path}  {fault}:" in second.out


def test_rewrite_mends_what_can_be_mended_byte_for_byte_and_refuses_the_half_file(project, mohlcv, tree):
    mohlcv("adopt")
    half = (project / "data" / FAULTY["half file"]).read_bytes()

    said = mohlcv("adopt", "--rewrite", "--json")
    told = json.loads(said.out)

    assert contents(project / "data") == tree | {FAULTY["half file"]: half}
    assert set(told["refused"]) == {FAULTY["half file"]}
    assert set(told["rewritten"]) == {path for fault, path in FAULTY.items() if fault != "half file"} | {
        "raw_1s/EAST/EAST_2024_02.csv"
    }
    assert (
        told["rewritten"][FAULTY["additional columns"]] == "columns dropped: rtype, publisher_id, instrument_id, symbol"
    )
    assert "5 rows put in" in told["rewritten"]["raw_1s/EAST/EAST_2024_02.csv"]
    assert red(project).keys() == of([FAULTY["half file"]])
    assert materialized(project) == of(tree) - of([FAULTY["half file"]])
    recorded = events(project)
    again = mohlcv("adopt", "--rewrite")
    assert "Nothing to do" in again.out
    assert events(project) == recorded
    assert mohlcv("verify").out.count("no passport:") == 1
