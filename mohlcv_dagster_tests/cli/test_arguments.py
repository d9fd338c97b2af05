from datetime import UTC, datetime

import pytest

from mohlcv_dagster.cli.ranges import months_touched
from mohlcv_dagster.errors import MonthError, MonthInFutureError

NOW = datetime(2024, 3, 15, tzinfo=UTC)


def day(text):
    return datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - a day as the option gives it


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2024-01-01", "2024-01-31", ["2024-01"]),
        ("2024-01-31", "2024-02-01", ["2024-01", "2024-02"]),
        ("2023-12-15", "2024-02-10", ["2023-12", "2024-01", "2024-02"]),
        ("2024-02-29", "2024-02-29", ["2024-02"]),
        ("2024-02-01", "2024-12-31", ["2024-02", "2024-03"]),
    ],
)
def test_every_month_the_range_touches_is_meant_up_to_the_one_in_progress(start, end, months):
    assert [str(month) for month in months_touched(day(start), day(end), NOW)] == months


def test_a_range_that_ends_before_it_starts_is_refused_with_both_days():
    with pytest.raises(MonthError, match="--end 2024-01-01 is before --start 2024-02-01"):
        months_touched(day("2024-02-01"), day("2024-01-01"), NOW)


def test_a_range_that_begins_in_the_future_is_refused():
    with pytest.raises(MonthInFutureError, match="2024-04-01 is in the future: it is 2024-03-15"):
        months_touched(day("2024-04-01"), day("2024-05-01"), NOW)


@pytest.mark.parametrize("day", ["2024-13-01", "yesterday", "2024-02-30"])
def test_what_is_not_a_date_is_refused_with_an_example(mohlcv, day):
    said = mohlcv("fetch", "--symbol", "SPY", "--start", day, "--end", "2024-03-31")

    assert said.code == 2
    assert (
        f"Invalid value for '--start': '{day}' is not a date; write a day as 2024-01-31, or a month as 2024-01"
        in said.err
    )
