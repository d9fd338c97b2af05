"""What a rule looks at: a file's bytes and bars, the raw file's, and what was recorded when the file was written.

Each file is decoded once, here; a file that is absent or cannot be read is evidence too. No rule lives here.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Self

import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import coverage, csv_codec
from mohlcv_dagster.bars.coverage import Coverage
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import recompute
from mohlcv_dagster.bars.schema import PRICES, TIME, VOLUME, Floats, Seconds
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import BarsError, CsvFormatError, MonthError

NO_TIME: Final = -(2**63)
"""Stands in `Reading.starts` for a missing `ts_event`: inside no month, on no grid."""


class Ground(StrEnum):
    """What must be there before a rule can say anything."""

    FILE = "file"
    """The file's bytes."""
    BARS = "bars"
    """The file's bars: its bytes could be decoded."""
    RAW = "raw"
    """The file's bars and, for an aggregate, those of its raw file."""
    CALENDAR = "calendar"
    """The file's bars and an exchange calendar that covers its month."""


@dataclass(frozen=True)
class Recorded:
    """What was recorded of a file when it was written.

    Attributes:
        rows: its number of bars.
        sha256: the digest of its bytes, 64 lower-case hexadecimal digits.
        fetched_at: when its bars (for an aggregate: those of its raw month) were asked for, UTC; `None` where unknown.
        complete_through: the moment (exclusive) up to which they were asked for, UTC; `None` where unknown.
        adjusted: whether they are adjusted for later splits; `None` where unknown.
    """

    rows: int
    sha256: str
    fetched_at: datetime | None = None
    complete_through: datetime | None = None
    adjusted: bool | None = None


@dataclass(frozen=True)
class Reading:
    """A file as read: its bytes, decoded once.

    Attributes:
        content: the bytes; `None` where the file is absent.
        bars: the bars in them; `None` where the file is absent or cannot be read.
        problem: why there are no bars; `None` where there are.
    """

    content: bytes | None
    bars: pa.Table | None
    problem: str | None

    @classmethod
    def of(cls, content: bytes | None) -> Self:
        """The reading of a file's bytes; `None` says that the file is absent."""
        if content is None:
            return cls(None, None, "it is absent")
        try:
            return cls(content, csv_codec.decode(content).combine_chunks(), None)
        except CsvFormatError as error:
            return cls(content, None, f"it cannot be read: {error}")

    @property
    def present(self) -> pa.Table:
        """The bars, where a rule's ground says that there are some."""
        if self.bars is None:
            raise ValueError(f"a rule asked for the bars of a file although {self.problem}")
        return self.bars

    @property
    def rows(self) -> int:
        """The number of bars; 0 where none could be read."""
        return 0 if self.bars is None else int(self.bars.num_rows)

    @cached_property
    def sha256(self) -> str:
        """The digest of the bytes, 64 lower-case hexadecimal digits."""
        return hashlib.sha256(self.content or b"").hexdigest()

    @cached_property
    def starts(self) -> Seconds:
        """`ts_event` as Unix seconds, shape (rows,); `NO_TIME` where it is missing."""
        starts: Any = self.present[TIME].cast(pa.int64())
        seconds: Seconds = starts.fill_null(NO_TIME).to_numpy()
        return seconds

    @cached_property
    def prices(self) -> dict[str, Floats]:
        """The four prices, each of shape (rows,); NaN where one is missing."""
        return {name: self.present[name].to_numpy() for name in PRICES}

    @cached_property
    def volume(self) -> npt.NDArray[Any]:
        """The volume, shape (rows,): int64, or float64 with NaN where it is missing."""
        return self.present[VOLUME].to_numpy()


@dataclass(frozen=True)
class Evidence:
    """All that the rules are judged on, for one file.

    Attributes:
        file: which file it is.
        own: the file as read.
        raw: the raw file of the same symbol and month as read; for a raw file, itself.
        recorded: what was recorded when the file was written; `None` where nothing was.
        neighbours: the occupancies of the symbol's raw months before and after, as far as they are stored and known;
            see `coverage.is_liquid`.
    """

    file: BarFile
    own: Reading
    raw: Reading
    recorded: Recorded | None = None
    neighbours: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        file: BarFile,
        content: bytes | None,
        *,
        raw: Reading | bytes | None = None,
        recorded: Recorded | None = None,
        neighbours: tuple[float, ...] = (),
    ) -> Self:
        """Evidence on a file's bytes.

        Args:
            file: which file it is.
            content: its bytes; `None` where it is absent.
            raw: for an aggregate, the raw file's bytes (or their reading, to decode them once for many aggregates);
                `None` where that file is absent. For a raw file it is not looked at.
            recorded: what was recorded when the file was written; `None` where nothing was.
            neighbours: the occupancies of the symbol's raw months before and after, where they are known.
        """
        own = Reading.of(content)
        if file.timeframe == RAW:
            return cls(file, own, own, recorded, neighbours)
        return cls(file, own, raw if isinstance(raw, Reading) else Reading.of(raw), recorded)

    @property
    def is_raw(self) -> bool:
        """Whether the file is a raw one."""
        return self.file.timeframe == RAW

    @cached_property
    def recomputed(self) -> pa.Table | str:
        """The aggregate as the second engine makes it from the raw file, or why it cannot."""
        try:
            return recompute.recompute(self.raw.present, self.file.timeframe)
        except BarsError as error:
            return str(error)

    @cached_property
    def coverage(self) -> Coverage:
        """The file's bars beside the exchange calendar, where a rule's ground says that it covers the month.

        Complete through the moment that was recorded; where none was, through the end of the month.

        Raises:
            MonthError: the calendar does not cover the month.
        """
        through = (self.recorded and self.recorded.complete_through) or self.file.month.end
        return coverage.cover(self.own.starts, self.file.month, through)

    def obstacle(self, ground: Ground) -> str | None:
        """What keeps a rule that stands on `ground` from saying anything; `None` where nothing does."""
        if self.own.content is None or (self.own.problem and ground is not Ground.FILE):
            return f"{self.file.path} could not be checked: {self.own.problem}"
        if self.raw.problem and ground is Ground.RAW:
            return f"{self.file.path} could not be compared with {self.file.raw.path}: {self.raw.problem}"
        return self._beyond_calendar() if ground is Ground.CALENDAR else None

    def _beyond_calendar(self) -> str | None:
        try:
            _ = self.coverage
        except MonthError as error:
            return f"{self.file.path} could not be held against the exchange calendar: {error}"
        return None
