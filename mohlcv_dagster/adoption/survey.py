"""The files of a tree, and in what way each is not as the contract says. Looks at files, changes none.

What a rule finds of bars is the rules' business; here is what distinguishes trees of other makers: columns, line ends,
months cut in Eastern days, half files, names.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import csv_codec, parquet_codec, passport, schema
from mohlcv_dagster.bars.files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.bars.rules.form import differences, normalized
from mohlcv_dagster.bars.rules.reading import NO_TIME, Reading
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import FileError, InputError, MohlcvError

_OURS: Final = frozenset({passport.FOLDER, parquet_codec.FOLDER})
_ALIKE: Final = re.compile(
    r"(?P<symbol>[A-Za-z0-9.\-]+?)[_\- ]?(?P<year>[0-9]{4})[_\-.]?(?P<month>[0-9]{2})"
    r"(?:[_\-](?P<timeframe>[0-9]+[a-z]+))?\.csv",
    re.IGNORECASE,
)
_DAY: Final = 86_400


class Fault(StrEnum):
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


@dataclass(frozen=True)
class Deviation:
    """One thing that is not as the contract says.

    Attributes:
        path: relative to the data folder.
        fault: in what way.
        message: what was found, with values.
    """

    path: str
    fault: Fault
    message: str


@dataclass
class Tree:
    """What stands in a data folder.

    Attributes:
        files: those of the layout, raw ones first, then by symbol and month.
        strange: CSV files whose names are not the layout's.
    """

    files: list[BarFile] = field(default_factory=list)
    strange: list[Deviation] = field(default_factory=list)


def tree(archive: Archive, symbols: frozenset[str] = frozenset()) -> Tree:
    """The CSV files under an archive's root.

    Args:
        archive: where.
        symbols: of these alone; empty for all. Files whose names tell no symbol are looked at in either case.

    Raises:
        InputError: there is no such folder.
    """
    if not archive.root.is_dir():
        raise InputError(f"there is no folder {archive.root}: set MOHLCV_DATA_DIR to the one that holds {RAW_FOLDER}")
    found, paths = Tree(), list(map(str, archive.paths("*.csv")))
    for path in paths:
        if PurePosixPath(path).parts[0] in _OURS:
            continue
        try:
            file = BarFile.parse(path)
        except FileError:
            found.strange.append(Deviation(path, Fault.NAME, _where_it_belongs(path, frozenset(paths))))
        else:
            if not symbols or file.symbol in symbols:
                found.files.append(file)
    found.files.sort(key=lambda file: (file.timeframe, file.symbol, file.month))
    return found


def examine(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> list[Deviation]:
    """In what way a file that is there is not as the contract says.

    Args:
        file: which file.
        reading: as it stands.
        raw_whole: for an aggregate, as `settled` has it; of a raw file it is not looked at.
    """
    faults = _faults(file, reading, raw_whole=raw_whole)
    return [Deviation(str(file.path), fault, message) for fault, message in faults]


def _faults(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> Iterator[tuple[Fault, str]]:
    if reading.bars is None:
        content = reading.content or b""
        half = bool(content) and not content.endswith(b"\n")
        yield (Fault.HALF if half else Fault.UNREADABLE), f"{reading.problem or 'it cannot be read'}"
        return
    yield from _form(reading)
    yield from _volumes(file, reading, raw_whole=raw_whole)
    yield from _order(reading)
    yield from _months(file, reading)


def column_names(content: bytes) -> list[str]:
    """The names in the header of a readable file."""
    first = content[: 1 << 16].partition(b"\n")[0].rstrip(b"\r")
    return next(csv.reader([first.decode("utf-8-sig")]), [])


def _form(reading: Reading) -> Iterator[tuple[Fault, str]]:
    if reading.is_exact:  # the rules ask for the same
        return
    content = reading.text
    contract = csv_codec.encode(reading.present)
    names = column_names(content)
    ours = [name for name in names if name in schema.COLUMNS]
    if len(names) > len(ours):
        yield Fault.COLUMNS, ", ".join(name or "(without a name)" for name in names if name not in schema.COLUMNS)
    if ours != list(schema.COLUMNS):
        yield Fault.ORDER, ", ".join(ours)
    if b"\r\n" in content:
        yield Fault.CRLF, "lines end as on Windows"
    plain, _ = normalized(content)
    if plain + b"\n" == contract:
        yield Fault.HALF, "it ends without a line end, so its last row may be cut short"
    elif plain != contract:
        yield Fault.FORM, differences(reading.present, plain, contract).summary


def _volumes(file: BarFile, reading: Reading, *, raw_whole: bool | None) -> Iterator[tuple[Fault, str]]:
    bars = reading.present
    if settled(file, bars, raw_whole=raw_whole).schema.equals(bars.schema):
        return
    kind = "integers, those of its raw file as decimals" if schema.has_whole_volume(bars) else "decimals"
    yield Fault.VOLUME, f"{reading.rows:,} whole volumes are written as {kind}"


def settled(file: BarFile, bars: pa.Table, *, raw_whole: bool | None) -> pa.Table:
    """The bars of `file` with volume as the contract types it.

    Args:
        file: which file.
        bars: its bars.
        raw_whole: for an aggregate, whether every volume of its raw file is whole; `None` where there is none that can
            be read: then the type stays as it is. Of a raw file it is not looked at.
    """
    if file.timeframe != RAW and raw_whole is None:
        return bars
    return schema.settle_volume(bars) if file.timeframe == RAW or raw_whole else bars.cast(_FRACTIONAL)


_FRACTIONAL: Final = schema.bar_schema(whole_volume=False)


def _order(reading: Reading) -> Iterator[tuple[Fault, str]]:
    steps = np.diff(reading.starts)
    falls = int((steps < 0).sum())
    if falls:
        at = reading.starts[int(np.argmax(steps < 0)) + 1]
        yield Fault.UNSORTED, f"{falls:,} of {reading.rows:,} rows are earlier than the row before, first {_utc(at)}"
    values, counts = np.unique(reading.starts, return_counts=True)
    repeated = int((counts - 1).sum())
    if repeated:
        first = values[int(np.argmax(counts > 1))]
        yield Fault.REPEATED, f"{repeated:,} of {reading.rows:,} rows repeat a ts_event, first {_utc(first)}"


def _months(file: BarFile, reading: Reading) -> Iterator[tuple[Fault, str]]:
    starts, month = reading.starts, file.month
    outside = starts[((starts < month.start_second) | (starts >= month.end_second)) & (starts != NO_TIME)]
    if not outside.size:
        return
    span = f"{outside.size:,} of {reading.rows:,} rows, {_utc(outside.min())} to {_utc(outside.max())}"
    if outside.min() >= month.end_second and outside.max() < month.end_second + _DAY:
        yield Fault.EASTERN, f"{span}, belong to the next UTC month: it was cut in Eastern days"
    else:
        yield Fault.OUTSIDE, f"{span}, are outside of {month}"


def _utc(second: "np.int64") -> str:
    return f"{datetime.fromtimestamp(int(second), UTC):%Y-%m-%d %H:%M:%S}Z" if second != NO_TIME else "without a time"


def _where_it_belongs(path: str, there: frozenset[str]) -> str:
    match = _ALIKE.fullmatch(PurePosixPath(path).name)
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
        return f"it looks like {target}, which is there too: keep one of them"
    return f"if it is {target}, move it there and run this again"
