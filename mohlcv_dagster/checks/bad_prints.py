"""The rules on bad prints but spikes, jumps and shifts of level: wicks, prices that do not change, sessions told twice.

A bad print is a bar that is well formed and yet can hardly be what was traded. These rules, `spikes`, `price_jumps` and
`level_shifts` only warn: the market itself does odd things. They measure a symbol by its own bars, never by a list of
symbols. They look at usable bars only: one without a time, or with a price that is missing, infinite or not above zero,
is an error by other rules.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.bar_table import TIME_TYPE, Floats, Seconds, from_numpy, from_strings, to_numpy
from mohlcv_dagster.bars.coverage import mornings, trading_day_starts, trading_days
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import NO_TIME, Reading
from mohlcv_dagster.checks.rule import Requires, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import as_text, offending
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import PRICES, TIME, VOLUME
from mohlcv_dagster.model.exchange_calendar import Session

Mask: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.intp]

COMPARE: Final = (
    "Compare {partition} at that time with another source, such as the vendor's minute bars: "
    "a real move needs nothing; report a bad print to the vendor, and delete no bar."
)
SMALLEST: Final = 1e-100
LARGEST: Final = 1e100
"""Within them neither a sum nor a ratio of two prices leaves float64."""
WICK: Final = 0.03
QUIET: Final = 0.005
STALE_BARS: Final = 120
FEWEST_REPEATED: Final = 10
"""Bars of a session that repeats another's; with fewer, two quiet sessions may be alike."""
FULL: Final = 0.997
"""The share of a half hour's seconds with bars from which on none is missing."""
FILLED: Final = 0.25
"""Unchanged bars of such a half hour; where something trades in each second, few of them stand still ..."""
FILLED_ALIKE: Final = 0.1
"""... and these do not have one volume in common, as those do that were filled in."""
ALIKE: Final = 0.9
_HALF_HOUR: Final = 1_800
_DAY: Final = 86_400


@dataclass(frozen=True)
class UsableBars:
    """The bars of a file that these rules look at, in the file's order.

    Attributes:
        table: all bars of the file.
        rows: where in the file the usable ones are, shape (bars,); `None` where every bar is usable.
        starts: theirs, Unix seconds, shape (bars,).
        prices: their open, high, low and close, each of shape (bars,), from `SMALLEST` to `LARGEST`.
    """

    table: pa.Table
    rows: Rows | None
    starts: Seconds
    prices: dict[str, Floats]

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """The usable bars of a file as read."""
        starts, prices = reading.starts, reading.prices
        if not starts.size or _all_usable(reading):
            return cls(reading.present, None, starts, prices)
        good = starts != NO_TIME
        for price in prices.values():
            good &= (price >= SMALLEST) & (price <= LARGEST)  # never of NaN
        rows = np.flatnonzero(good)
        return cls(reading.present, rows, starts[rows], {name: price[rows] for name, price in prices.items()})

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.starts.size)

    @cached_property
    def volume(self) -> npt.NDArray[Any]:
        """Theirs, shape (bars,): int64, or float64 with NaN where it is missing."""
        volume = to_numpy(self.table[VOLUME])
        return volume if self.rows is None else volume[self.rows]

    def days(self, at: Rows | slice = slice(None)) -> Seconds:
        """A number for the trading day of each bar, or of those at `at`; see `coverage.trading_days`."""
        return trading_days(self.starts[at])

    def bars(self, at: Rows) -> pa.Table:
        """The bars at these positions, as the file has them."""
        return self.table.take(at if self.rows is None else self.rows[at])


def _all_usable(reading: Reading) -> bool:
    """Whether every bar is usable, as in most files; cheap to find out."""
    ranges = reading.ranges.values()
    return all(low >= SMALLEST and high <= LARGEST for low, high in ranges) and bool(reading.starts.min() != NO_TIME)


def with_columns(bars: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """The bars with more columns of context, by name."""
    for name, column in columns.items():
        bars = bars.append_column(name, column)
    return bars


@rule(
    sentence="No high or low reaches far beyond its bar's open and close between two quiet bars.",
    threshold="3 % beyond, with both neighbours within 0.5 %",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure=COMPARE,
)
def wicks(given: CheckInput) -> RuleOutcome:
    """Look for a high or low more than 3 % beyond the body, between two quiet neighbours.

    The body is what lies between open and close; a wick shorter than its body is a price that moves. A neighbour is the
    bar before or after on the same trading day, quiet where its own body is within 0.5 % of this one's. A bar with one
    neighbour is compared with that one, a bar without any is not checked. Context: `beyond_percent`, from the body.
    """
    usable = UsableBars.of(given.own)
    at = _long_wicks(usable)
    at = at[_between_quiet(usable, at)]
    if not at.size:
        return RuleOutcome(of=usable.size)
    beyond = from_numpy(np.round(100 * _beyond(usable, at), 2))
    bars = usable.bars(at).append_column("beyond_percent", beyond)
    text = "a high or low more than 3 % beyond open and close, with both neighbours within 0.5 %"
    return RuleOutcome(of=usable.size, fault=offending(bars, usable.size, text, shown=PRICES), bars=bars)


def _long_wicks(usable: UsableBars) -> Rows:
    """Where a high or low is over 3 % beyond the body and further than it is long; most fail by the close alone."""
    high, low, close = (usable.prices[name] for name in ("high", "low", "close"))
    at = np.flatnonzero((high > (1 + WICK) * close) | (low < (1 - WICK) * close))
    top, bottom = _body(usable, at)
    return at[_beyond(usable, at) > np.maximum(WICK, top / bottom - 1)]


def _beyond(usable: UsableBars, at: Rows) -> Floats:
    """How far the furthest of high and low is beyond the body, as a share of the body's end."""
    top, bottom = _body(usable, at)
    return np.maximum(usable.prices["high"][at] / top - 1, 1 - usable.prices["low"][at] / bottom)


def _body(usable: UsableBars, at: Rows) -> tuple[Floats, Floats]:
    opens, close = usable.prices["open"][at], usable.prices["close"][at]
    return np.maximum(opens, close), np.minimum(opens, close)


def _between_quiet(usable: UsableBars, at: Rows) -> Mask:
    """Whether there is a neighbour, and the body of each is within 0.5 % of the bar's own."""
    neighbours = np.stack([at - 1, at + 1]).clip(0, max(usable.size - 1, 0))
    there = (usable.days(neighbours) == usable.days(at)) & (neighbours != at)
    (top, bottom), (their_top, their_bottom) = _body(usable, at), _body(usable, neighbours)
    quiet = (their_top <= (1 + QUIET) * top) & (their_bottom >= (1 - QUIET) * bottom)
    return np.asarray((quiet | ~there).all(axis=0) & there.any(axis=0))


@rule(
    sentence="The price of a liquid symbol keeps changing in regular hours; no second without a trade is filled in.",
    threshold="fewer than 120 unchanged bars in a row; 25 % of a half hour full of bars, 10 % where of one volume",
    severity=Severity.WARN,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure=COMPARE,
)
def stale_prices(given: CheckInput) -> RuleOutcome:
    """Look for 120 bars in a row in regular hours with all four prices equal to the close before; liquid symbols only.

    And, of every symbol, for half hours with a bar in each second, many of them unchanged: a second in which nothing
    traded has none. Every such bar is counted; `bars` has the first of each run. Context: `last_ts_event`,
    `run_length`.
    """
    usable = UsableBars.of(given.own)
    unchanged = _unchanged(usable)
    filled = _filled(usable, unchanged, given)
    if filled is not None:
        return filled
    if not _runs(unchanged)[0].size:  # as in most files
        return RuleOutcome(of=usable.size)
    if not given.liquid:
        return RuleOutcome(of=usable.size, note="does not apply: a quiet symbol")
    session = _session_of(usable.starts, exchange_calendar.sessions_in(given.file.month))
    regular = np.flatnonzero(session >= 0)
    firsts, lengths = _runs(unchanged[regular], breaks=np.diff(session[regular]) != 0)
    if not firsts.size:
        return RuleOutcome(of=usable.size)
    last = from_numpy(usable.starts[regular[firsts + lengths - 1]]).cast(TIME_TYPE)
    bars = usable.bars(regular[firsts])
    bars = with_columns(bars, {"last_ts_event": last, "run_length": from_numpy(lengths)})
    return RuleOutcome(of=usable.size, fault=_stale_fault(bars, regular.size), bars=bars, count=int(lengths.sum()))


def _filled(usable: UsableBars, unchanged: Mask, given: CheckInput) -> RuleOutcome | None:
    """The half hours, by the clock, that have a bar in each second although the price often stands still."""
    month = given.file.month
    edges = np.searchsorted(usable.starts, np.arange(month.start_second, month.end_second + 1, _HALF_HOUR))
    found = []
    for at in np.flatnonzero(np.diff(edges) >= FULL * _HALF_HOUR).tolist():
        first, last = edges[at : at + 2].tolist()
        still = usable.volume[first:last][unchanged[first:last]]
        alike = still.size and np.count_nonzero(still == np.median(still)) >= ALIKE * still.size
        if still.size >= (FILLED_ALIKE if alike else FILLED) * (last - first):
            found.append((first, last - 1, still.size))
    if not found:
        return None
    firsts, lasts, counts = (np.array(each) for each in zip(*found, strict=True))
    ends = from_numpy(usable.starts[lasts]).cast(TIME_TYPE)
    bars = with_columns(usable.bars(firsts), {"last_ts_event": ends, "run_length": from_numpy(counts)})
    fault = (
        f"in {quantity(len(found), 'half hour')} with a bar in every second {counts.sum():,} bars have no price but "
        f"the close before, as if seconds without a trade were filled in; first from {as_text(bars[TIME][0])} to "
        f"{as_text(bars['last_ts_event'][0])} ({counts[0]:,} bars)"
    )
    return RuleOutcome(of=usable.size, fault=fault, bars=bars, count=int(counts.sum()))


def _unchanged(usable: UsableBars) -> Mask:
    """Whether all four prices of a bar are the close of the bar before; never of the first."""
    previous = usable.prices["close"][:-1]
    same = np.ones(usable.size, dtype=bool)
    same[:1] = False
    for name in PRICES:
        same[1:] &= usable.prices[name][1:] == previous
    return same


def _runs(unchanged: Mask, breaks: Mask | None = None) -> tuple[Rows, Rows]:
    """The first position and the length of each run of 120 or more.

    Args:
        unchanged: shape (bars,).
        breaks: whether a run must end between a bar and the next, shape (bars - 1,).
    """
    ends = unchanged[1:] != unchanged[:-1]
    if breaks is not None:
        ends |= breaks
    firsts = np.concatenate([[0], np.flatnonzero(ends) + 1]) if unchanged.size else np.empty(0, np.intp)
    lengths = np.diff(np.append(firsts, unchanged.size))
    long = lengths >= STALE_BARS
    long[long] = unchanged[firsts[long]]
    return firsts[long], lengths[long]


def _session_of(starts: Seconds, open_hours: tuple[Session, ...]) -> Rows:
    """The session whose regular hours have each bar, as a position in `open_hours`; -1 for none."""
    if not open_hours:
        return np.full(starts.size, -1)
    opens = np.array([int(each.regular_open.timestamp()) for each in open_hours])
    closes = np.array([int(each.regular_close.timestamp()) for each in open_hours])
    session = np.searchsorted(opens, starts, side="right") - 1
    return np.where((session >= 0) & (starts < closes[session]), session, -1)


def _stale_fault(runs: pa.Table, of: int) -> str:
    first = runs.slice(0, 1).to_pylist()[0]
    bars = int(to_numpy(runs["run_length"]).sum())
    return (
        f"{quantity(runs.num_rows, 'run')} of {STALE_BARS} or more bars at an unchanged price, {bars:,} of {of:,} bars "
        f"in regular hours; first from {as_text(runs[TIME][0])} to {as_text(runs['last_ts_event'][0])} "
        f"({first['run_length']:,} bars at {first['close']})"
    )


@rule(
    sentence="No session has the bars of another session.",
    threshold="0 sessions",
    blocking=False,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure="The bars of that session are lost: re-materialize {asset} for {partition}; if it stays, report the "
    "request_ids of its materialization to the vendor.",
    counts="sessions",
)
def repeated_session(given: CheckInput) -> RuleOutcome:
    """Look for a session of 10 bars or more that is, at the same times of day, bar for bar an earlier one of the month.

    The evening and night before it do not count: they may be kept, or be another session's. Rows: the first bar of
    each. Context: `session`, its trading day, and `same_as`, that of the other.
    """
    usable = UsableBars.of(given.own)
    month = given.file.month
    ends = np.append(trading_day_starts(month)[1:], month.end_second + _DAY)
    firsts = np.searchsorted(usable.starts, mornings(month))  # of bars that do not rise, nothing that is equal
    lengths = np.searchsorted(usable.starts, ends) - firsts
    seen: dict[tuple[float, ...], list[tuple[int, int]]] = {}
    found = []
    for first, length in zip(firsts.tolist(), lengths.tolist(), strict=True):
        alike = seen.setdefault(_outline(usable, first, length), []) if length >= FEWEST_REPEATED else []
        other = next((at for at, _ in alike if _is_same(usable, first, at, length)), None)
        alike.append((first, length))
        found += [] if other is None else [(first, other)]
    if not found:
        return RuleOutcome(of=usable.size)
    dates = [[str(_trading_day(usable.starts[at])) for at in pair] for pair in found]
    columns = {name: from_strings([pair[n] for pair in dates]) for n, name in enumerate(("session", "same_as"))}
    bars = with_columns(usable.bars(np.array([first for first, _ in found])), columns)
    each = ", ".join(f"{session} is that of {other}" for session, other in dates[:3])
    fault = f"{given.file.path} has {quantity(len(found), 'session')} bar for bar equal to another: {each}"
    return RuleOutcome(of=usable.size, fault=fault, bars=bars)


def _outline(usable: UsableBars, first: int, length: int) -> tuple[float, ...]:
    """What two equal sessions have in common, quick to compare."""
    ends = (usable.prices[name][at] for name in ("open", "close") for at in (first, first + length - 1))
    return (length, float(usable.starts[first] % _DAY), *map(float, ends))


def _is_same(usable: UsableBars, first: int, other: int, length: int) -> bool:
    """Whether two sessions have the same bars at the same times of day."""
    one, two = slice(first, first + length), slice(other, other + length)
    same_time = np.ptp(usable.starts[one] - usable.starts[two]) == 0
    columns = (*usable.prices.values(), usable.volume)
    return bool(same_time) and all(np.array_equal(each[one], each[two]) for each in columns)


def _trading_day(start: int) -> date:
    return exchange_calendar.trading_day_of(datetime.fromtimestamp(int(start), UTC))
