"""The quality asset on a real Dagster: what was recorded becomes rows, pictures and incidents, without the files."""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pyarrow.parquet as pq
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.definitions import defs
from mohlcv_dagster.defs.quality_rows import CheckedAssets
from mohlcv_dagster.defs.quality_step import QualityReader
from mohlcv_dagster.model import bar_files, exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import parse
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.charts.drawn import Drawn
from mohlcv_dagster_tests.defs.location import location, materializations_of, run

JANUARY = Month(2024, 1)
RAW, FOLDED, QUALITY = "raw_1s", "aggregated/15s", "quality/coverage"
LOST = ("2024-01-05 15:30", "2024-01-05 15:31")


def month(*without):
    """A bar in each regular minute of January 2024, but for those named, and one before, as a file."""
    spans = [
        np.arange(int(day.regular_open.timestamp()), int(day.regular_close.timestamp()), 60)
        for day in exchange_calendar.sessions_in(JANUARY)
    ]
    gone = [int(datetime.fromisoformat(f"{each}+00:00").timestamp()) for each in without]
    starts = np.setdiff1d(np.concatenate([[spans[0][0] - 60], *spans]), gone)
    starts += starts // 60 * 7 % 53
    prices = 10 + (starts // 60 % 7) / 100
    return csv_codec.encode(
        bar_table.from_arrays(
            starts, dict.fromkeys(bar_files.PRICES, prices), starts // 60 % 5 + starts // 86_400 % 31 + 1
        )
    )


FULL = month()
HIGH_BELOW_LOW = re.sub(rb"(\+00:00),(\S+?),\S+?,(\S+?),(\S+?),\d+\n", rb"\1,\2,1.0,\3,\4,0\n", FULL, count=1)


def assess(definitions, instance):
    """Materialize the asset alone: its materialization, and the evaluation of its check."""
    result = run(definitions, instance, None, QUALITY)
    [made] = result.asset_materializations_for_node("quality__coverage")
    [found] = result.get_asset_check_evaluations()
    return made, found


def page_of(instance):
    """What the page of the asset shows first: the description of its newest event."""
    [observed] = instance.fetch_observations(dg.AssetKey(["quality", "coverage"]), limit=1).records
    return observed.asset_observation.description


def rows(folder):
    return {row["symbol"]: row for row in pq.read_table(folder / "quality" / "coverage.parquet").to_pylist()}


def read(instance, folder, timeframes, checks):
    """The rows by symbol, of a table that is not there yet."""
    rules = CheckedAssets(timeframes, {check: (check.name,) for check in checks})
    return {each.quality.symbol: each.quality for each in QualityReader(instance, Archive(folder), rules).read()}


def report(instance, symbol, asset=RAW, **facts):
    """A materialization of January with these facts recorded and no others."""
    key = dg.AssetKey.from_user_string(asset)
    made = dg.AssetMaterialization(key, partition=f"2024-01|{symbol}", metadata=facts)
    instance.report_runless_asset_event(made)


def say(instance, symbol, check, *, passed, **facts):
    """An evaluation of a check, on the file that is there."""
    target = instance.get_latest_materialization_event(check.asset_key)
    storage_id = instance.event_log_storage.get_latest_storage_id_by_partition(
        check.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION
    ).get(f"2024-01|{symbol}")
    evaluation = dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=facts,
        partition=f"2024-01|{symbol}",
        target_materialization_data=storage_id
        and AssetCheckEvaluationTargetMaterializationData(
            storage_id=storage_id, run_id=target.run_id, timestamp=target.timestamp
        ),
    )
    instance.report_runless_asset_event(evaluation)


@dataclass(frozen=True)
class Market:
    """What was made of some symbols' January.

    Attributes:
        instance: the Dagster that saw it.
        with_partition: the run of AAPL through all assets, the quality asset among them.
        made: the materialization of the quality asset, made alone at the end.
        found: the evaluation of its check.
        rows: what it wrote, by symbol.
        checks: the names of all checks, by asset.
    """

    instance: dg.DagsterInstance
    with_partition: dg.ExecuteInProcessResult
    made: dg.AssetMaterialization
    found: dg.AssetCheckEvaluation
    rows: dict
    checks: dict


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """AAPL lacks a minute; BAD breaks rules; the others were written by runs of which only the records are left.

    OLD was fetched anew and not folded anew; NEW was written anew since it was judged; SPY lacks the minute that AAPL
    lacks; QUIET is not liquid. The files are gone when the quality asset is made.
    """
    folder = tmp_path_factory.mktemp("market")
    held = {"AAPL": month(*LOST, "2024-01-09 16:00"), "BAD": HIGH_BELOW_LOW}
    definitions = location(folder, {(symbol, "2024-01"): content for symbol, content in held.items()})
    checks = {}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        checks.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    with dg.DagsterInstance.ephemeral() as instance:
        with_partition = run(definitions, instance, "2024-01|AAPL", RAW, FOLDED, QUALITY)
        run(definitions, instance, "2024-01|BAD", RAW, FOLDED, expect=False)
        shutil.rmtree(folder / "raw_1s")
        report(instance, "NEW", largest_gap_minutes=0)
        say(instance, "NEW", dg.AssetCheckKey(dg.AssetKey(RAW), "ohlc_order"), passed=True)
        report(instance, "NEW")
        report(instance, "OLD", FOLDED, raw_sha256="earlier")
        report(instance, "OLD", sha256="later", settled_changed=1, settled_gained=2, settled_lost=3)
        report(instance, "QUIET", largest_gap_minutes=20, occupancy=0.5, state="provisional")
        report(
            instance,
            "SPY",
            missing_minutes=["2024-01-05T15:31Z/9"],
            largest_gap_minutes=9,
            request_ids=list("abcdefgh"),
        )
        made, found = assess(definitions, instance)
        yield Market(instance, with_partition, made, found, rows(folder), checks)


def test_a_month_without_fault_is_a_row_of_what_was_recorded(market):
    row = market.rows["AAPL"]

    assert row == {
        "symbol": "AAPL",
        "month": "2024-01",
        "status": "stored",
        "why": None,
        "worst": "ok",
        "state": row["state"],
        "rows": 8188,
        "sessions_present": 21,
        "sessions_expected": 21,
        "occupancy": 1.0,
        "largest_gap_minutes": 2,
        "outside_hours": 0,
        "mismatches": None,
        "revised": None,
        "errors": 0,
        "warnings": 0,
        "judged": 33 + 6,  # the rules of a raw file; of an aggregate that equals its raw file, no more are put to it
        "not_judged": 0,
        "failing": [],
        "stale": [],
        "complete_through": datetime(2024, 2, 1, tzinfo=UTC),
        "fetched_at": datetime(2026, 3, 5, 12, 0, tzinfo=UTC),
    }


def test_every_stored_month_is_a_row_in_order_of_symbol_though_its_file_is_gone(market):
    assert list(market.rows) == ["AAPL", "BAD", "NEW", "OLD", "QUIET", "SPY"]


def test_errors_and_warnings_are_counted_and_named_and_checks_that_were_not_come_to_are_told(market):
    row = market.rows["BAD"]

    assert row["worst"] == "error"
    assert row["failing"][: row["errors"]] == ["raw_1s: ohlc_order"]
    assert "raw_1s: volume_traded" in row["failing"][row["errors"] :]
    assert len(row["failing"]) == row["errors"] + row["warnings"]
    assert (row["judged"], row["not_judged"]) == (33, 16)


def test_an_aggregate_of_an_earlier_raw_file_is_stale_and_one_that_was_held_back_is_missing(market):
    assert {symbol: row["stale"] for symbol, row in market.rows.items() if row["stale"]} == {
        "BAD": ["aggregated/15s is missing"],
        "OLD": ["aggregated/15s was resampled from an earlier raw_1s"],
    }


def test_what_was_recorded_of_a_month_by_others_is_in_its_row(market):
    assert market.rows["OLD"]["revised"] == 6
    assert market.rows["QUIET"]["state"] == "provisional"
    assert market.rows["QUIET"]["occupancy"] == 0.5


def test_a_verdict_on_an_earlier_file_is_none_and_what_was_not_recorded_is_null(market):
    known = {name: value for name, value in market.rows["NEW"].items() if value is not None}

    assert known == {
        "symbol": "NEW",
        "month": "2024-01",
        "status": "stored",
        "errors": 0,
        "warnings": 0,
        "judged": 0,
        "not_judged": 1,
        "failing": [],
        "stale": [],
    }


def test_the_ui_shows_counts_and_the_worst_months_first(market):
    facts = market.made.metadata

    counts = ("dagster/row_count", "months with errors", "months with warnings", "months not judged", "months stale")
    assert [facts[name].value for name in counts] == [6, 1, 1, 5, 2]
    shown = [record.data for record in facts["months, worst first"].value.records]
    assert [row["symbol"] for row in shown] == ["BAD", "OLD", "QUIET", "NEW", "SPY", "AAPL"]
    assert shown[0]["failing"] == ", ".join(market.rows["BAD"]["failing"])
    assert Drawn(page_of(market.instance)).alt == (
        "6 symbols, 2024-01 to 2024-01: 6 months, 1 pass every check, 1 with a warning, 1 with an error, "
        "0 failed, 0 missing, 3 not checked, 0 queued or running, 0 provisional"
    )
    assert "| **6** | ✓ 1 |" in page_of(market.instance)


def test_made_in_a_run_of_one_partition_it_has_none_itself(market):
    [made] = market.with_partition.asset_materializations_for_node("quality__coverage")
    [found] = [e for e in market.with_partition.get_asset_check_evaluations() if e.check_name == "vendor_incident"]

    assert (made.partition, found.partition, found.passed) == (None, None, True)
    assert found.description == (
        "No minute of regular hours is missing in several liquid symbols at once (1 month looked at)."
    )


def test_a_minute_missing_in_two_liquid_symbols_is_told_once_with_the_ids_to_quote(market):
    found = market.found

    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert found.description == (
        "2024-01-05 15:31Z (1 minute of regular hours) is missing in 2 liquid symbols at once, AAPL, SPY. "
        "The vendor lost them: report the minutes and request ids below to its support, and re-materialize raw_1s of "
        "these months later."
    )
    [row] = [record.data for record in found.metadata["first incidents"].value.records]
    assert row == {
        "minutes": "2024-01-05 15:31Z",
        "how many": 1,
        "symbols": "AAPL, SPY",
        "request ids to quote": "AAPL: first, second; SPY: a, b, c, d, e, f and 2 more in raw_1s 2024-01|SPY",
    }
    # of the others it is not recorded, or they are quiet
    assert found.metadata["months of liquid symbols looked at"].value == "3 of 6 stored"


def test_the_record_of_missing_minutes_says_each_stretch(market):
    [made] = materializations_of(market.with_partition, RAW)

    assert made.metadata["missing_minutes"].value == ["2024-01-05T15:30Z/2", "2024-01-09T16:00Z/1"]
    assert made.metadata["largest_gap_minutes"].value == 2
    assert made.metadata["bars_outside_hours"].value == 0


def test_a_raw_month_shows_two_small_pictures_and_an_aggregate_none(market):
    [raw] = materializations_of(market.with_partition, RAW)
    prices, minutes = (Drawn(raw.metadata[name].value) for name in ("price and volume by session", "minutes with bars"))

    assert prices.alt == "AAPL 2024-01: 21 of 21 sessions, 10.00 to 10.06 US dollars, 147 k shares"
    assert minutes.alt.startswith("AAPL 2024-01: a minute of regular hours has a bar in 100.0% of the sessions")
    assert max(prices.size, minutes.size) < 6_000
    [folded] = materializations_of(market.with_partition, FOLDED)
    assert not [value for value in folded.metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_however_few_events_a_query_gives_all_partitions_are_read(market, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(unexported, "MOST_AT_ONCE", at_once)
    checks = [dg.AssetCheckKey(dg.AssetKey(RAW), "valid")]

    found = read(market.instance, tmp_path, (), checks)

    assert {symbol: row.failing for symbol, row in found.items() if row.failing} == {
        "BAD": ("raw_1s: ohlc_order", "raw_1s: volume_traded")
    }
    assert len(found) == 6


def test_it_is_made_alone_though_nothing_upstream_ever_was(tmp_path, instance):
    made, found = assess(location(tmp_path, {}), instance)

    assert rows(tmp_path) == {}
    assert made.metadata["dagster/row_count"].value == 0
    assert Drawn(page_of(instance)).words == ["No month is stored."]
    assert "Nothing is stored yet: [launch the first month](/asset-groups)." in page_of(instance)
    assert found.passed


def test_where_missing_minutes_were_never_recorded_the_check_says_so_and_does_not_pass(tmp_path, instance):
    instance.report_runless_asset_event(dg.AssetMaterialization(RAW, partition="2024-01|SPY"))
    _, found = assess(location(tmp_path, {}), instance)

    assert not found.passed
    assert found.description == (
        "Which minutes are missing is recorded of none of the stored months (1). Re-materialize raw_1s, then "
        "quality/coverage."
    )


def test_minutes_that_differ_from_the_vendors_are_read_from_the_evaluation_whether_or_not_it_passes(instance, tmp_path):
    check = dg.AssetCheckKey(dg.AssetKey(["aggregated", "1min"]), "vendor_minutes")
    said = {"SPY": (True, {"auction_print": 3}), "QQQ": (False, {"unknown": 399, "late_print": 1}), "AAPL": (True, {})}
    for symbol, (passed, kinds) in said.items():
        report(instance, symbol)
        report(instance, symbol, "aggregated/1min")
        say(instance, symbol, check, passed=passed, **{"minutes that differ, by kind": kinds})
    report(instance, "MSFT")
    report(instance, "MSFT", "aggregated/1min")
    say(instance, "MSFT", check, passed=False)  # the vendor could not be asked

    found = read(instance, tmp_path, (parse("1min"),), [check])

    assert {symbol: (row.mismatches, row.warnings, row.judged) for symbol, row in found.items()} == {
        "SPY": (3, 0, 1),
        "QQQ": (400, 1, 1),
        "AAPL": (0, 0, 1),
        "MSFT": (None, 1, 1),
    }


def test_the_catalogue_tells_every_column_of_the_table():
    node = defs.resolve_asset_graph().get(dg.AssetKey(["quality", "coverage"]))

    columns = node.metadata["dagster/column_schema"].columns
    assert [column.name for column in columns][:3] == ["symbol", "month", "status"]
    assert all(column.description for column in columns)
    assert node.group_name == "quality"
    assert node.partitions_def is None
    assert node.parent_keys == {
        dg.AssetKey.from_user_string(key) for key in ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")
    }
