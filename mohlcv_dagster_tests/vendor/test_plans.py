"""What each plan reaches."""

from datetime import date

import pytest

from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.vendor.plans import PLANS, coverage

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("month", "timespan", "reaching"),
    [
        ("2026-11", "second", ["Starter", "Developer", "Advanced"]),
        ("2021-12", "second", ["Starter", "Developer", "Advanced"]),
        ("2021-11", "second", ["Developer", "Advanced"]),
        ("2016-12", "second", ["Developer", "Advanced"]),
        ("2016-11", "second", ["Advanced"]),
        ("2003-10", "second", ["Advanced"]),
        ("2003-09", "second", ["Advanced"]),
        ("2003-08", "second", []),
        ("2025-01", "minute", ["Basic", "Starter", "Developer", "Advanced"]),
        ("2024-11", "minute", ["Starter", "Developer", "Advanced"]),
    ],
)
def test_a_plan_reaches_a_month_when_it_holds_all_of_it(month, timespan, reaching):
    assert [plan.name for plan in PLANS if plan.reaches(Month.parse(month), timespan, TODAY)] == reaching
    assert f"plans that reach all of {month}: {', '.join(reaching) or 'none'}" in coverage(
        Month.parse(month), timespan, TODAY
    )


def test_a_leap_day_is_counted_back_to_the_last_of_february():
    assert [str(plan.since(date(2028, 2, 29))) for plan in PLANS] == [
        "2026-02-28",
        "2023-02-28",
        "2018-02-28",
        "2003-09-10",
    ]


def test_no_plan_reaches_behind_the_first_day_there_is():
    assert {plan.since(date(2012, 1, 1)) for plan in PLANS if plan.years != 2} == {date(2007, 1, 1), date(2003, 9, 10)}
