"""The loop over the partitions of a run: one month goes through all steps before the next one is begun.

A backfill gives each run up to twelve months, since starting a process costs more than a quiet month. A month that
fails does so alone: the others are made, recorded and checked, then the run fails and says which. A process that is
killed leaves what was recorded before.

A vendor that is away is asked again after a while, for the months that are missing. An asset's own `retry_policy` is
not used for that: Dagster 1.13 follows it also when a run is terminated, and the step would forget what it had found.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import asset_checks, failures, run_tags
from mohlcv_dagster.defs.month_steps import MonthSteps
from mohlcv_dagster.defs.partitions import files_of
from mohlcv_dagster.defs.progress import RETRYING, RunProgress
from mohlcv_dagster.errors import InputError, MohlcvError, PlanError, VendorUnavailableError

if TYPE_CHECKING:
    from mohlcv_dagster.defs.io_managers import BarsCsvIOManager
    from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource

_MOST_AWAY: Final = 2
"""After so many months in a row that the vendor was away for, the others are not tried."""


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
        massive: the vendor.
        archive: reads the files.
        files: writes them.
        retry: how often, and after what time, a vendor that is away is asked again.

    Raises:
        dagster.Failure: a partition failed.
    """
    with failures.as_dagster_failure():
        stored = {} if _has_partitions(context) else _stored(context)
        partitions = sorted(set().union(*stored.values())) if stored else list(context.partition_keys)
        progress = RunProgress.for_run(context, _label(context), len(partitions))
        steps = MonthSteps(context, massive, archive, files, progress, stored)
    run_tags.add_to_run(context)
    loop = _Loop(context, steps, progress, retry, deque(partitions))
    with steps:
        yield from _all_stored(loop) if stored else loop.all_partitions()
    progress.end()
    if loop.failed:
        raise failures.partitions_failure(loop.failed, len(loop.waiting), of=len(partitions))
    yield from unexported.outputs(context)


def _has_partitions(context: dg.AssetExecutionContext) -> bool:
    return bool(context.has_partition_key or context.has_partition_key_range)


def _stored(context: dg.AssetExecutionContext) -> dict[dg.AssetKey, set[str]]:
    """The stored partitions of each asset whose checks are selected, in a run of checks that names none."""
    if context.selected_asset_keys:
        raise InputError("the run names no partition: launch it for one or more months and symbols")
    keys = {check.asset_key for check in context.selected_asset_check_keys}
    return {key: set(files_of(key, context.instance.get_materialized_partitions(key))) for key in keys}


def _label(context: dg.AssetExecutionContext) -> str:
    keys = context.selected_asset_keys or {check.asset_key for check in context.selected_asset_check_keys}
    return ", ".join(sorted(key.to_user_string() for key in keys))


@dataclass
class _Loop:
    """The partitions of a run, one after the other.

    Attributes:
        context: of the step.
        steps: does the work.
        progress: shows how far it has come.
        retry: how often a vendor that is away is asked again.
        waiting: the partitions that are still to be done; at the end, those that were not tried.
        failed: why others failed.
    """

    context: dg.AssetExecutionContext
    steps: MonthSteps
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
                yield from self.steps.run(partition)
            except MohlcvError as error:
                self._fail(partition, error)
                away = away + 1 if isinstance(error, VendorUnavailableError) else 0
                if self._is_over:
                    return
            else:
                away = 0
                self._done(partition)

    def _done(self, partition: str) -> None:
        self.progress.finished(self.steps.bars)
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


def _all_stored(loop: _Loop) -> Iterator[Any]:
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
        yield asset_checks.summary_evaluation(check, found, len(loop.steps.stored[check.asset_key]))
