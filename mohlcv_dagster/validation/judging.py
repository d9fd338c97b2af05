"""Judging the files of a tree one after the other: what each rule finds, and which could not be judged and why."""

from collections.abc import Callable, Iterator
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
    """

    file: BarFile
    path: str
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[Rule, str], ...]
    rows: int | None
    problem: str | None = None


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
            findings = _findings(reader, file, recorded)
        except FileError as error:
            yield Judged(file, str(at), (), (), None, str(error))
            continue
        skipped = _skipped(file, recorded, has_raw=raw is not None)
        reasons = {rule.name for rule, _ in skipped}
        kept = tuple(finding for finding in findings if finding.rule.name not in reasons)
        # a file that cannot be read says so by its first rule
        rows = next((finding.of for finding in kept if finding.rule.name == "readable" and finding.passed), None)
        yield Judged(file, str(at), kept, tuple(skipped), rows)


def _findings(reader: Reader, file: BarFile, known: Known | None) -> list[Finding]:
    recorded, beside = (known.recorded, known.beside) if known else (None, None)
    return reader.judge(file, recorded, (beside or Beside()) if file.timeframe == RAW else None)


def _skipped(file: BarFile, known: Known | None, *, has_raw: bool) -> list[tuple[Rule, str]]:
    skipped: list[tuple[Rule, str]] = []
    for rule in rules.for_timeframe(file.timeframe):
        if known is None and rule.name in rules.OF_RECORD:
            skipped.append((rule, NO_RECORD))
        elif not has_raw and file.timeframe != RAW and rule.ground is Ground.RAW:
            skipped.append((rule, NO_RAW))
    return skipped + [(rule, NOT_ASKED) for rule in rules.for_timeframe(file.timeframe, AGAINST_VENDOR)]


class _Found(Archive):
    """The files of a tree where they stand, and the raw files of a folder beside it."""

    def __init__(self, tree: Tree, raw: Place | None) -> None:
        super().__init__(str(tree.root), raw=str(raw) if raw is not None else None)
        self._files = tree.files

    def path(self, file: BarFile) -> Place:
        """Where `file` stands."""
        return self._files.get(file) or super().path(file)
