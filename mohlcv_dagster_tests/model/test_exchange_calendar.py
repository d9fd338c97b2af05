"""Expected days come from the exchange's published holidays and early closes; the whole table from the library."""

import subprocess
import sys
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from pathlib import Path

import pytest

from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.exchange_calendar import Hours
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.model import exchange_days


@pytest.fixture
def own_days():
    """Overrides days and takes that back."""
    yield exchange_calendar.set_overrides
    exchange_calendar.set_overrides({})


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
    session = exchange_calendar.session_on(day)
    assert session.early_close
    assert session.regular_close.astimezone(exchange_calendar.EASTERN).hour == 13
    assert session.extended_close.astimezone(exchange_calendar.EASTERN).hour == 17
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
    assert exchange_calendar.session_on(day) is None


def test_juneteenth_was_a_session_before_it_was_a_holiday():
    assert exchange_calendar.session_on(date(2020, 6, 19)) is not None


def test_a_winter_session_in_utc():
    session = exchange_calendar.session_on(date(2024, 1, 31))
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
def test_the_open_moves_in_utc_when_the_clocks_change(before, after, opens_before, opens_after):
    assert exchange_calendar.session_on(before).regular_open.hour == opens_before
    assert exchange_calendar.session_on(after).regular_open.hour == opens_after


@pytest.mark.parametrize(
    ("key", "count"),
    [("2003-09", 21), ("2012-10", 21), ("2013-10", 23), ("2024-01", 21), ("2025-01", 20), ("2026-11", 20)],
)
def test_the_sessions_of_a_month_are_as_many_as_published(key, count):
    assert len(exchange_calendar.sessions_in(Month.parse(key))) == count


def test_a_winter_evening_belongs_to_the_next_month_too():
    overlapping = exchange_calendar.sessions_overlapping(Month(2024, 2))
    assert overlapping[0].date == date(2024, 1, 31)
    assert overlapping[1:] == exchange_calendar.sessions_in(Month(2024, 2))


@pytest.mark.parametrize("key", ["2024-06", "2024-12", "2024-01"])
def test_a_summer_evening_an_early_close_or_a_weekend_does_not_reach_the_next_month(key):
    # May 31st 2024 ends at 00:00Z exactly, November 29th at 22:00Z; before January 2024 stands a Sunday
    month = Month.parse(key)
    assert exchange_calendar.sessions_overlapping(month) == exchange_calendar.sessions_in(month)


def test_sessions_between_are_inclusive_on_both_sides_across_years():
    days = [session.date for session in exchange_calendar.sessions_between(date(2023, 12, 29), date(2024, 1, 3))]
    assert days == [date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 3)]
    assert exchange_calendar.sessions_between(date(2024, 1, 3), date(2024, 1, 2)) == ()


def test_a_year_beyond_the_calendar_is_refused_with_its_bounds():
    with pytest.raises(MonthError, match="1971 to 2199, not 2200"):
        exchange_calendar.session_on(date(2200, 1, 3))


@pytest.mark.slow
def test_every_session_is_the_calendar_librarys_with_its_hours():
    # 1971 to 2199, some 57,500 sessions
    ours = {
        session.date: tuple(
            f"{moment.astimezone(exchange_calendar.EASTERN):%H:%M}"
            for moment in (session.regular_open, session.regular_close)
        )
        for session in exchange_calendar.sessions_between(date(1971, 1, 1), date(2199, 12, 31))
    }
    assert ours == exchange_days.library_hours()
    exchange_calendar.session_on.cache_clear()


def test_the_table_is_what_its_command_makes_of_the_library_that_is_installed():
    assert Path(exchange_calendar.exchange_days.__file__).read_text(encoding="utf-8") == exchange_days.module()


def test_the_source_of_the_calendar_has_its_version_and_how_many_days_are_overridden(own_days):
    library = f"exchange_calendars {version('exchange_calendars')}, XNYS"
    assert exchange_calendar.source() == library
    own_days({date(2024, 1, 15): None})
    assert exchange_calendar.source() == f"{library}; 1 day overridden"
    own_days({date(2024, 1, 15): None, date(2024, 1, 16): None})
    assert exchange_calendar.source() == f"{library}; 2 days overridden"


def test_an_overridden_day_is_closed_or_has_the_hours_it_was_given_and_no_other_day_changes(own_days):
    before = exchange_calendar.sessions_in(Month(2024, 1))
    own_days(
        {
            date(2024, 1, 9): None,
            date(2024, 1, 10): Hours(time(10), time(13)),
            date(2024, 1, 13): Hours(time(9, 30), time(16)),  # a Saturday
        }
    )
    assert exchange_calendar.session_on(date(2024, 1, 9)) is None
    short = exchange_calendar.session_on(date(2024, 1, 10))
    assert (short.regular_open, short.regular_close) == (utc(2024, 1, 10, 15), utc(2024, 1, 10, 18))
    assert (short.early_close, short.regular_minutes, short.extended_close) == (True, 180, utc(2024, 1, 10, 22))
    changed = {date(2024, 1, 9), date(2024, 1, 10), date(2024, 1, 13)}
    after = exchange_calendar.sessions_in(Month(2024, 1))
    assert [s for s in after if s.date not in changed] == [s for s in before if s.date not in changed]
    assert exchange_calendar.session_on(date(2024, 1, 13)).regular_minutes == 390


def test_overrides_replace_former_ones(own_days):
    own_days({date(2024, 1, 9): None})
    own_days({date(2024, 1, 10): None})
    assert exchange_calendar.overrides() == {date(2024, 1, 10): None}
    assert exchange_calendar.session_on(date(2024, 1, 9)) is not None
    assert exchange_calendar.session_on(date(2024, 1, 10)) is None


def test_neither_importing_the_module_nor_asking_it_loads_pandas_or_the_calendar_library():
    program = (
        "import sys; from mohlcv_dagster.model.exchange_calendar import *; "
        "from mohlcv_dagster.model.months import Month; "
        "print(len(sessions_in(Month(2024, 11))), {'pandas', 'exchange_calendars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "20 set()"
