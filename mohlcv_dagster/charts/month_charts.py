"""Charts of a month: a candle and a volume for each session, and in how many sessions each minute of the day has a bar.

The body of a candle is the first open and the last close of regular hours, as in a daily bar; its wick covers all bars
of the session's hours, so that a bad print outside regular hours is visible too. A session without bars is crossed
out; one that had not begun when the bars were requested is left blank.

A liquid symbol has each minute of regular hours in each session. A minute that is missing session after session is a
notch, and bars labelled in a wrong zone are a block that does not fit the marked hours.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.bar_table import Floats, Seconds, to_numpy
from mohlcv_dagster.charts import svg
from mohlcv_dagster.charts.svg import BLUE, FALL, INK, RED, RISE, Picture, Scale
from mohlcv_dagster.model import bar_files, exchange_calendar
from mohlcv_dagster.model.exchange_calendar import Session
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.session_hours import EVENING

MINUTES: Final = 960
"""From 04:00 (inclusive) to 20:00 (exclusive) Eastern."""
ALL_MINUTES: Final = 1440
"""From 20:00 on the evening before; of months in which a session begins before 04:00."""

_WIDTH: Final = 680
_LEFT, _RIGHT = 58, 672

_PRICES_HEIGHT: Final = 250
_PRICES: Final = (160.0, 24.0)
"""Pixels of the lowest and the highest price."""
_VOLUMES: Final = (228.0, 176.0)
_LIMIT: Final = 1e15
"""Prices, and a session's volume, from here on are taken for broken."""

_MINUTES_HEIGHT: Final = 158
_TOP, _BOTTOM = 34, 134
_OPEN, _CLOSE = -630, -240
"""09:30 and 16:00 as minutes before 20:00, the end of both axes."""
_CLOCKS: Final = (
    (-ALL_MINUTES, "20:00"),
    (-MINUTES, "04:00"),
    (_OPEN, "09:30"),
    (-480, "12:00"),
    (_CLOSE, "16:00"),
    (0, "20:00"),
)
_STEPS: Final = (23, 11, 5)
"""The heights that are distinguished: as many as a month has sessions, or fewer where the outline would be too long."""
_LONGEST_OUTLINE: Final = 3_000
"""Characters; a third more as markdown."""


@dataclass(frozen=True)
class Candle:
    """A session's bars as one.

    Attributes:
        open: price of the first bar of regular hours, US dollars; of the session where regular hours have none.
        high: highest price of all bars, in extended hours too.
        low: the lowest.
        close: price of the last bar of regular hours, as `open`.
        volume: shares of all bars; 0 where the sum is less.
    """

    open: float
    high: float
    low: float
    close: float
    volume: float


def draw_session_prices(symbol: str, month: Month, bars: pa.Table, complete_through: datetime) -> Picture:
    """The month's sessions side by side.

    Args:
        symbol: for the title.
        month: its sessions are drawn.
        bars: its bars, rising; values that are not numbers are skipped.
        complete_through: the moment (exclusive) up to which bars were requested.
    """
    days = exchange_calendar.sessions_in(month)
    drawn = candles(bars, days)
    begun = sum(day.extended_open < complete_through for day in days)
    alt = _price_alt(symbol, month, [each for each in drawn if each], begun)
    slots = Scale(0, max(len(days), 1), _LEFT, _RIGHT)
    elements = [
        svg.text(_LEFT, 13, f"{symbol} {month}", bold=True),
        svg.text(_RIGHT, 13, "US dollars, and shares, by session", anchor="end"),
        *_day_labels(days, slots),
        *_crosses(drawn[:begun], slots),
    ]
    here = {n: candle for n, candle in enumerate(drawn) if candle}
    if here:
        elements += [*_prices(here, slots), *_volumes(here, slots)]
    return svg.picture(_WIDTH, _PRICES_HEIGHT, alt, elements)


def candles(bars: pa.Table, days: Sequence[Session]) -> list[Candle | None]:
    """The candle of each session, in their order; `None` where it has no bar with four prices."""
    starts = bar_table.seconds(bars)
    prices = {name: to_numpy(bars[name]) for name in bar_files.PRICES}
    volume = to_numpy(bars[bar_files.VOLUME])
    return [_candle(_bounds(starts, day), prices, volume) for day in days]


def _bounds(starts: Seconds, day: Session) -> list[int]:
    """Positions among the bars: start of extended and regular hours, end of regular and extended hours."""
    moments = day.extended_open, day.regular_open, day.regular_close, day.extended_close
    return [int(at) for at in np.searchsorted(starts, [int(moment.timestamp()) for moment in moments])]


def _candle(bounds: list[int], prices: dict[str, Floats], volume: npt.NDArray[Any]) -> Candle | None:
    first, opening, closing, last = bounds
    if first >= last:
        return None
    if opening >= closing:
        opening, closing = first, last
    high, low = float(np.fmax.reduce(prices["high"][first:last])), float(np.fmin.reduce(prices["low"][first:last]))
    opened, closed = float(prices["open"][opening]), float(prices["close"][closing - 1])
    shares = float(np.nansum(np.clip(volume[first:last], -_LIMIT, _LIMIT)))
    if not np.all(np.abs([opened, high, low, closed]) < _LIMIT):  # NaN is not below either
        return None
    return Candle(opened, high, low, closed, min(max(shares, 0.0), _LIMIT))


def _price_alt(symbol: str, month: Month, drawn: Sequence[Candle], begun: int) -> str:
    if not drawn:
        return f"{symbol} {month}: no bar in the {begun} sessions begun"
    low, high = _price_range(drawn)
    shares = svg.short(sum(each.volume for each in drawn))
    return f"{symbol} {month}: {len(drawn)} of {begun} sessions, {low:,.2f} to {high:,.2f} US dollars, {shares} shares"


def _price_range(drawn: Collection[Candle]) -> tuple[float, float]:
    """The lowest and the highest price; of broken bars that may be an open or a close."""
    lowest = min(min(each.open, each.high, each.low, each.close) for each in drawn)
    return lowest, max(max(each.open, each.high, each.low, each.close) for each in drawn)


def _day_labels(days: Sequence[Session], slots: Scale) -> list[str]:
    return [
        svg.text(slots(n + 0.5), _PRICES_HEIGHT - 6, str(day.date.day), anchor="middle") for n, day in enumerate(days)
    ]


def _crosses(drawn: Sequence[Candle | None], slots: Scale) -> list[str]:
    crosses = [f"M{svg.number(slots(n + 0.5) - 4)} 88l8 8m0-8l-8 8" for n, candle in enumerate(drawn) if not candle]
    return [svg.path(crosses, stroke=RED, stroke_width="2", fill="none")]


def _prices(here: dict[int, Candle], slots: Scale) -> list[str]:
    low, high = _price_range(here.values())
    margin = max((high - low) * 0.04, abs(high) * 1e-6) or 1.0
    scale = Scale(low - margin, high + margin, *_PRICES)
    return [
        *_grid(scale, 6, lambda value: f"{value:,.{svg.decimals(scale.low, scale.high)}f}"),
        *_candles({n: each for n, each in here.items() if each.close >= each.open}, slots, scale, RISE, hollow=True),
        *_candles({n: each for n, each in here.items() if each.close < each.open}, slots, scale, FALL, hollow=False),
    ]


def _candles(some: dict[int, Candle], slots: Scale, scale: Scale, colour: str, *, hollow: bool) -> list[str]:
    wide = slots(1) - slots(0)
    wicks, bodies = [], []
    for n, each in some.items():
        centre = slots(n + 0.5)
        top, bottom = scale(max(each.open, each.close)), scale(min(each.open, each.close))
        up, down = scale(each.high), scale(each.low)
        x = svg.number(centre)
        wicks += [f"M{x} {svg.number(up)}V{svg.number(top)}M{x} {svg.number(bottom)}V{svg.number(down)}"]
        bodies += [svg.box(centre - wide * 0.28, top, wide * 0.56, max(bottom - top, 1))]
    return [
        svg.path(wicks, stroke=colour, stroke_width="1.5"),
        svg.path(bodies, stroke=colour, stroke_width="1.5", fill=colour, **({"fill_opacity": ".2"} if hollow else {})),
    ]


def _volumes(here: dict[int, Candle], slots: Scale) -> list[str]:
    most = max(each.volume for each in here.values())
    if most <= 0:
        return []
    scale, wide = Scale(0, most, *_VOLUMES), slots(1) - slots(0)
    columns = [
        svg.box(slots(n + 0.5) - wide * 0.36, scale(each.volume), wide * 0.72, _VOLUMES[0] - scale(each.volume))
        for n, each in here.items()
    ]
    return [svg.path(columns, fill=INK, fill_opacity=".6"), *_grid(scale, 2, svg.short)]


def _grid(scale: Scale, about: int, label: Callable[[float], str]) -> list[str]:
    at = [(scale(value), label(value)) for value in svg.ticks(scale.low, scale.high, about)]
    lines = [f"M{_LEFT} {svg.number(y)}H{_RIGHT}" for y, _ in at]
    return [
        svg.path(lines, stroke=INK, stroke_opacity=".3"),
        *(svg.text(_LEFT - 6, y + 4, words, anchor="end") for y, words in at),
    ]


def draw_minutes_of_day(symbol: str, month: Month, starts: Seconds, complete_through: datetime) -> Picture:
    """In which share of a month's sessions each minute of the day has a bar.

    Args:
        symbol: for the title.
        month: its sessions count.
        starts: its bars' starts, Unix seconds, rising.
        complete_through: the moment (exclusive) up to which bars were requested.
    """
    shares = minute_occupancy(starts, month, complete_through)
    regular, rest = shares[_OPEN:_CLOSE], np.concatenate([shares[:_OPEN], shares[_CLOSE:]])
    alt = (
        f"{symbol} {month}: a minute of regular hours has a bar in {_percent(regular)} of the sessions on average, "
        f"one before or after in {_percent(rest)}"
    )
    minutes = Scale(-shares.size, 0, _LEFT, _RIGHT)
    return svg.picture(
        _WIDTH,
        _MINUTES_HEIGHT,
        alt,
        [*_minute_axes(f"{symbol} {month}", minutes), _area(shares), *_regular_hours(minutes)],
    )


def minute_occupancy(starts: Seconds, month: Month, complete_through: datetime) -> Floats:
    """The share of sessions, 0 to 1, in which each minute has a bar; NaN where none has that minute.

    A session has the minutes of its hours that are in the month and ended by `complete_through`.

    Returns:
        Shape (MINUTES,), or (ALL_MINUTES,) where one of the month's sessions begins before 04:00.
    """
    begin, end = month.start_second, min(month.end_second, int(complete_through.timestamp()))
    days = exchange_calendar.sessions_overlapping(month)
    minutes = _distinct(starts // 60)
    size = ALL_MINUTES if any(day.extended_open < _at(day, -MINUTES) for day in days) else MINUTES
    expected, present = np.zeros(size), np.zeros(size)
    for day in days:
        left = _minute(_at(day, -size))
        for first, last in ((_minute(opens), _minute(closes)) for opens, closes in day.spans):
            expected[max(first, -(-begin // 60)) - left : max(min(last, end // 60) - left, 0)] += 1
            own = minutes[slice(*np.searchsorted(minutes, [first, last]))] - left
            present[own[own < size]] += 1  # an hour of a night on which clocks change has no place
    shares: Floats = np.divide(np.minimum(present, expected), expected, out=np.full(size, np.nan), where=expected > 0)
    return shares


def _at(day: Session, minute: int) -> datetime:
    """A minute of an axis, counted from its end at 20:00 on the trading day."""
    at = EVENING + minute
    before = timedelta(days=1 if at < 0 else 0)
    return exchange_calendar.eastern_time(day.date - before, at % ALL_MINUTES)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def _distinct(rising: Seconds) -> Seconds:
    new = np.ones(rising.size, dtype=np.bool_)
    new[1:] = rising[1:] != rising[:-1]
    distinct: Seconds = rising[new]
    return distinct


def _percent(shares: Floats) -> str:
    known = shares[np.isfinite(shares)]
    return f"{np.mean(known):.1%}" if known.size else "none"


def _minute_axes(title: str, minutes: Scale) -> list[str]:
    levels = Scale(0, 1, _BOTTOM, _TOP)
    return [
        svg.text(_LEFT, 13, title, bold=True),
        svg.text(_RIGHT, 13, "sessions with a bar, by minute, Eastern time", anchor="end"),
        svg.path([f"M{_LEFT} {levels(share):g}H{_RIGHT}" for share in (0, 0.5, 1)], stroke=INK, stroke_opacity=".3"),
        *(svg.text(_LEFT - 6, levels(share) + 4, f"{share:.0%}", anchor="end") for share in (0, 0.5, 1)),
        *(
            svg.text(minutes(at), _MINUTES_HEIGHT - 8, words, anchor=_anchor(at, minutes.low))
            for at, words in _CLOCKS
            if at >= minutes.low
        ),
    ]


def _regular_hours(minutes: Scale) -> list[str]:
    lines = [f"M{svg.number(minutes(at))} {_TOP - 4}V{_BOTTOM + 4}" for at in (_OPEN, _CLOSE)]
    return [
        svg.path(lines, stroke=INK, stroke_width="1.5", stroke_dasharray="5 3"),
        svg.text(minutes((_OPEN + _CLOSE) / 2), _TOP - 3, "regular hours", anchor="middle"),
    ]


def _anchor(minute: int, left: float) -> str:
    return "start" if minute == left else {0: "end"}.get(minute, "middle")


def _area(shares: Floats) -> str:
    for steps in _STEPS:
        outline = _outline(np.rint(np.nan_to_num(shares) * steps).astype(int))
        if len(outline) <= _LONGEST_OUTLINE:
            break
    across, up = (_RIGHT - _LEFT) / shares.size, (_BOTTOM - _TOP) / steps
    transform = f"matrix({across:.4g} 0 0 {-up:.4g} {_LEFT} {_BOTTOM})"
    return svg.path([outline], transform=transform, fill=BLUE, fill_opacity=".75")


def _outline(heights: npt.NDArray[np.int64]) -> str:
    """From minute to minute in relative steps, which are the shortest to write; unchanged values are one step."""
    changes = np.diff(heights) != 0
    corners = np.flatnonzero(np.append(True, changes) | np.append(changes, True))
    along, up = np.diff(corners), np.diff(heights[corners])
    steps = [f"{dx} {dy}" if dy >= 0 else f"{dx}{dy}" for dx, dy in zip(along.tolist(), up.tolist(), strict=True)]
    return f"M0 0V{heights[0]}l{' '.join(steps)}h1V0z"
