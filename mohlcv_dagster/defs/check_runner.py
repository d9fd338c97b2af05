"""The one place where the asset checks of a file are run: its rules, its manifest entry, its evaluations."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.trade_figures import MinuteTrades
from mohlcv_dagster.checks import registry, runner
from mohlcv_dagster.checks.check_input import NO_NEIGHBOURS, NeighbourMonths, StoredMonth, VendorMinutes
from mohlcv_dagster.checks.registry import Check
from mohlcv_dagster.checks.rule import Facts, RuleResult
from mohlcv_dagster.checks.runner import CheckResult, RuleRun
from mohlcv_dagster.defs import asset_checks, records
from mohlcv_dagster.defs.failures import INESCAPABLE
from mohlcv_dagster.defs.records import Record
from mohlcv_dagster.errors import FileError, MohlcvError, NoTradesError, VendorUnavailableError
from mohlcv_dagster.model import basis
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import RecordedResult
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.reader import BarReader

if TYPE_CHECKING:
    from logging import Logger

    from mohlcv_dagster.providers.base import BarProvider, FetchedMonth


_MOST_EMPTY: Final = 24
"""So many empty months in a row are looked over, each an event to be read."""


@dataclass(frozen=True)
class FileCheckResult:
    """What the checks of a file found.

    Attributes:
        answers: of each check that was run.
        evaluations: of each of them that is given; the others could not look at what they ask for.
    """

    answers: list[CheckResult]
    evaluations: list[dg.AssetCheckEvaluation]

    @property
    def blocking(self) -> list[RuleResult]:
        """The findings that keep what is downstream from being made."""
        return [finding for answer in self.answers if answer.blocking for finding in answer.results]


class VendorMinutesSource:
    """Asks the vendor for its own minutes of months. That it does not answer is an answer that says why.

    Args:
        vendor: gives the vendor, or raises why there is none.
    """

    def __init__(self, vendor: "Callable[[], BarProvider]") -> None:
        self._vendor = vendor
        self._given_up: str | None = None

    def minutes(self, file: BarFile, record: Record | None) -> tuple[VendorMinutes, Facts]:
        """The vendor's minutes of the month of `file`, on the basis of splits in `record`, and facts worth keeping."""
        if self._given_up is not None:
            return VendorMinutes(None, self._given_up), {}
        try:
            month = self._vendor().fetch_month(
                file.symbol, file.month, timeframe="minute", adjusted=record.adjusted if record else None
            )
        except NoTradesError as error:
            return VendorMinutes(bar_table.empty()), {"the vendor's answer": str(error)}
        except MohlcvError as error:
            if isinstance(error, (*INESCAPABLE, VendorUnavailableError)):
                self._given_up = str(error)
            return VendorMinutes(None, str(error)), {}
        facts: Facts = {
            "vendor": month.vendor,
            "requests": f"{month.requests:,}",
            "request ids": ", ".join(month.request_ids),
        }
        return VendorMinutes(month.bars, None, month.complete_through, _trades(month)), facts


def _trades(month: "FetchedMonth") -> "MinuteTrades | None":
    """How many trades the vendor counts in each of its minutes; `None` where it does not say."""
    return None if month.figures is None else MinuteTrades.of(month.bars, month.figures)


@dataclass(frozen=True)
class CheckRunner:
    """Runs the checks of files.

    Attributes:
        instance: knows what was recorded of them.
        reader: reads them.
        log: warns of a manifest entry that could not be written: to check files is to read, also on a read-only disk.
        vendor: asked for its own minutes; `None`: checks that need them are left out.
    """

    instance: dg.DagsterInstance
    reader: BarReader
    log: "Logger"
    vendor: VendorMinutesSource | None = None

    def check(self, file: BarFile, names: Collection[str] | None = None, *, is_new: bool = False) -> FileCheckResult:
        """What the checks of these names find of `file` as it is; its manifest entry is brought up to date.

        Args:
            file: which file.
            names: of checks, such as `intact`; `None` for all that this runner can run.
            is_new: whether this run wrote the file.

        Raises:
            FileError: the file is new, and the disk refused its manifest entry.
        """
        checks = [check for check in registry.checks_for(file.timeframe) if self._is_chosen(check, names)]
        record = records.latest(self.instance, file)
        found = [*self._found(file, record, checks)]
        answers = runner.check_results(
            checks,
            (finding for each in found for finding in each.results),
            (left for each in found for left in each.not_checked),
        )
        try:
            self._update_manifest(file, record, answers)
        except FileError as error:
            if is_new:  # without its results no copy could be verified, and nothing would check the file again
                raise
            self.log.warning("%s was checked, and its manifest entry does not say so: %s", file, error)
        made = [asset_checks.evaluation(answer, file, record) for answer in answers if answer.is_conclusive]
        return FileCheckResult(answers, made)

    def _update_manifest(self, file: BarFile, record: Record | None, answers: Sequence[CheckResult]) -> None:
        """Bring the manifest entry of `file` up to date with what its checks found."""
        recorded = records.manifest_entry(file, record) if record else None
        results = [RecordedResult.of(finding) for answer in answers for finding in answer.results]
        not_checked = [rule.name for answer in answers for rule, _ in answer.not_checked]
        manifest.update_checks(self.reader.archive, file, recorded, results, not_checked)

    def _is_chosen(self, check: Check, names: Collection[str] | None) -> bool:
        return (names is None or check.name in names) and (self.vendor is not None or not check.asks_vendor)

    def _found(self, file: BarFile, record: Record | None, checks: Sequence[Check]) -> Iterator[RuleRun]:
        """What the rules say; the file is read, and the vendor asked, only where a check needs it."""
        if any(not check.asks_vendor for check in checks):
            yield self.reader.check(file, record, neighbours_of(self.instance, file, record))
        if self.vendor is not None and any(check.asks_vendor for check in checks):
            yield self._against_vendor(self.vendor, file, record)

    def _against_vendor(self, vendor: VendorMinutesSource, file: BarFile, record: Record | None) -> RuleRun:
        """What the rules say that compare with the vendor; it is asked only where there are bars to compare."""
        own = self.reader.read(file)
        there = own.bars is not None and self.reader.read(file.raw).bars is not None
        minutes, facts = vendor.minutes(file, record) if there else (None, {})
        found = self.reader.check_against_vendor(file, own, record, minutes)
        with_facts = (replace(finding, facts={**finding.facts, **facts}) for finding in found.results)
        return replace(found, results=tuple(with_facts))


def neighbours_of(instance: dg.DagsterInstance, file: BarFile, record: Provenance | None) -> NeighbourMonths:
    """What is recorded of the raw months before and after that of `file`; nothing for an aggregate, which needs none.

    Args:
        instance: knows them.
        file: which file.
        record: its own, which says on which basis its prices are compared.
    """
    if file.timeframe != RAW:
        return NO_NEIGHBOURS
    beside = {month: records.latest(instance, BarFile(file.symbol, RAW, month)) for month in file.month.neighbours}
    occupancies = tuple(each.occupancy for each in beside.values() if each is not None and each.occupancy is not None)
    stored: list[Month] | None = None
    sides: dict[bool, StoredMonth | None] = {False: None, True: None}
    for month, found in beside.items():
        is_after = month > file.month
        if found is not None and found.rows:
            sides[is_after] = StoredMonth(month, found)
            continue
        stored = records.stored_months(instance, file.symbol) if stored is None else stored
        farther = [each for each in stored if (each > month if is_after else each < month)]
        sides[is_after] = _nearest(instance, file, farther)
    before, after = sides[False], sides[True]
    close = _previous_close(file.month, before, record, set(stored or ()))
    return NeighbourMonths(occupancies, close, before, after)


def _nearest(instance: dg.DagsterInstance, file: BarFile, months: Iterable[Month]) -> StoredMonth | None:
    """The nearest of the stored `months` of the symbol that has bars."""
    near_first = sorted(months, key=lambda month: abs(month.start - file.month.start))
    for month in near_first[:_MOST_EMPTY]:
        found = records.latest(instance, BarFile(file.symbol, RAW, month))
        if found is not None and found.rows:
            return StoredMonth(month, found)
    return None


def _previous_close(
    month: Month, before: StoredMonth | None, record: Provenance | None, stored: set[Month]
) -> float | None:
    """The last close before the month, on the basis of splits of `record`; `None` where it cannot be compared.

    It can be compared over months that are stored without bars, and not over months that are not stored.
    """
    if before is None or record is None or before.recorded.last_close is None or not before.recorded.is_final:
        return None
    if before.month.next() != month and not stored.issuperset(before.month.next().until(month.previous())):
        return None
    if before.recorded.adjusted is None or record.adjusted is None:
        same = before.recorded.adjusted is record.adjusted
        return before.recorded.last_close if same else None
    factor = basis.price_factor(before.recorded, record)
    return None if factor is None else before.recorded.last_close * factor
