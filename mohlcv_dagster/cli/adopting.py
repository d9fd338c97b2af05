"""The steps of `mohlcv adopt` in their order; each is done by a room below. What came of them goes into the report."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import dagster as dg

from mohlcv_dagster import calendar_file
from mohlcv_dagster.bars.runtime import map_in_order
from mohlcv_dagster.cli.adoption_report import Report
from mohlcv_dagster.defs.adoption import Adoption, AdoptionRun
from mohlcv_dagster.defs.adoption_state import AdoptionState
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.settings import START, TIMEFRAMES, Settings
from mohlcv_dagster.storage import adoption_survey
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.manifest import Measured, measure
from mohlcv_dagster.storage.reader import BarReader
from mohlcv_dagster.storage.repair import RewriteJournal, Rewriter

T = TypeVar("T")


@dataclass(frozen=True)
class Adopting:
    """Adopts the tree in the data folder of these settings.

    Attributes:
        settings: what the user decided.
        instance: where the files are recorded.
        report: told what is found and done; it says whether this is a dry run.
        accept_changed: whether files that are not as they were recorded are taken as they are.
        progress: told how far it has come, a few words at a time.
    """

    settings: Settings
    instance: dg.DagsterInstance
    report: Report
    accept_changed: bool
    progress: Callable[[str], None]

    def adopt(self, symbols: frozenset[str], *, rewrite: bool) -> None:
        """Do all of it.

        Args:
            symbols: of these alone; empty for all.
            rewrite: whether what can be mended is.

        Raises:
            InputError: there is no such folder, or it is under a URL and files are to be rewritten.
            FileError: the disk refused.
        """
        calendar_file.apply_overrides(self.settings)
        archive = Archive(self.settings.data_dir)
        tree = adoption_survey.survey(archive, symbols)
        self.report.strange.extend(tree.strange)
        files = [file for file in tree.files if self._has_partition(file)]
        measured = dict(
            zip(
                files,
                self._told("read", map_in_order(lambda file: measure(archive.path(file)), files), len(files)),
                strict=True,
            )
        )
        journal = RewriteJournal(archive) if rewrite or isinstance(archive.root, Path) else None
        rewritten = journal.read() if journal else {}
        timeframes = (RAW, *self.settings.timeframes)
        standing = AdoptionState(self.instance, archive, timeframes, measured, rewritten, self.accept_changed)
        if rewrite and journal is not None:
            self._rewrite(standing, journal, measured)
            rewritten |= journal.read()
        self._record(Adoption(standing, BarReader(archive), self.settings.parquet), files)
        if journal is not None and not self.report.dry_run and rewritten.keys() <= {str(file.path) for file in files}:
            journal.clear()

    def _rewrite(self, standing: AdoptionState, journal: RewriteJournal, measured: dict[BarFile, Measured]) -> None:
        rewriter = Rewriter(standing.archive, None if self.report.dry_run else journal, standing.closed)
        for told in rewriter.rewrite(filter(standing.may_be_repaired, list(measured))):
            self.report.rewritten.append(told)
            measured[told.file] = measure(standing.archive.path(told.file))

    def _record(self, adoption: Adoption, files: list[BarFile]) -> None:
        if self.report.dry_run:
            self.report.entries.extend(self._told("examined", adoption.look(files), len(files)))
            return
        with AdoptionRun(self.instance) as recording:
            registered = list(self._told("registered", adoption.register(files, recording), len(files)))
            self.report.entries.extend(self._told("judged", adoption.judge(registered, recording), len(files)))

    def _told(self, what: str, work: Iterable[T], of: int) -> Iterator[T]:
        """`work`, as it is done told to `progress`."""
        for done, each in enumerate(work, start=1):
            self.progress(f"{done:,} of {of:,} files {what}")
            yield each

    def _has_partition(self, file: BarFile) -> bool:
        """Whether there is a partition for `file` in this project; the report is told why not."""
        why = None
        if file.month < self.settings.start:
            why = f"{file.month} is before {self.settings.start}, the first month of {START.variable}; set it earlier"
        elif file.month > Month.of(datetime.now(UTC)):
            why = f"{file.month} has not begun yet"
        elif file.timeframe not in (RAW, *self.settings.timeframes):
            why = f"{file.timeframe} is not among {TIMEFRAMES.variable}; add it there"
        if why is not None:
            self.report.outside[file] = why
        return why is None
