"""Faults of a month whose bars are each well formed and in place: volumes, fields and seconds that are not theirs."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model.bar_files import PRICES
from mohlcv_dagster_tests.checks.whole_months import Edit, Seeded, drop_all, eastern, month_of, whole_month

Prices = dict[str, np.ndarray]
Span = tuple[str, str] | None
"""From and to, by the New York clock, of one seeded day; `None` for the month."""

HOUR = ("11:00", "12:00")
DAY = ("00:00", "24:00")


def _fields(bars: pa.Table) -> tuple[np.ndarray, Prices, np.ndarray]:
    return bar_table.seconds(bars), {name: bars[name].to_numpy() for name in PRICES}, bars["volume"].to_numpy()


def _seeded(span: Span, change: Callable[[pa.Table, np.ndarray, np.random.Generator], pa.Table]) -> Seeded:
    """What is made of a month by `change`, which gets its bars and which of them are in the span."""

    def seeded(days: list[date], chance: np.random.Generator) -> Edit:
        day = days[int(chance.integers(len(days)))]

        def edit(bars: pa.Table) -> pa.Table:
            starts = bar_table.seconds(bars)
            if span is None:
                return change(bars, np.ones(starts.size, dtype=bool), chance)
            first, last = (int(eastern(day, clock).timestamp()) for clock in span)
            return change(bars, (starts >= first) & (starts < last), chance)

        return edit

    return seeded


def volume_times(factor: float, span: Span = None) -> Seeded:
    """Volumes on another level: fractions of a share where the factor makes such."""

    def change(bars, inside, _):
        starts, prices, volume = _fields(bars)
        volume = np.where(inside, volume * factor, volume)
        return bar_table.from_arrays(starts, prices, volume if factor < 1 else volume.astype(np.int64))

    return _seeded(span, change)


def volume_in_hundreds(span: Span) -> Seeded:
    """Volumes in lots of a hundred, at least one."""

    def change(bars, inside, _):
        starts, prices, volume = _fields(bars)
        return bar_table.from_arrays(starts, prices, np.where(inside, np.maximum(volume // 100, 1), volume))

    return _seeded(span, change)


def volumes_permuted(span: Span = None) -> Seeded:
    """Volumes beside other bars' prices."""

    def change(bars, inside, chance):
        starts, prices, volume = _fields(bars)
        volume = volume.copy()
        volume[inside] = chance.permutation(volume[inside])
        return bar_table.from_arrays(starts, prices, volume)

    return _seeded(span, change)


def exchanged(span: Span = None) -> Seeded:
    """The open in the place of the close, and the close in that of the open."""

    def change(bars, inside, _):
        starts, prices, volume = _fields(bars)
        opens, close = (np.where(inside, prices[a], prices[b]) for a, b in (("close", "open"), ("open", "close")))
        return bar_table.from_arrays(starts, {**prices, "open": opens, "close": close}, volume)

    return _seeded(span, change)


def outside_lost(days: list[date], _: np.random.Generator) -> Edit:
    """All bars before the opening and after the close lost, on each day."""
    every = month_of(days)
    return drop_all([(day, start, end) for day in every for start, end in (("00:00", "09:30"), ("16:00", "24:00"))])


def every_other_lost(span: Span) -> Seeded:
    """Every second bar lost."""

    def change(bars, inside, _):
        lost = np.zeros(inside.size, dtype=bool)
        lost[np.flatnonzero(inside)[::2]] = True
        return bars.filter(pa.array(~lost))

    return _seeded(span, change)


def half_lost(span: Span) -> Seeded:
    """Each bar lost by the toss of a coin."""
    return _seeded(
        span, lambda bars, inside, chance: bars.filter(pa.array(~inside | (chance.random(inside.size) < 0.5)))
    )


def filled(span: Span, volume: int | None) -> Seeded:
    """A bar in each second of the clock's hours: the close before, with this volume or that of some bar."""

    def change(bars, inside, chance):
        starts, prices, shares = _fields(bars)
        first, last = starts[inside][0] // 3600 * 3600, -(-starts[inside][-1] // 3600) * 3600
        every = np.union1d(starts, np.arange(first, last))
        at, new = np.searchsorted(starts, every, side="right") - 1, ~np.isin(every, starts)
        filler = chance.choice(shares, every.size) if volume is None else volume
        prices = {name: np.where(new, prices["close"][at], price[at]) for name, price in prices.items()}
        return bar_table.from_arrays(every, prices, np.where(new, filler, shares[at]))

    return _seeded(span, change)


def other_symbol(span: Span, symbol: str, off: float) -> Seeded:
    """Another symbol's bars, on a level off by this share when they begin."""

    def change(bars, inside, _):
        starts, prices, volume = _fields(bars)
        theirs, their_prices, their_volume = _fields(whole_month(symbol, f"{bars['ts_event'][0].as_py():%Y-%m}"))
        there = (theirs >= starts[inside][0]) & (theirs <= starts[inside][-1])
        factor = (1 + off) * prices["close"][inside][0] / their_prices["close"][there][0]
        order = np.argsort(np.concatenate([starts[~inside], theirs[there]]))
        scaled = {name: np.round(price[there] * factor, 2) for name, price in their_prices.items()}
        joined = {name: np.concatenate([prices[name][~inside], scaled[name]])[order] for name in PRICES}
        volumes = np.concatenate([volume[~inside], their_volume[there]])[order]
        return bar_table.from_arrays(np.concatenate([starts[~inside], theirs[there]])[order], joined, volumes)

    return _seeded(span, change)
