"""The rule `price_precision`: no price has more decimals than the market has.

Quotes of a dollar or more are in cents, cheaper ones in ten-thousandths (Rule 612 of Regulation NMS). Trades at a
mid-point or an average price may have four decimals at any price, and the tapes' price fields have six, so that a trade
now and then has five or six. More are not traded: they come of arithmetic, such as a split's ratio or a float sum.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.bar_table import Floats, from_numpy
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import offending, percent
from mohlcv_dagster.model.bar_files import PRICES
from mohlcv_dagster.model.months import Month

TRADED: Final = 4
ON_TAPE: Final = 6
FEW: Final = 0.01
"""The share of bars up to which five or six decimals are a warning."""

_DECIMAL: Final = Month(2001, 5)
"""The first whole month without prices in fractions of a dollar, such as 1/32."""
_AT_ONCE: Final = 1 << 15
"""Prices looked at in one piece, so that what is between the steps stays in the processor's cache."""


@rule(
    sentence="No unadjusted price has more than 4 decimals.",
    threshold="0 bars a warning; an error beyond 1 % of the bars, or with more than 6 decimals",
    blocking=False,
    scope=Scope.RAW,
)
def price_precision(given: CheckInput) -> RuleOutcome:
    """Each price is judged as the shortest decimal that gives its float64.

    Not judged: prices recorded as adjusted, which are quotients, and months before May 2001, with prices in fractions.
    A warning where it is not recorded whether they are adjusted. A missing or infinite price is another rule's.
    Context: `decimals`, the most of the bar's four prices.
    """
    own = given.own
    if given.adjusted:
        return RuleOutcome(of=own.rows, note="not judged: prices adjusted for splits are quotients, with any decimals")
    if given.file.month < _DECIMAL:
        return RuleOutcome(of=own.rows, note="not judged: prices were fractions of a dollar then")
    bad = np.zeros(own.rows, np.bool_)
    for price in own.prices.values():
        _mark(bad, price)
    at = np.flatnonzero(bad)
    if not at.size:
        return RuleOutcome(of=own.rows)
    decimals = np.max([_decimals(price[at]) for price in own.prices.values()], axis=0)
    bars = own.present.take(from_numpy(at)).append_column("decimals", from_numpy(decimals))
    worst = int(decimals.max())
    share = f"a price with more than {TRADED} decimals ({percent(at.size / own.rows)} of the bars, up to {worst})"
    is_wrong = worst > ON_TAPE or at.size > FEW * own.rows
    severity = Severity.ERROR if is_wrong and given.adjusted is False else Severity.WARN
    fault = offending(bars, own.rows, share, shown=PRICES)
    if given.adjusted is None:
        fault += "; whether they are adjusted for splits, which gives such prices, is not recorded"
    return RuleOutcome(of=own.rows, fault=fault, bars=bars, severity=severity)


def _mark(bad: npt.NDArray[np.bool_], price: Floats) -> None:
    """Set `bad` where a price has more than four decimals; piece by piece, which is twice as fast."""
    for first in range(0, price.size, _AT_ONCE):
        piece = slice(first, first + _AT_ONCE)
        bad[piece] |= _beyond(price[piece], TRADED)


def _beyond(price: Floats, decimals: int) -> npt.NDArray[np.bool_]:
    """Which finite prices have more decimals: the nearest with so many is another float64."""
    scale = 10.0**decimals
    with np.errstate(invalid="ignore", over="ignore"):
        nearest = price * scale
        np.rint(nearest, out=nearest)
        nearest /= scale
        more: npt.NDArray[np.bool_] = nearest != price
    if more.any():
        more &= np.isfinite(price) & (np.abs(price) < 2**52 / scale)  # above, float64 has no such decimals
    return more


def _decimals(price: Floats) -> npt.NDArray[np.int64]:
    """How many decimals each price has in its shortest form; 0 of one that is not finite."""
    texts = (np.format_float_positional(each, trim="-") if np.isfinite(each) else "" for each in price)
    return np.fromiter((len(text.partition(".")[2]) for text in texts), np.int64, price.size)
