"""The quality of stored months as a table, and its Parquet form. What a row and a column are is in `quality`."""

from collections.abc import Iterable
from io import BytesIO
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mohlcv_dagster.bars.quality import COLUMNS, Kind, MonthQuality

TYPES: Final[dict[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.COUNT: pa.int64(),
    Kind.SHARE: pa.float64(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.MOMENT: pa.timestamp("ms", tz="UTC"),
}


def table(months: Iterable[MonthQuality]) -> pa.Table:
    """The rows as a table, in their order."""
    rows = list(months)
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns["month"] = [str(month) for month in columns["month"]]
    arrays = [pa.array(columns[name], TYPES[column.kind]) for name, column in COLUMNS.items()]
    return pa.Table.from_arrays(arrays, names=list(COLUMNS))


def encode(quality: pa.Table) -> bytes:
    """The table as a Parquet file."""
    file = BytesIO()
    pq.write_table(quality, file, compression="zstd")
    return file.getvalue()
