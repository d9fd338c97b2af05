"""Table ⇄ `pandas.DataFrame`, for people's own code.

pandas is imported when a frame is asked for and not before: it costs two seconds of start-up.
"""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mohlcv_dagster.bars import schema
from mohlcv_dagster.errors import BarsError

if TYPE_CHECKING:
    import pandas as pd


def is_frame(wanted: object) -> bool:
    """Whether `wanted`, such as an annotation, is `pandas.DataFrame`; told without importing pandas."""
    name = getattr(wanted, "__name__", "")
    return name == "DataFrame" and getattr(wanted, "__module__", "").split(".")[0] == "pandas"


def to_frame(bars: pa.Table) -> "pd.DataFrame":
    """The bars as a frame: a UTC `DatetimeIndex` named ts_event, float64 prices, int64 or float64 volume.

    A null becomes NaN or NaT (and makes an int64 volume float64).
    """
    import pandas as pd  # noqa: PLC0415 - two seconds, only for those who want a frame

    index = pd.DatetimeIndex(bars[schema.TIME].cast(pa.timestamp("s")).to_numpy(), name=schema.TIME).tz_localize("UTC")
    return pd.DataFrame({name: bars[name].to_numpy() for name in schema.COLUMNS[1:]}, index=index)


def from_frame(frame: "pd.DataFrame") -> pa.Table:
    """The bars of a frame; further columns are left out, and volume is typed as the contract has it.

    Args:
        frame: ts_event as its index (so named or unnamed) or a column, aware, of any zone and unit; prices and volume
            of any numeric type. NaN and missing values become null.
            The volume becomes int64 where every one is whole, else float64.

    Raises:
        BarsError: a column is missing, twice there or not numeric, or ts_event is naive or has fractions of a second.
    """
    frame = _with_time_column(frame)
    for name in schema.COLUMNS:
        count = list(frame.columns).count(name)
        if count != 1:
            raise BarsError(f"the frame has {count or 'no'} columns {name!r}; expected {', '.join(schema.COLUMNS)}")
    volume = _number(frame, schema.VOLUME)
    columns = [_time(frame), *(_number(frame, name, schema.PRICE_TYPE) for name in schema.PRICES), volume]
    whole = volume.type == schema.WHOLE_VOLUME
    return schema.settle_volume(pa.Table.from_arrays(columns, schema=schema.bar_schema(whole_volume=whole)))


def _with_time_column(frame: "pd.DataFrame") -> "pd.DataFrame":
    """An unnamed index of moments is meant to be ts_event when no column is."""
    if schema.TIME in frame.columns:
        return frame
    if frame.index.name in (schema.TIME, None) and frame.index.dtype.kind == "M":
        return frame.rename_axis(schema.TIME).reset_index()
    raise BarsError(
        f"the frame has no {schema.TIME}, neither as its index (named {frame.index.name!r}) nor as a column; "
        f"name the bars' start {schema.TIME}"
    )


def _time(frame: "pd.DataFrame") -> "pa.Array[Any]":
    moments = pa.Array.from_pandas(frame[schema.TIME])
    if not pa.types.is_timestamp(moments.type):
        raise BarsError(f"column {schema.TIME} holds {frame[schema.TIME].dtype}, not moments; use pandas.to_datetime")
    if moments.type.tz is None:
        raise BarsError(f"column {schema.TIME} has no zone; say which with .dt.tz_localize, such as 'UTC'")
    try:
        return moments.cast(schema.TIME_TYPE)
    except pa.ArrowInvalid as exc:
        raise BarsError(f"column {schema.TIME} has fractions of a second; round them down with .dt.floor('s')") from exc


def _number(frame: "pd.DataFrame", name: str, kind: pa.DataType | None = None) -> "pa.Array[Any]":
    """The column as `kind` or, without one, integers as int64 and other numbers as float64."""
    column = frame[name]
    if column.dtype.kind not in "iuf":
        raise BarsError(f"column {name} holds {column.dtype}, not numbers; convert it with pandas.to_numeric")
    numbers = pa.Array.from_pandas(column)
    try:
        return numbers.cast(kind or (pa.float64() if column.dtype.kind == "f" else pa.int64()))
    except pa.ArrowInvalid as exc:
        raise BarsError(f"column {name} holds a number that 64 bits cannot keep exactly: {exc}") from exc
