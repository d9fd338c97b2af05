"""The job that checks stored months again: which, what it writes, and what it says when misread."""

import dagster as dg
import pytest

from mohlcv_dagster.defs import jobs, records
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster_tests.defs.location import (
    HandedVendor,
    failing_rules,
    failure_of,
    launch,
    location,
    passed_by_check,
    passed_by_rule,
    run,
)
from mohlcv_dagster_tests.defs.test_partition_loop import (
    AGGREGATE_QUESTIONS,
    FIRST,
    RAW_QUESTIONS,
    SECOND,
    THIRD,
    WHOLE,
    aggregates_passed,
    month,
    raw_passed,
)

ALL = ("raw_1s", "aggregated/15s")
RAW = dg.AssetKey("raw_1s")
QQQ = "2024-02|QQQ"


def said(result):
    return failure_of(result, jobs.RE_VERIFY_OP).description


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


def test_the_checks_are_made_again_of_a_range_and_of_nothing_else_and_no_file_is_written(folder, home, stored):
    before = {at: at.stat().st_mtime_ns for at in folder.rglob("*.csv")}
    result = launch(stored, home, jobs.RE_VERIFY, symbols=["SPY"], first_month="2024-02", last_month="2024-03")

    assert result.success
    assert passed_by_rule(result) == raw_passed(SECOND, THIRD) | aggregates_passed(SECOND, THIRD)
    assert set(passed_by_check(result)) == {
        *(("raw_1s", question, each) for question in RAW_QUESTIONS for each in (SECOND, THIRD)),
        *(("aggregated/15s", question, each) for question in AGGREGATE_QUESTIONS for each in (SECOND, THIRD)),
    }
    assert {at: at.stat().st_mtime_ns for at in folder.rglob("*.csv")} == before
    [record] = home.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(RAW, "valid"), limit=1)
    assert (record.run_id, record.partition) == (result.run_id, THIRD)
    tags = home.get_run_by_id(result.run_id).tags
    assert (tags["mohlcv/symbol"], tags["mohlcv/month"]) == ("SPY", "2024-02...2024-03")


def test_as_it_stands_in_the_launchpad_it_checks_every_stored_month(home, stored):
    result = launch(stored, home, jobs.RE_VERIFY)

    every = (FIRST, SECOND, THIRD, QQQ)
    assert passed_by_rule(result) == raw_passed(*every) | aggregates_passed(*every)


def test_a_file_that_was_changed_since_fails_the_run_which_says_where_and_its_month_alone(folder, home, stored):
    file = folder / str(BarFile.parse("raw_1s/SPY/SPY_2024_02.csv").path)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"11.0", b"9.5"))
    result = launch(stored, home, jobs.RE_VERIFY)
    file.write_bytes(content)

    assert not result.success
    assert said(result).startswith("8 stored files, ")
    assert {check: records.of_check(home, dg.AssetCheckKey(RAW, check)).failed for check in RAW_QUESTIONS} == {
        "intact": {SECOND},
        "valid": {SECOND},
        "complete": {FIRST, SECOND, THIRD, QQQ},  # a month of one bar is not whole
        "plausible": set(),
        "current": set(),
    }
    unexpected = set(failing_rules(result)) - {
        ("raw_1s", "sessions_present", each) for each in (FIRST, SECOND, THIRD, QQQ)
    }
    assert {(rule, partition) for asset, rule, partition in unexpected if asset == "raw_1s"} == {
        ("ohlc_order", SECOND),
        ("as_recorded", SECOND),
    }
    assert {partition for asset, _, partition in unexpected if asset == "aggregated/15s"} == {SECOND}


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
def test_what_is_invalid_is_told_with_what_to_write(config, sentence, home, stored):
    assert sentence in said(launch(stored, home, jobs.RE_VERIFY, **config))


def test_a_slip_of_the_pen_in_a_name_is_told_before_anything_runs(home, stored):
    with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "fist_month"'):
        launch(stored, home, jobs.RE_VERIFY, fist_month="2024-01")


@pytest.mark.slow
def test_minutes_are_compared_with_the_vendors_only_when_that_is_asked_for(tmp_path, instance):
    vendor = HandedVendor(WHOLE)
    definitions = location(tmp_path, vendor, timeframes="1min", start="2024-01")
    run(definitions, instance, FIRST, "raw_1s")
    run(definitions, instance, FIRST, "aggregated/1min")
    vendor.asked.clear()

    launch(definitions, instance, jobs.RE_VERIFY)
    assert vendor.asked == []
    result = launch(definitions, instance, jobs.RE_VERIFY, ask_the_vendor=True)
    assert vendor.asked == [("SPY", "2024-01", "minute", False)]
    names = {rule for asset, rule, _ in passed_by_rule(result) if asset == "aggregated/1min"}
    assert {"vendor_minutes", "volume_ladder", "thin_seconds"} <= names
