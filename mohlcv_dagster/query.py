"""Bars for a program: `read` gives them as a frame or table, `duckdb_view` as a view of DuckDB. No Dagster.

Months are chosen by symbol, timeframe and range; the files are found where the settings say. What the files hold is
given as it is: the checks judge it. Both names are attributes of `mohlcv_dagster` too.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, overload

from mohlcv_dagster.errors import CsvFormatError, FileMissingError, InputError, VolumePrecisionError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, TIME, VOLUME, BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.project import project_environment, project_root, read_env_file
from mohlcv_dagster.settings import DATA_DIR
from mohlcv_dagster.storage.archive import Archive

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Missing: TypeAlias = Literal["error", "skip"]
"""What is done about a month of the range that is not stored."""
Folder: TypeAlias = str | os.PathLike[str]

_FORMS: Final = ("pandas", "polars", "arrow")
_CHOICES: Final = ("error", "skip")
_TYPES: Final = {TIME: "TIMESTAMPTZ", **dict.fromkeys((*PRICES, VOLUME), "DOUBLE")}
"""The types of DuckDB."""
_SYMBOL: Final = r"([^/\\]+)_\d{4}_\d{2}(?:_\w+)?\.csv$"
"""Finds the symbol in the path of a file of bars."""


@overload
def read(
    symbol: str,
    start: str | None = None,
    end: str | None = None,
    *,
    timeframe: str = "1s",
    as_: Literal["pandas"] = "pandas",
    missing: Missing = "error",
    data_dir: Folder | None = None,
) -> "pd.DataFrame": ...


@overload
def read(
    symbol: str,
    start: str | None = None,
    end: str | None = None,
    *,
    timeframe: str = "1s",
    as_: Literal["polars"],
    missing: Missing = "error",
    data_dir: Folder | None = None,
) -> "pl.DataFrame": ...


@overload
def read(
    symbol: str,
    start: str | None = None,
    end: str | None = None,
    *,
    timeframe: str = "1s",
    as_: Literal["arrow"],
    missing: Missing = "error",
    data_dir: Folder | None = None,
) -> "pa.Table": ...


def read(  # noqa: PLR0913 - which bars, in which form, from where
    symbol: str,
    start: str | None = None,
    end: str | None = None,
    *,
    timeframe: str = "1s",
    as_: Literal["pandas", "polars", "arrow"] = "pandas",
    missing: Missing = "error",
    data_dir: Folder | None = None,
) -> "pd.DataFrame | pl.DataFrame | pa.Table":
    """The bars of a symbol over a range of UTC months, one month after the other.

    Times are aware, UTC, whole seconds, and the start of each bar. Prices are float64. Volume is int64 where every
    volume of the range is whole, else float64. A month that is stored without bars adds no rows; without any bars the
    columns have their types all the same.

    Args:
        symbol: case kept, such as `SPY`.
        start: the first month, inclusive, such as `2024-01`; `None` for the first that is stored.
        end: the last month, inclusive with all its days; `None` for the last that is stored.
        timeframe: `1s`, or that of an aggregate, such as `1min`.
        as_: `pandas` for a frame indexed by ts_event, `polars` for a frame, `arrow` for a table; the latter two have
            ts_event as their first column, in microseconds and in seconds.
        missing: `error` to refuse a range with months that are not stored, `skip` to leave these months out.
        data_dir: the data folder, or its fsspec URL; `None` for the one of the settings.

    Raises:
        FileMissingError: a month is not stored; the message names each and the command that makes it.
        InputError: the symbol, a month, the timeframe, `as_` or `missing` is invalid, or Polars is not installed.
        CsvFormatError: a file cannot be read.
        VolumePrecisionError: a whole volume that a float64 cannot hold is beside months with fractional ones.
    """
    _require_choice("as_", as_, _FORMS)
    if as_ == "polars":
        _require_polars()
    archive = _archive(data_dir)
    bars = _joined(archive, _files(archive, symbol, (start, end), timeframes.parse_any(timeframe), missing))
    if as_ == "arrow":
        return bars
    if as_ == "polars":
        return _to_polars(bars)
    from mohlcv_dagster.bars import bar_table  # noqa: PLC0415 - a program that asks for a view needs no arrays

    return bar_table.to_pandas(bars)


def duckdb_view(  # noqa: PLR0913 - as above
    connection: "duckdb.DuckDBPyConnection",
    name: str,
    symbols: str | Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    *,
    timeframe: str = "1s",
    missing: Missing = "error",
    data_dir: Folder | None = None,
) -> None:
    """Make a temporary view of bars in DuckDB, in place of one of this name: each query reads the CSV files anew.

    Its columns are symbol (text), ts_event (TIMESTAMPTZ), open, high, low, close and volume (DOUBLE). It is of the
    files that are stored now: make it again after months were added.

    Args:
        connection: where it is made; for a store behind a URL, its fsspec filesystem is registered there.
        name: of the view.
        symbols: one, or several; `None` for every symbol that is stored.
        start: the first month, inclusive, such as `2024-01`; `None` for the first that is stored of each symbol.
        end: the last month, inclusive with all its days; `None` for the last that is stored of each.
        timeframe: as in `read`.
        missing: as in `read`, for each symbol.
        data_dir: as in `read`.

    Raises:
        FileMissingError: as in `read`.
        InputError: as in `read`.
    """
    archive, chosen = _archive(data_dir), timeframes.parse_any(timeframe)
    if symbols is None:
        symbols = sorted({file.symbol for file in archive.files() if file.timeframe == chosen})
    elif isinstance(symbols, str):
        symbols = [symbols]
    found = (_files(archive, symbol, (start, end), chosen, missing) for symbol in dict.fromkeys(symbols))
    places = [archive.path(file) for file in chain.from_iterable(found)]
    if places and not isinstance(places[0], Path):
        _register(connection, places[0].fs)
    source = _scan([glob.escape(str(place)) for place in places]) if places else _NO_ROWS
    quoted = '"' + name.replace('"', '""') + '"'
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted} AS {source}")


def _scan(paths: Iterable[str]) -> str:
    """A query of files: the columns of each are found by its own header, and no type is guessed."""
    listed = ", ".join(_text(path) for path in paths)
    types = ", ".join(f"{_text(column)}: {_text(kind)}" for column, kind in _TYPES.items())
    options = f"header = true, union_by_name = true, filename = true, types = {{{types}}}"
    columns = ", ".join(COLUMNS)
    symbol = f"regexp_extract(filename, {_text(_SYMBOL)}, 1) AS symbol"
    return f"SELECT {symbol}, {columns} FROM read_csv([{listed}], {options})"  # noqa: S608 - each text is quoted


_NO_ROWS: Final = (
    f"SELECT NULL::VARCHAR AS symbol, {', '.join(f'NULL::{kind} AS {column}' for column, kind in _TYPES.items())} "
    "WHERE false"
)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _register(connection: "duckdb.DuckDBPyConnection", store: object) -> None:
    """Have DuckDB read the URLs of a store through fsspec."""
    protocol = getattr(store, "protocol", "")
    known = connection.list_filesystems()
    if not any(each in known for each in ((protocol,) if isinstance(protocol, str) else protocol)):
        connection.register_filesystem(store)


def _archive(data_dir: Folder | None) -> Archive:
    """The archive in a folder, or in that of the settings."""
    if data_dir is not None:
        return Archive(Path(data_dir).expanduser() if "://" not in os.fspath(data_dir) else data_dir)
    root = project_root()
    return Archive(project_environment(root, read_env_file(root))[DATA_DIR.variable])


def _files(
    archive: Archive, symbol: str, span: tuple[str | None, str | None], timeframe: Timeframe, missing: Missing
) -> list[BarFile]:
    """The files of a symbol in a range of months, in order; those that are not stored are refused or left out."""
    _require_choice("missing", missing, _CHOICES)
    first, last = (None if month is None else Month.parse(month) for month in span)
    if first is not None and last is not None and first > last:
        raise InputError(f"the first month, {first}, is after the last, {last}: swap them")
    stored = archive.months(symbol, timeframe)
    first = first or min((*stored, *([last] if last else [])), default=None)
    last = last or max((*stored, *([first] if first else [])), default=None)
    wanted = [*first.until(last)] if first is not None and last is not None else []
    absent = [month for month in wanted if month not in stored]
    if missing == "error" and (absent or not wanted):
        raise FileMissingError(_why_missing(archive, BarFile(symbol, timeframe, absent[0] if absent else _ANY), absent))
    return [BarFile(symbol, timeframe, month) for month in wanted if month in stored]


_ANY: Final = Month(2024, 1)
"""A month for an example."""


def _why_missing(archive: Archive, file: BarFile, absent: Sequence[Month]) -> str:
    """That months of a symbol, or all of them, are not stored, and how they are made.

    Args:
        archive: where they were looked for.
        file: of the first of them; of an example where none is stored.
        absent: the months; empty where none of the symbol is stored.
    """
    what = f"{file.symbol} at {file.timeframe}"
    told = f"{what} is not stored for {', '.join(_ranges(absent))}" if absent else f"nothing is stored of {what}"
    months = absent or [file.month]
    cures = []
    if file.timeframe == RAW or not archive.months(file.symbol, RAW).issuperset(months):
        last_day = (months[-1].end - timedelta(days=1)).date()
        cures.append(f"`mohlcv fetch --symbol {file.symbol} --start {months[0]}-01 --end {last_day}`")
    if file.timeframe != RAW:
        cures.append(f"`mohlcv resample --symbol {file.symbol} --timeframes {file.timeframe}`")
    skip = ", or pass missing='skip' to leave them out" if absent else ""
    return f"{told} in {archive.root}: run {', then '.join(cures)}{skip}"


def _joined(archive: Archive, files: Iterable[BarFile]) -> "pa.Table":
    """The bars of files, one after the other."""
    import pyarrow as pa  # noqa: PLC0415 - a program that asks for a view needs no arrays

    from mohlcv_dagster.bars import bar_table  # noqa: PLC0415 - as above

    months = [bar_table.empty(), *_each(archive, files)]
    try:
        return pa.concat_tables(months, promote_options="permissive")
    except pa.ArrowInvalid as error:
        raise VolumePrecisionError(
            f"volumes of whole and of fractional months do not fit into one column ({error}): read these months alone"
        ) from error


def _each(archive: Archive, files: Iterable[BarFile]) -> "Iterator[pa.Table]":
    from mohlcv_dagster.checks.reading import Reading  # noqa: PLC0415 - as above

    for file in files:
        with archive.open(file) as stream:
            reading = Reading.of_stream(stream, verify=False)
        if reading.bars is None:
            raise CsvFormatError(f"{archive.uri(file)}: {reading.problem}")
        yield reading.bars


def _ranges(months: Iterable[Month]) -> Iterator[str]:
    """Months that follow each other as one range: `2024-01`, `2024-03 to 2024-07`."""
    runs: list[list[Month]] = []
    for month in months:
        if runs and runs[-1][-1].next() == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    return (f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _require_choice(argument: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(f"{argument}={value!r} is not offered; choose from {', '.join(choices)}")


def _require_polars() -> None:
    if find_spec("polars") is None:
        raise InputError("as_='polars' needs the package polars, which is not installed: run `uv add polars`")


def _to_polars(bars: "pa.Table") -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415 - an optional package

    return pl.DataFrame(bars).with_columns(pl.col(TIME).dt.cast_time_unit("us"))
