"""The job that checks stored months again: which, what it writes, and what it says when misread."""

import dagster as dg
import pytest

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import latest, re_verify
from mohlcv_dagster_tests.bars.clean_files import AGGREGATE_CHECKS, NOT_WHOLE, RAW_CHECKS
from mohlcv_dagster_tests.defs.location import HandedVendor, launch, location, run
from mohlcv_dagster_tests.defs.test_several import FIRST, SECOND, THIRD, WHOLE, month

ALL = ("raw_1s", "aggregated/15s")
RAW = dg.AssetKey("raw_1s")
QQQ = "2024-02|QQQ"


def said(result):
    return result.failure_data_for_node(re_verify.OP).user_failure_data.description


@pytest.fixture(scope="module")
def home():
    """A Dagster for all tests here, which leave what is stored as it is."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def stored(folder, home):
    """Three months of SPY and one of QQQ, raw and 15 s."""
    definitions = location(folder, {**WHOLE, ("QQQ", "2024-02"): month(2)}, start="2024-01")
    run(definitions, home, FIRST, *ALL, until=THIRD)
    run(definitions, home, QQQ, *ALL)
    return definitions


def judged(result):
    """How many evaluations each partition of each asset got."""
    counts = {}
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            found = event.asset_check_evaluation_data
            key = (found.asset_key.to_user_string(), found.partition)
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_the_checks_are_made_again_of_a_range_and_of_nothing_else_and_no_file_is_written(folder, home, stored):
    before = {at: at.stat().st_mtime_ns for at in folder.rglob("*.csv")}
    result = launch(stored, home, re_verify.JOB, symbols=["SPY"], first_month="2024-02", last_month="2024-03")

    assert result.success
    assert judged(result) == {
        ("raw_1s", SECOND): len(RAW_CHECKS),
        ("raw_1s", THIRD): len(RAW_CHECKS),
        ("aggregated/15s", SECOND): len(AGGREGATE_CHECKS),
        ("aggregated/15s", THIRD): len(AGGREGATE_CHECKS),
    }
    assert {at: at.stat().st_mtime_ns for at in folder.rglob("*.csv")} == before
    [record] = home.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(RAW, "ohlc_order"), limit=1)
    assert (record.run_id, record.partition) == (result.run_id, THIRD)
    tags = home.get_run_by_id(result.run_id).tags
    assert (tags["mohlcv/symbol"], tags["mohlcv/month"]) == ("SPY", "2024-02...2024-03")


def test_as_it_stands_in_the_launchpad_it_checks_every_stored_month(home, stored):
    result = launch(stored, home, re_verify.JOB)

    assert set(judged(result)) == {(asset, each) for asset in ALL for each in (FIRST, SECOND, THIRD, QQQ)}


def test_a_file_that_was_changed_since_fails_the_run_which_says_where_and_its_month_alone(folder, home, stored):
    file = folder / str(BarFile.parse("raw_1s/SPY/SPY_2024_02.csv").path)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"11.0", b"8.0"))
    result = launch(stored, home, re_verify.JOB)
    file.write_bytes(content)

    assert not result.success
    assert said(result).startswith("8 stored files, ")
    failing = {
        (check, partition)
        for check in set(RAW_CHECKS) - set(NOT_WHOLE)
        for partition in latest.verdicts(home, dg.AssetCheckKey(RAW, check)).failed
    }
    assert failing == {("ohlc_order", SECOND), ("as_recorded", SECOND)}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"symbols": ["SYP"]}, "symbols: no month is stored of SYP; stored is QQQ, SPY"),
        ({"symbols": ["../SPY"]}, "'../SPY' is not a US stock symbol: letters A to Z and digits"),
        ({"first_month": "Jan 2024"}, "first_month: 'Jan 2024' is not a month; write it as 2024-01"),
        (
            {"first_month": "2024-03", "last_month": "2024-01"},
            "first_month 2024-03 is after last_month 2024-01: swap them",
        ),
        ({"first_month": "2023-12"}, "first_month 2023-12 is before 2024-01, the first month there is"),
        ({"last_month": "2100-01"}, "last_month 2100-01 has not begun: write "),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_to_write(config, sentence, home, stored):
    assert sentence in said(launch(stored, home, re_verify.JOB, **config))


def test_a_slip_of_the_pen_in_a_name_is_told_before_anything_runs(home, stored):
    with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "fist_month"'):
        launch(stored, home, re_verify.JOB, fist_month="2024-01")


@pytest.mark.slow
def test_minutes_are_held_against_the_vendors_only_when_that_is_asked_for(tmp_path, instance):
    vendor = HandedVendor(WHOLE)
    definitions = location(tmp_path, vendor, timeframes="1min", start="2024-01")
    run(definitions, instance, FIRST, "raw_1s")
    run(definitions, instance, FIRST, "aggregated/1min")
    vendor.asked.clear()

    launch(definitions, instance, re_verify.JOB)
    assert vendor.asked == []
    result = launch(definitions, instance, re_verify.JOB, ask_the_vendor=True)
    assert vendor.asked == [("SPY", "2024-01", "minute", False)]
    names = {
        event.asset_check_evaluation_data.check_name
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION"
    }
    assert {"vendor_minutes", "volume_ladder"} <= names
