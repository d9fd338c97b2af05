"""Whole months to try rules on that look at more than a few bars: smooth ones of the sandbox, and rough ones. No test.

A smooth month is what the stand-in vendor serves: small steps, a spread of a tick or two. A rough month keeps its
seconds and volumes and has a worse day's prices on every day: steps of fat tails (Student's t, 3 degrees of freedom)
whose size comes in clusters; a bounce between bid and ask, five times as wide in extended hours (up to 1.5 %); sweeps
that move the price by several spreads and fade; halts of up to half an hour, after which the price stays up to 8 % off;
and nights of fat tails, up to 9 %. None of it is a bad print: a rule that warns of it warns for nothing.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.checks.check_input import CheckInput, NeighbourMonths
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket, seeded_generator
from mohlcv_dagster_tests.checks.clean_files import PLAUSIBLE

DAILY_MOVE = 0.03
WORST_NIGHT = 0.09
HALTS = 3

_MARKET = SyntheticMarket()


def input_of(  # noqa: PLR0913 - each has a default
    symbol: str,
    month: str,
    bars: pa.Table,
    *,
    adjusted: bool | None = None,
    previous_close: float | None = None,
    splits: tuple[Split, ...] | None = None,
) -> CheckInput:
    """Evidence on bars as if they had been read; the bytes of their file are not made."""
    reading = Reading(b"", bars.combine_chunks(), None)
    recorded = Provenance(bars.num_rows, reading.sha256, adjusted=adjusted, splits=splits)
    return CheckInput(
        BarFile(symbol, RAW, Month.parse(month)), reading, reading, recorded, NeighbourMonths((), previous_close)
    )


@lru_cache(maxsize=1)
def smooth(symbol: str, month: str) -> pa.Table:
    """The sandbox's bars of a symbol and month, unadjusted."""
    span = Month.parse(month)
    days = _MARKET.days(symbol, span.start.date(), span.end.date() - timedelta(days=1))
    bars = [_MARKET.bars(symbol, day, RAW, adjusted=False) for day in days]
    inside = pa.concat_tables(bars).combine_chunks()
    starts = bar_table.seconds(inside)
    return inside.filter(pa.array((starts >= span.start_second) & (starts < span.end_second)))


@lru_cache(maxsize=1)
def rough(symbol: str, month: str) -> pa.Table:
    """The same seconds and volumes with rough prices; fewer bars by the halts."""
    bars, chance = smooth(symbol, month), seeded_generator(symbol, month, "rough")
    starts, first = bar_table.seconds(bars), float(bars["open"][0].as_py())
    tick = 0.01 if first >= 1 else 0.0001
    halted = _halts(chance, starts)
    day = (starts - 4 * 3600) // 86_400
    new_day = np.diff(day, prepend=day[0]) != 0
    move = _steps(chance, len(starts), int(new_day.sum()) + 1)
    move[new_day] = np.clip(0.02 * chance.standard_t(3, int(new_day.sum())), -WORST_NIGHT, WORST_NIGHT)
    for _, after in halted:
        move[after] = chance.choice([-1, 1]) * chance.uniform(0.02, 0.08)
    middle = np.maximum(first * np.exp(np.cumsum(move)), 20 * tick)
    widest = np.where(_regular(starts), 0.005, 0.015) * middle
    spread = np.minimum(tick * chance.integers(1, 8) * np.where(_regular(starts), 1, 5), widest)
    prices = _prices(chance, middle, spread, tick)
    keep = np.ones(len(starts), dtype=bool)
    for begin, after in halted:
        keep[begin:after] = False
    made = bar_table.from_arrays(starts, prices, bars["volume"].to_numpy())
    return made.filter(pa.array(keep))


def _halts(chance, starts):
    """Begin and end of each halt, as positions, all within regular hours of one day."""
    halted = []
    for at in sorted(chance.choice(np.flatnonzero(_regular(starts)), HALTS, replace=False)):
        after = int(np.searchsorted(starts, starts[at] + chance.integers(300, 1800)))
        if after < len(starts) and starts[after] - starts[at] < 4 * 3600 and (not halted or at > halted[-1][1]):
            halted.append((int(at), after))
    return halted


def _regular(starts):
    """Near enough to regular hours, without a calendar: 14:30 to 20:00 UTC."""
    second = starts % 86_400
    return (second >= 52_200) & (second < 72_000)


def _steps(chance, bars, days):
    """Logarithmic moves from bar to bar: Student's t with 3 degrees of freedom, in clusters."""
    wave = np.cumsum(chance.normal(0, 0.02, bars))
    wave -= np.convolve(np.pad(wave, 500, mode="edge"), np.ones(1001) / 1001, mode="valid")
    size = np.exp(3 * np.clip(wave, -1, 1)) * DAILY_MOVE / np.sqrt(3 * bars / days)
    return np.clip(chance.standard_t(3, bars) * size, -0.08, 0.08)


def _prices(chance, middle, spread, tick):
    """Open, high, low and close around a middle, on ticks."""
    bars = len(middle)
    sweep = chance.random(bars) < 1 / 3000
    reach = np.where(sweep, chance.choice([-1, 1], bars) * chance.uniform(1, 4, bars) * spread, 0.0)
    faded = sum(np.roll(reach, lag) * 0.7**lag for lag in range(8))
    seldom = chance.choice([0.3, 0.1, 0.03])
    sides = chance.choice([-0.5, 0.5], (2, bars), p=[1 - seldom, seldom]) * spread
    opened = np.maximum(np.rint((np.roll(middle, 1) + sides[0] + faded) / tick), 1)
    opened[0] = np.rint(middle[0] / tick)
    day = np.abs(np.diff(np.log(middle), prepend=np.log(middle[0]))) > 0.01
    opened[day] = np.rint(middle[day] / tick)
    close = np.maximum(np.rint((middle + sides[1] + faded) / tick), 1)
    further = np.rint(np.minimum(np.abs(chance.standard_t(3, (2, bars))), 3) * spread / tick / 2)
    high, low = np.maximum(opened, close) + further[0], np.maximum(np.minimum(opened, close) - further[1], 1)
    scale = round(1 / tick)
    return {name: ticks / scale for name, ticks in zip(bar_files.PRICES, (opened, high, low, close), strict=True)}


WEDNESDAY = datetime(2024, 7, 10, 14, tzinfo=UTC)  # 10:00 Eastern, regular hours


def second(moment):
    return int(moment.timestamp())


def made(start, close, *, every=1, **prices):
    """Bars from a moment on, all four prices the close but for those given."""
    close = np.asarray(close, dtype=float)
    columns = {name: np.asarray(prices.get(name, close), dtype=float) for name in bar_files.PRICES}
    starts = second(start) + every * np.arange(close.size)
    return bar_table.from_arrays(starts, columns, np.full(close.size, 100))


def told(rule, bars, **more):
    month = f"{bars['ts_event'][0].as_py():%Y-%m}"
    (rule,) = [one for one in PLAUSIBLE if one.name == rule]
    return evaluate(rule, input_of("SPY", month, bars, **more))


def wiggling(size, at=100.0):
    """Prices that go up and down by a cent or two, so that their MAD is a cent."""
    return at + 0.01 * np.resize([0, 1, 0, -1, 2, 1, -1, -2, 0, 1, -2], size)


def changed(prices, changes):
    prices = np.array(prices, dtype=float)
    for at, price in changes.items():
        prices[at] = price
    return prices
