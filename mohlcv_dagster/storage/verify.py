"""Verify an archive against its manifest: every file is the recorded one, none is missing, none failed its checks.

Nothing is written; what can be put right is in `restore`. Each discrepancy is described with what to do about it.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from mohlcv_dagster.bars import parquet_codec
from mohlcv_dagster.bars.runtime import map_in_order
from mohlcv_dagster.errors import FileError, InputError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster.storage.inventory import FileKind, Inventory, ListedFile
from mohlcv_dagster.storage.manifest import Measured, measure

_SUBSET: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_NAMED: Final = 3
"""Failed rules that a message names."""


@dataclass(frozen=True)
class Subset:
    """One of several parts of an archive, which have no file in common and are all of it together.

    A month of a symbol is in one part with everything that belongs to it, and stays there: a hash decides.

    Attributes:
        number: which part, from 1.
        of: how many parts.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The part in a text such as `1/30`.

        Raises:
            InputError: it is of another form, or there is no such part.
        """
        match = _SUBSET.fullmatch(text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(f"{text!r} is not a part of the archive; write one as 1/30, from 1/30 to 30/30")
        return cls(int(match[1]), int(match[2]))

    def holds(self, file: ListedFile) -> bool:
        """Whether a file is in this part."""
        month = f"{file.bars.month}|{file.bars.symbol}" if file.bars else file.path
        return (
            int.from_bytes(hashlib.sha256(month.encode("utf-8", "surrogateescape")).digest()) % self.of
            == self.number - 1
        )


class DiscrepancyKind(StrEnum):
    """In what way a file is not as its manifest entry says."""

    CHANGED = "changed"
    UNREADABLE = "unreadable"
    NO_ENTRY = "no entry"
    NO_FILE = "no file"
    BAD_ENTRY = "bad entry"
    FAILED_CHECKS = "red checks"
    MIRROR = "mirror out of step"
    FORMER_VERSION = "former version"
    LEFTOVER = "leftover"


@dataclass(frozen=True, order=True)
class Discrepancy:
    """One thing that is not as it should be.

    Attributes:
        path: relative to the data folder.
        kind: in what way.
        message: what is wrong and what to do, in a sentence or two.
    """

    path: str
    kind: DiscrepancyKind
    message: str


@dataclass(frozen=True)
class Verification:
    """The result of verifying an archive.

    Attributes:
        files: how many files of bars were read.
        size: their bytes.
        rows: their bars.
        warned: how many files have rules that failed as warnings; these are not discrepancies.
        differences: in order of path.
    """

    files: int
    size: int
    rows: int
    warned: int
    differences: tuple[Discrepancy, ...]


def verify(archive: Archive, chosen: Callable[[ListedFile], bool] | None = None) -> Verification:
    """Compare every file of an archive with its manifest entry; files are read in parallel, on all processors.

    Args:
        archive: which.
        chosen: which of its files are verified, such as `Subset.holds`; `None` for all.

    Raises:
        InputError: the folder does not exist, or there is no file of bars and no manifest entry in it.
    """
    if not archive.root.is_dir():
        raise InputError(f"there is no folder {archive.root}; name the data folder")
    found = Inventory.of(archive.root)
    if not found.bars and not found.of_kind(FileKind.MANIFEST_ENTRY):
        raise InputError(
            f"there is no archive in {archive.root}: neither files of bars nor manifest entries. Name the data folder, "
            f"the one that holds {RAW_FOLDER} and {manifest_entry.FOLDER}"
        )
    mirrored = bool(found.of_kind(FileKind.MIRROR))
    found = found.only(chosen) if chosen else found
    bars = found.bars
    differences = [*_names(found)]
    read = dict(zip(bars, map_in_order(lambda file: _measured(archive, file), bars), strict=True))
    measured = {file: each for file, each in read.items() if isinstance(each, Measured)}
    differences += [_unreadable(bars[file], each) for file, each in read.items() if isinstance(each, FileError)]
    warned = 0
    for file, path in bars.items():
        entry = _entry(archive, file, path, differences)
        if entry is not None and file in measured:
            differences += _compared(path, entry, measured[file])
            warned += any(not check.passed and not check.is_error for check in entry.checks)
    if mirrored:
        changed = frozenset(each.path for each in differences if each.kind is DiscrepancyKind.CHANGED)
        differences += _mirrors(archive, found, measured, changed)
    differences += _former_versions(archive, found, measured)
    size, rows = (sum(getattr(each, name) for each in measured.values()) for name in ("size", "rows"))
    return Verification(len(bars), size, rows, warned, tuple(sorted(differences)))


def _measured(archive: Archive, file: BarFile) -> Measured | FileError:
    """A file as it is, or why it cannot be read: the others are verified all the same."""
    try:
        return measure(archive.path(file))
    except FileError as error:
        return error


def _unreadable(path: str, error: FileError) -> Discrepancy:
    cure = f"Copy it again, {_again(BarFile.parse(path))}"
    return Discrepancy(path, DiscrepancyKind.UNREADABLE, f"{error}. {cure}")


def _names(found: Inventory) -> Iterator[Discrepancy]:
    """What names alone show."""
    for each in found.of_kind(FileKind.FOREIGN):
        if each.is_foreign_csv:
            why = "its name is not in the layout, so nothing reads it: move or rename it"
            yield Discrepancy(each.path, DiscrepancyKind.NO_ENTRY, why)
    for each in found.of_kind(FileKind.LEFTOVER):
        why = "a writer that was killed left it and nothing reads it: delete it, or write the file again"
        yield Discrepancy(each.path, DiscrepancyKind.LEFTOVER, why)
    for each in found.of_kind(FileKind.JOURNAL):
        why = "`mohlcv adopt --rewrite` did not finish: run it again"
        yield Discrepancy(each.path, DiscrepancyKind.LEFTOVER, why)
    bars = found.bars
    for each in found.of_kind(FileKind.MANIFEST_ENTRY):
        if each.bars is None:
            why = "it is not the manifest entry of a file of the layout: delete it"
            yield Discrepancy(each.path, DiscrepancyKind.NO_FILE, why)
        elif each.bars not in bars:
            why = f"{each.bars.path} does not exist: copy it again, {_again(each.bars)}; or delete its manifest entry"
            yield Discrepancy(each.path, DiscrepancyKind.NO_FILE, why)


def _entry(archive: Archive, file: BarFile, path: str, differences: list[Discrepancy]) -> ManifestEntry | None:
    """The manifest entry of a file; `None`, and a new entry in `differences`, where it is missing or unreadable."""
    try:
        entry = manifest.read(archive, file)
    except FileError as error:
        why = f"{error}. Copy the manifest entry again, or let `mohlcv adopt` write a new one"
        differences.append(Discrepancy(path, DiscrepancyKind.BAD_ENTRY, why))
        return None
    if entry is None:
        why = "nothing is recorded of it: copy its manifest entry too, or register it with `mohlcv adopt`"
        differences.append(Discrepancy(path, DiscrepancyKind.NO_ENTRY, why))
    return entry


def _compared(path: str, entry: ManifestEntry, measured: Measured) -> Iterator[Discrepancy]:
    unequal = [
        f"{name} is {_short(here)}, its manifest entry says {_short(there)}"
        for name, here, there in (
            ("sha256", measured.sha256, entry.sha256),
            ("the number of bars", measured.rows, entry.rows),
            ("the size", measured.size, entry.size),
        )
        if here != there
    ]
    if unequal:
        cure = f"Copy it again, {_again(BarFile.parse(path))}; `mohlcv adopt --accept-changed` takes it as it is"
        yield Discrepancy(path, DiscrepancyKind.CHANGED, f"{'; '.join(unequal)}. {cure}")
    elif entry.failed_errors:  # for a file that has changed, the results no longer apply
        named = "; ".join(f"{check.name}: {check.message}" for check in entry.failed_errors[:_NAMED])
        more = f"; and {len(entry.failed_errors) - _NAMED} more" if len(entry.failed_errors) > _NAMED else ""
        rules = f"{quantity(len(entry.failed_errors), 'rule')} failed"
        yield Discrepancy(path, DiscrepancyKind.FAILED_CHECKS, f"{rules} when it was last checked. {named}{more}")


def _mirrors(
    archive: Archive, found: Inventory, measured: Mapping[BarFile, Measured], changed: frozenset[str]
) -> Iterator[Discrepancy]:
    """What is wrong with mirrors, unless their CSV file has changed or cannot be read, which is reported already."""
    mirrors = {each.path for each in found.of_kind(FileKind.MIRROR)}
    cure = "run `mohlcv adopt` with MOHLCV_PARQUET=true, which writes it, or delete the folder parquet"
    expected = {str(parquet_codec.path_of(file)): file for file in measured}
    there = (*found.of_kind(FileKind.MANIFEST_ENTRY), *found.of_kind(FileKind.BARS))
    reported = {str(parquet_codec.path_of(each.bars)) for each in there if each.bars is not None}
    for path in sorted(mirrors - expected.keys() - reported):
        yield Discrepancy(path, DiscrepancyKind.MIRROR, "the CSV file that it mirrors does not exist: delete it")
    for path, file in expected.items():
        if path not in mirrors:
            why = f"{file.path} has no mirror, though others have: {cure}"
            yield Discrepancy(path, DiscrepancyKind.MIRROR, why)
            continue
        try:
            digest = manifest.mirror_digest(archive, file)
        except FileError as error:
            yield Discrepancy(path, DiscrepancyKind.MIRROR, f"{error}: {cure}")
            continue
        if digest != measured[file].sha256 and str(file.path) not in changed:
            why = f"it does not match the present {file.path}: {cure}"
            yield Discrepancy(path, DiscrepancyKind.MIRROR, why)


def _former_versions(archive: Archive, found: Inventory, measured: Mapping[BarFile, Measured]) -> Iterator[Discrepancy]:
    """What is wrong with the history of each file that has one."""
    kept = found.of_kind(FileKind.FORMER_VERSION)
    for each in kept:
        if each.bars is None:
            why = "it is not in the folder of the former versions of a file of the layout: move it there or delete it"
            yield Discrepancy(each.path, DiscrepancyKind.FORMER_VERSION, why)
    history = VersionHistory(archive)
    for file in dict.fromkeys(each.bars for each in kept if each.bars is not None):
        present = measured[file].sha256 if file in measured else None
        for path, why in history.damage(file, present):
            yield Discrepancy(str(path), DiscrepancyKind.FORMER_VERSION, why)


def _again(file: BarFile) -> str:
    asset = RAW_FOLDER if file.timeframe == RAW else f"{AGGREGATED_FOLDER}/{file.timeframe}"
    return f"or materialize {asset} for {file.symbol} {file.month} again"


def _short(value: str | int) -> str:
    return f"{value[:12]}…" if isinstance(value, str) else f"{value:,}"
