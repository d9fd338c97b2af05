"""The manifest entries of an archive: reading, writing and updating them, and measuring the files they describe.

The fields of an entry and its JSON are in `model.manifest_entry`. No bar is decoded here.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from mohlcv_dagster.checks.registry import VENDOR_RULES, for_timeframe
from mohlcv_dagster.errors import FileError, ManifestEntryError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.locations import AnyPath, stamp_of

_DISTRIBUTION: Final = "mohlcv-dagster"
_PIECE: Final = 1 << 20


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
        ManifestEntryError: what is there is no entry of this file.
        FileError: the disk refused.
    """
    at = archive.root / str(manifest_entry.path_of(file))
    try:
        entry = ManifestEntry.decode(at.read_bytes())
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
    """The entry of `file`; `None` also if what is there is no entry of it: it can be replaced.

    Raises:
        FileError: the disk refused.
    """
    try:
        return read(archive, file)
    except ManifestEntryError:
        return None


def write(archive: Archive, file: BarFile, entry: ManifestEntry) -> bool:
    """Write the entry of `file` atomically; returns whether it differs from the one that was there.

    Raises:
        FileError: the disk refused.
    """
    if not in_layout(archive, file) or entry == read_if_valid(archive, file):
        return False
    archive.write_path(manifest_entry.path_of(file), entry.encode())
    return True


def update_checks(
    archive: Archive,
    file: BarFile,
    recorded: ManifestEntry | None,
    verdicts: Iterable[RecordedResult],
    not_judged: Iterable[str] = (),
) -> bool:
    """Bring the results of rules in the entry of `file` up to date; returns whether that changed it.

    Results of rules that no longer apply to such files are dropped.

    Args:
        archive: where the file is.
        file: which file.
        recorded: what was recorded when the file was written, used if there is no entry; `None` if nothing was. An
            entry with another digest is left alone: another home wrote it.
        verdicts: the results of the rules that were checked.
        not_judged: names of rules that could not be checked, whose former results are outdated.

    Raises:
        FileError: the disk refused.
    """
    entry = read_if_valid(archive, file) or recorded
    if entry is None or (recorded is not None and entry.sha256 != recorded.sha256):
        return False
    rules = (*for_timeframe(file.timeframe), *for_timeframe(file.timeframe, VENDOR_RULES))
    gone = {check.name for check in entry.checks} - {rule.name for rule in rules}
    return write(archive, file, entry.with_results(verdicts, gone | set(not_judged)))


@dataclass(frozen=True)
class Measured:
    """A file of bars as it is.

    Attributes:
        sha256: of its bytes, hexadecimal.
        rows: its lines without the header.
        size: bytes.
        stamp: that of the file when it was opened (see `locations.FileStatus`); empty in an object store.
    """

    sha256: str
    rows: int
    size: int
    stamp: str = field(default="", compare=False)


def measure(at: AnyPath) -> Measured:
    """The digest, bars and size of a file, read in pieces.

    Raises:
        FileError: the disk refused.
    """
    digest, lines, size, last, stamp = hashlib.sha256(), 0, 0, b"\n", ""
    try:
        with at.open("rb") as opened:
            if isinstance(at, Path):
                stamp = stamp_of(os.fstat(opened.fileno()))
            while piece := opened.read(_PIECE):
                digest.update(piece)
                lines += piece.count(b"\n")
                size += len(piece)
                last = piece[-1:]
    except OSError as error:
        raise FileError(f"{at} could not be read: {error}") from error
    return Measured(digest.hexdigest(), max(lines + (last != b"\n") - 1, 0), size, stamp)
