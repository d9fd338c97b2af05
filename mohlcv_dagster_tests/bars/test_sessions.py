"""Expected days come from the exchange's published holidays and early closes, not from the calendar library."""

import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import MonthError


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    "day",
    [
        date(2003, 12, 26),  # the day after Christmas, a Friday
        date(2013, 11, 29),
        date(2024, 7, 3),
        date(2024, 11, 29),
        date(2024, 12, 24),
        date(2026, 11, 27),
    ],
    ids=str,
)
def test_an_early_close_ends_at_one_and_its_extended_hours_at_five(day):
    session = sessions.session_on(day)
    assert session.early_close
    assert session.regular_close.astimezone(sessions.EASTERN).hour == 13
    assert session.extended_close.astimezone(sessions.EASTERN).hour == 17
    assert session.regular_minutes == 210


@pytest.mark.parametrize(
    "day",
    [
        date(2004, 6, 11),  # Reagan
        date(2007, 1, 2),  # Ford
        date(2012, 10, 29),  # Sandy
        date(2012, 10, 30),
        date(2018, 12, 5),  # Bush
        date(2022, 6, 20),  # Juneteenth, observed
        date(2024, 3, 29),  # Good Friday
        date(2025, 1, 9),  # Carter
        date(2026, 11, 26),  # Thanksgiving
        date(2024, 1, 6),  # a Saturday
    ],
    ids=str,
)
def test_a_holiday_has_no_session(day):
    assert sessions.session_on(day) is None


def test_juneteenth_was_a_session_before_it_was_a_holiday():
    assert sessions.session_on(date(2020, 6, 19)) is not None


def test_a_winter_session_in_utc():
    session = sessions.session_on(date(2024, 1, 31))
    assert (session.regular_open, session.regular_close) == (utc(2024, 1, 31, 14, 30), utc(2024, 1, 31, 21))
    assert (session.extended_open, session.extended_close) == (utc(2024, 1, 31, 9), utc(2024, 2, 1, 1))
    assert not session.early_close
    assert session.regular_minutes == 390


@pytest.mark.parametrize(
    ("before", "after", "opens_before", "opens_after"),
    [
        (date(2024, 3, 8), date(2024, 3, 11), 14, 13),  # clocks went forward on the 10th
        (date(2024, 11, 1), date(2024, 11, 4), 13, 14),  # and back on November 3rd
        (date(2006, 3, 31), date(2006, 4, 3), 14, 13),  # the rule before 2007: the first Sunday of April
    ],
)
def test_the_bell_moves_in_utc_when_the_clocks_change(before, after, opens_before, opens_after):
    assert sessions.session_on(before).regular_open.hour == opens_before
    assert sessions.session_on(after).regular_open.hour == opens_after


@pytest.mark.parametrize(
    ("key", "count"),
    [("2003-09", 21), ("2012-10", 21), ("2013-10", 23), ("2024-01", 21), ("2025-01", 20), ("2026-11", 20)],
)
def test_the_sessions_of_a_month_are_as_many_as_published(key, count):
    assert len(sessions.sessions_in(Month.parse(key))) == count


def test_a_winter_evening_belongs_to_the_next_month_too():
    overlapping = sessions.sessions_overlapping(Month(2024, 2))
    assert overlapping[0].date == date(2024, 1, 31)
    assert overlapping[1:] == sessions.sessions_in(Month(2024, 2))


@pytest.mark.parametrize("key", ["2024-06", "2024-12", "2024-01"])
def test_a_summer_evening_an_early_close_or_a_weekend_does_not_reach_the_next_month(key):
    # May 31st 2024 ends at 00:00Z exactly, November 29th at 22:00Z; before January 2024 stands a Sunday
    month = Month.parse(key)
    assert sessions.sessions_overlapping(month) == sessions.sessions_in(month)


def test_sessions_between_are_inclusive_on_both_sides_across_years():
    days = [session.date for session in sessions.sessions_between(date(2023, 12, 29), date(2024, 1, 3))]
    assert days == [date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 3)]
    assert sessions.sessions_between(date(2024, 1, 3), date(2024, 1, 2)) == ()


def test_a_year_beyond_the_calendar_is_refused_with_its_bounds():
    with pytest.raises(MonthError, match="1971 to 2199, asked was 2200"):
        sessions.session_on(date(2200, 1, 3))


def test_importing_the_module_loads_neither_pandas_nor_the_calendar():
    program = "import sys, mohlcv_dagster.bars.sessions; print({'pandas', 'exchange_calendars'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
