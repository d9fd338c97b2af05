"""Bars in memory: the types of their columns, and conversions from and to NumPy and pandas.

A table of bars is a `pyarrow.Table` with exactly these columns in this order:

=========  =====================  ===============================================================
ts_event   timestamp[s, tz=UTC]   start of the bar, inclusive
open       float64                US dollars a share
high       float64                US dollars a share
low        float64                US dollars a share
close      float64                US dollars a share
volume     int64 or float64       shares; int64 where every volume of the raw file is whole
=========  =====================  ===============================================================

Arrow's own conversions (`pyarrow.array`, `scalar`, `to_numpy`, a kernel that is given a Python number or string) load
pandas when they are first used (pyarrow 26), which takes up to a second. `from_numpy`, `to_numpy` and the like do not;
a test checks that no processing of bars loads pandas.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.errors import BarsError
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME

if TYPE_CHECKING:
    import pandas as pd

Seconds: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

TIME_TYPE: Final = pa.timestamp("s", tz="UTC")
PRICE_TYPE: Final = pa.float64()
WHOLE_VOLUME: Final = pa.int64()
FRACTIONAL_VOLUME: Final = pa.float64()
_DTYPES: Final[dict[pa.DataType, Any]] = {pa.int32(): np.int32, pa.int64(): np.int64, pa.float64(): np.float64}


def bar_schema(*, whole_volume: bool) -> pa.Schema:
    """The schema of a table of bars, with volume as int64 (`whole_volume`) or float64."""
    volume = WHOLE_VOLUME if whole_volume else FRACTIONAL_VOLUME
    types: list[pa.DataType] = [TIME_TYPE, *[PRICE_TYPE] * len(PRICES), volume]
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


@cache
def empty(*, whole_volume: bool = True) -> pa.Table:
    """A table of bars with no rows."""
    kinds = bar_schema(whole_volume=whole_volume)
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in kinds], schema=kinds)


def has_whole_volume(bars: pa.Table) -> bool:
    """Whether the volume column is int64."""
    return bool(bars.schema.field(VOLUME).type == WHOLE_VOLUME)


def seconds(bars: pa.Table) -> Seconds:
    """The bars' starts as Unix seconds, int64, shape (rows,)."""
    return to_numpy(bars[TIME].cast(pa.int64()))


def between(bars: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    """The bars with `start <= ts_event < end`, without copying them.

    Args:
        bars: rising.
        start: inclusive, aware, in whole seconds; `None` for the first bar.
        end: exclusive, aware, in whole seconds; `None` for the last bar.
    """
    starts = seconds(bars)
    first = 0 if start is None else int(np.searchsorted(starts, int(start.timestamp())))
    last = len(starts) if end is None else int(np.searchsorted(starts, int(end.timestamp())))
    return bars.slice(first, max(last - first, 0))


def normalize_volume_dtype(bars: pa.Table) -> pa.Table:
    """The bars with volume typed as the contract requires: int64 where every volume is whole, else float64.

    Whole means finite, without a fraction and below 2**53 in size; a table without rows counts as whole.
    """
    if has_whole_volume(bars):
        return bars
    volume: Floats = to_numpy(bars[VOLUME])
    whole = bool(np.all(np.isfinite(volume) & (volume == np.floor(volume)) & (np.abs(volume) < 2**53)))
    if not whole:
        return bars
    at = bars.schema.get_field_index(VOLUME)
    return bars.set_column(at, pa.field(VOLUME, WHOLE_VOLUME), from_numpy(volume.astype(np.int64)))


def from_arrays(starts: Seconds, prices: dict[str, Floats], volume: npt.NDArray[np.int64] | Floats) -> pa.Table:
    """A table of bars from NumPy arrays of one length; the type of `volume` decides the column's.

    Args:
        starts: Unix seconds.
        prices: an array for each name in `PRICES`, US dollars.
        volume: shares, int64 or float64.
    """
    columns: list[pa.Array[Any]] = [from_numpy(starts).cast(TIME_TYPE)]
    columns += [from_numpy(prices[name]) for name in PRICES]
    columns.append(from_numpy(volume))
    return pa.Table.from_arrays(columns, schema=bar_schema(whole_volume=volume.dtype == np.int64))


def from_numpy(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - the stubs have a type for each dtype, and none for all
    """An Arrow array of these values, on the same memory where that is contiguous (booleans are packed to bits).

    Args:
        values: integers, floats or booleans, of shape (rows,).
        missing: which of them are null, of the same shape; `None` for none.
    """
    kind = pa.from_numpy_dtype(values.dtype)
    content = _pack(values) if values.dtype == np.bool_ else _buffer(values)
    return pa.Array.from_buffers(kind, len(values), [None if missing is None else _pack(~missing), content])


def to_numpy(column: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - as above
    """The values of an Arrow column of int32, int64, float64 or booleans, shape (rows,), read only.

    On the same memory where the column is one chunk without nulls. With nulls it is float64, and they are NaN.
    """
    array = one_chunk(column) if isinstance(column, pa.ChunkedArray) else column
    content: Any = array.buffers()[-1] or b""
    values: npt.NDArray[Any]
    if array.type == pa.bool_():
        values = _unpack(content, array)
    else:
        values = np.frombuffer(content, _DTYPES[array.type])[array.offset : array.offset + len(array)]
    return np.where(null_mask(array), np.nan, values) if array.null_count else values


def one_chunk(column: "pa.ChunkedArray[Any]") -> Any:  # noqa: ANN401 - as above
    """A column as one array; not copied where it is one already, as `combine_chunks` does."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def null_mask(array: Any) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - as above
    """Which values of an Arrow array are null, shape (rows,)."""
    if not array.null_count:
        return np.zeros(len(array), np.bool_)
    return ~_unpack(array.buffers()[0], array)


def from_strings(strings: Sequence[str], missing: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - as above
    """An Arrow array of strings, one for each row also where it is null; `missing` as in `from_numpy`."""
    content = [string.encode() for string in strings]
    stops = np.cumsum([0, *map(len, content)], dtype=np.int32)
    valid = None if missing is None else _pack(~missing)
    return pa.Array.from_buffers(pa.string(), len(content), [valid, _buffer(stops), pa.py_buffer(b"".join(content))])


def int_scalar(value: int) -> Any:  # noqa: ANN401 - as above
    """An Arrow scalar, int64."""
    return from_numpy(np.array([value], np.int64))[0]


def string_scalar(value: str) -> Any:  # noqa: ANN401 - as above
    """An Arrow scalar of a string."""
    return from_strings([value])[0]


def _pack(booleans: npt.NDArray[np.bool_]) -> pa.Buffer:
    return _buffer(np.packbits(booleans, bitorder="little"))


def _unpack(bits: Any, array: Any) -> npt.NDArray[np.bool_]:  # noqa: ANN401 - as above
    return np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")[
        array.offset : array.offset + len(array)
    ].astype(np.bool_)


def _buffer(values: npt.NDArray[Any]) -> pa.Buffer:
    contiguous: Any = np.ascontiguousarray(values)
    return pa.py_buffer(contiguous)


def is_pandas_frame(annotation: object) -> bool:
    """Whether an annotation is `pandas.DataFrame`; does not import pandas."""
    name = getattr(annotation, "__name__", "")
    return name == "DataFrame" and getattr(annotation, "__module__", "").split(".")[0] == "pandas"


def to_pandas(bars: pa.Table) -> "pd.DataFrame":
    """The bars as a frame: a UTC `DatetimeIndex` named ts_event, float64 prices, int64 or float64 volume.

    A null becomes NaN or NaT (and makes an int64 volume float64).
    """
    import pandas as pd  # noqa: PLC0415 - two seconds, only where a frame is needed

    index = pd.DatetimeIndex(bars[TIME].cast(pa.timestamp("s")).to_numpy(), name=TIME).tz_localize("UTC")
    return pd.DataFrame({name: bars[name].to_numpy() for name in COLUMNS[1:]}, index=index)


def from_pandas(frame: "pd.DataFrame") -> pa.Table:
    """The bars of a frame; other columns are left out, and volume is typed as the contract requires.

    Args:
        frame: ts_event as its index (of that name or none) or a column, aware, of any zone and unit; prices and volume
            of any numeric type. NaN and missing values become null. The volume becomes int64 where every one is whole,
            else float64.

    Raises:
        BarsError: a column is missing, there twice or not numeric, or ts_event is naive or has fractions of a second.
    """
    frame = _with_time_column(frame)
    for name in COLUMNS:
        count = list(frame.columns).count(name)
        if count != 1:
            raise BarsError(f"the frame has {count or 'no'} columns {name!r}; expected {', '.join(COLUMNS)}")
    volume = _number_column(frame, VOLUME)
    columns = [_time_column(frame), *(_number_column(frame, name, PRICE_TYPE) for name in PRICES), volume]
    table = pa.Table.from_arrays(columns, schema=bar_schema(whole_volume=volume.type == WHOLE_VOLUME))
    return normalize_volume_dtype(table)


def _with_time_column(frame: "pd.DataFrame") -> "pd.DataFrame":
    """An unnamed index of moments counts as ts_event when there is no such column."""
    if TIME in frame.columns:
        return frame
    if frame.index.name in (TIME, None) and frame.index.dtype.kind == "M":
        return frame.rename_axis(TIME).reset_index()
    raise BarsError(
        f"the frame has no {TIME}, neither as its index (named {frame.index.name!r}) nor as a column; "
        f"name the bars' start {TIME}"
    )


def _time_column(frame: "pd.DataFrame") -> "pa.Array[Any]":
    moments = pa.Array.from_pandas(frame[TIME])
    if not pa.types.is_timestamp(moments.type):
        raise BarsError(f"column {TIME} holds {frame[TIME].dtype}, not moments; use pandas.to_datetime")
    if moments.type.tz is None:
        raise BarsError(f"column {TIME} has no zone; add one with .dt.tz_localize, such as 'UTC'")
    try:
        return moments.cast(TIME_TYPE)
    except pa.ArrowInvalid as exc:
        raise BarsError(f"column {TIME} has fractions of a second; round them down with .dt.floor('s')") from exc


def _number_column(frame: "pd.DataFrame", name: str, kind: pa.DataType | None = None) -> "pa.Array[Any]":
    """The column as `kind` or, without one, integers as int64 and other numbers as float64."""
    column = frame[name]
    if column.dtype.kind not in "iuf":
        raise BarsError(f"column {name} holds {column.dtype}, not numbers; convert it with pandas.to_numeric")
    numbers = pa.Array.from_pandas(column)
    try:
        return numbers.cast(kind or (pa.float64() if column.dtype.kind == "f" else pa.int64()))
    except pa.ArrowInvalid as exc:
        raise BarsError(f"column {name} holds a number that 64 bits cannot keep exactly: {exc}") from exc
