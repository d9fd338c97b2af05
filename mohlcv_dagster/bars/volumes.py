"""Exact arithmetic on volumes: sums of shares without a float's rounding.

A float64 volume stands for the decimal number it was written as. It is taken to a whole number of units of 10**-6 share
(10**-7 to 10**-9 where the decimals need it), summed as int64, and taken back by one division, which rounds once.
Which volumes may stand in a file is a rule and lives in `rules`.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.schema import Floats
from mohlcv_dagster.errors import BarsError, VolumePrecisionError

Integers = npt.NDArray[np.int64]
Volumes = Integers | Floats

_MILLION: Final = 10**6
_SCALES: Final = (_MILLION, 10**7, 10**8, 10**9)
_EXACT_FLOAT: Final = 2**53
"""Integers below this size are exact in a float64, and their quotient by a scale is correctly rounded."""
_SAFE_SUM: Final = 2**62
"""A sum whose float64 estimate is below this cannot leave int64."""


@dataclass(frozen=True, eq=False)
class ExactVolumes:
    """Volumes as whole numbers of units.

    Attributes:
        units: volume times `per_share`, int64, shape (bars,).
        per_share: units in a share; 1 where the volumes were int64.
    """

    units: Integers
    per_share: int

    @classmethod
    def of(cls, volume: Volumes) -> Self:
        """The volumes, exactly; int64 as they are, float64 at the smallest scale that holds every one.

        Raises:
            VolumePrecisionError: a volume is not finite, or has more decimals or digits than the finest scale holds.
        """
        if volume.dtype == np.int64:
            return cls(volume.astype(np.int64, copy=False), 1)
        for scale in _SCALES:
            if bool(_holds(volume, scale).all()):
                return cls(np.rint(volume * scale).astype(np.int64), scale)
        raise VolumePrecisionError(_imprecise(volume))

    @property
    def shares(self) -> Volumes:
        """The volumes in shares, of the type they had, shape (bars,)."""
        return self.units if self.per_share == 1 else self.units / self.per_share

    def sums(self, first: npt.NDArray[np.intp]) -> Self:
        """The exact sum of each bucket.

        Args:
            first: the position of each bucket's first bar, rising from 0; a bucket ends where the next begins.

        Raises:
            VolumePrecisionError: a sum has more digits than a float64 holds.
            BarsError: a sum of whole volumes does not fit int64.
        """
        room = _SAFE_SUM if self.per_share == 1 else _EXACT_FLOAT
        if self._largest * int(np.diff(first, append=self.units.size).max()) >= room:
            self._refuse_beyond(room, np.add.reduceat(np.abs(self.units.astype(np.float64)), first))
        return type(self)(np.add.reduceat(self.units, first), self.per_share)

    @property
    def _largest(self) -> int:
        """The size of the largest volume, in units."""
        return max(-int(self.units.min()), int(self.units.max()))

    def _refuse_beyond(self, room: int, size: Floats) -> None:
        """Refuse sums whose size does not fit, told before they are made: one that wraps round looks like any other."""
        if not (size >= room).any():
            return
        if self.per_share == 1:
            raise BarsError(f"a bucket's volume near {size.max():.0f} does not fit 64 bits; correct the raw file")
        raise VolumePrecisionError(
            f"a bucket's volume near {size.max() / self.per_share:.0f} has too many digits to be exact to "
            f"1/{self.per_share} share; correct the raw file"
        )

    def total(self) -> Fraction:
        """The sum of all volumes, in shares, exact whatever its size; 0 for no bars."""
        return Fraction(sum(self.units.tolist()), self.per_share)


def beyond_millionths(volume: Volumes) -> npt.NDArray[np.bool_]:
    """Which volumes are no whole number of millionths of a share, shape (bars,); those not finite count too."""
    if volume.dtype == np.int64:
        return np.zeros(len(volume), dtype=np.bool_)
    return ~_written_at(volume, _MILLION)


def _written_at(volume: Volumes, scale: int) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        written: npt.NDArray[np.bool_] = np.isfinite(volume) & (np.rint(volume * scale) / scale == volume)
    return written


def _holds(volume: Volumes, scale: int) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore", over="ignore"):
        return _written_at(volume, scale) & (np.abs(volume * scale) < _EXACT_FLOAT)


def _imprecise(volume: Volumes) -> str:
    """What is wrong with the first volume that no scale holds or, where each has its own, that the rest excludes."""
    alone = np.logical_or.reduce([_holds(volume, scale) for scale in _SCALES])
    at = int(np.argmin(alone)) if not alone.all() else int(np.argmin(_holds(volume, _SCALES[-1])))
    return (
        f"volume {float(volume[at])!r} (bar {at + 1} of {len(volume)}) cannot be summed exactly: at most 9 decimals "
        "and 15 digits can, and Massive gives 6 decimals; fetch the month again or correct the file"
    )
