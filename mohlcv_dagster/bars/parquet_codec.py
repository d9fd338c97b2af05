"""Bars to the bytes of a Parquet file that mirrors a CSV file. When mirrors are written is not decided here.

The columns are those of `schema`, typed so that one read takes many files at once:

=========  ======================  ==============================================================
ts_event   timestamp[us, tz=UTC]   Parquet has no seconds; microseconds are what every reader has
prices     float64                 as in the CSV
volume     float64                 in every file, whole or not: readers refuse files of two types
=========  ======================  ==============================================================

zstd, statistics, one row group a month, declared as sorted by ts_event. The digest of the CSV file with the same bars
is in the file's metadata, under `CSV_DIGEST`.
"""

from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.arrays import to_numpy
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.errors import FileError, VolumePrecisionError

FOLDER: Final = "parquet"
"""The folder of the mirror, under the data folder."""
CSV_DIGEST: Final = b"mohlcv:csv_sha256"
TIME_TYPE: Final = pa.timestamp("us", tz="UTC")
_ROW_GROUP: Final = 1 << 22
"""More bars than a month has seconds."""
_EXACT_FLOAT: Final = 2**53


def path_of(file: BarFile) -> PurePosixPath:
    """Where the mirror of `file` stands, relative to the data folder, its keys in the folders' names as Hive has them.

    `parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet`
    """
    keys = (f"timeframe={file.timeframe}", f"symbol={file.symbol}", f"month={file.month}")
    return PurePosixPath(FOLDER, *keys, f"{file.path.stem}.parquet")


def encode(bars: pa.Table, csv_sha256: str) -> bytes:
    """The Parquet file of these bars.

    Args:
        bars: a table of bars as `schema` has it.
        csv_sha256: the digest of the CSV file that holds the same bars.

    Raises:
        VolumePrecisionError: a whole volume of 2**53 shares or more, which a float64 does not hold exactly.
    """
    if schema.has_whole_volume(bars) and bool((np.abs(to_numpy(bars[schema.VOLUME])) >= _EXACT_FLOAT).any()):
        raise VolumePrecisionError("a volume of 2^53 shares or more cannot be mirrored exactly; correct the bars")
    kinds: list[pa.DataType] = [TIME_TYPE, *[schema.PRICE_TYPE] * len(schema.PRICES), schema.FRACTIONAL_VOLUME]
    columns: Any = [bars[name].cast(kind) for name, kind in zip(schema.COLUMNS, kinds, strict=True)]
    typed = pa.schema(list(zip(schema.COLUMNS, kinds, strict=True)), metadata={CSV_DIGEST: csv_sha256.encode()})
    file = BytesIO()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=typed),
        file,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        sorting_columns=[pq.SortingColumn(0)],
        use_dictionary=[*schema.COLUMNS[1:]],  # type: ignore[arg-type]  # the stubs know no list of columns
        column_encoding={schema.TIME: "DELTA_BINARY_PACKED"},
    )
    return file.getvalue()


def csv_digest(source: Any) -> str | None:  # noqa: ANN401 - whatever Arrow reads from: a path or an open file
    """The digest of the CSV file that a mirror was written with; `None` where it does not say.

    Args:
        source: a path, or a file open for reading in binary.

    Raises:
        FileError: it is no Parquet file.
    """
    try:
        told = pq.read_schema(source).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"it is no Parquet file ({error})") from error
    digest = told.get(CSV_DIGEST)
    return None if digest is None else digest.decode(errors="replace")
