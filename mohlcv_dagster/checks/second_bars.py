"""The rule on the length of raw bars: a file of longer bars under the name of seconds keeps every other rule."""

from typing import Final

import numpy as np

from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.reading import NO_TIME
from mohlcv_dagster.checks.rule import Requires, RuleOutcome, Scope, rule
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.timeframes import MINUTE

_FEWEST: Final = 200
"""Bars; a symbol that trades in auctions alone has fewer, all in the first second of a minute."""
_MOST: Final = 0.95
_LENGTHS: Final = (3600, 1800, 900, 600, 300, 120, 60, 30, 20, 15, 10, 5, 3, 2)
"""Seconds, the longest first."""


@rule(
    sentence="The bars are of one second each: their starts do not all lie a longer step apart.",
    threshold="below 95 % of the bars on one step of 2 seconds to an hour; with 200 bars and more",
    blocking=False,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
)
def second_bars(given: CheckInput) -> RuleOutcome:
    """Minutes, or seconds of which only every tenth was kept, agree with aggregates and with the vendor's minutes."""
    own = given.own
    starts = own.starts[own.starts != NO_TIME]
    if len(starts) < _FEWEST:
        return RuleOutcome(of=own.rows, note=f"does not apply: fewer than {_FEWEST} bars")
    for seconds in _LENGTHS:
        there = np.bincount(starts % seconds)
        if there.max() >= _MOST * len(starts):
            step = quantity(seconds // 60, "minute") if seconds >= MINUTE.seconds else quantity(seconds, "second")
            fault = (
                f"{there.max():,} of {own.rows:,} bars of {given.file.path} start whole steps of {step} apart: they "
                "are longer bars under the name of seconds, or seconds are lost"
            )
            return RuleOutcome(of=own.rows, fault=fault, count=int(there.max()))
    return RuleOutcome(of=own.rows)
