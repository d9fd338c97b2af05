"""Check the files of a folder one after the other: the results of each rule, and why others could not be checked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from mohlcv_dagster.checks import check_input, registry, runner
from mohlcv_dagster.checks.check_input import NeighbourMonths
from mohlcv_dagster.checks.registry import VENDOR_RULES
from mohlcv_dagster.checks.rule import Requires, Rule, RuleResult
from mohlcv_dagster.errors import MohlcvError
from mohlcv_dagster.model import manifest_entry
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import BarFolder
from mohlcv_dagster.storage.locations import AnyPath
from mohlcv_dagster.storage.reader import BarReader

_NEED_RAW: Final = frozenset({Requires.RAW, Requires.RECOMPUTED})

NO_RECORD: Final = "nothing is recorded of this file, neither in Dagster's home nor in a manifest entry beside it"
NO_RAW: Final = "no raw files to compare with: name their folder with --raw-data-dir"
NOT_ASKED: Final = "not compared with the vendor here: execute the check in the Dagster UI"


@dataclass(frozen=True)
class FileRecord:
    """What was recorded of a file, and of the months before and after it."""

    recorded: Provenance
    neighbours: NeighbourMonths | None = None


RecordLookup: TypeAlias = Callable[[BarFile], FileRecord | None]
"""Gives what was recorded when the checked file was written; `None` if nothing was."""


@dataclass(frozen=True)
class CheckedFile:
    """The results for a file.

    Attributes:
        file: which file.
        path: where it is.
        findings: the results of the rules that could be checked.
        skipped: the rules that could not be checked, and why.
        rows: its bars; `None` if it could not be read.
        problem: why nothing was checked at all, such as a disk that refuses; `None` if something was.
        raw: for an aggregate, the failed `readable` of its raw file, if that is absent or unreadable; else `None`.
    """

    file: BarFile
    path: str
    findings: tuple[RuleResult, ...]
    skipped: tuple[tuple[Rule, str], ...]
    rows: int | None
    problem: str | None = None
    raw: RuleResult | None = None


def check_files(folder: BarFolder, raw: AnyPath | None, records: RecordLookup) -> Iterator[CheckedFile]:
    """Check every file of a folder; one month is in memory at a time.

    Args:
        folder: the files.
        raw: for aggregates, the folder with the symbols' folders of raw files; `None` not to compare with them.
        records: what was recorded of each file.
    """
    reader = BarReader(_FolderArchive(folder, raw))
    for file, at in folder.files.items():
        try:
            record = records(file) or _beside(file, at)
            yield _checked(reader, file, str(at), record, has_raw=raw is not None)
        except MohlcvError as error:
            yield CheckedFile(file, str(at), (), (), None, str(error))


def _beside(file: BarFile, at: AnyPath) -> FileRecord | None:
    """What the manifest beside the file says of it; `None` where the file is in no layout, or has no valid entry."""
    parts = PurePosixPath(file.path).parts
    if at.parts[-len(parts) :] != parts:
        return None
    root = at.parents[len(parts) - 1]
    if not (root / manifest_entry.FOLDER).is_dir():
        return None
    from mohlcv_dagster.storage import manifest  # noqa: PLC0415 - other folders do not need it

    entry = manifest.read_if_valid(Archive(str(root)), file)
    return FileRecord(entry) if entry is not None else None


def _checked(reader: BarReader, file: BarFile, at: str, record: FileRecord | None, *, has_raw: bool) -> CheckedFile:
    recorded, neighbours = (record.recorded, record.neighbours) if record else (None, None)
    results = reader.check(file, recorded, (neighbours or NeighbourMonths()) if file.timeframe == RAW else None)
    # where the file cannot be read, the rule `readable` fails
    rows = next((each.of for each in results.results if each.rule.name == "readable" and each.passed), None)
    no_raw = rows is not None and not has_raw
    skipped = _skipped(file, dict(results.not_checked), unknown=record is None, no_raw=no_raw)
    kept = tuple(finding for finding in results.results if finding.rule not in skipped)
    raw = _fault_of_raw(reader, file.raw) if has_raw and rows is not None and file.timeframe != RAW else None
    return CheckedFile(file, at, kept, tuple(skipped.items()), rows, raw=raw)


def _skipped(file: BarFile, reasons: Mapping[Rule, str], *, unknown: bool, no_raw: bool) -> dict[Rule, str]:
    """The rules that were not checked, and why.

    Args:
        file: which file.
        reasons: those that could not or need not be checked, and why.
        unknown: whether nothing was recorded of the file.
        no_raw: whether there are no raw files to compare with.
    """
    skipped: dict[Rule, str] = {}
    for rule in registry.for_timeframe(file.timeframe):
        if no_raw and file.timeframe != RAW and rule.requires in _NEED_RAW:
            skipped[rule] = NO_RAW
        elif rule in reasons:
            skipped[rule] = reasons[rule]
        elif unknown and rule.name in registry.PROVENANCE_RULES:
            skipped[rule] = NO_RECORD
    return skipped | dict.fromkeys(registry.for_timeframe(file.timeframe, VENDOR_RULES), NOT_ASKED)


def _fault_of_raw(reader: BarReader, raw: BarFile) -> RuleResult | None:
    """The failed `readable` of a raw file that is absent or cannot be read; `None` if it can be read."""
    own = reader.read(raw)
    if own.problem is None:
        return None
    return next(finding for finding in runner.check_file(check_input.CheckInput(raw, own, own)) if not finding.passed)


class _FolderArchive(Archive):
    """The files of a folder where they are, and raw files from another folder."""

    def __init__(self, folder: BarFolder, raw: AnyPath | None) -> None:
        super().__init__(str(folder.root), raw=str(raw) if raw is not None else None)
        self._files = folder.files

    def path(self, file: BarFile) -> AnyPath:
        """Where `file` is."""
        return self._files.get(file) or super().path(file)
