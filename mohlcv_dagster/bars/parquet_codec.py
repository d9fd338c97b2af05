"""Tables to the bytes of Parquet files: the mirror of a CSV file, and quality/coverage.parquet.

The columns of a mirror are typed so that one read takes many files at once:

=========  ======================  ==============================================================
ts_event   timestamp[us, tz=UTC]   Parquet has no seconds; microseconds are what every reader has
prices     float64                 as in the CSV
volume     float64                 in every file, integers or not: readers refuse files of two types
trades     int64                   number of trades; null where the vendor did not give it
vwap       float64                 volume-weighted average price; null where it did not
=========  ======================  ==============================================================

The last two are in no CSV file. In an aggregate both are null throughout. Mirrors written before lack them.

zstd, statistics, one row group a month, declared as sorted by ts_event. The file's metadata has the digest of the CSV
file with the same bars, under `CSV_DIGEST`, and that of the mirror itself, under `CHECKSUM`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mohlcv_dagster.bars import bar_table, trade_figures
from mohlcv_dagster.bars.bar_table import from_numpy, from_strings, to_numpy
from mohlcv_dagster.bars.trade_figures import TRADES, VWAP
from mohlcv_dagster.errors import FileError, VolumePrecisionError
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.bar_files import COLUMNS, MIRROR_FOLDER, PRICES, TIME, VOLUME, BarFile
from mohlcv_dagster.model.quality_rows import ColumnType, MonthQuality

FOLDER: Final = MIRROR_FOLDER
"""The folder of the mirror, under the data folder."""
CSV_DIGEST: Final = b"mohlcv:csv_sha256"
CHECKSUM: Final = b"mohlcv:sha256"
"""The key of the mirror's own SHA-256, computed with `BLANK` in its place; mirrors written before lack it."""
BLANK: Final = b"-" * 64
"""In the place of the checksum while it is computed."""
_OF_ARROW: Final = b"ARROW:schema"
TIME_TYPE: Final = pa.timestamp("us", tz="UTC")
_FIGURES: Final[dict[str, pa.DataType]] = {TRADES: pa.int64(), VWAP: pa.float64()}
_ROW_GROUP: Final = 1 << 22
"""More bars than a month has seconds."""
_EXACT_FLOAT: Final = 2**53

QUALITY_TYPES: Final[dict[ColumnType, pa.DataType]] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.COUNT: pa.int64(),
    ColumnType.SHARE: pa.float64(),
    ColumnType.TEXTS: pa.list_(pa.string()),
    ColumnType.MOMENT: pa.timestamp("ms", tz="UTC"),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def path_of(file: BarFile) -> PurePosixPath:
    """The path of the mirror of `file`, relative to the data folder, with Hive's `key=value` folders.

    `parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet`
    """
    keys = (f"timeframe={file.timeframe}", f"symbol={file.symbol}", f"month={file.month}")
    return PurePosixPath(FOLDER, *keys, f"{file.path.stem}.parquet")


def encode(bars: pa.Table, csv_sha256: str, figures: pa.Table | None = None) -> bytes:
    """The mirror of a CSV file.

    Args:
        bars: a table of bars (see `bar_table`).
        csv_sha256: the digest of the CSV file that holds the same bars.
        figures: their trades and average prices, row for row (see `trade_figures`); `None` where none are known.

    Raises:
        VolumePrecisionError: an integer volume of 2**53 shares or more, which a float64 does not hold exactly.
    """
    if bar_table.has_whole_volume(bars) and bool((np.abs(to_numpy(bars[VOLUME])) >= _EXACT_FLOAT).any()):
        raise VolumePrecisionError("a volume of 2^53 shares or more cannot be mirrored exactly; correct the bars")
    kinds: list[pa.DataType] = [
        TIME_TYPE,
        *[bar_table.PRICE_TYPE] * len(PRICES),
        bar_table.FRACTIONAL_VOLUME,
    ]
    columns: Any = [bars[name].cast(kind) for name, kind in zip(COLUMNS, kinds, strict=True)]
    columns += _figures(figures, bars.num_rows)
    fields = [*zip(COLUMNS, kinds, strict=True), *_FIGURES.items()]
    typed = pa.schema(fields, metadata={CSV_DIGEST: csv_sha256.encode()})
    file = BytesIO()
    with pq.ParquetWriter(
        file,
        typed,
        compression="zstd",
        sorting_columns=[pq.SortingColumn(0)],
        use_dictionary=[*COLUMNS[1:], TRADES],  # type: ignore[arg-type]  # the stubs know no list of columns
        column_encoding={TIME: "DELTA_BINARY_PACKED"},
    ) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=typed), row_group_size=_ROW_GROUP)
        # not in the schema, where Arrow would write it twice
        writer.add_key_value_metadata({CHECKSUM.decode(): BLANK.decode()})
    return with_own_checksum(file.getvalue())


def _figures(figures: pa.Table | None, rows: int) -> list[Any]:
    """The columns of trades and average prices, null where they are not known."""
    columns: list[Any] = []
    if figures is None:
        unknown: Any = [pa.nulls(rows), pa.nulls(rows)]
        return [column.cast(kind) for column, kind in zip(unknown, _FIGURES.values(), strict=True)]
    for name, kind in _FIGURES.items():
        values = to_numpy(figures[name])
        missing = np.isnan(values)
        some = bool(missing.any())
        known = np.where(missing, 0, values) if some else values
        whole = known.astype(np.int64) if kind == pa.int64() else known
        columns.append(from_numpy(whole, missing if some else None))
    return columns


def csv_digest(content: bytes) -> str | None:
    """The digest of the CSV file that a mirror was written with; `None` where it has none.

    Raises:
        FileError: it is not a Parquet file, or its bytes are not those that were written.
    """
    try:
        metadata = pq.read_metadata(BytesIO(content)).metadata or {}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileError(f"it is not a Parquet file ({error})") from error
    digest, checksum = metadata.get(CSV_DIGEST), metadata.get(CHECKSUM)
    if checksum is not None:
        require_checksum(content, checksum)
    elif metadata.keys() - {CSV_DIGEST, _OF_ARROW}:
        raise FileError("it has no checksum, and unknown metadata")
    return None if digest is None else digest.decode(errors="replace")


def has_checksum(content: bytes) -> bool:
    """Whether a mirror that `csv_digest` accepts has a checksum of itself."""
    return CHECKSUM in (pq.read_metadata(BytesIO(content)).metadata or {})


def decode(content: bytes) -> Iterator[pa.Table]:
    """The bars of a mirror, with whole volumes, where all are, and with fractional ones: it does not tell which.

    Raises:
        FileError: it cannot be read, or has other columns.
    """
    try:
        table = pq.read_table(BytesIO(content))
        if table.column_names[len(COLUMNS) :] == [*_FIGURES]:
            table = table.select(COLUMNS)
        bars = table.cast(bar_table.bar_schema(whole_volume=False))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileError(f"its bars cannot be read ({error})") from error
    yield bar_table.normalize_volume_dtype(bars)
    yield bars


def with_own_checksum(content: bytes) -> bytes:
    """A Parquet file whose metadata has `BLANK` under `CHECKSUM`, with its checksum there."""
    return _with_checksum(content, BLANK, hashlib.sha256(content).hexdigest().encode())


def require_checksum(content: bytes, checksum: bytes | None) -> None:
    """Refuse a Parquet file that does not have the checksum that its metadata has.

    Raises:
        FileError: its bytes are not those that were written.
    """
    blank = _with_checksum(content, checksum or BLANK, BLANK)
    if hashlib.sha256(blank).hexdigest().encode() != checksum:
        raise FileError("its bytes do not match its checksum: they changed after it was written")


def decode_figures(content: bytes) -> pa.Table | None:
    """The trades and average prices in a mirror, row for row of its bars; `None` for one written before it had them.

    Raises:
        FileError: it cannot be read.
    """
    try:
        file = pq.ParquetFile(BytesIO(content))
        if not {*_FIGURES} <= {*file.schema_arrow.names}:
            return None
        table = file.read([*_FIGURES])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileError(f"its trades cannot be read ({error})") from error
    return trade_figures.of(*(to_numpy(table[name]).astype(np.float64) for name in trade_figures.NAMES))


def _with_checksum(content: bytes, former: bytes, checksum: bytes) -> bytes:
    """The content with another value in the place of its checksum, which is in the metadata at its end."""
    at = content.rfind(former)
    return content if at < 0 else content[:at] + checksum + content[at + len(former) :]


def quality_table(months: Iterable[MonthQuality]) -> pa.Table:
    """The rows of quality/coverage.parquet as a table, in their order."""
    rows = list(months)
    columns = {name: [getattr(row, name) for row in rows] for name in quality_rows.COLUMNS}
    columns["month"] = [str(month) for month in columns["month"]]
    arrays = [_array(columns[name], column.kind) for name, column in quality_rows.COLUMNS.items()]
    return pa.Table.from_arrays(arrays, names=list(quality_rows.COLUMNS))


def encode_quality(quality: pa.Table) -> bytes:
    """The table as a Parquet file."""
    file = BytesIO()
    pq.write_table(quality, file, compression="zstd")
    return file.getvalue()


def _array(values: Sequence[Any], kind: ColumnType) -> Any:  # noqa: ANN401 - the stubs have a type for each kind, and none for all
    """The array that `pa.array` gives for these values, without loading pandas (see `bar_table`)."""
    if kind is ColumnType.TEXTS:
        return _lists(values)
    is_null = np.array([value is None for value in values], np.bool_)
    nulls = is_null if is_null.any() else None
    if kind is ColumnType.TEXT:
        return from_strings([value or "" for value in values], nulls)
    if kind is ColumnType.MOMENT:
        values = [None if value is None else (value - _EPOCH) // _MILLISECOND for value in values]
    dtype = np.float64 if kind is ColumnType.SHARE else np.int64
    array = from_numpy(np.array([0 if value is None else value for value in values], dtype), nulls)
    return array.view(QUALITY_TYPES[kind]) if kind is ColumnType.MOMENT else array


def _lists(values: Sequence[Sequence[str]]) -> Any:  # noqa: ANN401 - as above
    stops = from_numpy(np.cumsum([0, *map(len, values)], dtype=np.int32))
    return pa.ListArray.from_arrays(stops, from_strings([string for strings in values for string in strings]))
