"""The quality of stored months as a table, and its Parquet form. What a row and a column are is in `quality`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mohlcv_dagster.bars import arrays
from mohlcv_dagster.bars.quality import COLUMNS, Kind, MonthQuality

TYPES: Final[dict[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.COUNT: pa.int64(),
    Kind.SHARE: pa.float64(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.MOMENT: pa.timestamp("ms", tz="UTC"),
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def table(months: Iterable[MonthQuality]) -> pa.Table:
    """The rows as a table, in their order."""
    rows = list(months)
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns["month"] = [str(month) for month in columns["month"]]
    made = [_array(columns[name], column.kind) for name, column in COLUMNS.items()]
    return pa.Table.from_arrays(made, names=list(COLUMNS))


def _array(values: Sequence[Any], kind: Kind) -> Any:  # noqa: ANN401 - the stubs have a type for each kind, and none for all
    """What `pa.array` makes of these values, with no pandas loaded (see `arrays`)."""
    if kind is Kind.TEXTS:
        return _lists(values)
    is_null = np.array([value is None for value in values], np.bool_)
    if kind is Kind.TEXT:
        return arrays.from_texts([value or "" for value in values], is_null if is_null.any() else None)
    if kind is Kind.MOMENT:
        values = [None if value is None else (value - _EPOCH) // _MILLISECOND for value in values]
    dtype = np.float64 if kind is Kind.SHARE else np.int64
    numbers = np.array([0 if value is None else value for value in values], dtype)
    array = arrays.from_numpy(numbers, is_null if is_null.any() else None)
    return array.view(TYPES[kind]) if kind is Kind.MOMENT else array


def _lists(values: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401 - as above
    stops = arrays.from_numpy(np.cumsum([0, *map(len, values)], dtype=np.int32))
    return pa.ListArray.from_arrays(stops, arrays.from_texts([text for texts in values for text in texts]))


def encode(quality: pa.Table) -> bytes:
    """The table as a Parquet file."""
    file = BytesIO()
    pq.write_table(quality, file, compression="zstd")
    return file.getvalue()
