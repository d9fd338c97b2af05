"""Restore what changed on the disk: from the mirror, the CSV file or a second copy, where a recorded digest proves it.

A file of bars is written again only with the bytes that its manifest entry here has the digest of. An entry is taken
from the copy only if it is valid there and describes the file here. A mirror is made from a file that is as recorded.
Everything else is left as it is. No other program may write into the archive meanwhile: a file that was just written
and is not recorded yet looks like one that changed.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from mohlcv_dagster.bars import csv_codec, parquet_codec
from mohlcv_dagster.errors import FileError, NotRegularFileError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import FileKind, Inventory, ListedFile
from mohlcv_dagster.storage.manifest import Measured, measure
from mohlcv_dagster.storage.verify import Verification, verify


@dataclass(frozen=True)
class Restored:
    """A file that was restored.

    Attributes:
        path: relative to the data folder.
        message: from what, a phrase.
    """

    path: str
    message: str


def restore(archive: Archive, found: Verification, copy: Archive | None) -> tuple[Verification, list[Restored]]:
    """Restore what can be, and verify it again.

    Args:
        archive: which.
        found: what `verify` found in it.
        copy: a second copy, which is only read; `None` for none.

    Returns:
        What is left, and what was restored.

    Raises:
        FileError: the disk refused to write.
    """
    files = {ListedFile.at(each.path).bars: None for each in found.differences}
    mirrored = bool(found.differences) and bool(Inventory.of(archive.root).of_kind(FileKind.MIRROR))
    restored: list[Restored] = []
    for file in filter(None, files):
        with suppress(NotRegularFileError):  # it is not replaced, and stays among what is left
            for each in _restored(archive, copy, file, mirrored=mirrored):
                restored.append(each)  # noqa: PERF402 - what was done before an error is kept
    if not restored:
        return found, []
    again = verify(archive, lambda each: each.bars is not None and each.bars in files)
    others = [each for each in found.differences if ListedFile.at(each.path).bars is None]
    return replace(found, differences=tuple(sorted((*others, *again.differences)))), restored


def _restored(archive: Archive, copy: Archive | None, file: BarFile, *, mirrored: bool) -> Iterator[Restored]:
    """Restore entry, bars and mirror of a file, in this order, each by the one before."""
    here, entry = _measured(archive, file), _entry(archive, file)
    if entry is None and copy is not None:
        entry = _entry(copy, file)
        if entry is None or not _is_of(entry, here):
            return
        manifest.write(archive, file, entry)
        yield Restored(str(manifest_entry.path_of(file)), f"from {copy.root}: the file here has its digest")
    if entry is None:
        return
    if not _is_of(entry, here):
        proven = next((each for each in _candidates(archive, copy, file) if _sha256(each[1]) == entry.sha256), None)
        if proven is None:
            return
        archive.write(file, proven[1])
        yield Restored(str(file.path), f"from {proven[0]}: the digest is the recorded one")
    if mirrored and manifest.mirror_digest_if_valid(archive, file) != entry.sha256:
        path = parquet_codec.path_of(file)
        if copy is not None and manifest.mirror_digest_if_valid(copy, file) == entry.sha256:
            archive.write_path(path, copy.read_path(path) or b"")  # the file of bars has no trades
            yield Restored(str(path), f"from {copy.root}: it is of the same version")
            return
        manifest.write_mirror(archive, file, csv_codec.decode(archive.read(file)), entry.sha256)
        yield Restored(str(path), f"from {file.path}, which is as recorded; without trades and average prices")


def _candidates(archive: Archive, copy: Archive | None, file: BarFile) -> Iterator[tuple[object, bytes]]:
    """Bytes that may be those recorded, each with where they are from; what cannot be read is skipped."""
    with suppress(FileError):
        mirror = archive.read_path(parquet_codec.path_of(file))
        for bars in parquet_codec.decode(mirror) if mirror is not None else ():
            yield parquet_codec.path_of(file), csv_codec.encode(bars)
    if copy is not None:
        with suppress(FileError):
            yield copy.path(file), copy.read(file)


def _entry(archive: Archive, file: BarFile) -> ManifestEntry | None:
    """The entry of a file; `None` where there is none, or it cannot be read."""
    try:
        return manifest.read(archive, file)
    except FileError:
        return None


def _measured(archive: Archive, file: BarFile) -> Measured | None:
    try:
        return measure(archive.path(file))
    except FileError:
        return None


def _is_of(entry: ManifestEntry, here: Measured | None) -> bool:
    """Whether an entry describes the file as it is."""
    return here is not None and (entry.sha256, entry.rows, entry.size) == (here.sha256, here.rows, here.size)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
