"""Bad prints put into the bars of a whole month: each kind, where it is put to, and the rule that must warn. No test.

A print is made in prices as a vendor would give it: a wrong close makes the bar's high or low wrong with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.model import bar_files

Prices = dict[str, np.ndarray]
Put = Callable[[Prices, int], None]

NIGHT = 4 * 3600


@dataclass(frozen=True)
class BadPrint:
    """A kind of bad print.

    Attributes:
        rule: that must warn.
        what: in words.
        put: changes the prices from a position on.
        bars: how many bars in a row are wrong.
        where: the names of the places it can be put to; see `places`.
        named: what the warning should call it, in `looks_like`.
    """

    rule: str
    what: str
    put: Put
    bars: int = 1
    where: tuple[str, ...] = ("first bar", "last bar", "session open", "session end", "pre-market", "regular hours")
    named: str | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def _times(factor: float, *names: str, bars: int = 1) -> Put:
    def put(prices: Prices, at: int) -> None:
        for name in names:
            prices[name][at : at + bars] = np.round(prices[name][at : at + bars] * factor, 4)
        bodies = [prices[name][at : at + bars] for name in bar_files.PRICES]
        prices["high"][at : at + bars] = np.max(bodies, axis=0)
        prices["low"][at : at + bars] = np.min(bodies, axis=0)

    return put


def _wick(name: str, factor: float) -> Put:
    def put(prices: Prices, at: int) -> None:
        prices[name][at] = round(factor * (max if factor > 1 else min)(prices["open"][at], prices["close"][at]), 4)

    return put


def _from_then_on(factor: float) -> Put:
    def put(prices: Prices, at: int) -> None:
        for name in bar_files.PRICES:
            prices[name][at:] = np.round(prices[name][at:] * factor, 4)

    return put


def _opens_at(factor: float) -> Put:
    def put(prices: Prices, at: int) -> None:
        _from_then_on(factor * prices["close"][at - 1] / prices["open"][at])(prices, at)

    return put


def _stand_still(bars: int) -> Put:
    def put(prices: Prices, at: int) -> None:
        for name in bar_files.PRICES:
            prices[name][at : at + bars] = prices["close"][at - 1]

    return put


def _old_basis_in_first_bar(factor: float) -> Put:
    """A bar of both bases: the open and the high of the old one, low and close of the new one."""

    def put(prices: Prices, at: int) -> None:
        _from_then_on(factor)(prices, at)
        prices["open"][at] = prices["high"][at] = prices["close"][at - 1]

    return put


def _alternating(factor: float, bars: int) -> Put:
    """Every other bar on another level."""

    def put(prices: Prices, at: int) -> None:
        for name in bar_files.PRICES:
            prices[name][at : at + bars : 2] = np.round(prices[name][at : at + bars : 2] * factor, 4)

    return put


def _split(new: int, old: int) -> BadPrint:
    kind = "split" if new > old else "reverse split"
    what = f"{new}-for-{old} {kind}"
    return BadPrint("open_jumps", f"a {what}", _from_then_on(old / new), where=("night",), named=what)


_WITHIN = ("pre-market", "regular hours")
_BUSY = ("liquid hours",)
BAD_PRINTS = (
    BadPrint("spikes", "close ten times too high", _times(10, "close")),
    BadPrint("spikes", "close a hundred times too high", _times(100, "close")),
    BadPrint("spikes", "close a hundredth", _times(0.01, "close")),
    BadPrint("spikes", "close 5 % too high", _times(1.05, "close")),
    BadPrint("spikes", "close 5 % too low", _times(0.95, "close")),
    BadPrint("spikes", "open 5 % too high", _times(1.05, "open")),
    BadPrint("spikes", "open and close 5 % too low", _times(0.95, "open", "close")),
    BadPrint(
        "spikes", "three bars 5 % too high", _times(1.05, "open", "close", bars=3), 3, ("pre-market", "regular hours")
    ),
    BadPrint("wicks", "high 5 % beyond", _wick("high", 1.05)),
    BadPrint("wicks", "low 5 % beyond", _wick("low", 0.95)),
    BadPrint("open_jumps", "a night of 12 % up", _opens_at(1.12), where=("night",)),
    BadPrint("open_jumps", "a night of 12 % down", _opens_at(0.88), where=("night",)),
    _split(2, 1),
    _split(4, 1),
    _split(10, 1),
    _split(3, 2),
    _split(1, 8),
    _split(1, 10),
    _split(2, 3),
    _split(5, 2),
    BadPrint(
        "open_jumps",
        "a first bar that opens on the old basis of a 7-for-1 split",
        _old_basis_in_first_bar(1 / 7),
        where=("night",),
        named="7-for-1 split",
    ),
    BadPrint("level_shifts", "200 bars at 30 %", _times(0.3, *bar_files.PRICES, bars=200), where=_WITHIN),
    BadPrint("level_shifts", "200 bars 12 % too high", _times(1.12, *bar_files.PRICES, bars=200), where=_WITHIN),
    BadPrint("level_shifts", "200 bars 5 % too high", _times(1.05, *bar_files.PRICES, bars=200), where=_BUSY),
    BadPrint("level_shifts", "200 bars 4 % too low", _times(0.96, *bar_files.PRICES, bars=200), where=_BUSY),
    BadPrint("level_shifts", "a 4-for-1 split within a session", _from_then_on(0.25), where=_WITHIN),
    BadPrint("level_shifts", "every other of 60 bars at a seventh", _alternating(1 / 7, 60), where=_WITHIN),
    BadPrint("stale_prices", "150 bars that stand still", _stand_still(150), 150, ("liquid hours",)),
)


def places(bars: pa.Table, chance: np.random.Generator, night: int = NIGHT) -> dict[str, int]:
    """A position for each name of a place; those that a month does not have are left out.

    Trading days change at `night`, seconds after midnight UTC.
    """
    starts = bar_table.seconds(bars)
    second, size = starts % 86_400, len(starts)
    opens = np.flatnonzero(np.diff((starts - night) // 86_400)) + 1
    some = {
        "session open": opens,
        "session end": opens - 1,
        "night": opens,
        "pre-market": np.flatnonzero((second > 36_000) & (second < 46_800)),  # 10:00 to 13:00 UTC
        "regular hours": np.flatnonzero((second > 54_000) & (second < 68_400)),  # 15:00 to 19:00 UTC
    }
    chosen = {name: int(chance.choice(at)) for name, at in some.items() if at.size}
    busy = some["regular hours"][second[some["regular hours"]] < 61_200]  # 150 bars end before 20:00
    if busy.size and _is_busy(starts):
        chosen["liquid hours"] = int(chance.choice(busy))
    return {"first bar": 0, "last bar": size - 1, **chosen}


def _is_busy(starts: np.ndarray) -> bool:
    """Whether a median day has ten bars a minute or more from 15:00 to 19:00 UTC: twice what liquid asks."""
    second = starts % 86_400
    inside = starts[(second >= 54_000) & (second < 68_400)]
    per_day = np.unique(inside // 86_400, return_counts=True)[1]
    return bool(per_day.size and np.median(per_day) / 240 >= 10)


def seeded_with(bars: pa.Table, puts: list[tuple[BadPrint, int]]) -> pa.Table:
    """The bars with bad prints at positions, put one after the other."""
    prices = {name: bars[name].to_numpy().copy() for name in bar_files.PRICES}
    for kind, at in puts:
        kind.put(prices, at)
    return bar_table.from_arrays(bar_table.seconds(bars), prices, bars["volume"].to_numpy())
