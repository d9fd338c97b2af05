"""What is known of a file beside its bytes: what was recorded of it, the months beside it, the vendor's own minutes."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.model.finality import RevisionCounts
    from mohlcv_dagster.model.listings import EmptyMonthReason
    from mohlcv_dagster.model.splits import Split


@dataclass(frozen=True)
class Recorded:
    """What was recorded of a file when it was written.

    Attributes:
        rows: its number of bars.
        sha256: the digest of its bytes, 64 lower-case hexadecimal digits.
        fetched_at: when its bars (for an aggregate: those of its raw month) were asked for, UTC; `None` where unknown.
        complete_through: the moment (exclusive) up to which they were asked for, UTC; `None` where unknown.
        adjusted: whether they are adjusted for later splits; `None` where unknown.
        empty: why the month was proven to have no bars; `None` where it has some, or that was not proven.
        splits: of adjusted bars, the splits known when they were asked for, those to come among them; `None` where
            the vendor did not tell.
        splits_now: of adjusted bars, the splits executed by now, as recorded with whichever month of the symbol was
            fetched last.
        revised: what fetching them anew did to the final bars stored before; `None` where nothing was compared.
    """

    rows: int
    sha256: str
    fetched_at: datetime | None = None
    complete_through: datetime | None = None
    adjusted: bool | None = None
    empty: "EmptyMonthReason | None" = None
    splits: "tuple[Split, ...] | None" = None
    splits_now: "tuple[Split, ...]" = ()
    revised: "RevisionCounts | None" = None


@dataclass(frozen=True)
class Beside:
    """What is known of the symbol's months beside a raw one.

    Attributes:
        occupancies: of the raw months before and after, as far as they are stored and known; see `coverage.is_liquid`.
        previous_close: the close of the last bar before the month, US dollars; `None` where that month is not stored,
            not settled or on another basis of splits.
    """

    occupancies: tuple[float, ...] = ()
    previous_close: float | None = None


NOTHING_BESIDE: Final = Beside()
"""Of an aggregate, and of a raw month that stands alone."""


@dataclass(frozen=True)
class VendorMinutes:
    """The vendor's own minutes of a month, as it answered now.

    Attributes:
        bars: what it has, rising; the empty table where it proved that there are none; `None` where it did not answer.
        problem: why there is no answer, a sentence without its full stop; `None` where there is one.
        complete_through: the moment (exclusive) up to which it was asked, UTC; `None` for the month's end.
    """

    bars: "pa.Table | None"
    problem: str | None = None
    complete_through: datetime | None = None
