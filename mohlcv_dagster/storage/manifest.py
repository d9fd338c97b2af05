"""What belongs to a file of bars: its manifest entry, its measured digest and, if the user asks for it, its mirror.

The fields of an entry and its JSON are in `model.manifest_entry`. The Parquet mirror is never read instead of the CSV
file; its columns and types are in `bars.parquet_codec`. No bar is decoded here.
"""

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.checks.registry import VENDOR_RULES, for_timeframe
from mohlcv_dagster.errors import FileError, ManifestEntryError, OverwrittenError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.storage import objects
from mohlcv_dagster.storage.archive import Archive, Written
from mohlcv_dagster.storage.locations import AnyPath, open_file, read_file, stamp_of

if TYPE_CHECKING:
    import pyarrow as pa

_DISTRIBUTION: Final = "mohlcv-dagster"
_PIECE: Final = 1 << 20
PATIENCE: Final = 5.0
"""Seconds for which another writer of the same partition is waited for."""
_MOST_TIMES: Final = 5
"""How often a writer writes its own again before it gives up."""


@cache
def software_version() -> str:
    """The software that writes entries here, such as `mohlcv-dagster 0.1.0`."""
    return f"{_DISTRIBUTION} {metadata.version(_DISTRIBUTION)}"


def in_layout(archive: Archive, file: BarFile) -> bool:
    """Whether `file` is in the layout under the archive's root; one in a folder elsewhere has no entry."""
    return archive.path(file) == archive.root / str(file.path)


def read(archive: Archive, file: BarFile) -> ManifestEntry | None:
    """The entry of `file`; `None` if there is none.

    Raises:
        ManifestEntryError: the JSON is not an entry of this file.
        FileError: the disk refused.
    """
    at = archive.root / str(manifest_entry.path_of(file))
    try:
        entry = ManifestEntry.decode(read_file(at))
    except FileNotFoundError:
        return None
    except ManifestEntryError as error:
        raise ManifestEntryError(f"{at}: {error}") from error
    except OSError as error:
        raise FileError(f"the manifest entry {at} could not be read: {error}") from error
    if entry.file != str(file.path):
        raise ManifestEntryError(f"{at}: it is the manifest entry of {entry.file}")
    return entry


def read_if_valid(archive: Archive, file: BarFile) -> ManifestEntry | None:
    """The entry of `file`; `None` also if the JSON is not an entry of it: it can be replaced.

    Raises:
        FileError: the disk refused.
    """
    try:
        return read(archive, file)
    except ManifestEntryError:
        return None


def damage(archive: Archive, file: BarFile) -> str | None:
    """Why the entry of `file` cannot be read; `None` where it can, or there is none.

    Raises:
        FileError: the disk refused.
    """
    try:
        read(archive, file)
    except ManifestEntryError as error:
        return str(error)
    return None


def write(archive: Archive, file: BarFile, entry: ManifestEntry) -> bool:
    """Write the entry of `file` atomically; returns whether it differs from the one that was there.

    Raises:
        FileError: the disk refused.
    """
    content, path = entry.encode(), manifest_entry.path_of(file)
    if not in_layout(archive, file) or content == archive.read_path(path):
        return False
    archive.write_path(path, content)
    return True


def update_checks(
    archive: Archive,
    file: BarFile,
    recorded: ManifestEntry | None,
    results: Iterable[RecordedResult],
    not_checked: Iterable[str] = (),
) -> bool:
    """Bring the results of rules in the entry of `file` up to date; returns whether that changed it.

    Results of rules that no longer apply to such files are dropped.

    Args:
        archive: where the file is.
        file: which file.
        recorded: what was recorded when the file was written, used if there is no entry; `None` if nothing was. An
            entry with another digest is left alone: another home wrote it.
        results: the results of the rules that were checked.
        not_checked: names of rules that could not be checked, whose earlier results are outdated.

    Raises:
        FileError: the disk refused.
    """
    entry = read_if_valid(archive, file) or recorded
    if entry is None or (recorded is not None and entry.sha256 != recorded.sha256):
        return False
    rules = (*for_timeframe(file.timeframe), *for_timeframe(file.timeframe, VENDOR_RULES))
    outdated = {check.name for check in entry.checks} - {rule.name for rule in rules} | set(not_checked)
    return write(archive, file, entry.with_results(results, outdated))


@dataclass(frozen=True)
class Measured:
    """A file of bars as it is.

    Attributes:
        sha256: of its bytes, hexadecimal.
        rows: its lines without the header.
        size: bytes.
        stamp: that of the file when it was opened (see `locations.FileStat`); empty in an object store.
    """

    sha256: str
    rows: int
    size: int
    stamp: str = field(default="", compare=False)


def measure(at: AnyPath) -> Measured:
    """The digest, bars and size of a file, read in pieces.

    Raises:
        NotRegularFileError: it is not a regular file.
        FileError: the disk refused.
    """
    digest, lines, size, last, stamp = hashlib.sha256(), 0, 0, b"\n", ""
    try:
        if not isinstance(at, Path):
            at.fs.invalidate_cache(at.path)  # another process may have written since it was listed
        with objects.os_errors(), open_file(at) if isinstance(at, Path) else at.open("rb") as opened:
            if isinstance(at, Path):
                stamp = stamp_of(os.fstat(opened.fileno()))
            while piece := opened.read(_PIECE):
                digest.update(piece)
                lines += piece.count(b"\n")
                size += len(piece)
                last = piece[-1:]
            objects.require_whole(opened, size)
    except OSError as error:
        raise FileError(f"{at} could not be read: {error}") from error
    return Measured(digest.hexdigest(), max(lines + (last != b"\n") - 1, 0), size, stamp)


def write_mirror(
    archive: Archive, file: BarFile, bars: "pa.Table", csv_sha256: str, figures: "pa.Table | None" = None
) -> bool:
    """Write the mirror of `file` atomically; returns whether it has one.

    A raw file in a folder of its own has none: it is not part of the archive.

    Args:
        archive: where the CSV file is.
        file: the CSV file.
        bars: the bars in it.
        csv_sha256: its digest.
        figures: their trades and average prices (see `bars.trade_figures`); `None` where none are known.

    Raises:
        FileError: the disk refused.
        VolumePrecisionError: a volume is too large for the mirror's type.
    """
    from mohlcv_dagster.bars import parquet_codec  # noqa: PLC0415 - Arrow's Parquet takes its time to load

    if not in_layout(archive, file):
        return False
    try:
        archive.write_path(parquet_codec.path_of(file), parquet_codec.encode(bars, csv_sha256, figures))
    except FileError as error:
        raise FileError(
            f"the Parquet mirror of {file.path} could not be written, and the CSV file stays as it was: {error}. "
            "Make room, or set MOHLCV_PARQUET=false to store CSV files alone"
        ) from error
    return True


def mirror_digest(archive: Archive, file: BarFile) -> str | None:
    """The digest of the CSV file that the mirror of `file` was written with; `None` if there is no mirror.

    Raises:
        FileError: the file is not a Parquet file, was damaged, or the disk refused.
    """
    from mohlcv_dagster.bars import parquet_codec  # noqa: PLC0415 - as above

    content = archive.read_path(parquet_codec.path_of(file))
    if content is None:
        return None
    digest = parquet_codec.csv_digest(content)
    if not parquet_codec.has_checksum(content) and all(
        _csv_sha256(each) != digest for each in parquet_codec.decode(content)
    ):
        raise FileError("its bars are not those of the CSV file whose digest it has")
    return digest


def _csv_sha256(bars: "pa.Table") -> str:
    from mohlcv_dagster.bars import csv_codec  # noqa: PLC0415 - as above

    return hashlib.sha256(csv_codec.encode(bars)).hexdigest()


def stored_figures(archive: Archive, file: BarFile, csv_sha256: str) -> "pa.Table | str":
    """The trades and average prices in the mirror of `file`, or why they are not known, without a full stop.

    Args:
        archive: where the mirror is.
        file: the CSV file.
        csv_sha256: its digest: figures of another version of it are not its own.
    """
    from mohlcv_dagster.bars import parquet_codec  # noqa: PLC0415 - as above

    try:
        content = archive.read_path(parquet_codec.path_of(file))
        if content is None:
            return f"{file.path} has no Parquet mirror, which would have them: see MOHLCV_PARQUET"
        if parquet_codec.csv_digest(content) != csv_sha256:
            return f"the Parquet mirror of {file.path} is of another version of it"
        found = parquet_codec.decode_figures(content)
    except FileError as error:
        return f"the Parquet mirror of {file.path} cannot be used: {error}"
    return f"the Parquet mirror of {file.path} was written without them" if found is None else found


def mirror_digest_if_valid(archive: Archive, file: BarFile) -> str | None:
    """As `mirror_digest`; `None` also if the file is not a Parquet file or was damaged: it can be replaced."""
    try:
        return mirror_digest(archive, file)
    except FileError:
        return None


def settle(
    archive: Archive,
    file: BarFile,
    written: Written,
    again: Callable[[], Written],
    *,
    mirrored: bool,
) -> tuple[Written, bool]:
    """Make the file and its manifest entry be of one writer; what this one wrote last, and whether it wrote again.

    They are two writes, and no lock is shared by all hosts and stores. So each writer looks at both afterwards. Where
    the file is of one writer and the entry of the other, the one whose bytes have the larger digest writes all of its
    own again, and the other waits for it. A writer that waits in vain, as the other was killed, writes its own.

    Args:
        archive: where the file is.
        file: which file.
        written: what this writer wrote.
        again: writes file, mirror and entry once more.
        mirrored: whether a Parquet mirror was written: it is to match the file too.

    Raises:
        OverwrittenError: the other writer's file and entry are in place.
        FileError: the disk or the store refused, or others write all the time.
    """
    until, times = time.monotonic() + PATIENCE, 0
    while True:
        stored, recorded = _stored_digest(archive, file, written), _recorded_digest(archive, file)
        is_mine = stored == recorded == written.sha256
        if is_mine and not (mirrored and mirror_digest_if_valid(archive, file) != stored):
            return written, times > 0
        if stored == recorded and not is_mine:
            raise OverwrittenError(
                f"{file}: another process or host stored other bytes at the same moment, and they stay; those of this "
                "run are not stored. Materialize it again to have it checked and recorded here"
            )
        if written.sha256 == max(stored, recorded) or time.monotonic() > until:
            if times == _MOST_TIMES:
                raise FileError(f"{file} could not be stored: another process or host writes it all the time; stop one")
            written, times = again(), times + 1
        else:
            time.sleep(0.02 + 0.08 * random.random())  # noqa: S311 - not for secrets


def _stored_digest(archive: Archive, file: BarFile, written: Written) -> str:
    """The digest of the file in place; that of ours, unread, where it has the stamp that ours had."""
    found = archive.status(file)
    if found is None:
        return ""
    return written.sha256 if found.stamp == written.stamp else measure(archive.path(file)).sha256


def _recorded_digest(archive: Archive, file: BarFile) -> str:
    entry = read_if_valid(archive, file)
    return "" if entry is None else entry.sha256
