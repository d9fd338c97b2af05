"""Bars ⇄ the text of the vendor's JSON rows: number forms, key order, and where each row begins. No request, no page.

A row reads `{"v":15234,"vw":475.3,"o":475.32,"c":475.4,"h":475.45,"l":475.28,"t":1704205800000,"n":87}`. Numbers are
written as Go's shortest `%g` writes them, which is what recorded answers show: `184`, `475.32`, `1.300741e+06`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.schema import Floats, Seconds

_EXPONENT_FROM: Final = 1e6
_EXPONENT_BELOW: Final = 1e-4
_SHARES_A_TRADE: Final = 175
_STRAY_AVERAGE_EACH: Final = 1009


@dataclass(frozen=True)
class Rows:
    """The rows of one day, encoded.

    Attributes:
        starts: the bars' starts, Unix milliseconds, rising, shape (n,).
        base_ends: how many base bars the rows up to and including each hold, shape (n,).
        text: the rows one after another, each followed by a comma.
        offsets: where each row begins in `text`, and the end of the last, shape (n + 1,).
    """

    starts: Seconds
    base_ends: Seconds
    text: memoryview
    offsets: npt.NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """The memory taken, in bytes."""
        return self.text.nbytes + self.starts.nbytes + self.base_ends.nbytes + self.offsets.nbytes

    def between(self, begin: int, end: int) -> memoryview:
        """The text of the rows `begin` (inclusive) to `end` (exclusive), a comma after each."""
        return self.text[int(self.offsets[begin]) : int(self.offsets[end])]


def number(value: float) -> str:
    """A finite number in the vendor's form: no `.0`, an exponent from a million up and below 0.0001."""
    if value == 0 or _EXPONENT_BELOW <= abs(value) < _EXPONENT_FROM:
        return repr(float(value)).removesuffix(".0")
    return np.format_float_scientific(value, trim="-", exp_digits=2)


def encode(bars: pa.Table, base_bars: Seconds) -> Rows:
    """The rows of `bars`.

    Args:
        bars: a table of bars without nulls, its times rising.
        base_bars: how many base bars (seconds, or minutes) each was folded from, shape (n,).
    """
    starts = schema.seconds(bars) * 1000
    volume = _float(bars, schema.VOLUME)
    columns: list[Any] = [
        _texts(volume, '{"v":'),
        _texts(_average(bars, starts), ',"vw":'),
        *(_texts(_float(bars, name), f',"{name[0]}":') for name in ("open", "close", "high")),
        _texts(_float(bars, "low"), ',"l":', ',"t":'),
        pa.array(starts).cast(pa.string()),
        _texts(1 + volume // _SHARES_A_TRADE, ',"n":', "},"),
    ]
    joined = pc.binary_join_element_wise(*columns, pa.scalar(""))
    _, offsets, text = joined.buffers()
    places = np.zeros(1, np.int32) if offsets is None else np.frombuffer(memoryview(offsets), np.int32, len(starts) + 1)
    return Rows(starts, np.cumsum(base_bars), memoryview(text or b""), places)


def _float(bars: pa.Table, name: str) -> Floats:
    return bars[name].to_numpy().astype(np.float64)


def _texts(values: Floats, before: str, after: str = "") -> "pa.Array[Any]":
    """Each value as text; a day has few distinct values, so only those are formatted."""
    encoded = pa.array(values).dictionary_encode()
    words = [f"{before}{number(value)}{after}" for value in encoded.dictionary.to_numpy().tolist()]
    return pa.array(words, pa.string()).take(encoded.indices)


def _average(bars: pa.Table, starts: Seconds) -> Floats:
    """A volume-weighted price near the bar's; now and then outside of it, as prints that update only volume cause."""
    opened, high, low, close = (_float(bars, name) for name in schema.PRICES)
    middle = (opened + high + low + close) / 4
    stray = starts // 1000 % _STRAY_AVERAGE_EACH == 0
    average: Floats = np.rint(np.where(stray, high * 1.0005, middle) * 1e4) / 1e4
    return average
