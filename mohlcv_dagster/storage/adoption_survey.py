"""Survey the CSV files of other programs: in what way each is not as the layout and the format require.

It looks for what such files have in common: names, columns, line ends, months cut in Eastern days, half files. Whether
the bars are right is checked by the rules. Nothing is changed.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.checks.file_form import differences, normalized
from mohlcv_dagster.checks.reading import NO_TIME, Reading
from mohlcv_dagster.errors import InputError, MohlcvError
from mohlcv_dagster.formatting import printable
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import Inventory

_SIMILAR_NAME: Final = re.compile(
    r"(?P<symbol>[A-Za-z0-9.\-]+?)[_\- ]?(?P<year>[0-9]{4})[_\-.]?(?P<month>[0-9]{2})"
    r"(?:[_\-](?P<timeframe>[0-9]+[a-z]+))?\.csv",
    re.IGNORECASE,
)
_DAY: Final = 86_400
_FRACTIONAL: Final = bar_table.bar_schema(whole_volume=False)


class FileFault(StrEnum):
    """In what way a file is not as the contract says."""

    NAME = "name"
    UNREADABLE = "unreadable"
    HALF = "half file"
    COLUMNS = "additional columns"
    ORDER = "order of columns"
    CRLF = "CRLF line ends"
    VOLUME = "whole volumes as decimals"
    UNSORTED = "unsorted rows"
    REPEATED = "repeated rows"
    EASTERN = "Eastern month"
    OUTSIDE = "rows of other months"
    FORM = "form"
    CHANGED = "changed"
    """Its bytes are not those that were recorded of it."""
    ENTRY = "manifest entry"
    """Its manifest entry cannot be read, and nothing else says what was recorded of it."""


@dataclass(frozen=True)
class Deviation:
    """One thing that is not as the contract says.

    Attributes:
        path: relative to the data folder.
        fault: in what way.
        message: what was found, with values.
    """

    path: str
    fault: FileFault
    message: str


@dataclass(frozen=True)
class Survey:
    """The CSV files in a data folder.

    Attributes:
        files: those of the layout, raw ones first, then by symbol and month.
        misnamed: those with names that are not the layout's.
    """

    files: list[BarFile]
    misnamed: list[Deviation]


def survey(archive: Archive, symbols: frozenset[str] = frozenset()) -> Survey:
    """Find the CSV files under an archive's root.

    Args:
        archive: where.
        symbols: only of these; empty for all. Files whose names have no symbol are always included.

    Raises:
        InputError: the folder does not exist.
    """
    if not archive.root.is_dir():
        raise InputError(f"there is no folder {archive.root}: set MOHLCV_DATA_DIR to the one that holds {RAW_FOLDER}")
    found = Inventory.of(archive.root)
    paths = frozenset(each.path for each in found.files)
    foreign = [each.path for each in found.files if each.is_foreign_csv]
    files = [file for file in found.bars if not symbols or file.symbol in symbols]
    return Survey(
        sorted(files, key=lambda file: (file.timeframe, file.symbol, file.month)),
        [Deviation(path, FileFault.NAME, _where_it_belongs(path, paths)) for path in foreign],
    )


def examine(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> list[Deviation]:
    """Find in what way a file is not as the contract says.

    Args:
        file: which file.
        reading: the file as read.
        raw_whole: as for `with_contract_volume`.
    """
    faults = _faults(file, reading, raw_whole=raw_whole)
    return [Deviation(str(file.path), fault, message) for fault, message in faults]


def _faults(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> Iterator[tuple[FileFault, str]]:
    if reading.bars is None:
        content = reading.content or b""
        fault = FileFault.HALF if csv_codec.is_cut_short(content) else FileFault.UNREADABLE
        yield fault, f"{reading.problem or 'it cannot be read'}"
        return
    yield from _form(reading)
    yield from _volumes(file, reading, raw_whole=raw_whole)
    yield from _order(reading)
    yield from _months(file, reading)


def _column_names(content: bytes) -> list[str]:
    """The column names in the header of a readable file."""
    first = content[: 1 << 16].partition(b"\n")[0].rstrip(b"\r")
    return next(csv.reader([first.decode("utf-8-sig")]), [])


def _form(reading: Reading) -> Iterator[tuple[FileFault, str]]:
    if reading.is_exact:  # the rules need it as well
        return
    content = reading.text
    contract = csv_codec.encode(reading.present)
    names = _column_names(content)
    ours = [name for name in names if name in bar_files.COLUMNS]
    if len(names) > len(ours):
        yield (
            FileFault.COLUMNS,
            printable(", ".join(name or "(without a name)" for name in names if name not in bar_files.COLUMNS)),
        )
    if ours != list(bar_files.COLUMNS):
        yield FileFault.ORDER, ", ".join(ours)
    if b"\r\n" in content:
        yield FileFault.CRLF, "lines end as on Windows"
    plain, _ = normalized(content)
    if plain + b"\n" == contract:
        yield FileFault.HALF, "it ends without a line end, so its last row may be cut short"
    elif plain != contract:
        yield FileFault.FORM, differences(reading.present, plain, contract).summary


def _volumes(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> Iterator[tuple[FileFault, str]]:
    bars = reading.present
    if with_contract_volume(file, bars, raw_whole=raw_whole).schema.equals(bars.schema):
        return
    kind = "integers, those of its raw file as decimals" if bar_table.has_whole_volume(bars) else "decimals"
    yield FileFault.VOLUME, f"{reading.rows:,} whole volumes are written as {kind}"


def with_contract_volume(file: BarFile, bars: pa.Table, *, raw_whole: bool | None) -> pa.Table:
    """The bars of `file` with the type of volume that the contract requires.

    Args:
        file: which file.
        bars: its bars.
        raw_whole: for an aggregate, whether every volume of its raw file is whole; `None` if that cannot be read: then
            the type stays as it is. Not used for a raw file.
    """
    if file.timeframe != RAW and raw_whole is None:
        return bars
    return bar_table.normalize_volume_dtype(bars) if file.timeframe == RAW or raw_whole else bars.cast(_FRACTIONAL)


def raw_volume_is_whole(raw: Reading) -> bool | None:
    """Whether every volume of a raw file is whole; `None` if the file cannot be read."""
    return None if raw.bars is None else bar_table.has_whole_volume(bar_table.normalize_volume_dtype(raw.bars))


def _order(reading: Reading) -> Iterator[tuple[FileFault, str]]:
    starts = reading.starts[reading.starts != NO_TIME]  # a rule looks for the others
    steps = np.diff(starts)
    falls = int((steps < 0).sum())
    if falls:
        at = starts[int(np.argmax(steps < 0)) + 1]
        yield (
            FileFault.UNSORTED,
            f"{falls:,} of {reading.rows:,} rows are earlier than the row before, first {_utc(at)}",
        )
    values, counts = np.unique(starts, return_counts=True)
    repeated = int((counts - 1).sum())
    if repeated:
        first = values[int(np.argmax(counts > 1))]
        yield FileFault.REPEATED, f"{repeated:,} of {reading.rows:,} rows repeat a ts_event, first {_utc(first)}"


def _months(file: BarFile, reading: Reading) -> Iterator[tuple[FileFault, str]]:
    starts, month = reading.starts, file.month
    outside = starts[((starts < month.start_second) | (starts >= month.end_second)) & (starts != NO_TIME)]
    if not outside.size:
        return
    span = f"{outside.size:,} of {reading.rows:,} rows, {_utc(outside.min())} to {_utc(outside.max())}"
    if outside.min() >= month.end_second and outside.max() < month.end_second + _DAY:
        yield FileFault.EASTERN, f"{span}, belong to the next UTC month: it was cut in Eastern days"
    else:
        yield FileFault.OUTSIDE, f"{span}, are outside of {month}"


def _utc(second: "np.int64") -> str:
    return f"{datetime.fromtimestamp(int(second), UTC):%Y-%m-%d %H:%M:%S}Z"


def _where_it_belongs(path: str, there: frozenset[str]) -> str:
    match = _SIMILAR_NAME.fullmatch(PurePosixPath(path).name)
    advice = "move or rename it"
    if match is not None:
        name = match["timeframe"] or ("1s" if AGGREGATED_FOLDER not in path else "")
        stem = f"{match['symbol'].upper()}_{match['year']}_{match['month']}"
        target = f"{RAW_FOLDER}/{match['symbol'].upper()}/{stem}.csv"
        if name != "1s":
            target = f"{AGGREGATED_FOLDER}/{name}/{stem}_{name}.csv"
        advice = _advice(target, there)
    return f"it is not a name of the layout, so that nothing reads it: {advice}"


def _advice(target: str, there: frozenset[str]) -> str:
    try:
        BarFile.parse(target)
    except MohlcvError:
        return "move or rename it"
    if target in there:
        return f"it looks like {target}, which exists too: keep one of them"
    return f"if it is {target}, move it there and run this again"
