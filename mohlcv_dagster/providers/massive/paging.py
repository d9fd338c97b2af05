"""A month cut into windows that one page each can answer, and their pages fetched, each repeated until it is verified.

Bounds are Unix milliseconds, the only form that the vendor does not read as an Eastern calendar day. Its `to` is
inclusive.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

from mohlcv_dagster.errors import MonthError, MonthInFutureError, RateLimitError, TimeframeError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.base import FetchProgress
from mohlcv_dagster.providers.massive.retry import Deadline, RequestStats, Retrying

if TYPE_CHECKING:
    from mohlcv_dagster.providers.massive.pages import Page

PAGE_LIMIT: Final = 50_000
"""The most base bars one page holds, and the largest `limit` the vendor takes."""

HALF_A_PAGE: Final = PAGE_LIMIT // 2
"""The most bars that joined windows are expected to have: a day may trade twice as much as another."""

SECOND: Final = "second"
_MILLISECONDS: Final = {SECOND: 1_000, "minute": 60_000}


@dataclass(frozen=True)
class Timespan:
    """A bar length that the vendor serves: `second` or `minute`, as the vendor spells it."""

    name: str
    milliseconds: int

    @classmethod
    def parse(cls, name: str) -> "Timespan":
        """The timespan called `name`.

        Raises:
            TimeframeError: it is neither.
        """
        if name not in _MILLISECONDS:
            raise TimeframeError(f"bars of one {name!r} are not fetched; choose from {', '.join(_MILLISECONDS)}")
        return cls(name, _MILLISECONDS[name])


@dataclass(frozen=True, order=True)
class Window:
    """The span of time of one request.

    Attributes:
        start: the first bar's start, inclusive, Unix milliseconds, on the grid of bars.
        last: the last millisecond, inclusive: the end of a bar less one.
    """

    start: int
    last: int

    def after(self, bar: int, timespan: Timespan) -> "Window | None":
        """What is left of the window after the bar that starts at `bar`; `None` when no further bar fits."""
        start = bar + timespan.milliseconds
        return Window(start, self.last) if start <= self.last else None

    def __str__(self) -> str:
        first, last = (datetime.fromtimestamp(bound / 1000, UTC) for bound in (self.start, self.last))
        return f"{first:%Y-%m-%d %H:%M:%S}..{last:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class PageRequest:
    """A request for one page of bars.

    Attributes:
        symbol: case-sensitive.
        timespan: the length of a bar.
        window: the first bar to the last millisecond, both inclusive.
        adjusted: whether prices and volumes are to be adjusted for splits.
    """

    symbol: str
    timespan: Timespan
    window: Window
    adjusted: bool

    def __str__(self) -> str:
        return f"{self.symbol} {self.timespan.name} bars {self.window}"


def end_of(month: Month, timespan: Timespan, now: datetime) -> datetime:
    """The exclusive end of what can be requested of `month`: its own end, or the start of the bar still open at `now`.

    Raises:
        MonthInFutureError: at `now` no bar of the month is complete.
    """
    unit = timespan.milliseconds // 1000
    open_bar = int(now.timestamp()) // unit * unit
    end = min(month.end_second, open_bar)
    if end <= month.start_second:
        raise MonthInFutureError(
            f"{month} has no complete {timespan.name} yet: it is {now:%Y-%m-%d %H:%M:%S} UTC; "
            f"the month in progress is {Month.of(now)}, request that or an earlier one"
        )
    return datetime.fromtimestamp(end, UTC)


def start_of(month: Month, end: datetime, since: datetime | None) -> datetime:
    """The inclusive start of what is requested of `month`: its own, or `since`.

    Raises:
        MonthError: `since` is not in what can be requested of the month, `[month start, end)`.
    """
    if since is None:
        return month.start
    if not month.start <= since < end:
        raise MonthError(
            f"bars of {month} can be requested from {month.start:%Y-%m-%d %H:%M:%S}Z to {end:%Y-%m-%d %H:%M:%S}Z "
            f"(exclusive), not from {since:%Y-%m-%d %H:%M:%S}Z: is this machine's clock right?"
        )
    return since


def cut(start: datetime, end: datetime, timespan: Timespan, most: int = PAGE_LIMIT) -> list[Window]:
    """`[start, end)` in as few windows as hold at most `most` bars each, in order and without gaps.

    Nights and holidays are requested too but not counted, so a weekend costs no request of its own, and a month half
    as many as its length would. Where they have bars after all, a window has a second page.

    Args:
        start: inclusive, UTC, on a bar's start.
        end: exclusive, UTC, on a bar's start, after `start`.
        timespan: the length of a bar.
        most: bars in the longest window.
    """
    unit = timespan.milliseconds // 1000
    hours = _extended_hours(int(start.timestamp()), int(end.timestamp()))
    bars = sum(closes - opens for opens, closes in hours) // unit
    count = max(1, -(-bars // most))
    inner = [_after_bars(hours, bars * n // count * unit) // unit * unit for n in range(1, count)]
    edges = [second * 1000 for second in (int(start.timestamp()), *inner, int(end.timestamp()))]
    return [Window(edge, following - 1) for edge, following in pairwise(edges)]


def joined(windows: Sequence[Window], rows: int, fill: int = HALF_A_PAGE) -> list[Window]:
    """Neighbouring windows joined to as few as have at most `fill` bars if each of `windows` has `rows`.

    Most symbols trade in few of a month's seconds: their month is two or three pages. Where a window has more bars
    than a page after all, the page names a next one. How windows are joined decides how long a fetch takes, never its
    result.

    Args:
        windows: as `cut` returns them, each next to the one before.
        rows: what another of them had.
        fill: bars, at least 1.
    """
    count = max(1, min(len(windows), -(-len(windows) * rows // fill)))
    edges = sorted({len(windows) * n // count for n in range(count + 1)})
    return [Window(windows[begin].start, windows[end - 1].last) for begin, end in pairwise(edges)]


def cut_out(window: Window, windows: Sequence[Window]) -> list[Window]:
    """`window` cut at the borders of `windows`, which are in order of time and cover it."""
    inside = [each for each in windows if each.start <= window.last and each.last >= window.start]
    return [Window(max(each.start, window.start), min(each.last, window.last)) for each in inside]


def _extended_hours(start: int, end: int) -> list[tuple[int, int]]:
    """The extended hours in `[start, end)`, Unix seconds, rising."""
    days = (exchange_calendar.trading_day_of(datetime.fromtimestamp(moment, UTC)) for moment in (start, end))
    found = [
        (max(start, int(opens.timestamp())), min(end, int(closes.timestamp())))
        for session in exchange_calendar.sessions_between(*days)
        for opens, closes in session.spans
    ]
    return [(opens, closes) for opens, closes in found if opens < closes]


def _after_bars(hours: list[tuple[int, int]], seconds: int) -> int:
    """The moment when `seconds` of the extended hours have passed; more than none and fewer than all of them."""
    for opens, closes in hours:
        if seconds <= closes - opens:
            return opens + seconds
        seconds -= closes - opens
    raise ValueError(f"{seconds} seconds exceed the extended hours")


T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True)
class Paging:
    """One fetch of one month.

    Attributes:
        ask_once: returns the verified page for a request, or raises; one attempt.
        concurrency: requests in flight.
        fill: the most bars that joined windows are expected to have.
    """

    ask_once: "Callable[[PageRequest, Deadline], Page]"
    retrying: Retrying
    concurrency: int
    stats: RequestStats
    fill: int

    def run(
        self, request: PageRequest, windows: Sequence[Window], on_progress: Callable[[FetchProgress], None]
    ) -> "list[Page]":
        """The pages of a span, in order of time.

        The first window goes alone, and shows how full pages are: the others are `joined` by that. What follows the
        last bar of a page that names a next one is requested window by window, with our own parameters: the vendor's
        cursor loses `adjusted`. A verified page that names a next one has rows, so each step is shorter.

        Args:
            request: the complete span.
            windows: the span cut into what a page each can answer, in order of time, at least one.
            on_progress: called after each page, in the caller's thread.

        Raises:
            VendorError: the first failure that retries did not cure; the other pages are cancelled.
        """
        pages: dict[Window, Page] = {}
        open_windows = {windows[0]}

        def then(window: Window, page: "Page") -> list[Window]:
            pages[window] = page
            rest = window.after(int(page.starts[-1]), request.timespan) if page.following else None
            behind = [] if rest is None else cut_out(rest, windows)
            others = joined(windows[1:], page.rows, self.fill) if window == windows[0] else []
            open_windows.remove(window)
            open_windows.update(behind, others)
            left = sum(len(cut_out(each, windows)) for each in open_windows)
            bars = sum(each.rows for each in pages.values())
            on_progress(FetchProgress(len(windows) - left, len(windows), bars, self.stats.bytes, self.stats.attempts))
            return [*behind, *others]

        def work(window: Window) -> "Page":
            self.stats.add(pages=1)
            return self.retrying.call(lambda until: self._attempt(replace(request, window=window), until))

        run_in_threads(work, windows[:1], self.concurrency, self.retrying.cancel, then)
        return [pages[window] for window in sorted(pages)]

    def _attempt(self, request: PageRequest, until: float) -> "Page":
        deadline = Deadline(until, self.retrying.cancel)
        self.stats.add(attempts=1)
        try:
            return self.ask_once(request, deadline)
        except RateLimitError:
            self.stats.add(rate_limited=1)
            raise
        finally:
            self.stats.add(received=deadline.received)


def run_in_threads(
    work: Callable[[A], T],
    items: Iterable[A],
    concurrency: int,
    cancel: threading.Event,
    then: Callable[[A, T], Iterable[A]],
) -> None:
    """`work` on each item in a thread pool, and on those that `then` returns, until there are no more.

    The first failure, or an interrupt, sets `cancel` at once, cancels what has not begun and is raised without waiting
    for the rest, which is expected to watch `cancel`.

    Args:
        work: runs in a thread of the pool.
        items: what to begin with.
        concurrency: threads, at least 1.
        cancel: set when this returns or raises.
        then: given each item and its result as it comes, in the caller's thread; returns further items.
    """
    failures: list[BaseException] = []  # the first is the cause of the others, which were cancelled

    def attempt(item: A) -> tuple[A, T]:
        if cancel.is_set():  # set by another thread, before the caller knows of it
            raise CancelledError
        try:
            return item, work(item)
        except BaseException as error:
            failures.append(error)
            cancel.set()  # here, in the thread where it happened, so that no other begins meanwhile
            raise

    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="massive")
    try:
        running: set[Future[tuple[A, T]]] = {pool.submit(attempt, item) for item in items}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                error = future.exception()
                if error is not None:
                    raise failures[0] if failures else error
                running.update(pool.submit(attempt, item) for item in then(*future.result()))
    finally:
        cancel.set()
        pool.shutdown(wait=False, cancel_futures=True)
