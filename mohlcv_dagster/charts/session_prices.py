"""Price and volume by session: a candle and a column of volume for each session of a month.

The body of a candle is the first open and the last close of regular hours, as in a daily bar; its wick reaches over all
bars from 04:00 to 20:00 Eastern, so that a bad print outside regular hours is seen too. A session without one bar is
crossed out, one that had not begun when the bars were asked for is left blank.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import schema, sessions
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.sessions import Session
from mohlcv_dagster.charts import svg
from mohlcv_dagster.charts.svg import FALL, INK, RED, RISE, Picture, Scale

WIDTH: Final = 680
HEIGHT: Final = 250
_LEFT, _RIGHT = 58, 672
_PRICES: Final = (160.0, 24.0)
"""Pixels of the lowest and the highest price."""
_VOLUMES: Final = (228.0, 176.0)
_BEYOND: Final = 1e15
"""No price, and no volume of a session, reaches it; such a one is none."""


@dataclass(frozen=True)
class Candle:
    """What a session's bars come to.

    Attributes:
        open: price of the first bar of regular hours, US dollars; of the session where regular hours have none.
        high: highest price of all bars, 04:00 to 20:00 Eastern.
        low: the lowest.
        close: price of the last bar of regular hours, as `open`.
        volume: shares of all bars; 0 where they come to less.
    """

    open: float
    high: float
    low: float
    close: float
    volume: float


def draw(symbol: str, month: Month, bars: pa.Table, complete_through: datetime) -> Picture:
    """The month's sessions side by side.

    Args:
        symbol: for the title.
        month: whose sessions are drawn.
        bars: its bars, rising; what is no number is passed over.
        complete_through: the moment (exclusive) up to which they were asked for.
    """
    days = sessions.sessions_in(month)
    drawn = candles(bars, days)
    begun = sum(day.extended_open < complete_through for day in days)
    alt = _told(symbol, month, [each for each in drawn if each], begun)
    slots = Scale(0, max(len(days), 1), _LEFT, _RIGHT)
    elements = [
        svg.text(_LEFT, 13, f"{symbol} {month}", bold=True),
        svg.text(_RIGHT, 13, "US dollars, and shares, by session", anchor="end"),
        *_labels(days, slots),
        *_missing(drawn[:begun], slots),
    ]
    here = {n: candle for n, candle in enumerate(drawn) if candle}
    if here:
        elements += [*_prices(here, slots), *_volumes(here, slots)]
    return svg.picture(WIDTH, HEIGHT, alt, elements)


def candles(bars: pa.Table, days: Sequence[Session]) -> list[Candle | None]:
    """The candle of each session, in their order; `None` where it has no bar with four prices."""
    starts = schema.seconds(bars)
    prices = {name: to_numpy(bars[name]) for name in schema.PRICES}
    volume = to_numpy(bars[schema.VOLUME])
    return [_candle(_within(starts, day), prices, volume) for day in days]


def _within(starts: schema.Seconds, day: Session) -> list[int]:
    """Where extended hours, regular hours and their ends are among the bars."""
    moments = day.extended_open, day.regular_open, day.regular_close, day.extended_close
    return [int(at) for at in np.searchsorted(starts, [int(moment.timestamp()) for moment in moments])]


def _candle(bounds: list[int], prices: dict[str, schema.Floats], volume: npt.NDArray[Any]) -> Candle | None:
    first, bell, close, last = bounds
    if first >= last:
        return None
    if bell >= close:
        bell, close = first, last
    high, low = float(np.fmax.reduce(prices["high"][first:last])), float(np.fmin.reduce(prices["low"][first:last]))
    opened, closed = float(prices["open"][bell]), float(prices["close"][close - 1])
    shares = float(np.nansum(np.clip(volume[first:last], -_BEYOND, _BEYOND)))
    if not np.all(np.abs([opened, high, low, closed]) < _BEYOND):  # NaN is not below either
        return None
    return Candle(opened, high, low, closed, min(max(shares, 0.0), _BEYOND))


def _told(symbol: str, month: Month, drawn: Sequence[Candle], begun: int) -> str:
    if not drawn:
        return f"{symbol} {month}: no bar in the {begun} sessions begun"
    low, high = _reach(drawn)
    shares = svg.short(sum(each.volume for each in drawn))
    return f"{symbol} {month}: {len(drawn)} of {begun} sessions, {low:,.2f} to {high:,.2f} US dollars, {shares} shares"


def _reach(drawn: Collection[Candle]) -> tuple[float, float]:
    """The lowest and the highest price; of broken bars that may be an open or a close."""
    lowest = min(min(each.open, each.high, each.low, each.close) for each in drawn)
    return lowest, max(max(each.open, each.high, each.low, each.close) for each in drawn)


def _labels(days: Sequence[Session], slots: Scale) -> list[str]:
    return [svg.text(slots(n + 0.5), HEIGHT - 6, str(day.date.day), anchor="middle") for n, day in enumerate(days)]


def _missing(drawn: Sequence[Candle | None], slots: Scale) -> list[str]:
    crosses = [f"M{svg.number(slots(n + 0.5) - 4)} 88l8 8m0-8l-8 8" for n, candle in enumerate(drawn) if not candle]
    return [svg.path(crosses, stroke=RED, stroke_width="2", fill="none")]


def _prices(here: dict[int, Candle], slots: Scale) -> list[str]:
    low, high = _reach(here.values())
    room = max((high - low) * 0.04, abs(high) * 1e-6) or 1.0
    scale = Scale(low - room, high + room, *_PRICES)
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
