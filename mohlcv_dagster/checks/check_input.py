"""Everything that a rule may look at: a file as read, its raw file, and what else is known about it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from mohlcv_dagster.bars import coverage
from mohlcv_dagster.bars.coverage import Coverage
from mohlcv_dagster.bars.runtime import pool, start
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.recompute import BarDifferences, compare, recompute
from mohlcv_dagster.checks.rule import Requires
from mohlcv_dagster.errors import BarsError, MonthError
from mohlcv_dagster.model.bar_files import COLUMNS, BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.reconciliation import Reconciliation, reconcile

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mohlcv_dagster.bars.trade_figures import MinuteTrades


@dataclass(frozen=True)
class StoredMonth:
    """A stored raw month of the same symbol that has bars, and what was recorded of it."""

    month: Month
    recorded: Provenance


@dataclass(frozen=True)
class NeighbourMonths:
    """What is known of the symbol's raw months before and after.

    Attributes:
        occupancies: theirs, as far as they are stored and known; see `coverage.is_liquid`.
        previous_close: the close of the last bar before the month, US dollars, on the month's own basis of splits;
            `None` where it is not known, not final, of another basis by unknown splits, or before a month not stored.
        before: the nearest month before that has bars, over empty ones; `None` where none is known.
        after: the same of the months after.
    """

    occupancies: tuple[float, ...] = ()
    previous_close: float | None = None
    before: StoredMonth | None = None
    after: StoredMonth | None = None


NO_NEIGHBOURS: Final = NeighbourMonths()
"""Of an aggregate, and of a raw month whose neighbours are not known."""


@dataclass(frozen=True)
class VendorMinutes:
    """The vendor's own minutes of a month, as it answered now.

    Attributes:
        bars: what it has, rising; an empty table where it proved that there are none; `None` where it did not answer.
        problem: why there is no answer, a sentence without its full stop; `None` where there is one.
        complete_through: the moment (exclusive) up to which bars were requested, UTC; `None` for the month's end.
        trades: how many trades it counts in each; `None` where it does not say.
    """

    bars: pa.Table | None
    problem: str | None = None
    complete_through: datetime | None = None
    trades: "MinuteTrades | None" = None


@dataclass(frozen=True)
class CheckInput:
    """What the rules look at, for one file. An absent or unreadable file is an input too.

    What is derived from it is computed when a rule first asks, and kept.

    Attributes:
        file: which file it is.
        own: the file as read.
        raw: the raw file of the same symbol and month as read; for a raw file, itself.
        provenance: what was recorded when the file was written; `None` where nothing was.
        neighbours: of a raw file, what is known of the symbol's months before and after.
        vendor: the vendor's own minutes; `None` where it was not asked for them.
        trades: in each minute of the raw file, or why that is not known; `None` where the vendor's minutes say nothing.
    """

    file: BarFile
    own: Reading
    raw: Reading
    provenance: Provenance | None = None
    neighbours: NeighbourMonths = NO_NEIGHBOURS
    vendor: VendorMinutes | None = None
    trades: "MinuteTrades | str | None" = None

    @classmethod
    def of(
        cls,
        file: BarFile,
        content: bytes | None,
        *,
        raw: Reading | bytes | None = None,
        provenance: Provenance | None = None,
        neighbours: NeighbourMonths = NO_NEIGHBOURS,
    ) -> Self:
        """The input for a file's bytes.

        Args:
            file: which file it is.
            content: its bytes; `None` where it is absent.
            raw: for an aggregate, the raw file's bytes (or their reading, to decode them once for many aggregates);
                `None` where that file is absent. Ignored for a raw file.
            provenance: what was recorded when the file was written; `None` where nothing was.
            neighbours: what is known of the symbol's months before and after. Ignored for an aggregate.
        """
        own = Reading.of(content)
        if file.timeframe == RAW:
            return cls(file, own, own, provenance, neighbours)
        return cls(file, own, raw if isinstance(raw, Reading) else Reading.of(raw), provenance)

    @property
    def is_raw(self) -> bool:
        """Whether the file is a raw one."""
        return self.file.timeframe == RAW

    @property
    def adjusted(self) -> bool | None:
        """Whether the bars are recorded as adjusted for splits; `None` where that is not recorded."""
        return self.provenance.adjusted if self.provenance else None

    @property
    def has_changed(self) -> bool:
        """Whether the file is known not to be the one that was recorded."""
        own, recorded = self.own, self.provenance
        if recorded is None or own.is_absent or not own.has_form:
            return False
        return own.sha256 != recorded.sha256

    @property
    def recomputed(self) -> pa.Table | str:
        """The aggregate as the second engine makes it from the raw file, or why it cannot."""
        return self._recomputation.result()

    @cached_property
    def _recomputation(self) -> "Future[pa.Table | str]":
        """`recomputed`: begun at first use, on another thread if there are many bars."""
        return start(pool, self.raw.rows, _recomputed, self.raw.present, self.file.timeframe)

    @cached_property
    def differences(self) -> BarDifferences | str:
        """How the file's bars differ in any field from those of the second engine, or why that is unknown."""
        expected = self.recomputed
        if isinstance(expected, str):
            return expected
        return compare(self.own.present, self.own.starts, expected, COLUMNS[1:])

    @property
    def equals_raw(self) -> bool:
        """Whether the file is an aggregate that equals, bar for bar, what the second engine gives for its raw file."""
        if self.is_raw or self.skip_reason(Requires.RAW) is not None:
            return False
        return not isinstance(self.differences, str) and self.differences.is_equal

    def begin(self) -> None:
        """Begin what takes longest, on other threads if there are many bars, before the rules ask for it."""
        if not self.is_raw and self.skip_reason(Requires.RAW) is None:
            _ = self._recomputation
        self.own.begin()

    @cached_property
    def coverage(self) -> Coverage:
        """The bars compared with the exchange calendar, through the recorded moment or, without one, the month's end.

        Raises:
            MonthError: the calendar does not cover the month.
        """
        through = (self.provenance and self.provenance.complete_through) or self.file.month.end
        return coverage.measure(self.own.starts, self.file.month, through)

    @property
    def liquid(self) -> bool:
        """Whether the symbol trades all the time; see `coverage.is_liquid`. Raises as `coverage` does."""
        facts = self.coverage
        return coverage.is_liquid(facts.occupancy, self.neighbours.occupancies, density=facts.density)

    @cached_property
    def reconciled(self) -> Reconciliation | str:
        """Our minutes compared with the vendor's, or why they cannot be."""
        if self.vendor is None or self.vendor.bars is None:
            raise ValueError("a rule asked for the vendor's minutes although there are none")
        through = self.provenance.complete_through if self.provenance else None
        end = min(filter(None, (through, self.vendor.complete_through, self.file.month.end)))
        raw, own, vendor = self.raw.present, self.own.present, self.vendor.bars
        try:
            found = reconcile(raw, own, vendor, self.file.month, end, adjusted=self.adjusted, trades=self._counted)
        except BarsError as error:
            return str(error)
        return found if not found.counts or self.equals_raw else "it does not equal what its raw file gives"

    @property
    def _counted(self) -> "tuple[MinuteTrades, MinuteTrades] | None":
        """The trades in our minutes and the vendor's; `None` where they are not known of both."""
        theirs = self.vendor.trades if self.vendor else None
        return None if theirs is None or self.trades is None or isinstance(self.trades, str) else (self.trades, theirs)

    @property
    def trades_problem(self) -> str | None:
        """Why the numbers of trades are not compared, without a full stop; `None` where they are."""
        if self._counted is not None:
            return None
        return self.trades if isinstance(self.trades, str) else "the vendor did not count those in its minutes"

    @property
    def vendor_problem(self) -> str | None:
        """Why the vendor's own minutes are not known, without a full stop; `None` where they are."""
        if self.vendor is not None and self.vendor.bars is not None:
            return None
        return ((self.vendor.problem if self.vendor else None) or "it was not asked").rstrip(".")

    def skip_reason(self, requires: Requires) -> str | None:
        """Why a rule that requires this cannot be checked, a sentence without its full stop; `None` where it can."""
        if requires is Requires.FILE:
            return None
        if self.own.problem:
            return f"the file {_briefly(self.own)}"
        if requires is Requires.CALENDAR:
            return self._calendar_problem()
        return None if requires is Requires.BARS else self._comparison_problem(requires)

    def _calendar_problem(self) -> str | None:
        try:
            _ = self.coverage
        except MonthError as error:
            return str(error).rstrip(".")
        return None

    def _comparison_problem(self, requires: Requires) -> str | None:
        if self.raw.problem:
            return f"its raw file {_briefly(self.raw)}"
        if requires is Requires.RECOMPUTED and isinstance(self.recomputed, str):
            return f"the aggregate cannot be recomputed: {self.recomputed}"
        if requires is not Requires.VENDOR:
            return None
        if self.vendor_problem is not None:
            return f"the vendor's own minutes are not known: {self.vendor_problem}"
        return f"the minutes cannot be compared: {self.reconciled}" if isinstance(self.reconciled, str) else None


def _briefly(reading: Reading) -> str:
    """Why a file has no bars, in two or three words; the rule `readable` has the details."""
    return "is absent" if reading.is_absent else "cannot be read"


def _recomputed(raw: pa.Table, timeframe: Timeframe) -> pa.Table | str:
    try:
        return recompute(raw, timeframe)
    except BarsError as error:
        return str(error)
