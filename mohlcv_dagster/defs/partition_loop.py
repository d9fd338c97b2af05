"""The step of all bars: each month of a run goes through all its steps before the next one is begun.

The steps of a month are: fetch, write, check, resample, write, check, compare with the vendor. Each yields an event of
its partition for Dagster as it happens, so that a process that is killed leaves what was recorded before. A backfill
gives each run up to twelve months, since starting a process costs more than a quiet month. A month that fails does so
alone: the others are made, recorded and checked, then the run fails and says which.

A vendor that is away is asked again after a while, for the months that are missing. An asset's own `retry_policy` is
not used for that: Dagster 1.13 follows it also when a run is terminated, and the step would forget what it had found.
"""

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from mohlcv_dagster.bars.trade_figures import MinuteTrades
from mohlcv_dagster.checks import runner
from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import asset_checks, failures, metadata, month_metadata, records, run_tags
from mohlcv_dagster.defs.check_runner import CheckRunner, VendorMinutesSource
from mohlcv_dagster.defs.metadata import Metadata, convert, origin_metadata
from mohlcv_dagster.defs.partitions import asset_key, file_of, files_of, partition_tags, timeframe_of
from mohlcv_dagster.defs.progress import RETRYING, RunProgress
from mohlcv_dagster.defs.refresh import INCREMENTAL, Refresh
from mohlcv_dagster.errors import InputError, MohlcvError, PlanError, VendorUnavailableError
from mohlcv_dagster.model.month_decision import RunOptions
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.model.timeframes import RAW

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.checks.rule import RuleResult
    from mohlcv_dagster.defs.io_managers import BarsCsvIOManager
    from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.providers.base import BarProvider

_MOST_AWAY: Final = 2
"""After so many months in a row that the vendor was away for, the others are not tried."""
_SHOWN_FIRST: Final = (metadata.STATE, metadata.EMPTY_BECAUSE, metadata.NOTES)
_SHOWN_LAST: Final = (metadata.REQUEST_IDS, metadata.MISSING_MINUTES)


def run(
    context: dg.AssetExecutionContext,
    massive: "ProviderResource",
    archive: "ArchiveResource",
    files: "BarsCsvIOManager",
    retry: dg.RetryPolicy,
) -> Iterator[Any]:
    """Make and check what a run selects of its partitions; in a run without partitions, check all that are stored.

    Args:
        context: of the step of all bars.
        massive: the vendor, asked only when a step needs it.
        archive: reads the files.
        files: writes them.
        retry: how often, and after what time, a vendor that is away is asked again.

    Raises:
        dagster.Failure: a partition failed.
    """
    made = set(context.selected_asset_keys)
    keys = sorted({*made, *(check.asset_key for check in context.selected_asset_check_keys)}, key=timeframe_of)
    has_partitions = context.has_partition_key or context.has_partition_key_range
    with failures.as_dagster_failure():
        if made and not has_partitions:
            raise InputError("the run names no partition: launch it for one or more months and symbols")
        stored = {} if has_partitions else {key: _stored(context.instance, key) for key in keys}
        partitions = list(context.partition_keys) if has_partitions else sorted(set().union(*stored.values()))
        label = ", ".join(sorted(key.to_user_string() for key in made or keys))
        progress = RunProgress.for_run(context, label, len(partitions))
        options = RunOptions.from_tags(context.run.tags)
    if has_partitions:
        run_tags.add(context.instance, context.run.run_id, partitions)
    with ExitStack() as stack:
        month = _MonthSteps(context, massive, archive, files, progress, options, keys, stored, stack)
        loop = _Loop(context, month, progress, retry, deque(partitions))
        yield from loop.all_partitions() if has_partitions else _all_stored(loop)
    progress.end()
    if loop.failed:
        raise failures.partitions_failure(loop.failed, len(loop.waiting), of=len(partitions))
    yield from unexported.outputs(context)


def _stored(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    return set(files_of(key, instance.get_materialized_partitions(key)))


def _all_stored(loop: "_Loop") -> Iterator[Any]:
    """Check every stored partition, then sum up each check."""
    context = loop.context
    failing: dict[dg.AssetCheckKey, list[dg.AssetCheckEvaluation]] = {
        check: [] for check in sorted(context.selected_asset_check_keys)
    }
    for event in loop.all_partitions():
        yield event
        if isinstance(event, dg.AssetCheckEvaluation) and not event.passed:
            failing[event.asset_check_key].append(event)
    for check, found in failing.items():
        yield asset_checks.summary_evaluation(check, found, len(loop.month.stored[check.asset_key]))


@dataclass
class _Loop:
    """The partitions of a run, one after the other.

    Attributes:
        context: of the step.
        month: does the work.
        progress: shows how far it has come.
        retry: how often a vendor that is away is asked again.
        waiting: the partitions that are still to be done; at the end, those that were not tried.
        failed: why others failed.
    """

    context: dg.AssetExecutionContext
    month: "_MonthSteps"
    progress: RunProgress
    retry: dg.RetryPolicy
    waiting: deque[str]
    failed: dict[str, MohlcvError] = field(default_factory=dict)
    _is_over: bool = False
    _newest: str | None = None

    def all_partitions(self) -> Iterator[Any]:
        """Every partition, and those that the vendor was away for again."""
        for attempt in range(1, self.retry.max_retries + 2):
            yield from self._each()
            again = [name for name, error in self.failed.items() if isinstance(error, VendorUnavailableError)]
            if self._is_over or not again or attempt > self.retry.max_retries:
                return
            self._wait(attempt, again)
            self.waiting = deque(sorted([*again, *self.waiting]))

    def _wait(self, attempt: int, again: Sequence[str]) -> None:
        seconds = self.retry.calculate_delay(attempt)
        self.progress.retry(len(again))
        reason = self.failed[again[0]]
        self.context.log.warning("%s in %.0f s: %s: %s", RETRYING, seconds, failures.listed(again), reason)
        time.sleep(seconds)

    def _each(self) -> Iterator[Any]:
        away = 0
        while self.waiting and away < _MOST_AWAY:
            partition = self.waiting.popleft()
            self.failed.pop(partition, None)
            try:
                yield from self.month.run(partition)
            except MohlcvError as error:
                self._fail(partition, error)
                away = away + 1 if isinstance(error, VendorUnavailableError) else 0
                if self._is_over:
                    return
            else:
                away = 0
                self.progress.finished(self.month.bars)
                if self.progress.months > 1:
                    self.context.log.info("%s done, %s", partition, self.progress.summary)

    def _fail(self, partition: str, error: MohlcvError) -> None:
        """A partition failed; what no partition can escape ends the loop."""
        if isinstance(error, PlanError):
            self._look_at_newest(partition)
        if isinstance(error, failures.INESCAPABLE):
            self._is_over = True
        self.failed[partition] = error
        self.progress.finished(None)
        if not self._is_over and self.progress.months > 1:
            self.context.log.error("%s failed: %s", partition, error)

    def _look_at_newest(self, refused: str) -> None:
        """A plan reaches back some years: where it refuses the newest month, too, it refuses all before it."""
        if refused == self._newest:
            self._is_over = True
        elif self._newest is None and self.waiting:
            self._newest = self.waiting.pop()
            self.waiting.appendleft(self._newest)


@dataclass
class _MonthSteps:
    """The steps of a month, for the assets and checks that a run selects.

    Attributes:
        context, massive, archive, files: as in `run`.
        progress: shows how far the fetches have come.
        options: those of the run.
        keys: the assets that are made or checked, raw bars first.
        stored: in a run that names no partition, the stored partitions of each asset; else empty.
        stack: closes the vendor.
        bars: how many bars the first file of the last month had.
    """

    context: dg.AssetExecutionContext
    massive: "ProviderResource"
    archive: "ArchiveResource"
    files: "BarsCsvIOManager"
    progress: RunProgress
    options: RunOptions
    keys: Sequence[dg.AssetKey]
    stored: dict[dg.AssetKey, set[str]]
    stack: ExitStack
    bars: int = 0

    def __post_init__(self) -> None:
        self._reader = self.archive.reader()
        vendor = VendorMinutesSource(lambda: self._vendor)
        self._checks = CheckRunner(self.context.instance, self._reader, self.context.log, vendor)

    @cached_property
    def _vendor(self) -> "BarProvider":
        return self.stack.enter_context(self.massive.create_provider())

    def run(self, partition: str) -> Iterator[Any]:
        """All selected steps of a partition, as events for Dagster.

        Raises:
            MohlcvError: a file cannot be made, or one that was made fails a check that blocks.
        """
        self._reader.release()
        self.bars = 0
        broken: list[tuple[BarFile, list[RuleResult]]] = []
        for key in self.keys:
            if self.stored and partition not in self.stored[key]:
                continue
            file, is_made = file_of(key, partition), key in self.context.selected_asset_keys
            if is_made:
                yield self._materialized(file, partition)
            blocking = yield from self._checked(file, key, is_new=is_made)
            if is_made and blocking:
                broken.append((file, blocking))
                if file.timeframe == RAW:
                    break
        for file, findings in broken:
            runner.require(file, findings)

    def _materialized(self, file: "BarFile", partition: str) -> dg.AssetMaterialization:
        """Make and write a file; the event that records it."""
        bars, figures, facts = self._fetch(file) if file.timeframe == RAW else self._resample(file)
        self.bars = self.bars or bars.num_rows
        recorded = self.files.write(file, bars, facts, self._replacement(facts), figures)
        if figures is not None:
            self._reader.keep_trades(file, str(recorded[metadata.SHA256].value), MinuteTrades.of(bars, figures))
        return dg.AssetMaterialization(
            asset_key(file.timeframe),
            partition=partition,
            metadata={**recorded, **facts},
            tags=partition_tags(partition),
        )

    def _replacement(self, facts: Metadata) -> Replacement:
        """Why a file that is there is replaced."""
        if INCREMENTAL in facts:
            return Replacement.COMPLETED
        return Replacement.FORCED if self.options.force else Replacement.DOWNLOADED

    def _checked(self, file: "BarFile", key: dg.AssetKey, *, is_new: bool) -> "Generator[Any, None, list[RuleResult]]":
        """Check a file as it is; returns the findings that block."""
        names = {check.name for check in self.context.selected_asset_check_keys if check.asset_key == key}
        if not names:
            return []
        result = self._checks.check(file, names, is_new=is_new)
        yield from result.evaluations
        return result.blocking

    def _resample(self, file: "BarFile") -> "tuple[pa.Table, None, Metadata]":
        record = records.latest(self.context.instance, file.raw)
        bars = self._reader.resample(file, record)
        return bars, None, origin_metadata(record.inherited(record.sha256)) if record else {}

    def _fetch(self, file: "BarFile") -> "tuple[pa.Table, pa.Table | None, Metadata]":
        instance, log = self.context.instance, self.context.log
        refresh = Refresh(self._vendor, self._reader, instance, self.options, log)
        fetched, facts = refresh.fetch(file, self.progress.fetching(file))
        bars, until = fetched.bars, fetched.complete_through
        notes = month_metadata.notes(instance, file, fetched)
        for note in notes:
            log.warning(note)
        return (
            bars,
            fetched.figures,
            _in_order(
                {
                    **month_metadata.charts(file, bars, until),
                    **convert({metadata.NOTES: " ".join(notes) or None}),
                    **month_metadata.coverage_metadata(bars, file.month, until),
                    **month_metadata.trades_metadata(bars, fetched.figures),
                    **facts,
                }
            ),
        )


def _in_order(facts: Metadata) -> Metadata:
    """The facts of a raw month in the order in which the UI is to show them: long lists, which hide the rest, last."""
    first, last = ({name: facts[name] for name in names if name in facts} for names in (_SHOWN_FIRST, _SHOWN_LAST))
    return {**first, **{name: value for name, value in facts.items() if name not in last}, **last}
