"""A month in windows, and its pages: which are requested, that nothing is lost between them, and the thread pool."""

import itertools
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.errors import MonthInFutureError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.pages import Page, merge
from mohlcv_dagster.providers.massive.paging import PageRequest, Paging, Timespan, Window, cut, end_of, run_in_threads
from mohlcv_dagster.providers.massive.retry import CancelToken, Clock, RequestStats, Retrying, RetryPolicy
from mohlcv_dagster_tests.providers.massive.made_pages import generated_months, page, rows_of

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


@dataclass
class Fetched:
    pages: list[Page]
    asked: list[Window]
    progress: list


def fetch(answer, bounds, *, fill=25_000, concurrency=1):
    """The pages that `answer` gives in the span from the first bound to the last, cut at each, seconds."""
    asked, lock, told = [], threading.Lock(), []

    def ask_once(request, _):
        with lock:
            asked.append(request.window)
        return answer(request.window)

    windows = [Window(start * 1000, end * 1000 - 1) for start, end in itertools.pairwise(bounds)]
    span = Window(windows[0].start, windows[-1].last)
    retrying = Retrying(RetryPolicy(), Clock(), Clock().monotonic() + 60, CancelToken())
    month = Paging(ask_once, retrying, concurrency, RequestStats(), fill)
    pages = month.run(PageRequest("X", SECOND, span, adjusted=False), windows, told.append)
    return Fetched(pages, asked, told)


def vendor(rows, page_size=50_000):
    """A vendor with these rows, of which a page holds so many."""

    def answer(window):
        mine = [row for row in rows if window.start <= row[0] * 1000 <= window.last]
        return page(mine[:page_size], following=len(mine) > page_size)

    return answer


def every(step, end):
    return [(second, 1) for second in range(0, end, step)]


@given(generated_months, st.lists(st.integers(1, 5000)), st.integers(1, 7), st.integers(1, 100), st.integers(1, 3))
@example([(0, 1), *((second, 1) for second in range(4000, 4050))], [1000, 2000, 3000, 4000, 4020], 7, 100, 1)
def test_any_cut_into_windows_and_pages_gives_the_same_table(rows, edges, page_size, fill, concurrency):
    fetched = fetch(vendor(rows, page_size), sorted({0, 5001, *edges}), fill=fill, concurrency=concurrency)
    assert rows_of(merge(fetched.pages)[0]) == rows
    starts = [int(page.starts[0]) for page in fetched.pages if page.rows]
    assert starts == sorted(starts)


@given(generated_months, st.lists(st.integers(1, 5000)), st.integers(1, 7), st.integers(1, 100))
def test_what_is_asked_for_covers_the_span_and_nothing_twice_but_what_lies_behind_a_page(rows, edges, page_size, fill):
    fetched = fetch(vendor(rows, page_size), sorted({0, 5001, *edges}), fill=fill)
    behind = 0
    for window in sorted(fetched.asked):
        assert window.start <= behind
        behind = max(behind, window.last + 1)
    assert behind == 5001 * 1000
    assert len(set(fetched.asked)) == len(fetched.asked)


@given(generated_months, st.lists(st.integers(1, 5000)), st.integers(1, 7), st.integers(1, 100), st.integers(1, 3))
def test_progress_never_falls_and_ends_with_the_whole_span(rows, edges, page_size, fill, concurrency):
    bounds = sorted({0, 5001, *edges})
    told = fetch(vendor(rows, page_size), bounds, fill=fill, concurrency=concurrency).progress
    done = [each.windows_done for each in told]
    assert done == sorted(done)
    assert (done[-1], told[-1].windows, told[-1].bars) == (len(bounds) - 1, len(bounds) - 1, len(rows))


@pytest.mark.parametrize(
    ("step", "requests", "why"),
    [
        (1, 10, "1,000 bars a window: each is a page of its own"),
        (2, 10, "9 windows of 500 are 4,500 bars: as many pages of 500"),
        (4, 6, "9 of 250 are 2,250: five pages of at most 500"),
        (10, 3, "9 of 100 are 900: two pages"),
        (100, 2, "9 of 10 are 90: one page"),
    ],
)
def test_the_less_a_symbol_trades_the_fewer_pages_are_asked_for(step, requests, why):
    fetched = fetch(vendor(every(step, 10_000), 1000), range(0, 10_001, 1000), fill=500)
    assert len(fetched.asked) == requests, why
    assert merge(fetched.pages)[0].num_rows == 10_000 // step


def test_windows_without_a_bar_are_one_page():
    assert fetch(vendor([]), range(0, 10_001, 1000)).asked == [Window(0, 999_999), Window(1_000_000, 9_999_999)]


def test_what_is_behind_a_full_page_is_asked_for_window_by_window():
    quiet_then_busy = [(0, 1), *((second, 1) for second in range(3000, 10_000))]
    fetched = fetch(vendor(quiet_then_busy, 1500), range(0, 10_001, 1000), fill=500)
    assert fetched.asked == [
        Window(0, 999_999),
        Window(1_000_000, 9_999_999),  # nine of one bar each, as it seemed: full at 4,500
        *(Window(second * 1000, second // 1000 * 1_000_000 + 999_999) for second in (4500, *range(5000, 10_000, 1000))),
    ]
    assert rows_of(merge(fetched.pages)[0]) == quiet_then_busy


def test_only_the_first_window_goes_alone():
    met = threading.Barrier(3, timeout=5)

    def answer(window):
        if window.start:
            met.wait()
        return page([(window.start // 1000, 1)], following=False)

    assert len(fetch(answer, range(5), fill=1, concurrency=3).pages) == 4


def test_a_chain_ends_at_the_windows_end_even_when_a_next_page_is_named():
    def answer(window):
        return page([(window.last // 1000, 1)], following=True)

    assert fetch(answer, [0, 10]).asked == [Window(0, 9_999)]


def nothing_more(item, result):
    return []


def test_each_result_is_told_with_its_item_and_what_is_named_then_is_worked_on_as_well():
    done = []

    def then(item, result):
        done.append((item, result))
        return [item + 10, item + 20] if item < 10 else []

    run_in_threads(lambda item: item * 2, [1, 2], 2, threading.Event(), then)
    assert sorted(done) == [(1, 2), (2, 4), (11, 22), (12, 24), (21, 42), (22, 44)]


def test_what_is_named_then_does_not_wait_for_what_is_slow():
    release = threading.Event()

    def work(item):
        if item == "slow":
            assert release.wait(5)
        if item == "named":
            release.set()

    run_in_threads(work, ["slow", "quick"], 2, threading.Event(), lambda item, _: ["named"] if item == "quick" else [])
    assert release.is_set()


def test_the_first_failure_is_raised_without_waiting_for_the_others():
    stop, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("refused")
        assert stop.wait(5)

    with pytest.raises(ValueError, match="refused"):
        run_in_threads(work, range(50), 2, stop, nothing_more)
    assert stop.is_set()
    time.sleep(0.02)
    assert len(begun) <= 4


def test_what_waits_for_a_thread_when_the_work_is_called_off_does_not_begin():
    stop, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        stop.set()

    with pytest.raises(CancelledError):
        run_in_threads(work, range(5), 1, stop, nothing_more)
    assert begun == [0]


def test_no_more_than_the_concurrency_is_under_way():
    lock, under_way, most = threading.Lock(), 0, 0

    def work(_):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)
        with lock:
            under_way -= 1

    run_in_threads(work, range(20), 3, threading.Event(), nothing_more)
    assert most == 3
