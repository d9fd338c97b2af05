"""Read the bars of a CSV file a piece at a time, so that memory never holds all of it, and verify its form.

For files in the contract's exact form, as this project writes them. Any other is left to `csv_codec.decode`, which
accepts more forms and reports what is wrong.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.bars.bar_table import to_numpy
from mohlcv_dagster.bars.runtime import map_in_order
from mohlcv_dagster.model import bar_files

_AT_ONCE: Final = 1 << 20
"""Bytes of a piece: small enough for the processor's cache."""
_SHORTEST_ROW: Final = len("2024-01-02 09:30:00+00:00,1.0,1.0,1.0,1.0,1\n")
"""The shortest row of the contract's form, which bounds the number of rows in a file."""


@dataclass(frozen=True)
class StreamedBars:
    """What was read.

    Attributes:
        bars: each column in one chunk, without a null.
        sha256: of the file's bytes, hexadecimal, where they were verified to be what the encoder writes for the bars;
            `None` where that was not requested.
    """

    bars: pa.Table
    sha256: str | None


def read(stream: BinaryIO, *, verify: bool) -> StreamedBars | None:
    """The same bars that `csv_codec.decode` gives; `None` for a file that only `decode` can read.

    Such a file has another header than the contract's, no rows, a field that is quoted, empty or unreadable, a time
    beyond the years 1 to 9999, or, with `verify`, a byte that is not the one that `csv_codec.encode` gives for the
    bars.

    Args:
        stream: the file, seekable.
        verify: whether to verify, piece by piece, that the file is in the contract's exact form.
    """
    size = size_of(stream)
    if stream.read(len(csv_codec.HEADER)) != csv_codec.HEADER:
        return None
    digest = hashlib.sha256(csv_codec.HEADER) if verify else None
    lines = _lines(stream, digest)
    first = next(lines, None)
    if first is None:
        return None
    whole_volume = _starts_whole(first)
    columns = _Columns(size // _SHORTEST_ROW, whole_volume=whole_volume)
    work = partial(_piece, whole_volume=whole_volume, verify=verify)
    with closing(map_in_order(work, chain([first], lines))) as tables:
        if not all(table is not None and columns.take(table) for table in tables):
            return None
    return StreamedBars(columns.table(), digest.hexdigest() if digest else None)


def size_of(stream: BinaryIO) -> int:
    """The size in bytes; rewinds the stream to its start."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size


def _lines(stream: BinaryIO, digest: "hashlib._Hash | None") -> Iterator[bytes]:
    """Pieces of complete lines, to the end of the file."""
    while piece := stream.read(_AT_ONCE):
        if not piece.endswith(b"\n"):
            piece += stream.readline()
        if digest is not None:
            digest.update(piece)
        yield piece


def _starts_whole(lines: bytes) -> bool:
    """Whether the first volume is written as an integer; in the contract's form all volumes are like the first."""
    return _table(lines[: lines.find(b"\n") + 1] or lines, whole_volume=True) is not None


def _piece(lines: bytes, *, whole_volume: bool, verify: bool) -> pa.Table | None:
    """The bars of these lines; `None` where one cannot be read or, with `verify`, is not in the contract's form."""
    bars = _table(lines, whole_volume=whole_volume)
    if bars is None or not bars.num_rows:  # blank lines alone
        return None
    return bars if not verify or csv_codec.encode_rows(bars).equals(pa.py_buffer(lines)) else None


def _table(lines: bytes, *, whole_volume: bool) -> pa.Table | None:
    """The bars of these lines, each field plain and present; `None` where one is not."""
    if csv_codec.may_be_hexadecimal(lines):
        return None
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(lines),  # type: ignore[arg-type]  # the stubs forget Arrow's own streams
            read_options=arrow_csv.ReadOptions(
                column_names=list(bar_files.COLUMNS), use_threads=False, block_size=len(lines) + 1
            ),
            parse_options=arrow_csv.ParseOptions(quote_char=False, double_quote=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=bar_table.bar_schema(whole_volume=whole_volume), null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        return None


class _Columns:
    """Columns that are filled piece by piece: joining the pieces at the end would need twice the memory.

    Args:
        capacity: the most rows; memory that is never written to is not used.
        whole_volume: whether the volume is int64.
    """

    def __init__(self, capacity: int, *, whole_volume: bool) -> None:
        self._capacity, self._rows = capacity, 0
        volume = np.dtype(np.int64 if whole_volume else np.float64)
        kinds = {bar_files.TIME: np.dtype(np.int64), **dict.fromkeys(bar_files.PRICES, np.dtype(np.float64))}
        self._columns: dict[str, npt.NDArray[Any]] = {
            name: np.empty(capacity, kind) for name, kind in {**kinds, bar_files.VOLUME: volume}.items()
        }

    def take(self, bars: pa.Table) -> bool:
        """Append bars; `False` where they do not fit, or a time is beyond the years of a `datetime`."""
        upto = self._rows + bars.num_rows
        if upto > self._capacity:
            return False
        times = bars[bar_files.TIME].cast(pa.int64())
        if not csv_codec.has_years(to_numpy(times)):
            return False
        for name, column in self._columns.items():
            column[self._rows : upto] = to_numpy(times if name == bar_files.TIME else bars[name])
        self._rows = upto
        return True

    def table(self) -> pa.Table:
        """All bars, on the same memory."""
        filled = {name: column[: self._rows] for name, column in self._columns.items()}
        prices = {name: filled[name] for name in bar_files.PRICES}
        return bar_table.from_arrays(filled[bar_files.TIME], prices, filled[bar_files.VOLUME])
