"""The checks against the exchange calendar in Dagster: what they stand on is recorded, and they hold nothing back."""

from datetime import date
from importlib.metadata import version

import dagster as dg

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster_tests.bars.clean_files import WHOLE, WHOLE_RULES
from mohlcv_dagster_tests.bars.whole_months import whole_month
from mohlcv_dagster_tests.defs.location import location, run
from mohlcv_dagster_tests.defs.test_checks import execute_checks_alone, verdicts

LOST = date(2024, 1, 10)


def content(symbol, month, *, without=()):
    """A synthetic month as a file, without the sessions of some days."""
    return csv_codec.encode(whole_month(symbol, month, without=without))


def test_a_month_records_what_it_covers_and_a_lost_session_of_a_liquid_symbol_is_an_error_that_holds_nothing_back(
    tmp_path, instance
):
    definitions = location(tmp_path, {("AAC", "2024-01"): content("AAC", "2024-01", without={LOST})})
    result = run(definitions, instance, "2024-01|AAC", "raw_1s", "aggregated/15s")

    [made] = result.asset_materializations_for_node("raw_1s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert (facts["sessions_expected"], facts["sessions_present"], facts["occupancy"]) == (21, 20, 1.0)
    assert facts["calendar"] == f"exchange_calendars {version('exchange_calendars')}, XNYS"
    [failed] = [evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed]
    assert (failed.check_name, failed.severity, failed.blocking) == (
        "sessions_present",
        dg.AssetCheckSeverity.ERROR,
        False,
    )
    assert "has no bar in the regular hours of 1 of 21 sessions: 2024-01-10." in failed.description
    assert failed.metadata["offending sessions"].value == 1
    assert failed.metadata["calendar"].value == facts["calendar"]
    [row] = failed.metadata["first offending sessions"].value.records
    assert row.data["ts_event"] == "2024-01-10 14:30:00+00:00"
    assert (tmp_path / "aggregated/15s/AAC_2024_01_15s.csv").exists()


def test_a_month_is_judged_as_a_liquid_symbols_where_the_months_beside_it_are(tmp_path, instance):
    months = {("AAC", "2024-01"): content("AAC", "2024-01"), ("AAC", "2024-02"): WHOLE.replace(b"-01-", b"-02-")}
    definitions = location(tmp_path, months)
    # before its neighbour is there, the month of six bars is a quiet symbol's
    alone = run(definitions, instance, "2024-02|AAC", "raw_1s").get_asset_check_evaluations()
    run(definitions, instance, "2024-01|AAC", "raw_1s")
    again = execute_checks_alone(definitions, instance, "raw_1s", "2024-02|AAC", *WHOLE_RULES)
    beside = again.get_asset_check_evaluations()

    severities = [
        {each.check_name: each.severity for each in found if not each.passed}.get("sessions_present")
        for found in (alone, beside)
    ]
    assert severities == [dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR]
    assert {each.check_name for each in beside if not each.passed} >= {"minute_occupancy", "largest_gap"}


def test_sessions_after_the_moment_the_bars_were_asked_for_are_not_missed(tmp_path, instance):
    # fetched at noon UTC on March 5th 2026, a Thursday, before the bell: three sessions are over
    month = content("AAC", "2026-03", without={date(2026, 3, day) for day in range(5, 32)})
    result = run(location(tmp_path, {("AAC", "2026-03"): month}), instance, "2026-03|AAC", "raw_1s")

    assert set(verdicts(result).values()) == {True}
    [made] = result.asset_materializations_for_node("raw_1s")
    assert made.metadata["sessions_expected"].value == made.metadata["sessions_present"].value == 3
