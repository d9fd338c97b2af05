"""Checks that look beyond the file: at the exchange calendar, and at the months before and after."""

from datetime import date
from importlib.metadata import version

import dagster as dg
import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE
from mohlcv_dagster_tests.checks.whole_months import whole_month
from mohlcv_dagster_tests.defs.location import (
    evaluation_of,
    execute_checks_alone,
    failing_rules,
    location,
    materializations_of,
    rules_of,
    run,
)

LOST = date(2024, 1, 10)
JANUARY, FEBRUARY = "2024-01|SPY", "2024-02|SPY"
BEFORE = HEADER + b"2024-01-31 20:00:00+00:00,480.0,480.0,480.0,480.0,100\n"
AFTER = HEADER + b"2024-02-01 14:30:00+00:00,120.1,120.1,120.1,120.1,100\n"


def content(symbol, month, *, without=()):
    """A synthetic month as a file, without the sessions of some days."""
    return csv_codec.encode(whole_month(symbol, month, without=without))


def test_a_month_records_what_it_covers_and_a_lost_session_of_a_liquid_symbol_is_an_error_that_holds_nothing_back(
    tmp_path, instance
):
    definitions = location(tmp_path, {("AAC", "2024-01"): content("AAC", "2024-01", without={LOST})})
    result = run(definitions, instance, "2024-01|AAC", "raw_1s", "aggregated/15s")

    [made] = materializations_of(result, "raw_1s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert (facts["sessions_expected"], facts["sessions_present"], facts["occupancy"]) == (21, 20, 1.0)
    assert facts["calendar"] == f"exchange_calendars {version('exchange_calendars')}, XNYS"
    assert failing_rules(result) == [("raw_1s", "sessions_present", "2024-01|AAC")]
    failed = evaluation_of(result, "raw_1s", "complete")
    assert (failed.severity, failed.blocking) == (dg.AssetCheckSeverity.ERROR, False)
    assert failed.description.startswith("sessions_present: ")
    assert "has no bar in the regular hours of 1 of 21 sessions: 2024-01-10." in failed.description
    assert rules_of(failed)["sessions_present"]["count"] == 1
    assert failed.metadata["trading calendar"].value == facts["calendar"]
    [row] = failed.metadata["the first offending sessions of sessions_present"].value.records
    assert row.data["ts_event"] == "2024-01-10 14:30:00+00:00"
    assert (tmp_path / "aggregated/15s/AAC_2024_01_15s.csv").exists()


def test_a_month_is_checked_as_a_liquid_symbols_where_the_months_next_to_it_are(tmp_path, instance):
    months = {("AAC", "2024-01"): content("AAC", "2024-01"), ("AAC", "2024-02"): WHOLE.replace(b"-01-", b"-02-")}
    definitions = location(tmp_path, months)
    # before the month next to it is there, the month of six bars is a quiet symbol's
    alone = run(definitions, instance, "2024-02|AAC", "raw_1s")
    run(definitions, instance, "2024-01|AAC", "raw_1s")
    again = execute_checks_alone(definitions, instance, "raw_1s", "2024-02|AAC", "complete")

    found = [evaluation_of(result, "raw_1s", "complete") for result in (alone, again)]
    assert [each.severity for each in found] == [dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR]
    assert [rules_of(each)["sessions_present"]["result"] for each in found] == ["warning", "error"]
    assert {rule for _, rule, _ in failing_rules(again)} >= {"minute_occupancy", "largest_gap"}


def test_sessions_after_the_moment_the_bars_were_asked_for_are_not_missed(tmp_path, instance):
    # fetched at noon UTC on March 5th 2026, a Thursday, before the bell: three sessions are over
    month = content("AAC", "2026-03", without={date(2026, 3, day) for day in range(5, 32)})
    result = run(location(tmp_path, {("AAC", "2026-03"): month}), instance, "2026-03|AAC", "raw_1s")

    assert failing_rules(result) == [("raw_1s", "settled", "2026-03|AAC")]
    [made] = materializations_of(result, "raw_1s")
    assert made.metadata["sessions_expected"].value == made.metadata["sessions_present"].value == 3


def jump(folder, instance, *, before=BEFORE, adjusted=(False, False)):
    """What `open_jumps` says of February after January was stored."""
    for partition, key, content, basis in zip(
        (JANUARY, FEBRUARY), ("2024-01", "2024-02"), (before, AFTER), adjusted, strict=True
    ):
        result = run(location(folder, {("SPY", key): content}, adjusted=basis), instance, partition, "raw_1s")
    checked = evaluation_of(result, "raw_1s", "plausible")
    assert checked.partition == FEBRUARY
    return rules_of(checked)["open_jumps"]


def test_a_split_on_the_first_session_of_a_month_is_told_from_the_last_close_of_the_month_before(tmp_path, instance):
    found = jump(tmp_path, instance)

    assert found["result"] == "warning"
    assert "close 480.0" in found["what was found"]
    assert "4-for-1" in found["what was found"]


def test_a_month_that_goes_on_where_the_one_before_it_ended_passes(tmp_path, instance):
    assert jump(tmp_path, instance, before=BEFORE.replace(b"480.0", b"120.0"))["result"] == "passed"


@pytest.mark.parametrize("adjusted", [(True, False), (False, True)])
def test_a_month_on_another_basis_of_splits_has_no_close_to_go_on_from(tmp_path, instance, adjusted):
    assert jump(tmp_path, instance, adjusted=adjusted)["result"] == "passed"
