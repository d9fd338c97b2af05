"""What a rule looks at: a file's bytes and bars, the raw file's, and what is known of it beside.

A file that is absent or cannot be read is evidence too. How one is read is in `reading`; no rule lives here.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from mohlcv_dagster.bars import coverage
from mohlcv_dagster.bars.coverage import Coverage
from mohlcv_dagster.bars.rules import recompute
from mohlcv_dagster.bars.rules.comparison import Comparison, compare
from mohlcv_dagster.bars.rules.known import NOTHING_BESIDE, Beside, Recorded, VendorMinutes
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.bars.rules.rule import Ground
from mohlcv_dagster.bars.runtime import pool, start
from mohlcv_dagster.errors import BarsError, MonthError
from mohlcv_dagster.model.bar_files import COLUMNS, BarFile
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.reconciliation import Reconciliation, reconcile

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass(frozen=True)
class Evidence:
    """All that the rules are judged on, for one file.

    Attributes:
        file: which file it is.
        own: the file as read.
        raw: the raw file of the same symbol and month as read; for a raw file, itself.
        recorded: what was recorded when the file was written; `None` where nothing was.
        beside: of a raw file, what is known of the symbol's months before and after.
        vendor: the vendor's own minutes; `None` where it was not asked.
    """

    file: BarFile
    own: Reading
    raw: Reading
    recorded: Recorded | None = None
    beside: Beside = NOTHING_BESIDE
    vendor: VendorMinutes | None = None

    @classmethod
    def of(
        cls,
        file: BarFile,
        content: bytes | None,
        *,
        raw: Reading | bytes | None = None,
        recorded: Recorded | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> Self:
        """Evidence on a file's bytes.

        Args:
            file: which file it is.
            content: its bytes; `None` where it is absent.
            raw: for an aggregate, the raw file's bytes (or their reading, to decode them once for many aggregates);
                `None` where that file is absent. For a raw file it is not looked at.
            recorded: what was recorded when the file was written; `None` where nothing was.
            beside: what is known of the symbol's months before and after. For an aggregate it is not looked at.
        """
        own = Reading.of(content)
        if file.timeframe == RAW:
            return cls(file, own, own, recorded, beside)
        return cls(file, own, raw if isinstance(raw, Reading) else Reading.of(raw), recorded)

    @property
    def is_raw(self) -> bool:
        """Whether the file is a raw one."""
        return self.file.timeframe == RAW

    @property
    def recomputed(self) -> pa.Table | str:
        """The aggregate as the second engine makes it from the raw file, or why it cannot."""
        return self.recomputation.result()

    @cached_property
    def recomputation(self) -> "Future[pa.Table | str]":
        """`recomputed`, worked out from the first time this is looked at, of many bars on another processor."""
        return start(pool, self.raw.rows, _recomputed, self.raw.present, self.file.timeframe)

    @cached_property
    def comparison(self) -> Comparison | str:
        """The file's bars compared in every field with those that the second engine makes, or why they cannot be."""
        due = self.recomputed
        return due if isinstance(due, str) else compare(self.own, due, COLUMNS[1:])

    @property
    def equals_raw(self) -> bool:
        """Whether the file is an aggregate that equals, bar for bar, what the second engine makes of its raw file."""
        if self.is_raw or self.obstacle(Ground.RAW) is not None:
            return False
        return not isinstance(self.comparison, str) and self.comparison.is_equal

    def begin(self) -> None:
        """Begin what takes longest, of many bars on other processors, before the rules ask for it one by one."""
        if not self.is_raw and self.obstacle(Ground.RAW) is None:
            _ = self.recomputation
        self.own.begin()

    @cached_property
    def coverage(self) -> Coverage:
        """The file's bars beside the exchange calendar, where a rule's ground says that it covers the month.

        Complete through the moment that was recorded; where none was, through the end of the month.

        Raises:
            MonthError: the calendar does not cover the month.
        """
        through = (self.recorded and self.recorded.complete_through) or self.file.month.end
        return coverage.measure(self.own.starts, self.file.month, through)

    @property
    def liquid(self) -> bool:
        """Whether the symbol trades all the time, where there is a `coverage`; see `coverage.is_liquid`."""
        facts = self.coverage
        return coverage.is_liquid(facts.occupancy, self.beside.occupancies, density=facts.density)

    @cached_property
    def reconciled(self) -> Reconciliation | str:
        """Our minutes beside the vendor's, or why they cannot be compared."""
        if self.vendor is None or self.vendor.bars is None:
            raise ValueError("a rule asked for the vendor's minutes although there are none")
        recorded = self.recorded
        asked = (recorded.complete_through if recorded else None, self.vendor.complete_through, self.file.month.end)
        end = min(moment for moment in asked if moment is not None)
        adjusted = recorded.adjusted if recorded else None
        try:
            return reconcile(
                self.raw.present, self.own.present, self.vendor.bars, self.file.month, end, adjusted=adjusted
            )
        except BarsError as error:
            return str(error)

    def obstacle(self, ground: Ground) -> str | None:
        """What keeps a rule that stands on `ground` from saying anything; `None` where nothing does.

        A sentence without its full stop.
        """
        if ground is Ground.FILE:
            return None
        if self.own.problem:
            return f"the file {_shortly(self.own)}"
        if ground is Ground.CALENDAR:
            return self._beyond_calendar()
        return None if ground is Ground.BARS else self._not_compared(ground)

    def _not_compared(self, ground: Ground) -> str | None:
        """What keeps the file from being compared with its raw file or, if `ground` asks, what is made of it."""
        if self.raw.problem:
            return f"its raw file {_shortly(self.raw)}"
        if ground is Ground.RECOMPUTED and isinstance(self.recomputed, str):
            return f"the aggregate cannot be recomputed: {self.recomputed}"
        return self._not_reconciled() if ground is Ground.VENDOR else None

    @property
    def silence(self) -> str | None:
        """Why the vendor's own minutes are not known, without a full stop; `None` where they are."""
        if self.vendor is not None and self.vendor.bars is not None:
            return None
        return ((self.vendor.problem if self.vendor else None) or "it was not asked").rstrip(".")

    def _not_reconciled(self) -> str | None:
        if self.silence is not None:
            return f"the vendor's own minutes are not known: {self.silence}"
        return f"the minutes cannot be compared: {self.reconciled}" if isinstance(self.reconciled, str) else None

    def _beyond_calendar(self) -> str | None:
        try:
            _ = self.coverage
        except MonthError as error:
            return str(error).rstrip(".")
        return None


def _shortly(reading: Reading) -> str:
    """What keeps a file's bars from being known, in two or three words; `readable` tells the whole of it."""
    return "is absent" if reading.is_absent else "cannot be read"


def _recomputed(raw: pa.Table, timeframe: Timeframe) -> pa.Table | str:
    try:
        return recompute.recompute(raw, timeframe)
    except BarsError as error:
        return str(error)
