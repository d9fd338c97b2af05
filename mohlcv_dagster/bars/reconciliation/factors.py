"""Prices or volumes that are ours by a constant factor: another basis of splits, or another unit."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from mohlcv_dagster.bars.reconciliation.pairs import Mask, Pairs, close
from mohlcv_dagster.bars.schema import Floats

_FEWEST_MINUTES: Final = 5
_MOST: Final = 0.95
_HALF_CENT: Final = 0.0051
"""Half a cent, which rounding adjusted prices to cents takes, and a little for the float."""
_ROUNDING: Final = 1e-4
_ROUNDED_FROM: Final = 10
_FACTOR_FROM: Final = 0.001
_VOLUME_FACTOR_FROM: Final = 0.02


def unscaled(pairs: Pairs, days: int) -> tuple[Pairs, Floats, Floats]:
    """Our side scaled to the vendor's where a factor explains, and the factors of price and volume by day."""
    price, volume = np.ones(days), np.ones(days)
    differing = np.unique(pairs.day[~pairs.agree])
    pooled = _factors(pairs.take(np.isin(pairs.day, differing)))
    for day in differing:
        price[day], volume[day] = pooled if pooled != (1, 1) else _factors(pairs.take(pairs.day == day))
    scaled = (price != 1) | (volume != 1)
    if not scaled.any():
        return pairs, price, volume
    by, times = price[pairs.day], volume[pairs.day]
    prices, shares = pairs.ours.prices * by, pairs.ours.volume * times
    near = _near(prices, pairs.vendor.prices) & (by != 1)
    like = _like(shares, pairs.vendor.volume) & (times != 1)
    fitted = replace(
        pairs.ours,
        prices=np.where(near, pairs.vendor.prices, prices),
        volume=np.where(like, pairs.vendor.volume, shares),
    )
    return replace(pairs, ours=fitted), price, volume


def _factors(pairs: Pairs) -> tuple[float, float]:
    """What price and volume must be multiplied by to fit, each 1 where no factor explains."""
    pairs = pairs.take(pairs.both & (pairs.ours.volume > 0) & (pairs.ours.prices > 0).all(axis=0))
    if len(pairs.starts) < _FEWEST_MINUTES:
        return 1, 1
    ours, vendor = pairs.ours, pairs.vendor
    price = _simple(float(np.median(vendor.prices / ours.prices)))
    near = _near(ours.prices * price, vendor.prices).all(axis=0).mean()
    coarse = float(np.median(_room(vendor.prices) / vendor.prices))
    if not _is_factor(near, pairs.prices_equal.mean(), price, max(_FACTOR_FROM, 4 * coarse)):
        price = 1
    volume = _simple(float(np.median(vendor.volume / ours.volume)))
    like = _like(ours.volume * volume, vendor.volume).mean()
    if not _is_factor(like, pairs.volume_close.mean(), volume, _VOLUME_FACTOR_FROM):
        volume = 1
    return price, volume


def _is_factor(after: float, before: float, factor: float, least: float) -> bool:
    """Whether a factor explains: most minutes fit with it, hardly one without, and it is no rounding."""
    return bool(after >= _MOST and before <= 1 - _MOST and abs(factor - 1) > least)


def _near(ours: Floats, vendor: Floats) -> Mask:
    mask: Mask = np.abs(ours - vendor) <= _room(vendor)
    return mask


def _room(vendor: Floats) -> Floats:
    room: Floats = _HALF_CENT + _ROUNDING * np.abs(vendor)
    return room


def _like(ours: Floats, vendor: Floats) -> Mask:
    """Within the tolerance, or a share of ten and more, which rounding adjusted volumes takes."""
    mask: Mask = close(ours, vendor) | ((np.abs(ours - vendor) <= 1) & (vendor >= _ROUNDED_FROM))
    return mask


def _simple(factor: float) -> float:
    """The simple fraction that the factor is to a thousandth, as those of splits are; else itself."""
    simple = float(Fraction(factor).limit_denominator(50)) if np.isfinite(factor) else factor
    return simple if abs(simple - factor) <= _FACTOR_FROM * abs(factor) / 2 and simple > 0 else factor
