"""Judging the files of a tree one after the other: what each rule finds, and which could not be judged and why."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import AGAINST_VENDOR, Beside, Finding, Ground, Recorded, Rule
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.reader import Reader
from mohlcv_dagster.tree import Place, Tree

_NEED_RAW: Final = frozenset({Ground.RAW, Ground.RECOMPUTED})

NO_RECORD: Final = "nothing is recorded of this file: it was not written by this project's runs"
NO_RAW: Final = "there are no raw files to compare with: name their folder by --raw-data-dir"
NOT_ASKED: Final = "the vendor is not asked here: execute the check in the Dagster UI"


@dataclass(frozen=True)
class Known:
    """What was recorded of a file, and of the months beside it."""

    recorded: Recorded
    beside: Beside | None = None


Knowledge: TypeAlias = Callable[[BarFile], Known | None]
"""Gives what was recorded when the very file that is judged was written; `None` where nothing was."""


@dataclass(frozen=True)
class Judged:
    """What was found of a file.

    Attributes:
        file: which file.
        path: where it stands.
        findings: what each rule says that could be judged.
        skipped: the rules that could not, and why.
        rows: its bars; `None` where it could not be read.
        problem: why nothing was judged at all, as on a disk that refuses; `None` where something was.
        raw: of an aggregate that was to be compared with its raw file, that this is absent or cannot be read; else
            `None`.
    """

    file: BarFile
    path: str
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[Rule, str], ...]
    rows: int | None
    problem: str | None = None
    raw: Finding | None = None


def judge(tree: Tree, raw: Place | None, known: Knowledge) -> Iterator[Judged]:
    """Judge every file of the tree; memory holds one month.

    Args:
        tree: the files.
        raw: for aggregates, the folder of the symbols' folders of raw files; `None` where they are not to be compared.
        known: what was recorded.
    """
    reader = Reader(_Found(tree, raw))
    for file, at in tree.files.items():
        recorded = known(file)
        try:
            yield _judged(reader, file, str(at), recorded, has_raw=raw is not None)
        except FileError as error:
            yield Judged(file, str(at), (), (), None, str(error))


def _judged(reader: Reader, file: BarFile, at: str, known: Known | None, *, has_raw: bool) -> Judged:
    recorded, beside = (known.recorded, known.beside) if known else (None, None)
    said = reader.examine(file, recorded, (beside or Beside()) if file.timeframe == RAW else None)
    # a file that cannot be read says so by its first rule
    rows = next((finding.of for finding in said.findings if finding.rule.name == "readable" and finding.passed), None)
    skipped = _skipped(file, dict(said.not_judged), unknown=known is None, no_raw=rows is not None and not has_raw)
    kept = tuple(finding for finding in said.findings if finding.rule not in skipped)
    raw = _fault_of_raw(reader, file.raw) if has_raw and rows is not None and file.timeframe != RAW else None
    return Judged(file, at, kept, tuple(skipped.items()), rows, raw=raw)


def _skipped(file: BarFile, reasons: Mapping[Rule, str], *, unknown: bool, no_raw: bool) -> dict[Rule, str]:
    """The rules that were not judged, and why.

    Args:
        file: which file.
        reasons: those that could not be or need not be, and why.
        unknown: whether nothing was recorded of the file.
        no_raw: whether there are no raw files to compare with.
    """
    skipped: dict[Rule, str] = {}
    for rule in rules.for_timeframe(file.timeframe):
        if no_raw and file.timeframe != RAW and rule.ground in _NEED_RAW:
            skipped[rule] = NO_RAW
        elif rule in reasons:
            skipped[rule] = reasons[rule]
        elif unknown and rule.name in rules.OF_RECORD:
            skipped[rule] = NO_RECORD
    return skipped | dict.fromkeys(rules.for_timeframe(file.timeframe, AGAINST_VENDOR), NOT_ASKED)


def _fault_of_raw(reader: Reader, raw: BarFile) -> Finding | None:
    """That a raw file is absent or cannot be read; `None` where it can be."""
    own = reader.read(raw)
    if own.problem is None:
        return None
    return next(finding for finding in rules.judge(rules.Evidence(raw, own, own)) if not finding.passed)


class _Found(Archive):
    """The files of a tree where they stand, and the raw files of a folder beside it."""

    def __init__(self, tree: Tree, raw: Place | None) -> None:
        super().__init__(str(tree.root), raw=str(raw) if raw is not None else None)
        self._files = tree.files

    def path(self, file: BarFile) -> Place:
        """Where `file` stands."""
        return self._files.get(file) or super().path(file)
