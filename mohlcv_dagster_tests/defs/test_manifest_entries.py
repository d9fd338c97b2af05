"""Manifest entries and the Parquet mirror as runs write them."""

import hashlib
import json

import dagster as dg
import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import (
    EQUAL_RULES,
    FRACTIONAL,
    FRACTIONAL_15S,
    INTACT_RULES,
    NOT_WHOLE,
    RAW_CHECKS,
    WHOLE,
    WHOLE_15S,
)
from mohlcv_dagster_tests.defs.location import (
    _VENDORS,
    HandedMassive,
    HandedVendor,
    execute_checks_alone,
    failure_of,
    location,
    rules_of,
    run,
)

JANUARY, MARCH = "2024-01|SPY", "2026-03|SPY"
MONTHS = {("SPY", "2024-01"): WHOLE, ("SPY", "2026-03"): FRACTIONAL}
ALL = ("raw_1s", "aggregated/15s")
RAW, RESAMPLED = "raw_1s/SPY/SPY_2024_01.csv", "aggregated/15s/SPY_2024_01_15s.csv"


def told(folder, path):
    return json.loads((folder / "manifest" / f"{path}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """One month, materialized with its aggregate."""
    folder = tmp_path_factory.mktemp("stored")
    with dg.DagsterInstance.ephemeral() as instance:
        run(location(folder, MONTHS), instance, JANUARY, *ALL)
    return folder


def test_the_manifest_entry_of_a_raw_month_has_its_facts_and_every_rule(stored):
    entry = told(stored, RAW)

    rules = {rule["name"]: rule["passed"] for rule in entry.pop("checks")}
    assert rules == {name: name not in NOT_WHOLE for name in RAW_CHECKS}
    assert entry.pop("software").startswith("mohlcv-dagster ")
    assert len(entry.pop("checksum")) == 64
    assert entry == {
        "schema": 1,
        "file": RAW,
        "sha256": hashlib.sha256(WHOLE).hexdigest(),
        "size": len(WHOLE),
        "rows": 6,
        "first_bar": "2024-01-02T14:30:00Z",
        "last_bar": "2024-01-02T14:31:00Z",
        "vendor": "stand-in at http://127.0.0.1:1",
        "adjusted": False,
        "fetched_at": "2026-03-05T12:00:00Z",
        "complete_through": "2024-02-01T00:00:00Z",
        "state": "settled",
        "request_ids": ["first", "second"],
        "raw_sha256": None,
    }


def test_the_manifest_entry_of_an_aggregate_says_which_raw_file_it_was_resampled_from(stored):
    entry = told(stored, RESAMPLED)

    assert (entry["sha256"], entry["rows"]) == (hashlib.sha256(WHOLE_15S).hexdigest(), 3)
    assert entry["raw_sha256"] == hashlib.sha256(WHOLE).hexdigest()
    assert entry["state"] == "settled"
    assert {rule["name"]: rule["passed"] for rule in entry["checks"]} == dict.fromkeys(EQUAL_RULES, True)


def test_the_rules_that_ask_the_vendor_stand_in_the_manifest_entry_of_the_minutes_too(tmp_path, instance):
    run(location(tmp_path, MONTHS, timeframes="1min"), instance, JANUARY, "raw_1s", "aggregated/1min")

    rules = {rule["name"] for rule in told(tmp_path, "aggregated/1min/SPY_2024_01_1min.csv")["checks"]}
    assert rules == {*EQUAL_RULES, "vendor_minutes", "volume_ladder", "thin_seconds"}


def test_a_raw_file_that_stands_elsewhere_has_neither_manifest_entry_nor_mirror(tmp_path, instance):
    settings = Settings.from_environment({"MOHLCV_DATA_DIR": str(tmp_path / "data"), "MOHLCV_PARQUET": "true"})
    massive = HandedMassive(base_url="http://handed/elsewhere", adjusted=False, concurrency=1, requests_per_minute=None)
    _VENDORS[massive.base_url] = HandedVendor(MONTHS)
    elsewhere = ArchiveResource(data_dir=settings.data_dir, raw_dir=str(tmp_path / "elsewhere"))
    run(build(settings, massive=massive, archive=elsewhere), instance, JANUARY, "raw_1s")

    files = sorted(str(at.relative_to(tmp_path)) for at in tmp_path.rglob("*") if at.is_file())
    assert files == ["elsewhere/SPY/SPY_2024_01.csv"]


def test_checking_again_brings_the_entry_up_to_date_and_leaves_the_verdicts_of_other_checks(tmp_path, instance):
    definitions = location(tmp_path, MONTHS)
    run(definitions, instance, JANUARY, "raw_1s")
    before = told(tmp_path, RAW)
    (tmp_path / RAW).write_bytes(WHOLE.replace(b",15234\n", b",15235\n"))

    execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "intact")

    after = told(tmp_path, RAW)
    [red] = [rule for rule in after["checks"] if not rule["passed"] and rule["name"] not in NOT_WHOLE]
    assert (red["name"], red["severity"]) == ("as_recorded", "error")
    assert "has changed since it was written" in red["message"]
    assert after["sha256"] == before["sha256"]
    others = [rule for rule in after["checks"] if rule["name"] not in INTACT_RULES]
    assert others == [rule for rule in before["checks"] if rule["name"] not in INTACT_RULES]


def test_of_a_file_that_cannot_be_read_the_entry_keeps_no_verdict_of_what_can_no_longer_be_looked_at(
    tmp_path, instance
):
    definitions = location(tmp_path, MONTHS)
    run(definitions, instance, JANUARY, "raw_1s")
    (tmp_path / RAW).write_bytes(b"no bars at all\n")

    execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "intact", "valid", "complete", "plausible")

    rules = {rule["name"]: rule["passed"] for rule in told(tmp_path, RAW)["checks"]}
    assert rules["readable"] is False
    assert not {"ohlc_order", "exact_form", "largest_gap", "spikes"} & rules.keys()


def test_a_run_over_a_range_and_execute_all_write_manifest_entries_too(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE, ("SPY", "2024-02"): WHOLE.replace(b"-01-", b"-02-")})
    run(definitions, instance, JANUARY, "raw_1s", until="2024-02|SPY")
    february = tmp_path / "manifest/raw_1s/SPY/SPY_2024_02.csv.json"
    of_range = json.loads(february.read_text())
    february.unlink()

    execute_checks_alone(definitions, instance, "raw_1s", None, "intact")

    assert {rule["name"] for rule in of_range["checks"]} == set(RAW_CHECKS)
    again = json.loads(february.read_text())
    assert {rule["name"] for rule in again["checks"]} == set(INTACT_RULES)
    assert again | {"checks": [], "checksum": ""} == of_range | {"checks": [], "checksum": ""}


def test_a_run_that_fails_for_one_month_leaves_the_manifest_entries_of_the_others_checked(tmp_path, instance):
    definitions = location(tmp_path, MONTHS)
    run(definitions, instance, JANUARY, "raw_1s", until="2024-02|SPY", expect=False)

    assert {rule["name"] for rule in told(tmp_path, RAW)["checks"]} == set(RAW_CHECKS)


def test_checks_on_a_disk_that_refuses_are_evaluated_all_the_same(tmp_path, instance):
    definitions = location(tmp_path, MONTHS)
    run(definitions, instance, JANUARY, "raw_1s")
    at = tmp_path / "manifest/raw_1s/SPY"
    for left in at.iterdir():
        left.unlink()
    at.rmdir()
    at.write_bytes(b"a file where a folder is due")

    result = execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "intact")

    assert result.success
    [evaluation] = result.get_asset_check_evaluations()
    assert {rule: row["result"] for rule, row in rules_of(evaluation).items()} == dict.fromkeys(INTACT_RULES, "passed")


def test_a_new_file_whose_results_the_disk_refuses_fails_and_the_next_check_records_them(
    tmp_path, instance, monkeypatch
):
    definitions = location(tmp_path, MONTHS)

    def refused(*_):
        raise FileError("manifest/raw_1s/SPY/SPY_2024_01.csv.json could not be written: no space left on device")

    with monkeypatch.context() as full:
        full.setattr("mohlcv_dagster.storage.manifest.update_checks", refused)
        result = run(definitions, instance, JANUARY, "raw_1s", expect=False)

    assert "no space left on device" in failure_of(result).description
    assert result.get_asset_check_evaluations() == []
    assert told(tmp_path, RAW)["checks"] == []

    assert execute_checks_alone(definitions, instance, "raw_1s", JANUARY, "intact").success
    assert {rule["name"] for rule in told(tmp_path, RAW)["checks"]} == set(INTACT_RULES)


def test_without_the_setting_there_is_no_mirror(stored):
    assert not (stored / "parquet").exists()


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """Two months, one of whole and one of fractional volumes, with the mirror on."""
    folder = tmp_path_factory.mktemp("mirrored")
    definitions = location(folder, MONTHS, parquet=True)
    with dg.DagsterInstance.ephemeral() as instance:
        run(definitions, instance, JANUARY, *ALL)
        run(definitions, instance, MARCH, *ALL)
    return folder


def bars(*contents):
    """Opens and volumes, by text, of CSV files of the contract."""
    lines = [line.split(",") for content in contents for line in content.decode().splitlines()[1:]]
    return [(float(fields[1]), float(fields[5])) for fields in lines]


def test_one_read_of_duckdb_takes_the_whole_archive_with_its_keys(mirrored):
    where = f"read_parquet('{mirrored}/parquet/**/*.parquet', hive_partitioning = true)"
    query = f"select open, volume from {where} where timeframe = ? order by ts_event"  # noqa: S608 - our own folder

    assert duckdb.execute(query, ["1s"]).fetchall() == bars(WHOLE, FRACTIONAL)
    assert duckdb.execute(query, ["15s"]).fetchall() == bars(WHOLE_15S, FRACTIONAL_15S)
    keys = duckdb.execute(f"select distinct symbol, month from {where} order by month").fetchall()  # noqa: S608
    assert keys == [("SPY", "2024-01"), ("SPY", "2026-03")]


def test_one_read_of_polars_takes_the_whole_archive_with_its_keys(mirrored):
    read = pl.scan_parquet(mirrored / "parquet/**/*.parquet", hive_partitioning=True)
    raw = read.filter(pl.col("timeframe") == "1s", pl.col("symbol") == "SPY").sort("ts_event").collect()

    assert raw.select("open", "volume").rows() == bars(WHOLE, FRACTIONAL)
    assert raw["month"].unique().sort().to_list() == ["2024-01", "2026-03"]
    assert raw.schema["ts_event"] == pl.Datetime("us", "UTC")


def test_the_mirror_says_which_csv_file_it_was_written_with(mirrored):
    at = mirrored / "parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"

    assert pq.read_schema(at).metadata[b"mohlcv:csv_sha256"].decode() == hashlib.sha256(WHOLE).hexdigest()


def test_a_mirror_that_cannot_be_written_fails_the_run_and_leaves_the_csv_as_it_was(tmp_path, instance):
    definitions = location(tmp_path, MONTHS, parquet=True)
    (tmp_path / "parquet").write_bytes(b"a file where a folder is due")

    result = run(definitions, instance, JANUARY, "raw_1s", expect=False)

    said = failure_of(result).description
    assert "the Parquet mirror of raw_1s/SPY/SPY_2024_01.csv could not be written" in said
    assert "set MOHLCV_PARQUET=false" in said
    assert not (tmp_path / RAW).exists()
    assert not (tmp_path / "manifest").exists()
