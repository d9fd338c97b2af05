"""What a folder holds, by names alone: files of bars, what belongs to them, leftovers, foreign files.

`Inventory` lists a complete data folder, `bar_files` only its files of bars, and `list_folder` a folder of one
timeframe that may come from anywhere. No file is opened, and Arrow is not loaded.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path, PurePosixPath
from typing import Final, Self

from mohlcv_dagster.errors import FileError, FileMissingError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, HISTORY_FOLDER, MIRROR_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage import objects
from mohlcv_dagster.storage.atomic_writes import UNFINISHED
from mohlcv_dagster.storage.locations import AnyPath, resolve_path

JOURNAL: Final = f"{manifest_entry.FOLDER}/rewritten.txt"
"""The journal of files that were rewritten and are not recorded yet."""

_SUFFIXES: Final = (".csv", ".json", ".parquet")
"""Those of files in a data folder: a folder so named is in the place of one."""
_BAR_FOLDERS: Final = frozenset({RAW_FOLDER, AGGREGATED_FOLDER})
_NO_PATH: Final = "is not a path of the archive"


class FileKind(Enum):
    """What a file in a data folder is, by its path."""

    BARS = auto()
    MANIFEST_ENTRY = auto()
    MIRROR = auto()
    FORMER_VERSION = auto()
    """A former version of a file of bars (see `history`)."""
    JOURNAL = auto()
    LEFTOVER = auto()
    """An unfinished file of a writer."""
    FOREIGN = auto()
    """In a folder of bars, but not named as the layout requires."""
    OTHER = auto()


@dataclass(frozen=True)
class ListedFile:
    """A file in a data folder.

    Attributes:
        path: relative to the folder, with `/`.
        kind: what it is.
        bars: the file of bars that it is, or that belongs to the manifest entry, mirror or former version;
            `None` where there is none.
    """

    path: str
    kind: FileKind
    bars: BarFile | None = None

    @classmethod
    def at(cls, path: str) -> Self:
        """The file at a relative path."""
        at = PurePosixPath(path)
        folder = at.parts[0]
        if at.name.startswith(".") and at.suffix == UNFINISHED:
            return cls(path, FileKind.LEFTOVER)
        if path == JOURNAL:
            return cls(path, FileKind.JOURNAL)
        for kind, own, suffix, bars_of in _BELONGING:
            if folder == own and at.suffix == suffix:
                return cls(path, kind, bars_of(at))
        bars = _parsed(path)
        if bars is not None:
            return cls(path, FileKind.BARS, bars)
        foreign = folder in _BAR_FOLDERS and not path.endswith(UNFINISHED)
        return cls(path, FileKind.FOREIGN if foreign else FileKind.OTHER)

    @property
    def is_foreign_csv(self) -> bool:
        """Whether it is a CSV file not named by the layout, in any folder but those of the manifest and the mirror."""
        ours = self.path.startswith((f"{manifest_entry.FOLDER}/", f"{MIRROR_FOLDER}/"))
        return self.kind in {FileKind.FOREIGN, FileKind.OTHER} and self.path.endswith(".csv") and not ours


@dataclass(frozen=True)
class Inventory:
    """Every file under a data folder.

    Attributes:
        files: in order of path.
    """

    files: tuple[ListedFile, ...]

    @classmethod
    def of(cls, root: AnyPath) -> Self:
        """List a data folder. Links to folders are not followed; folders that cannot be read are skipped.

        A folder that is named like a file is listed as one: to read it fails.
        """
        return cls(tuple(ListedFile.at(path) for path in sorted(_walk(root))))

    def only(self, chosen: Callable[[ListedFile], bool]) -> "Inventory":
        """The files that a condition holds of."""
        return Inventory(tuple(filter(chosen, self.files)))

    def of_kind(self, kind: FileKind) -> list[ListedFile]:
        """The files of one kind, in order of path."""
        return [each for each in self.files if each.kind is kind]

    @property
    def bars(self) -> dict[BarFile, str]:
        """The path of each file of bars, in order of path."""
        return {each.bars: each.path for each in self.of_kind(FileKind.BARS) if each.bars is not None}


def _walk(root: AnyPath) -> Iterator[str]:
    """The path of each file under a folder, relative to it, with `/`."""
    if not isinstance(root, Path):
        above = root.path.rstrip("/")
        with objects.os_errors():
            root.fs.invalidate_cache(root.path)  # another process may have written since it was listed
            found = root.fs.find(root.path)
        yield from (str(path).removeprefix(above).lstrip("/") for path in found)
        return
    for folder, folders, names in os.walk(root):
        under = os.path.relpath(folder, root).replace(os.sep, "/")
        in_place_of_files = [name for name in folders if name.endswith(_SUFFIXES)]
        folders[:] = [name for name in folders if name not in in_place_of_files]
        yield from (name if under == "." else f"{under}/{name}" for name in (*names, *in_place_of_files))


def _parsed(path: str) -> BarFile | None:
    try:
        return BarFile.parse(path)
    except FileError:
        return None


def _described(entry: PurePosixPath) -> BarFile | None:
    """The file of bars that a manifest entry is of."""
    return _parsed("/".join(entry.parts[1:]).removesuffix(".json"))


def _superseded(former: PurePosixPath) -> BarFile | None:
    """The file of bars that a former version is of, as `history` names it."""
    return _parsed("/".join(former.parts[1:-1]) + ".csv")


def _mirrored(mirror: PurePosixPath) -> BarFile | None:
    """The file of bars that a mirror belongs to, as `bars.parquet_codec` names it."""
    folders = dict(part.partition("=")[::2] for part in mirror.parts[1:-1])
    name, timeframe = f"{mirror.stem}.csv", folders.get("timeframe")
    if timeframe == RAW.name:
        return _parsed(f"{RAW_FOLDER}/{folders.get('symbol')}/{name}")
    return _parsed(f"{AGGREGATED_FOLDER}/{timeframe}/{name}")


_BELONGING: Final = (
    (FileKind.MANIFEST_ENTRY, manifest_entry.FOLDER, ".json", _described),
    (FileKind.MIRROR, MIRROR_FOLDER, ".parquet", _mirrored),
    (FileKind.FORMER_VERSION, HISTORY_FOLDER, ".parquet", _superseded),
)
"""What belongs to a file of bars: its kind, folder and suffix, and how the file of bars is found."""


def bar_files(raw: AnyPath, aggregated: AnyPath) -> Iterator[BarFile]:
    """The files of bars in the folder of raw files, then those in the folder of aggregates; others are skipped.

    Args:
        raw: holds a folder for each symbol.
        aggregated: holds a folder for each timeframe.
    """
    for root, folder in ((raw, RAW_FOLDER), (aggregated, AGGREGATED_FOLDER)):
        for path in sorted(str(found) for found in root.glob("*/*.csv")):
            file = _parsed("/".join((folder, *path.replace(os.sep, "/").split("/")[-2:])))
            if file is not None:
                yield file


def months_beside(place: AnyPath, symbol: str, timeframe: Timeframe) -> frozenset[Month]:
    """The months of a symbol whose files are in one folder.

    Args:
        place: where the file of any month is, or would be.
        symbol: case kept.
        timeframe: of the files.
    """
    folder = f"{RAW_FOLDER}/{symbol}" if timeframe == RAW else f"{AGGREGATED_FOLDER}/{timeframe}"
    files = (_parsed(f"{folder}/{at.name}") for at in place.parent.glob(f"{symbol}_*.csv"))
    return frozenset(file.month for file in files if file is not None and file.symbol == symbol)


@dataclass(frozen=True)
class SkippedFile:
    """A file or folder that is not a file of bars by its name or place.

    Attributes:
        path: where it is.
        why: the reason, without a full stop.
    """

    path: str
    why: str


@dataclass
class BarFolder:
    """The files of one timeframe in a folder.

    Attributes:
        root: the folder.
        files: the files of bars by symbol and month, and where each is.
        skipped: everything else in it; of hidden files only those that a writer left.
    """

    root: AnyPath
    files: dict[BarFile, AnyPath] = field(default_factory=dict)
    skipped: list[SkippedFile] = field(default_factory=list)

    def symbols(self) -> list[str]:
        """The symbols that have files, in order."""
        return sorted({file.symbol for file in self.files})

    def skip(self, at: AnyPath, why: str) -> None:
        """Note a file or folder that is not a file of bars."""
        if not at.name.startswith(".") or at.name.endswith(UNFINISHED):
            self.skipped.append(SkippedFile(str(at), why))


def list_folder(folder: str, timeframe: Timeframe) -> BarFolder:
    """The files of a timeframe in a folder that may be anywhere.

    Args:
        folder: a path (relative ones against the working folder) or an fsspec URL; for `timeframes.RAW`, it holds the
            folders of the symbols or one symbol's files.
        timeframe: of the files, also `timeframes.RAW`.

    Raises:
        FileMissingError: the folder does not exist.
        InputError: it is a URL of a store that is unknown or not installed.
    """
    root = resolve_path(folder)
    if not root.is_dir():
        raise FileMissingError(f"there is no folder {root}")
    listed = BarFolder(root)
    found: dict[BarFile, AnyPath] = {}
    for at, path in _candidates(root, timeframe, listed):
        try:
            file = BarFile.parse(path)
        except FileError as error:
            listed.skip(at, _why(error, timeframe))
            continue
        if file in found:
            listed.skip(at, f"{found[file]} has the same symbol and month")
        else:
            found[file] = at
    listed.files.update(sorted(found.items()))
    return listed


def _candidates(root: AnyPath, timeframe: Timeframe, listed: BarFolder) -> Iterator[tuple[AnyPath, str]]:
    """Every file that may be one of bars, with the path that it has in the layout if it is."""
    for at in _entries(root):
        folder = at.is_dir() and not at.name.endswith(_SUFFIXES)
        if folder and timeframe == RAW:
            yield from _of_symbol(at, listed)
        elif folder:
            listed.skip(at, f"a folder; the files of {timeframe} are looked for next to it")
        elif timeframe == RAW:
            yield at, f"{RAW_FOLDER}/{at.name.partition('_')[0]}/{at.name}"
        else:
            yield at, f"{AGGREGATED_FOLDER}/{timeframe.name}/{at.name}"


def _of_symbol(folder: AnyPath, listed: BarFolder) -> Iterator[tuple[AnyPath, str]]:
    try:
        entries = _entries(folder)
    except PermissionError as error:
        listed.skip(folder, f"it cannot be listed: {error.strerror}")
        return
    for at in entries:
        if at.is_dir() and not at.name.endswith(_SUFFIXES):
            listed.skip(at, "a folder within the folder of a symbol")
        else:
            yield at, f"{RAW_FOLDER}/{folder.name}/{at.name}"


def _entries(folder: AnyPath) -> list[AnyPath]:
    entries: list[AnyPath] = list(folder.iterdir())
    return sorted(entries, key=str)


def _why(error: FileError, timeframe: Timeframe) -> str:
    """What is wrong with a name, from the error about the path that it would have."""
    reason = str(error).partition(_NO_PATH)[2]
    if reason.startswith(": "):
        return reason.removeprefix(": ")
    example = "SPY_2024_01.csv" if timeframe == RAW else f"SPY_2024_01_{timeframe}.csv"
    return f"not named as the layout has it, such as {example}"
