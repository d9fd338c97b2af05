"""What minutes that differ have in common, where neither a shift of labels nor a factor explains complete sessions.

One fault of the fetch or of a program changes all minutes in the same way: two columns are exchanged, prices are
rounded, the bars are another day's. Such a fault is named as what it is, with its own cure. It is accepted where it
explains nearly all minutes that differ in price, and these are too many for chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.bars.bar_table import Floats, from_numpy, to_numpy
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import PRICES, VOLUME
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.reconciliation.minute_pairs import Counts, Mask, Pairs
from mohlcv_dagster.reconciliation.session_causes import price_factor

_FEWEST: Final = 12
_MOST: Final = 0.95
_NEARLY_ALL: Final = 0.9
"""The share of a month's minutes that must differ in volume before volumes are taken to be of another kind."""
_NOISE: Final = 1e-9
_LEAST_TICK: Final = 1e-4
_DAY: Final = 86_400
_OTHER_DAYS: Final = 7

_FETCH_AGAIN: Final = "Re-materialize raw_1s; if it stays, report the minutes to the vendor."


@dataclass(frozen=True)
class Pattern:
    """What most minutes that differ have in common.

    Attributes:
        sentence: such as `with open and close exchanged, our seconds give the vendor's prices`.
        minutes: how many minutes it explains.
        advice: what to do, a sentence.
    """

    sentence: str
    minutes: int
    advice: str


def find(pairs: Pairs, rows: Mask, seconds: pa.Table, shift: Counts) -> Pattern | None:
    """The pattern of the minutes that differ; `None` where none is found.

    Args:
        pairs: all minutes, our side relabelled and scaled where that explains a session.
        rows: those that differ, shape (n,).
        seconds: our seconds as they are, rising.
        shift: how far our labels were moved, seconds, by Eastern day.
    """
    both = rows & pairs.both
    off = pairs.take(both & ~pairs.prices_equal)
    if len(off.starts) >= _FEWEST and not shift[off.day].any():
        for sentence, explained, advice in _candidates(pairs, off, seconds):
            if explained.mean() >= _MOST:
                return Pattern(sentence, int(explained.sum()), advice)
        return None
    return _of_volumes(pairs, both) if len(off.starts) <= (1 - _MOST) * both.sum() else None


def _candidates(pairs: Pairs, off: Pairs, seconds: pa.Table) -> Iterator[tuple[str, Mask, str]]:
    ours, theirs = off.ours.prices, off.vendor.prices
    yield from _rounded(ours, theirs)
    step = float(np.median(ours - theirs))
    more = f"our prices are all {abs(step):.6g} {'above' if step > 0 else 'below'} the vendor's"
    yield more, _all(np.abs(ours - theirs - step) < _NOISE) & (abs(step) > _NOISE), _FETCH_AGAIN
    factor, fits = price_factor(ours, theirs)
    first, last = (_moment(off, at) for at in (0, -1))
    times = f"from {first} to {last} the vendor's prices are {factor:.6g} times ours, in part of a session"
    basis = "Part of our bars is on another basis of splits or in another unit: re-materialize raw_1s; if it stays, "
    yield times, fits, f"{basis}report the minutes to the vendor."
    yield from _other_day(pairs, off)
    yield from _exchanged(off, seconds)


def _rounded(ours: Floats, theirs: Floats) -> Iterator[tuple[str, Mask, str]]:
    for decimals in range(4):
        whole = np.abs(ours - np.round(ours, decimals)) < _NOISE
        near = np.abs(ours - theirs) <= 0.5 * 10.0**-decimals + _NOISE
        plural = "decimal" if decimals == 1 else "decimals"
        yield (
            f"our prices are the vendor's rounded to {decimals} {plural}",
            _all(whole & near),
            f"What is rounded away is lost: {_FETCH_AGAIN[0].lower()}{_FETCH_AGAIN[1:]}",
        )
    noise = np.abs(ours - theirs) < _LEAST_TICK / 2
    yield (
        "our prices are the vendor's to a ten-thousandth, with decimals of arithmetic",
        _all(noise),
        _FETCH_AGAIN,
    )


def _other_day(pairs: Pairs, off: Pairs) -> Iterator[tuple[str, Mask, str]]:
    for days in (sign * number for number in range(1, _OTHER_DAYS + 1) for sign in (1, -1)):
        at = np.minimum(np.searchsorted(pairs.starts, off.starts - days * _DAY), len(pairs.starts) - 1)
        there = pairs.starts[at] == off.starts - days * _DAY
        equal = there & (pairs.vendor.prices[:, at] == off.ours.prices).all(axis=0)
        when = f"{quantity(abs(days), 'day')} {'before' if days > 0 else 'after'}"
        yield f"our prices are the vendor's of {when}, at the same times", equal, _FETCH_AGAIN


def _exchanged(off: Pairs, seconds: pa.Table) -> Iterator[tuple[str, Mask, str]]:
    """Two columns of prices exchanged, tried on the seconds of the minutes that differ."""
    starts = bar_table.seconds(seconds)
    own = seconds.filter(from_numpy(np.isin(starts - starts % MINUTE.seconds, off.starts)))
    starts, columns = bar_table.seconds(own), {name: to_numpy(own[name]) for name in PRICES}
    for one, other in combinations(PRICES, 2):
        swapped = columns | {one: columns[other], other: columns[one]}
        made = resample.resample(bar_table.from_arrays(starts, swapped, to_numpy(own[VOLUME])), MINUTE)
        if made.num_rows != len(off.starts):
            return
        prices = np.stack([to_numpy(made[name]) for name in PRICES])
        fits = (prices == off.vendor.prices).all(axis=0)
        yield f"with {one} and {other} exchanged, our seconds give the vendor's prices", fits, _FETCH_AGAIN


def _of_volumes(pairs: Pairs, rows: Mask) -> Pattern | None:
    """Volumes that differ nearly everywhere, while prices agree."""
    if rows.sum() < max(_FEWEST, _NEARLY_ALL * pairs.both.sum()):
        return None
    off = pairs.take(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.median(off.vendor.volume / off.ours.volume))
    times = f": the vendor's are {ratio:.4g} times ours in the median" if np.isfinite(ratio) else ""
    return Pattern(
        f"prices agree and volumes differ in nearly all minutes{times}",
        len(off.starts),
        f"Our volumes are in another unit, added up over time, or lost, while no bar is: {_FETCH_AGAIN[0].lower()}"
        f"{_FETCH_AGAIN[1:]}",
    )


def _all(fits: Mask) -> Mask:
    """Where all four prices fit, shape (n,)."""
    mask: Mask = np.logical_and.reduce(fits)
    return mask


def _moment(pairs: Pairs, at: int) -> str:
    return f"{datetime.fromtimestamp(int(pairs.starts[at]), UTC):%Y-%m-%d %H:%M:%S}Z"
