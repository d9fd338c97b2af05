"""The bytes of a former version of a file of bars, as a Parquet file of the history.

It has one of three forms:

========  =================================  ==================================================================
form      columns                            the former version is
========  =================================  ==================================================================
changes   `ts_event`, prices and volume      the bars of the version that followed it, without those after
                                             its last bar, and with these in the place of those of the same
                                             second; a bar whose values are null was not in it
bars      the same                           these bars
bytes     `csv`, one value                   these bytes: other line ends, columns, order or text of numbers
========  =================================  ==================================================================

zstd, without statistics: a file of few bars is mostly what is said about its columns. The metadata has what is known
of the version as JSON under `_VERSION`, its manifest entry (zlib, base64) under `_ENTRY`, and the checksum of the file
itself, as a mirror has it.
"""

import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from io import BytesIO
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mohlcv_dagster.bars import bar_table, csv_codec, parquet_codec, revision
from mohlcv_dagster.bars.bar_table import from_numpy, to_numpy
from mohlcv_dagster.errors import CsvFormatError, FileError
from mohlcv_dagster.model.bar_files import COLUMNS, TIME
from mohlcv_dagster.model.finality import RevisionCounts

_VERSION: Final = b"mohlcv:version"
_ENTRY: Final = b"mohlcv:manifest_entry"
_CSV: Final = "csv"
_ALWAYS: Final = datetime(9999, 12, 31, tzinfo=UTC)
_MOMENTS: Final = ("last_bar", "stored_at", "superseded_at")
_SECOND: Final = timedelta(seconds=1)
_LEVEL: Final = 12
"""Of zstd: a month that is kept as bytes takes two seconds and a ninth of its size."""

_FEW: Final = 1000
"""Rows up to which a dictionary of a column's values takes more than it saves."""


class Form(StrEnum):
    """What a file of the history has of its version."""

    CHANGES = "changes"
    BARS = "bars"
    BYTES = "bytes"


@dataclass(frozen=True, kw_only=True)
class Former:
    """What is known of a former version of a file of bars.

    Attributes:
        file: its path in the layout.
        sha256: the digest of its bytes.
        size: bytes.
        rows: bars.
        last_bar: the start of the last one, UTC; `None` where there is none, or it cannot be read.
        stored_at: when it was stored, UTC.
        superseded_at: when the version that followed it took its place, UTC.
        why: why it did, such as `completed`.
        successor: the digest of that version.
        changed: how many bars have other values in that version; `None` where the two could not be compared.
        added: how many bars that version has besides.
        removed: how many it lacks.
    """

    file: str
    sha256: str
    size: int
    rows: int
    last_bar: datetime | None
    stored_at: datetime
    superseded_at: datetime
    why: str
    successor: str
    changed: int | None
    added: int | None
    removed: int | None

    def encode(self, form: Form) -> bytes:
        """As JSON, with the form of its file."""
        facts = vars(self) | {each: moment and moment.isoformat() for each, moment in self._moments().items()}
        return json.dumps({"form": form, **facts}, separators=(",", ":")).encode()

    def _moments(self) -> dict[str, datetime | None]:
        return {each: getattr(self, each) for each in _MOMENTS}

    @classmethod
    def decode(cls, content: bytes) -> tuple[Self, Form]:
        """The version, and the form of its file, from `encode`."""
        facts = json.loads(content)
        moments: dict[str, Any] = {name: facts[name] and datetime.fromisoformat(facts[name]) for name in _MOMENTS}
        known = {each.name: facts[each.name] for each in fields(cls) if each.name not in moments}
        return cls(**known, **moments), Form(facts["form"])


@dataclass(frozen=True)
class FormerFile:
    """A file of the history.

    Attributes:
        version: what it is about.
        form: what it has of it.
        content: its columns.
        entry: the manifest entry that the version had, as JSON; empty where there was none.
    """

    version: Former
    form: Form
    content: pa.Table
    entry: bytes = b""

    def encode(self) -> bytes:
        """Its bytes, the same for the same facts."""
        file = BytesIO()
        metadata = {
            _VERSION: self.version.encode(self.form),
            _ENTRY: b64encode(zlib.compress(self.entry, 9)) if self.entry else b"",
            parquet_codec.CHECKSUM: parquet_codec.BLANK,
        }
        with pq.ParquetWriter(
            file,
            self.content.schema,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=[*COLUMNS[1:]] if self.content.num_rows > _FEW else False,  # type: ignore[arg-type]  # as in parquet_codec
            column_encoding={TIME: "DELTA_BINARY_PACKED"} if self.form is not Form.BYTES else None,
            write_statistics=False,
            store_schema=False,
        ) as writer:
            writer.write_table(self.content)
            writer.add_key_value_metadata({name.decode(): value.decode() for name, value in metadata.items()})
        return parquet_codec.with_own_checksum(file.getvalue())

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The file with these bytes.

        Raises:
            FileError: it is not such a file, or its bytes changed after it was written.
        """
        try:
            metadata = pq.read_metadata(BytesIO(content)).metadata or {}
            parquet_codec.require_checksum(content, metadata.get(parquet_codec.CHECKSUM))
            version, form = Former.decode(metadata[_VERSION])
            entry = metadata.get(_ENTRY) or b""
            columns = pq.ParquetFile(BytesIO(content)).read().replace_schema_metadata(None)  # read_table loads pandas
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(f"it is not a former version of a file of bars ({error})") from error
        return cls(version, form, columns, zlib.decompress(b64decode(entry)) if entry else b"")

    def bars(self, following: pa.Table | None) -> pa.Table:
        """The bars of the version.

        Args:
            following: those of the version that followed it; needed by `Form.CHANGES` alone.

        Raises:
            FileError: it was written of another version than that one, or its bytes are no CSV of bars.
        """
        if self.form is Form.BYTES:
            return csv_codec.decode(self.bytes(None))
        changes = self.content.set_column(0, TIME, self.content[TIME].cast(bar_table.TIME_TYPE))
        if following is None:
            return changes
        last = self.version.last_bar
        following = following.slice(0, 0) if last is None else bar_table.between(following, None, last + _SECOND)
        try:
            return _with_changes(following, changes)
        except pa.ArrowInvalid as error:
            raise FileError(f"the bars that followed are not those that it was written with ({error})") from error

    def bytes(self, following: pa.Table | None) -> bytes:
        """The bytes of the version; `following` and errors as in `bars`."""
        if self.form is Form.BYTES:
            whole: bytes = self.content[_CSV][0].as_py()
            return whole
        return csv_codec.encode(self.bars(following))


def differences(former: pa.Table | None, following: pa.Table | None) -> tuple[RevisionCounts, pa.Table] | None:
    """How many bars of two versions differ, and the former values of those up to the last former bar.

    `None` where they cannot be compared.

    Args:
        former: the bars of a version; `None` where it cannot be read.
        following: those of the version that follows it; the same.
    """
    if former is None or following is None or not (_is_comparable(former) and _is_comparable(following)):
        return None
    found = revision.compare(former, following, _ALWAYS)
    last = last_bar(former)
    known = found.rows.slice(0, 0) if last is None else bar_table.between(found.rows, None, last + _SECOND)
    columns = [known[TIME], *(known[f"old_{name}"] for name in COLUMNS[1:])]
    return found.counts, pa.Table.from_arrays(columns, names=list(COLUMNS))


def last_bar(bars: pa.Table | None) -> datetime | None:
    """The start of the last bar; `None` where there is none."""
    last = bars[TIME].slice(bars.num_rows - 1) if bars is not None and bars.num_rows else None
    return (
        None
        if last is None or last.null_count
        else datetime.fromtimestamp(int(to_numpy(last.cast(pa.int64()))[0]), UTC)
    )


def readable_bars(content: bytes) -> pa.Table | None:
    """The bars of a CSV file; `None` where it cannot be read."""
    try:
        return csv_codec.decode(content)
    except CsvFormatError:
        return None


def encode_proven(
    about: Former, entry: bytes, former: bytes, changes: pa.Table | None = None, following: pa.Table | None = None
) -> bytes:
    """The file that keeps a version, in the first form that gives its bytes back, which is tried.

    Args:
        about: what is known of it.
        entry: its manifest entry, or nothing.
        former: its bytes.
        changes: the bars that differ from the version that follows; `None` where it is told without that one.
        following: the bars of that version.

    Raises:
        FileError: no form does.
    """
    bars = readable_bars(former) if changes is None else None
    forms = [(Form.CHANGES, changes, following), (Form.BARS, bars, None), (Form.BYTES, _whole(former), None)]
    for form, content, base in forms:
        if content is not None:
            kept = FormerFile(about, form, content, entry).encode()
            if _gives_back(kept, base, about.sha256):
                return kept
    raise FileError(f"{about.file} cannot be kept; set MOHLCV_HISTORY=false to replace it all the same")


def _gives_back(kept: bytes, following: pa.Table | None, digest: str) -> bool:
    try:
        return hashlib.sha256(FormerFile.decode(kept).bytes(following)).hexdigest() == digest
    except FileError:
        return False


def _whole(value: bytes) -> pa.Table:
    """A table of one value, made without loading pandas (see `bar_table`)."""
    stops = from_numpy(np.array([0, len(value)], np.int64)).buffers()[1]
    column: Any = pa.Array.from_buffers(pa.large_binary(), 1, [None, stops, pa.py_buffer(value)])
    return pa.Table.from_arrays([column], names=[_CSV])


def _is_comparable(bars: pa.Table) -> bool:
    return not any(bars[name].null_count for name in COLUMNS) and bool((np.diff(bar_table.seconds(bars)) > 0).all())


def _with_changes(bars: pa.Table, changes: pa.Table) -> pa.Table:
    """Bars, with those that are in `changes` in the place of the ones of the same second; without those null there."""
    replaced = np.isin(bar_table.seconds(bars), bar_table.seconds(changes), kind="sort")
    there = ~bar_table.null_mask(bar_table.one_chunk(changes[COLUMNS[1]]))
    kept = bars.filter(from_numpy(~replaced)).cast(changes.schema)
    both = pa.concat_tables([kept, changes.filter(from_numpy(there))])
    order = np.argsort(bar_table.seconds(both), kind="stable")
    return both.take(from_numpy(order.astype(np.int64)))
