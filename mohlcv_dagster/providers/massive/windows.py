"""A month cut into windows that one page each can answer, and what is asked for in a request.

Bounds are Unix milliseconds, the only form that the vendor does not read as an Eastern calendar day. Its `to` is
inclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from mohlcv_dagster.errors import MonthError, MonthInFutureError, TimeframeError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month

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
    """A span of time asked for in one request.

    Attributes:
        start: the first bar's start, inclusive, Unix milliseconds, a whole bar.
        last: the last millisecond, inclusive: the end of a whole bar less one.
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
    """The exclusive end of what can be asked of `month`: its own end, or the start of the bar still open at `now`.

    Raises:
        MonthInFutureError: at `now` no bar of the month is complete.
    """
    unit = timespan.milliseconds // 1000
    open_bar = int(now.timestamp()) // unit * unit
    end = min(month.end_second, open_bar)
    if end <= month.start_second:
        raise MonthInFutureError(
            f"{month} has no complete {timespan.name} yet: it is {now:%Y-%m-%d %H:%M:%S} UTC; "
            f"the month in progress is {Month.of(now)}, ask for that or an earlier one"
        )
    return datetime.fromtimestamp(end, UTC)


def start_of(month: Month, end: datetime, since: datetime | None) -> datetime:
    """The inclusive start of what is asked of `month`: its own, or `since`.

    Raises:
        MonthError: `since` is not in what can be asked of the month, `[month start, end)`.
    """
    if since is None:
        return month.start
    if not month.start <= since < end:
        raise MonthError(
            f"bars of {month} can be asked for from {month.start:%Y-%m-%d %H:%M:%S}Z to {end:%Y-%m-%d %H:%M:%S}Z "
            f"(exclusive), not from {since:%Y-%m-%d %H:%M:%S}Z: is this machine's clock right?"
        )
    return since


def cut(start: datetime, end: datetime, timespan: Timespan, most: int = PAGE_LIMIT) -> list[Window]:
    """`[start, end)` in as few windows as hold at most `most` bars each, in order and without gaps.

    Nights and holidays are asked for too but not counted, so a weekend costs no request of its own, and a month half
    as many as its length would. Where they have bars after all, a window has a second page.

    Args:
        start: inclusive, UTC, a whole bar.
        end: exclusive, UTC, a whole bar, after `start`.
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
    days = (datetime.fromtimestamp(moment, exchange_calendar.EASTERN).date() for moment in (start, end))
    found = [
        (max(start, int(s.extended_open.timestamp())), min(end, int(s.extended_close.timestamp())))
        for s in exchange_calendar.sessions_between(*days)
    ]
    return [(opens, closes) for opens, closes in found if opens < closes]


def _after_bars(hours: list[tuple[int, int]], seconds: int) -> int:
    """The moment when `seconds` of the extended hours have passed; more than none and fewer than all of them."""
    for opens, closes in hours:
        if seconds <= closes - opens:
            return opens + seconds
        seconds -= closes - opens
    raise ValueError(f"{seconds} seconds more than there are were asked for")
