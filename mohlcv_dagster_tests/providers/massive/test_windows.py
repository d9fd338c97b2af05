"""A month in windows."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.errors import MonthInFutureError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.windows import Timespan, Window, cut, end_of

SECOND = Timespan.parse("second")
MINUTE = Timespan.parse("minute")
FEBRUARY = Month(2024, 2)
LATER = datetime(2026, 11, 23, tzinfo=UTC)

months = st.builds(Month, st.integers(2003, 2026), st.integers(1, 12))


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "sessions", "pages"),
    [
        (Month(2023, 2), 19, 22),  # 19 sessions of 57,600 seconds (04:00 to 20:00): 21.888 pages of 50,000
        (Month(2024, 1), 21, 25),  # 24.192
        (Month(2024, 2), 20, 24),  # 23.04
        (Month(2023, 8), 23, 27),  # 26.496
        (Month(2001, 9), 15, 18),  # 17.28: the exchange was closed for four days
    ],
)
def test_a_month_of_seconds_takes_as_many_pages_as_its_sessions_can_fill(month, sessions, pages):
    assert -(-sessions * 57_600 // 50_000) == pages
    assert len(cut(month.start, month.end, SECOND)) == pages


@given(months, st.integers(400, 50_000))
def test_windows_of_minutes_begin_and_end_with_whole_minutes(month, most):
    windows = cut(month.start, month.end, MINUTE, most)
    assert windows[0].start == month.start_second * 1000
    assert windows[-1].last == month.end_second * 1000 - 1
    for window, following in itertools.pairwise(windows):
        assert window.last + 1 == following.start
    for window in windows:
        assert window.start % 60_000 == 0
        assert window.last + 1 > window.start


def test_a_month_of_minutes_takes_one_page():
    assert cut(Month(2024, 1).start, Month(2024, 1).end, MINUTE) == [Window(1704067200000, 1706745599999)]


def test_a_past_month_ends_with_itself():
    assert end_of(Month(2024, 2), SECOND, LATER) == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timespan", "end"),
    [(SECOND, datetime(2026, 11, 23, 10, 11, 12, tzinfo=UTC)), (MINUTE, datetime(2026, 11, 23, 10, 11, tzinfo=UTC))],
)
def test_a_month_in_progress_ends_at_the_open_bar(timespan, end):
    assert end_of(Month(2026, 11), timespan, datetime(2026, 11, 23, 10, 11, 12, 999_999, tzinfo=UTC)) == end


def test_a_month_has_bars_only_from_the_end_of_its_first_one():
    begin = Month(2026, 12).start
    for now in (begin - timedelta(seconds=1), begin, begin + timedelta(seconds=59)):
        with pytest.raises(MonthInFutureError, match="2026-12 has no complete minute"):
            end_of(Month(2026, 12), MINUTE, now)
    assert end_of(Month(2026, 12), MINUTE, begin + timedelta(seconds=60)) == begin + timedelta(seconds=60)


def test_what_is_left_behind_a_bar_starts_one_bar_later_and_ends_with_the_window():
    window = Window(60_000, 299_999)
    assert window.after(120_000, MINUTE) == Window(180_000, 299_999)
    assert window.after(240_000, MINUTE) is None


@pytest.mark.parametrize(
    ("start", "end", "requests", "why"),
    [
        ("2024-02-12 20:00", "2024-02-14 16:15", 3, "Tuesday at 11:15 EST to Wednesday: an overlap, a day, a morning"),
        ("2024-02-08 20:00", "2024-02-12 16:15", 3, "Friday to Monday is no more"),
        ("2024-02-12 20:00", "2024-02-15 01:00", 3, "nor is all of two sessions behind the overlap"),
        ("2024-02-10 05:00", "2024-02-12 05:00", 1, "a weekend alone"),
        ("2024-02-01 00:00", "2024-02-01 16:15", 1, "an evening's hour and a morning"),
    ],
)
def test_a_symbol_that_was_complete_yesterday_costs_at_most_three_requests(start, end, requests, why):
    assert len(cut(utc(start), utc(end), SECOND)) == requests, why


@settings(deadline=None)  # the first look at a year loads its calendar
@given(st.integers(0, 29 * 86_400 - 1), st.integers(1, 29 * 86_400), st.sampled_from([7_200, 50_000]))
def test_windows_cut_by_sessions_meet_and_none_holds_more_seconds_of_trading_than_a_page(offset, length, most):
    start = FEBRUARY.start + timedelta(seconds=offset)
    end = min(FEBRUARY.end, start + timedelta(seconds=length))
    windows = cut(start, end, SECOND, most)

    assert windows[0].start == start.timestamp() * 1000
    assert windows[-1].last == end.timestamp() * 1000 - 1
    for window, following in itertools.pairwise(windows):
        assert window.last + 1 == following.start
    hours = [
        (s.extended_open.timestamp(), s.extended_close.timestamp())
        for s in exchange_calendar.sessions_overlapping(FEBRUARY)
    ]
    traded = [
        sum(max(0, min(shut, (window.last + 1) / 1000) - max(opened, window.start / 1000)) for opened, shut in hours)
        for window in windows
    ]
    assert max(traded) <= most
    assert len(windows) == max(1, -(-sum(traded) // most))
    assert Month.of(start) == FEBRUARY
