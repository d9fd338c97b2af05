"""The bars of a CSV file read a piece at a time, so that the file never stands whole in memory; proven on the way.

For files in the contract's own form, which those that this project wrote are. Any other is left to
`csv_codec.decode`, which has the whole file before it, takes what every reader accepts, and says what is wrong.
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

from mohlcv_dagster.bars import csv_codec, schema
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.processors import in_order

_AT_ONCE: Final = 1 << 20
"""Bytes of a piece: what is made of it stays in the processor's cache, and a few are under way at once."""
_SHORTEST_ROW: Final = len("2024-01-02 09:30:00+00:00,1.0,1.0,1.0,1.0,1\n")
"""Bytes that no row of the contract's form falls below, so that a file of so many has no more rows than fit in them."""


@dataclass(frozen=True)
class Contents:
    """What was read.

    Attributes:
        bars: each column in one piece, without a null.
        sha256: of the file's bytes, hexadecimal, where they are proven to be what the encoder writes for the bars;
            `None` where nobody asked for that.
    """

    bars: pa.Table
    sha256: str | None


def read(stream: BinaryIO, *, prove: bool) -> Contents | None:
    """The bars of a file, which are those that `csv_codec.decode` gives; `None` where the file is to be read by that.

    That is where the header is not the contract's to the byte, there are no rows, a field is quoted, empty or cannot be
    read, or, with `prove`, a byte of the file is not the one that `csv_codec.encode` gives for the bars.

    Args:
        stream: the file, seekable.
        prove: whether to prove that the file is in the contract's form, piece by piece, on the way.
    """
    size = size_of(stream)
    if stream.read(len(csv_codec.HEADER)) != csv_codec.HEADER:
        return None
    digest = hashlib.sha256(csv_codec.HEADER) if prove else None
    lines = _lines(stream, digest)
    first = next(lines, None)
    if first is None:
        return None
    whole_volume = _starts_whole(first)
    columns = _Columns(size // _SHORTEST_ROW, whole_volume=whole_volume)
    work = partial(_piece, whole_volume=whole_volume, prove=prove)
    with closing(in_order(work, chain([first], lines))) as tables:
        if not all(table is not None and columns.take(table) for table in tables):
            return None
    return Contents(columns.table(), digest.hexdigest() if digest else None)


def size_of(stream: BinaryIO) -> int:
    """How many bytes there are, with the first one to be read next."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size


def _lines(stream: BinaryIO, digest: "hashlib._Hash | None") -> Iterator[bytes]:
    """Whole lines, about a piece of them at a time, to the end of the file."""
    while piece := stream.read(_AT_ONCE):
        if not piece.endswith(b"\n"):
            piece += stream.readline()
        if digest is not None:
            digest.update(piece)
        yield piece


def _starts_whole(lines: bytes) -> bool:
    """Whether the first volume is written as an integer: where it is not, the column is of floats, and else all are."""
    return _table(lines[: lines.find(b"\n") + 1], whole_volume=True) is not None


def _piece(lines: bytes, *, whole_volume: bool, prove: bool) -> pa.Table | None:
    """The bars of these lines; `None` where one cannot be read, or is not in the contract's form although it should."""
    bars = _table(lines, whole_volume=whole_volume)
    if bars is None or not bars.num_rows:  # blank lines alone
        return None
    return bars if not prove or csv_codec.rows(bars).equals(pa.py_buffer(lines)) else None


def _table(lines: bytes, *, whole_volume: bool) -> pa.Table | None:
    """The bars of these lines, each field plain and present; `None` where one is not."""
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(lines),  # type: ignore[arg-type]  # the stubs forget Arrow's own streams
            read_options=arrow_csv.ReadOptions(
                column_names=list(schema.COLUMNS), use_threads=False, block_size=len(lines) + 1
            ),
            parse_options=arrow_csv.ParseOptions(quote_char=False, double_quote=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=schema.bar_schema(whole_volume=whole_volume), null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        return None


class _Columns:
    """Columns that are filled piece by piece, each in one place from the start: joined at the end, they stood twice.

    Args:
        room: rows at the most; memory that is not filled is not taken.
        whole_volume: the type of the volume.
    """

    def __init__(self, room: int, *, whole_volume: bool) -> None:
        self._room, self._rows = room, 0
        volume = np.dtype(np.int64 if whole_volume else np.float64)
        kinds = {schema.TIME: np.dtype(np.int64), **dict.fromkeys(schema.PRICES, np.dtype(np.float64))}
        self._columns: dict[str, npt.NDArray[Any]] = {
            name: np.empty(room, kind) for name, kind in {**kinds, schema.VOLUME: volume}.items()
        }

    def take(self, bars: pa.Table) -> bool:
        """Put bars behind the others; `False` where there is no room for them."""
        upto = self._rows + bars.num_rows
        if upto > self._room:
            return False
        times = bars[schema.TIME].cast(pa.int64())
        for name, column in self._columns.items():
            column[self._rows : upto] = to_numpy(times if name == schema.TIME else bars[name])
        self._rows = upto
        return True

    def table(self) -> pa.Table:
        """All of them, on the same memory."""
        filled = {name: column[: self._rows] for name, column in self._columns.items()}
        prices = {name: filled[name] for name in schema.PRICES}
        return schema.from_arrays(filled[schema.TIME], prices, filled[schema.VOLUME])
