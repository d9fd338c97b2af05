"""What explains a whole session, or the month, at once, and how it is told. How it is found: `shifts`, `factors`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars.reconciliation.factors import unscaled
from mohlcv_dagster.bars.reconciliation.kinds import Kind
from mohlcv_dagster.bars.reconciliation.pairs import Counts, Days, Pairs
from mohlcv_dagster.bars.reconciliation.shifts import Labels, unshifted
from mohlcv_dagster.bars.schema import Floats


@dataclass(frozen=True)
class Cause:
    """What explains the minutes of some sessions at once.

    Attributes:
        kind: `Kind.SHIFTED_LABEL` or `Kind.SPLIT_BASIS`.
        first: the first Eastern day it holds of.
        last: the last one, inclusive; those between that have bars are of it too.
        shift: seconds that our labels must be moved by to fit; 0 for none.
        price: what our prices must be multiplied by to fit.
        volume: what our volumes must be multiplied by to fit.
        both: whether it holds of the vendor's side as well, so that the two agree.
    """

    kind: Kind
    first: date
    last: date
    shift: int = 0
    price: float = 1.0
    volume: float = 1.0
    both: bool = False

    @property
    def sentence(self) -> str:
        """Such as `every label of 2013-10-07 is 1 second early`."""
        span = f"{self.first}" if self.first == self.last else f"the sessions {self.first} to {self.last}"
        if self.shift:
            said = f"every label of {span} is {_spoken(abs(self.shift))} {'early' if self.shift > 0 else 'late'}"
            return f"{said} on both sides: the opening auction stands before the bell" if self.both else said
        parts = [("prices", self.price), ("volumes", self.volume)]
        said = " and ".join(f"{what} {_fraction(factor)} times" for what, factor in parts if factor != 1)
        return f"the vendor's minutes of {span} have {said} ours"


@dataclass(frozen=True, eq=False)
class Fitted:
    """The minutes as they stand once what explains whole sessions is taken away.

    Attributes:
        pairs: our side relabelled and scaled where there is a cause.
        shift: how far our labels were moved, seconds, by Eastern day.
        causes: what was found.
    """

    pairs: Pairs
    shift: Counts
    causes: tuple[Cause, ...]


def fit(base: Pairs, seconds: pa.Table, minutes: pa.Table, vendor: pa.Table, days: Days) -> Fitted:
    """Take away what explains whole sessions at once.

    Args:
        base: the minutes as they stand.
        seconds: our seconds, rising.
        minutes: ours of `base`.
        vendor: the vendor's of `base`.
        days: which moment belongs to which Eastern day.
    """
    pairs, shift = unshifted(base, Labels(seconds, minutes), vendor, days)
    pairs, price, volume = unscaled(pairs, len(days.dates))
    with_bars = np.unique(base.day)
    shifts = _causes(
        days, with_bars, shift, lambda first, last, d: Cause(Kind.SHIFTED_LABEL, first, last, shift=int(d))
    )
    pairwise = np.stack([price, volume], axis=1)
    factors = _causes(days, with_bars, pairwise, lambda first, last, f: Cause(Kind.SPLIT_BASIS, first, last, 0, *f))
    return Fitted(pairs, shift, (*shifts, *factors))


def _causes(
    days: Days, with_bars: npt.NDArray[np.intp], by_day: Counts | Floats, cause: Callable[..., Cause]
) -> Iterator[Cause]:
    """A cause for each stretch of days with bars that have the same, other than none."""
    keyed: Iterable[tuple[object, int]] = ((tuple(np.atleast_1d(by_day[day]).tolist()), int(day)) for day in with_bars)
    for value, stretch in groupby(keyed, key=lambda pair: pair[0]):
        found = [day for _, day in stretch]
        if value not in {(0,), (1.0, 1.0)}:
            yield cause(days.dates[found[0]], days.dates[found[-1]], by_day[found[0]])


def _spoken(seconds: int) -> str:
    for unit, name in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise ValueError(f"no duration of {seconds} s")


def _fraction(factor: float) -> str:
    simple = Fraction(factor).limit_denominator(50)
    return str(simple) if float(simple) == factor else f"{factor:.6g}"
