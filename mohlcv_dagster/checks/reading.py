"""A file as read: its bytes, and its bars as the arrays that rules look at. Each file is decoded once, here.

A large file whose bytes are exactly what the encoder writes for its bars is verified while it is read, and its
bytes are dropped piece by piece. Of any other file the bytes are kept, for the rules on its form.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import csv_codec, csv_stream
from mohlcv_dagster.bars.bar_table import Floats, Seconds, int_scalar, one_chunk, to_numpy
from mohlcv_dagster.bars.runtime import pool, start, waiting_pool
from mohlcv_dagster.errors import CsvFormatError
from mohlcv_dagster.model.bar_files import PRICES, TIME, VOLUME

if TYPE_CHECKING:
    from concurrent.futures import Future

NO_TIME: Final = -(2**63)
"""In `Reading.starts`, the value for a missing `ts_event`: in no month, a multiple of no timeframe."""
AT_ONCE: Final = 4 << 20
"""Bytes up to which a file is read at once: its form is then verified while the rules run, which is faster."""
_NO_TIME: Final = int_scalar(NO_TIME)


@dataclass(frozen=True)
class Reading:
    """A file as read, decoded once.

    Attributes:
        content: the bytes; `None` where the file is absent, or they were dropped.
        bars: the bars in them; `None` where the file is absent or cannot be read.
        problem: why there are no bars; `None` where there are.
        verified_sha256: the digest of the bytes, 64 lower-case hexadecimal digits, where reading verified that they
            are what the encoder writes for the bars; `None` where `content` is needed to find out.
    """

    content: bytes | None
    bars: pa.Table | None
    problem: str | None
    verified_sha256: str | None = None

    @classmethod
    def of_stream(cls, stream: BinaryIO, *, verify: bool) -> Self:
        """Read an open file.

        Args:
            stream: the file, seekable.
            verify: whether its form and digest will be checked; if not, this reading may not know them.
        """
        contents = csv_stream.read(stream, verify=verify) if csv_stream.size_of(stream) > AT_ONCE else None
        if contents is not None:
            return cls(None, contents.bars, None, contents.sha256)
        stream.seek(0)
        return cls.of(stream.read())

    @classmethod
    def of(cls, content: bytes | None) -> Self:
        """Read a file's bytes; `None` means that the file is absent."""
        if content is None:
            return cls(None, None, "it is absent")
        try:
            bars = csv_codec.decode(content)
        except CsvFormatError as error:
            return cls(content, None, f"it cannot be read: {error}")
        kinds, columns = bars.schema, []
        while bars.num_columns:  # one by one, so that at most one is in memory twice
            columns.append(one_chunk(bars.column(0)))
            bars = bars.remove_column(0)
        return cls(content, pa.Table.from_arrays(columns, schema=kinds), None)

    @classmethod
    def refused(cls, why: str) -> Self:
        """The reading of what is no regular file, such as a named pipe."""
        return cls(b"", None, f"it cannot be read: {why}")

    @property
    def present(self) -> pa.Table:
        """The bars, for a rule that requires them."""
        if self.bars is None:
            raise ValueError(f"a rule asked for the bars of a file although {self.problem}")
        return self.bars

    @property
    def rows(self) -> int:
        """The number of bars; 0 where none could be read."""
        return 0 if self.bars is None else int(self.bars.num_rows)

    @property
    def is_absent(self) -> bool:
        """Whether there is no file."""
        return self.content is None and self.bars is None

    @property
    def has_form(self) -> bool:
        """Whether its form and digest are known or can be computed."""
        return self.verified_sha256 is not None or self.content is not None or self.bars is None

    @property
    def text(self) -> bytes:
        """The bytes; encoded again where they were dropped."""
        if self.verified_sha256 is not None:
            return csv_codec.encode(self.present)
        if self.content is None:
            raise ValueError("a rule asked for the bytes of a file that were released")
        return self.content

    @property
    def sha256(self) -> str:
        """The digest of the bytes, 64 lower-case hexadecimal digits."""
        return self.verified_sha256 or self._digest.result()

    @property
    def is_exact(self) -> bool:
        """Whether the bytes are what the encoder writes for the bars; for a rule that requires bars."""
        return self.verified_sha256 is not None or self._exact.result()

    def begin(self) -> None:
        """Begin to compute `sha256` and `is_exact`, on other threads if there are many bars."""
        if self.verified_sha256 is None and self.bars is not None:
            _ = self._digest
            _ = self._exact

    @cached_property
    def _digest(self) -> "Future[str]":
        return start(pool, self.rows, _sha256, self.text)

    @cached_property
    def _exact(self) -> "Future[bool]":
        return start(waiting_pool, self.rows, csv_codec.is_exact_form, self.text, self.present)

    @cached_property
    def starts(self) -> Seconds:
        """`ts_event` as Unix seconds, shape (rows,); `NO_TIME` where it is missing."""
        starts: Any = self.present[TIME].cast(pa.int64())
        seconds: Seconds = to_numpy(starts.fill_null(_NO_TIME) if starts.null_count else starts)  # else it is copied
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
