"""The pages of a month: which are asked for, and that nothing is lost between them."""

import itertools
import threading
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mohlcv_dagster.vendor.allowance import Stop
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.fetched import Tally
from mohlcv_dagster.vendor.merge import merge
from mohlcv_dagster.vendor.month import MonthFetch
from mohlcv_dagster.vendor.pages import Page, PageRequest
from mohlcv_dagster.vendor.retry import Persistence, RetryPolicy
from mohlcv_dagster.vendor.windows import Timespan, Window
from mohlcv_dagster_tests.vendor.made_pages import generated_months, page, rows_of

SECOND = Timespan.parse("second")


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
    stubborn = Persistence(RetryPolicy(), Clock(), Clock().monotonic() + 60, Stop())
    month = MonthFetch(ask_once, stubborn, concurrency, Tally(), fill)
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
    assert rows_of(merge(fetched.pages)) == rows
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
    assert merge(fetched.pages).num_rows == 10_000 // step


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
    assert rows_of(merge(fetched.pages)) == quiet_then_busy


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
