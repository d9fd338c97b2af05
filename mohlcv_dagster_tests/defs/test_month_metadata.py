"""What a month says of itself besides its bars."""

from dataclasses import replace
from datetime import UTC, date, datetime

from mohlcv_dagster.defs import month_metadata, records
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import KnownSplits, Split
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE
from mohlcv_dagster_tests.defs.location import HandedVendor, location, materializations_of, run

FEBRUARY = HEADER + b"2024-02-01 14:30:00+00:00,10.0,11.0,9.0,10.5,7\n"


def noted(result):
    [made] = materializations_of(result, "raw_1s")
    return made.metadata["notes"].value if "notes" in made.metadata else None


def test_a_month_like_its_neighbours_has_nothing_to_say(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE, ("SPY", "2024-02"): FEBRUARY})
    assert noted(run(definitions, instance, "2024-01|SPY", "raw_1s")) is None
    assert noted(run(definitions, instance, "2024-02|SPY", "raw_1s")) is None


def test_an_adjusted_month_next_to_an_unadjusted_one_says_so(tmp_path, instance):
    run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, "2024-01|SPY", "raw_1s")

    february = BarFile.parse("raw_1s/SPY/SPY_2024_02.csv")
    unadjusted = HandedVendor({("SPY", "2024-02"): FEBRUARY}).fetch_month("SPY", "2024-02")
    assert month_metadata.notes(instance, february, replace(unadjusted, adjusted=True)) == [
        "SPY 2024-02 is adjusted for splits, 2024-01 next to it is unadjusted: fetch one of them again."
    ]
    assert month_metadata.notes(instance, february, unadjusted) == []


def test_a_symbol_that_another_disk_could_not_hold_is_told_with_its_first_month(tmp_path, instance):
    definitions = location(tmp_path, {("CON", "2024-01"): WHOLE, ("spy", "2024-01"): WHOLE, ("SPY", "2024-01"): WHOLE})

    assert "name of a device on Windows" in noted(run(definitions, instance, "2024-01|CON", "raw_1s"))
    assert noted(run(definitions, instance, "2024-01|spy", "raw_1s")) is None
    assert "differs from spy in case only" in noted(run(definitions, instance, "2024-01|SPY", "raw_1s"))


def test_a_month_fetched_after_a_split_names_the_stored_months_that_came_before_it_if_they_are_adjusted(
    tmp_path, instance
):
    vendor = {("SPY", "2024-01"): WHOLE, ("SPY", "2024-02"): FEBRUARY}
    run(location(tmp_path, vendor), instance, "2024-01|SPY", "raw_1s")  # on 2026-03-05, unadjusted

    split = Split(date(2026, 4, 1), 1, 2)
    fetched = HandedVendor(vendor).fetch_month("SPY", "2024-02")
    later = replace(fetched, adjusted=True, splits=KnownSplits((split,)), fetched_at=datetime(2026, 4, 2, tzinfo=UTC))
    february = BarFile.parse("raw_1s/SPY/SPY_2024_02.csv")
    assert records.months_before_split(instance, february, later) == {}

    run(location(tmp_path, vendor, adjusted=True), instance, "2024-01|SPY", "raw_1s")
    assert records.months_before_split(instance, february, later) == {Month(2024, 1): (split,)}
    assert records.months_before_split(instance, february, fetched) == {}
