"""Which files of bars a folder holds, wherever it stands and whoever made it; what else is there is named.

The names are those of `bars.files`; the folder is one of raw files (a folder for each symbol, or one symbol's own) or
of one timeframe. No file is opened here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, Union

from mohlcv_dagster.archive import place
from mohlcv_dagster.bars.files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.errors import FileError, FileMissingError
from mohlcv_dagster.whole_files import UNFINISHED

if TYPE_CHECKING:
    from upath import UPath

Place: TypeAlias = Union[Path, "UPath"]
"""A folder or file on a disk or under an fsspec URL."""

_NO_PATH: Final = "is not a path of the archive"


@dataclass(frozen=True)
class PassedOver:
    """Something that is no file of bars by its name or place.

    Attributes:
        path: where it stands.
        why: what is the matter with it, without a full stop.
    """

    path: str
    why: str


@dataclass
class Tree:
    """What a folder holds.

    Attributes:
        root: the folder.
        files: the files of bars, in order of symbol and month, and where each stands.
        passed_over: what else is there; files whose names begin with a dot are told only if a writer left them.
    """

    root: Place
    files: dict[BarFile, Place] = field(default_factory=dict)
    passed_over: list[PassedOver] = field(default_factory=list)

    def symbols(self) -> list[str]:
        """The symbols that have files, in order."""
        return sorted({file.symbol for file in self.files})

    def pass_over(self, at: Place, why: str) -> None:
        """Name something that is no file of bars."""
        if not at.name.startswith(".") or at.name.endswith(UNFINISHED):
            self.passed_over.append(PassedOver(str(at), why))


def look(folder: str, timeframe: Timeframe) -> Tree:
    """What `folder` holds of `timeframe`, which may be `timeframes.RAW`.

    Args:
        folder: a path (relative ones against the working folder) or an fsspec URL.
        timeframe: of the files looked for.

    Raises:
        FileMissingError: there is no such folder.
        InputError: it is a URL of no store that is known or installed.
    """
    root = place(folder)
    if not root.is_dir():
        raise FileMissingError(f"there is no folder {root}")
    tree = Tree(root)
    found: dict[BarFile, Place] = {}
    for at, told in _candidates(root, timeframe, tree):
        try:
            file = BarFile.parse(told)
        except FileError as error:
            tree.pass_over(at, _why(error, timeframe))
            continue
        if file in found:
            tree.pass_over(at, f"{found[file]} has the same symbol and month")
        else:
            found[file] = at
    tree.files.update(sorted(found.items()))
    return tree


def _candidates(root: Place, timeframe: Timeframe, tree: Tree) -> Iterator[tuple[Place, str]]:
    """Every file that may be one, with the path that it has in the layout if it is."""
    for at in _entries(root):
        if at.is_dir() and timeframe == RAW:
            yield from _of_symbol(at, tree)
        elif at.is_dir():
            tree.pass_over(at, f"a folder; the files of {timeframe} are looked for beside it")
        elif timeframe == RAW:
            yield at, f"{RAW_FOLDER}/{at.name.partition('_')[0]}/{at.name}"
        else:
            yield at, f"{AGGREGATED_FOLDER}/{timeframe.name}/{at.name}"


def _of_symbol(folder: Place, tree: Tree) -> Iterator[tuple[Place, str]]:
    for at in _entries(folder):
        if at.is_dir():
            tree.pass_over(at, "a folder within the folder of a symbol")
        else:
            yield at, f"{RAW_FOLDER}/{folder.name}/{at.name}"


def _entries(folder: Place) -> list[Place]:
    entries: list[Place] = list(folder.iterdir())
    return sorted(entries, key=str)


def _why(error: FileError, timeframe: Timeframe) -> str:
    """What is wrong with a name, from the error on the path that it would have."""
    told = str(error).partition(_NO_PATH)[2]
    if told.startswith(": "):
        return told.removeprefix(": ")
    example = "SPY_2024_01.csv" if timeframe == RAW else f"SPY_2024_01_{timeframe}.csv"
    return f"not named as the layout has it, such as {example}"
