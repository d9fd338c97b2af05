"""A month in windows."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import MonthInFutureError
from mohlcv_dagster.vendor.windows import Timespan, Window, cut, end_of

SECOND = Timespan.parse("second")
MINUTE = Timespan.parse("minute")
LATER = datetime(2026, 11, 23, tzinfo=UTC)

months = st.builds(Month, st.integers(2003, 2026), st.integers(1, 12))


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
