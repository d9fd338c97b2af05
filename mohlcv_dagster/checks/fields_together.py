"""The rule `fields_together`: a bar's fields are in their places, and its volume is its own.

Each field by itself may be right, and yet not belong where it stands. Two things hold of the bars of any market:

- a bar opens nearer to the close before it than it closes to the open before it, since less time lies between. Where
  open and close are exchanged, it is the other way round, in each pair of bars;
- where the price moves within a second, more is traded than where it does not, since a move takes two trades or more.
  Volumes that stand beside other bars' prices do not know of the moves.

Both are judged over the month and over each session, with an allowance for chance. Large months are judged by a sample.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.bar_table import Floats, from_strings
from mohlcv_dagster.bars.coverage import trading_day_starts
from mohlcv_dagster.bars.medians import median
from mohlcv_dagster.checks.bad_prints import Mask, Rows, UsableBars, with_columns
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import ASK_AGAIN, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import percent, utc
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import TIME

SAMPLED: Final = 100_000
"""Bars, or pairs of bars, that are looked at in a month of more than twice as many."""
SURE: Final = 5.0
"""Standard deviations by which the pairs that speak for an exchange must be in the majority."""
NO_RELATION: Final = 4.0
"""With a lead of fewer standard deviations, bars that move have no more volume than others."""
LEAST_LEAD: Final = 0.15
"""The lead that `NO_RELATION` must be able to tell; of real bars it was 0.36 and more."""
RAREST: Final = 0.1
"""The least share of bars that move, of those that do not, and of volumes above and below the median."""
_FEWEST: Final = 50
"""Pairs; with fewer in a session, nothing is said of it."""


@dataclass(frozen=True)
class _Sample:
    """Evenly chosen bars, and each with the bar after it.

    Attributes:
        at: the first bar of each session that has any in the sample, as a position in it, rising.
        votes: 1 where a bar and the next speak for the order of open and close, -1 where against, 0 where neither;
            int8, shape (chosen,).
        moving: whether the price moves within the bar, shape (chosen,).
        volume: shares, shape (chosen,).
    """

    at: Rows
    votes: npt.NDArray[np.int8]
    moving: Mask
    volume: npt.NDArray[Any]


@rule(
    sentence="Each bar opens near the close before it, and has more volume where its price moves.",
    threshold="a majority of all pairs of bars, 5 standard deviations; a lead of 4 standard deviations",
    blocking=False,
    scope=Scope.RAW,
    cure=f"The fields were mixed up on their way. {ASK_AGAIN}",
)
def fields_together(given: CheckInput) -> RuleOutcome:
    """An error where open and close are exchanged, a warning where volumes stand beside other bars' prices.

    Rows: the first bar of each session concerned. Context: `finding`.
    """
    usable = UsableBars.of(given.own)
    sample = _sample(usable, given)
    exchanged, parted = _exchanged(sample), _parted(sample)
    if not exchanged.any() and not parted.any():
        return RuleOutcome(of=usable.size, note=_not_judged(sample, usable))
    step = _step(usable)
    texts = np.where(exchanged, "open and close exchanged", "volume of other bars")[exchanged | parted]
    bars = usable.bars(step * sample.at[exchanged | parted])
    bars = with_columns(bars, {"finding": from_strings(texts.tolist())})
    faults = filter(None, (_order_fault(sample, exchanged), _volume_fault(sample, parted)))
    first = utc(bars[TIME][0].as_py())
    severity = Severity.ERROR if exchanged.any() else Severity.WARN
    return RuleOutcome(
        of=usable.size, fault=f"{'; '.join(faults)}; first from {first} on", bars=bars, severity=severity
    )


def _step(usable: UsableBars) -> int:
    return max(1, usable.size // SAMPLED)


def _sample(usable: UsableBars, given: CheckInput) -> _Sample:
    step, prices, last = _step(usable), usable.prices, max(usable.size - 1, 0)
    opens, close = prices["open"], prices["close"]
    near = np.abs(close[:last:step] - opens[1::step])
    far = np.abs(opens[:last:step] - close[1::step])
    votes = (near < far).astype(np.int8) - (near > far)
    moving = prices["high"][:last:step] > prices["low"][:last:step]
    firsts = -(-np.searchsorted(usable.starts, trading_day_starts(given.file.month)) // step)
    at = np.concatenate([[0], firsts])
    at = at[np.diff(at, prepend=-1) > 0]  # np.unique would load the masked arrays
    return _Sample(at[at < votes.size], votes, moving, usable.volume[:last:step])


def _exchanged(sample: _Sample) -> Mask:
    """In which sessions open and close are exchanged; in all where the whole month says so."""
    if not sample.votes.size:
        return np.zeros(0, dtype=bool)
    lead = np.add.reduceat(sample.votes, sample.at, dtype=np.int64)
    told = np.add.reduceat(sample.votes != 0, sample.at, dtype=np.int64)
    if told.sum() >= _FEWEST and -lead.sum() > SURE * np.sqrt(told.sum()):
        return np.ones(lead.size, dtype=bool)
    found: Mask = (told >= _FEWEST) & (-lead > SURE * np.sqrt(told))
    return found


def _parted(sample: _Sample) -> Mask:
    """In which sessions volumes do not know of the moves; in all where the whole month says so."""
    if not sample.moving.size or not _mixed(sample.moving.mean(keepdims=True))[0]:
        return np.zeros(sample.at.size, dtype=bool)
    high = sample.volume > median(sample.volume)
    counts = [
        np.add.reduceat(each, sample.at, dtype=np.float64)
        for each in (sample.moving, ~sample.moving, high & sample.moving, high & ~sample.moving)
    ]
    if _is_parted(*(each.sum(keepdims=True) for each in counts))[0]:
        return np.ones(sample.at.size, dtype=bool)
    return _is_parted(*counts)


def _is_parted(moving: Floats, still: Floats, high_moving: Floats, high_still: Floats) -> Mask:
    """Whether bars that move have no more volume, where there are enough of both kinds; counts of shape (groups,)."""
    moving, still = np.maximum(moving, 1), np.maximum(still, 1)
    share = (high_moving + high_still) / (moving + still)
    error = NO_RELATION * np.sqrt(share * (1 - share) * (1 / moving + 1 / still))
    judged = (error <= LEAST_LEAD) & _mixed(share) & _mixed(moving / (moving + still))
    found: Mask = judged & (high_moving / moving - high_still / still < error)
    return found


def _mixed(share: Floats) -> Mask:
    """Whether there are enough of both kinds for the one to be compared with the other."""
    found: Mask = (share >= RAREST) & (share <= 1 - RAREST)
    return found


def _not_judged(sample: _Sample, usable: UsableBars) -> str:
    """How much was looked at, and what the bars are too few to tell."""
    told, moving = int(np.count_nonzero(sample.votes)), int(np.count_nonzero(sample.moving))
    lead = int(sample.votes.sum(dtype=np.int64))
    untold = [] if lead > SURE * told**0.5 else ["whether open and close are exchanged"]
    rarer = min(moving, sample.moving.size - moving)
    few = rarer < max(RAREST * sample.moving.size, (NO_RELATION / 2 / LEAST_LEAD) ** 2)
    untold += ["whether each volume is its bar's own"] if few else []
    text = quantity(usable.size, "bar")
    return f"{text}; not judged: {' and '.join(untold)}, since too few bars tell" if untold else text


def _order_fault(sample: _Sample, exchanged: Mask) -> str | None:
    if not exchanged.any():
        return None
    chosen = np.repeat(exchanged, np.diff(np.append(sample.at, sample.votes.size)))
    votes = sample.votes[chosen]
    against, told = int((votes < 0).sum()), int((votes != 0).sum())
    return (
        f"open and close are exchanged in {_sessions(exchanged)}: in {percent(against / told)} of {told:,} pairs of "
        "bars the open is nearer to the next close than the close to the next open"
    )


def _volume_fault(sample: _Sample, parted: Mask) -> str | None:
    if not parted.any():
        return None
    chosen = np.repeat(parted, np.diff(np.append(sample.at, sample.votes.size)))
    high = (sample.volume > median(sample.volume))[chosen]
    moving = sample.moving[chosen]
    return (
        f"volumes stand beside other bars' prices in {_sessions(parted)}: bars whose price moves have a volume above "
        f"the month's median in {percent(high[moving].mean())}, bars whose price does not in "
        f"{percent(high[~moving].mean())}"
    )


def _sessions(found: Mask) -> str:
    """`1 of 21 sessions`, `all 21 sessions`."""
    return f"all {found.size} sessions" if found.all() else f"{int(found.sum())} of {quantity(found.size, 'session')}"
