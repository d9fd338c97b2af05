"""Bars made by hand for the rules that look for bad prints, and the answer of one rule. No test."""

from datetime import UTC, datetime

import numpy as np

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.rules import PLAUSIBLE
from mohlcv_dagster.bars.rules.judging import evaluate
from mohlcv_dagster.model import bar_files
from mohlcv_dagster_tests.bars import made_months

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
    return evaluate(rule, made_months.evidence("SPY", month, bars, **more))


def wiggling(size, at=100.0):
    """Prices that go up and down by a cent or two, so that their MAD is a cent."""
    return at + 0.01 * np.resize([0, 1, 0, -1, 2, 1, -1, -2, 0, 1, -2], size)


def changed(prices, changes):
    prices = np.array(prices, dtype=float)
    for at, price in changes.items():
        prices[at] = price
    return prices
