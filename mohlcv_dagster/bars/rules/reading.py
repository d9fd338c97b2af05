"""A file as read: its bytes, and its bars as the arrays that rules look at. Each file is decoded once, here."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.bars.arrays import in_one_piece, integer, to_numpy
from mohlcv_dagster.bars.processors import begun, pool, waiting
from mohlcv_dagster.bars.schema import PRICES, TIME, VOLUME, Floats, Seconds
from mohlcv_dagster.errors import CsvFormatError

if TYPE_CHECKING:
    from concurrent.futures import Future

NO_TIME: Final = -(2**63)
"""Stands in `Reading.starts` for a missing `ts_event`: inside no month, on no grid."""
_NO_TIME: Final = integer(NO_TIME)


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
            bars = csv_codec.decode(content)
        except CsvFormatError as error:
            return cls(content, None, f"it cannot be read: {error}")
        kinds, columns = bars.schema, []
        while bars.num_columns:  # one after the other, so that no more than one is held twice
            columns.append(in_one_piece(bars.column(0)))
            bars = bars.remove_column(0)
        return cls(content, pa.Table.from_arrays(columns, schema=kinds), None)

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

    @property
    def sha256(self) -> str:
        """The digest of the bytes, 64 lower-case hexadecimal digits."""
        return self.digest.result()

    @cached_property
    def digest(self) -> "Future[str]":
        """`sha256`, worked out from the first time this is looked at, of many bars on another processor."""
        return begun(pool, self.rows, _sha256, self.content or b"")

    @cached_property
    def exact(self) -> "Future[bool]":
        """Whether the bytes are what the encoder writes for the bars.

        Found out from the first time this is looked at, of many bars on other processors; a rule's ground says that
        there are bars.
        """
        return begun(waiting, self.rows, csv_codec.is_written_form, self.content or b"", self.present)

    @cached_property
    def starts(self) -> Seconds:
        """`ts_event` as Unix seconds, shape (rows,); `NO_TIME` where it is missing."""
        starts: Any = self.present[TIME].cast(pa.int64())
        seconds: Seconds = to_numpy(starts.fill_null(_NO_TIME))
        return seconds

    @cached_property
    def prices(self) -> dict[str, Floats]:
        """The four prices, each of shape (rows,); NaN where one is missing."""
        return {name: to_numpy(self.present[name]) for name in PRICES}

    @cached_property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest of each price, US dollars; both NaN where one is missing or there are no bars."""
        if not self.rows:
            return dict.fromkeys(PRICES, (np.nan, np.nan))
        with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
            return {name: (float(price.min()), float(price.max())) for name, price in self.prices.items()}

    @cached_property
    def volume(self) -> npt.NDArray[Any]:
        """The volume, shape (rows,): int64, or float64 with NaN where it is missing."""
        return to_numpy(self.present[VOLUME])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
