"""Proving a tree by its passports: every file is the one that was recorded, none is missing, none is red.

Reads and writes nothing. What is found is told with its cure; how it is shown is the command's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import parquet_codec, passport
from mohlcv_dagster.bars.files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.bars.passport import Passport
from mohlcv_dagster.bars.processors import in_order
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import FileError, InputError
from mohlcv_dagster.manifest import mirror, passports
from mohlcv_dagster.manifest.measure import Measured, measure
from mohlcv_dagster.whole_files import UNFINISHED

REWRITTEN: Final = "rewritten.txt"
"""The journal of files that were rewritten and are not recorded yet, in the manifest's folder."""
_NAMED: Final = 3
"""Failed rules that a message names."""


class Kind(StrEnum):
    """In what way a tree is not as its passports say."""

    CHANGED = "changed"
    NO_PASSPORT = "no passport"
    NO_FILE = "no file"
    BAD_PASSPORT = "bad passport"
    RED = "red checks"
    MIRROR = "mirror out of step"
    LEFTOVER = "leftover"


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that is not as it should be.

    Attributes:
        path: relative to the data folder.
        kind: in what way.
        message: what is wrong and what cures it, in a sentence or two.
    """

    path: str
    kind: Kind
    message: str


@dataclass(frozen=True)
class Proof:
    """What came of holding a tree against its passports.

    Attributes:
        files: how many files of bars were read.
        size: their bytes.
        rows: their bars.
        warned: how many files have rules that failed as warnings, which is no difference.
        differences: in order of path.
    """

    files: int
    size: int
    rows: int
    warned: int
    differences: tuple[Difference, ...]


@dataclass
class _Tree:
    """The files of a data folder by what they are, each under its path."""

    bars: dict[BarFile, str] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    passports: dict[str, BarFile | None] = field(default_factory=dict)
    mirrors: set[str] = field(default_factory=set)
    leftovers: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def verify(archive: Archive) -> Proof:
    """Hold every file of an archive against its passport; files are read side by side, on all processors.

    Raises:
        InputError: there is no such folder, or no file of bars and no passport in it.
        FileError: the disk refused.
    """
    tree = _tree(archive)
    if not tree.bars and not tree.passports:
        raise InputError(
            f"there is no archive in {archive.root}: neither files of bars nor passports. Name the data folder, the "
            f"one that holds {RAW_FOLDER} and {passport.FOLDER}"
        )
    found = [*_names(tree)]
    measured = dict(zip(tree.bars, in_order(lambda file: measure(archive.path(file)), tree.bars), strict=True))
    warned = 0
    for file, path in tree.bars.items():
        told = _passport(archive, file, path, found)
        if told is not None:
            found += _held_against(path, told, measured[file])
            warned += any(not check.passed and not check.is_red for check in told.checks)
    changed = frozenset(each.path for each in found if each.kind is Kind.CHANGED)
    found += _mirrors(archive, tree, measured, changed)
    size, rows = (sum(getattr(each, name) for each in measured.values()) for name in ("size", "rows"))
    return Proof(len(tree.bars), size, rows, warned, tuple(sorted(found)))


def _tree(archive: Archive) -> _Tree:
    if not archive.root.is_dir():
        raise InputError(f"there is no folder {archive.root}; name the data folder")
    tree = _Tree()
    for path in archive.paths():
        if path.name.startswith(".") and path.suffix == UNFINISHED:
            tree.leftovers.append(str(path))
        elif str(path) == f"{passport.FOLDER}/{REWRITTEN}":
            tree.unfinished.append(str(path))
        elif path.parts[0] == passport.FOLDER and path.suffix == ".json":
            tree.passports[str(path)] = _file(str(path.relative_to(passport.FOLDER)).removesuffix(".json"))
        elif path.parts[0] == parquet_codec.FOLDER and path.suffix == ".parquet":
            tree.mirrors.add(str(path))
        elif path.parts[0] in {RAW_FOLDER, AGGREGATED_FOLDER} and path.suffix == ".csv":
            file = _file(str(path))
            if file is None:
                tree.strange.append(str(path))
            else:
                tree.bars[file] = str(path)
    return tree


def _file(path: str) -> BarFile | None:
    try:
        return BarFile.parse(path)
    except FileError:
        return None


def _names(tree: _Tree) -> Iterator[Difference]:
    """What the names alone tell."""
    for path in tree.strange:
        yield Difference(
            path, Kind.NO_PASSPORT, "its name is not one of the layout, so that nothing reads it: move or rename it"
        )
    for path in tree.leftovers:
        yield Difference(
            path,
            Kind.LEFTOVER,
            "a writer that was killed left it behind and nothing reads it: delete it, or write the file anew",
        )
    for path in tree.unfinished:
        yield Difference(path, Kind.LEFTOVER, "`mohlcv adopt --rewrite` did not come to its end: run it again")
    for path, file in tree.passports.items():
        if file is None:
            yield Difference(path, Kind.NO_FILE, "it is the passport of no file of the layout: delete it")
        elif file not in tree.bars:
            yield Difference(
                path, Kind.NO_FILE, f"{file.path} is not there: copy it again, {_again(file)}; or delete its passport"
            )


def _passport(archive: Archive, file: BarFile, path: str, found: list[Difference]) -> Passport | None:
    try:
        told = passports.read(archive, file)
    except FileError as error:
        found.append(
            Difference(
                path, Kind.BAD_PASSPORT, f"{error}. Copy the passport again, or let `mohlcv adopt` write it anew"
            )
        )
        return None
    if told is None:
        why = "nothing vouches for it: copy its passport too, or register it with `mohlcv adopt`"
        found.append(Difference(path, Kind.NO_PASSPORT, why))
    return told


def _held_against(path: str, told: Passport, is_: Measured) -> Iterator[Difference]:
    unlike = [
        f"{name} is {_short(here)}, its passport says {_short(there)}"
        for name, here, there in (
            ("sha256", is_.sha256, told.sha256),
            ("the number of bars", is_.rows, told.rows),
            ("the size", is_.size, told.size),
        )
        if here != there
    ]
    if unlike:
        cure = f"Copy it again, {_again(BarFile.parse(path))}; `mohlcv adopt --accept-changed` takes it as it is"
        yield Difference(path, Kind.CHANGED, f"{'; '.join(unlike)}. {cure}")
    elif told.red:  # of a file that changed nothing is known but that
        named = "; ".join(f"{check.name}: {check.message}" for check in told.red[:_NAMED])
        more = f"; and {len(told.red) - _NAMED} more" if len(told.red) > _NAMED else ""
        rules = "1 rule failed" if len(told.red) == 1 else f"{len(told.red)} rules failed"
        yield Difference(path, Kind.RED, f"{rules} when it was last checked. {named}{more}")


def _mirrors(
    archive: Archive, tree: _Tree, measured: Mapping[BarFile, Measured], changed: frozenset[str]
) -> Iterator[Difference]:
    """What is wrong with mirrors, and with them alone: that their CSV file has changed or is gone is told already."""
    if not tree.mirrors:
        return
    cure = "run `mohlcv adopt` with MOHLCV_PARQUET=true, which writes it, or delete the folder parquet"
    expected = {str(parquet_codec.path_of(file)): file for file in tree.bars}
    lost = {str(parquet_codec.path_of(file)) for file in tree.passports.values() if file is not None}
    for path in sorted(tree.mirrors - expected.keys() - lost):
        yield Difference(path, Kind.MIRROR, "there is no CSV file that it mirrors: delete it")
    for path, file in expected.items():
        if path not in tree.mirrors:
            yield Difference(path, Kind.MIRROR, f"{file.path} has no mirror, though others have: {cure}")
            continue
        try:
            digest = mirror.digest(archive, file)
        except FileError as error:
            yield Difference(path, Kind.MIRROR, f"{error}: {cure}")
            continue
        if digest != measured[file].sha256 and tree.bars[file] not in changed:
            yield Difference(path, Kind.MIRROR, f"it was not written with {file.path} as that stands now: {cure}")


def _again(file: BarFile) -> str:
    asset = RAW_FOLDER if file.timeframe == RAW else f"{AGGREGATED_FOLDER}/{file.timeframe}"
    return f"or materialize {asset} for {file.symbol} {file.month} again"


def _short(value: str | int) -> str:
    return f"{value[:12]}…" if isinstance(value, str) else f"{value:,}"
