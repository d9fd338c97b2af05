"""Runs of the asset graph by the command: one partition a run, in this process; and stored files recorded as runs."""

import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import click
import dagster as dg

from mohlcv_dagster.checks.registry import RULES, VENDOR_RULES, checks_for
from mohlcv_dagster.cli.crashed_runs import PoolWait, was_interrupted, watching_for_interrupts
from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.dagster_patches.command_runs import recorded_as_launched
from mohlcv_dagster.dagster_patches.pool_places import on_wait
from mohlcv_dagster.defs.adoption import Adoption, AdoptionRun
from mohlcv_dagster.defs.adoption_state import AdoptionState
from mohlcv_dagster.defs.asset_checks import failed_rules
from mohlcv_dagster.defs.failures import INESCAPABLE, KIND
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, file_of, partition_key
from mohlcv_dagster.defs.quality_asset import KEY as QUALITY
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.month_decision import NO_OPTIONS, RunOptions
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.manifest import measure
from mohlcv_dagster.storage.reader import BarReader

OnEvent: TypeAlias = Callable[[dg.EventLogEntry], None]
"""Called with each event of a run, in order, from a thread of its own."""

_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_BLOCKS: Final = {rule.name: rule.blocking for rule in (*RULES, *VENDOR_RULES)}
_POLL_SECONDS: Final = 0.25
NO_TAGS: Final[Mapping[str, str]] = {}
PATIENCE: Final = 10.0
"""Seconds to wait for another process that records files in the home."""


@dataclass(frozen=True)
class EvaluatedCheck:
    """What one asset check found.

    Attributes:
        asset: such as `aggregated/15s`.
        error: whether a failure of it is an error, blocking or not; else it is a warning.
        blocking: those of its rules that fail as errors and block what is downstream.
    """

    asset: str
    name: str
    passed: bool
    error: bool
    message: str
    blocking: tuple[str, ...] = ()


@dataclass(frozen=True)
class FinishedRun:
    """How a run ended.

    Attributes:
        succeeded: whether every step did and no blocking check failed.
        reasons: why it failed, a sentence for each step that failed of itself and each rule that failed as an error,
            blocking or not.
        empty: whether a file without bars was stored.
        kind: of a step that failed, the type of our error, such as `PlanError`; empty where none failed of one.
    """

    run_id: str
    succeeded: bool
    reasons: tuple[str, ...]
    checks: tuple[EvaluatedCheck, ...]
    empty: bool = False
    kind: str = ""

    @property
    def is_inescapable(self) -> bool:
        """Whether every other month would fail for the same reason, such as a key that is refused."""
        return self.kind in {error.__name__ for error in INESCAPABLE}


def materialize(  # noqa: PLR0913 - what, where, how, and who is notified
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    raw: BarFile,
    timeframes: Sequence[Timeframe],
    on_event: OnEvent | None = None,
    *,
    options: RunOptions = NO_OPTIONS,
    tags: Mapping[str, str] = NO_TAGS,
    offline: bool = False,
) -> FinishedRun:
    """Materialize the partition of `raw` in the assets of `timeframes`, checks included.

    A run that fails is an outcome too, and is never raised.

    Args:
        definitions: the code location.
        instance: remembers the run; the symbol is added to its partitions, and removed again where no month of it is
            stored in these assets after the run.
        raw: the raw file of the symbol and month.
        timeframes: the assets to materialize; `timeframes.RAW` is `raw_1s`.
        on_event: called with each event of the run.
        options: how raw bars are to be fetched.
        tags: further tags of the run.
        offline: whether checks that ask the vendor are left out.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; Dagster records it as a failure of the run.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    keys = [asset_key(timeframe) for timeframe in timeframes]
    checks = _offline_checks(timeframes) if offline else None
    job = job.get_subset(asset_selection=set(keys), asset_check_selection=checks)
    with _keeping_symbol(instance, raw.symbol, keys), recorded_as_launched(instance, keys, checks):
        return _execute(job, instance, raw, on_event, {**tags, **options.tags()})


def _offline_checks(timeframes: Sequence[Timeframe]) -> set[dg.AssetCheckKey]:
    """The checks of these assets that need no network."""
    return {
        dg.AssetCheckKey(asset_key(each), check.name)
        for each in timeframes
        for check in checks_for(each)
        if not check.asks_vendor
    }


def check(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    file: BarFile,
    on_event: OnEvent | None = None,
    *,
    tags: Mapping[str, str] = NO_TAGS,
) -> FinishedRun:
    """Run the checks of a stored file that need no network, and write nothing; else as `materialize`."""
    job = definitions.resolve_implicit_global_asset_job_def()
    checks = _offline_checks([file.timeframe])
    job = job.get_subset(asset_check_selection=checks)
    with recorded_as_launched(instance, (), checks):
        return _execute(job, instance, file, on_event, tags)


def assess(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """Make the table of quality of all months, and its page.

    Raises:
        FileError: the disk refused it.
    """
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection={QUALITY})
    with recorded_as_launched(instance, [QUALITY], None):
        job.execute_in_process(run_config=_QUIET, instance=instance)


def _execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    file: BarFile,
    on_event: OnEvent | None,
    tags: Mapping[str, str],
) -> FinishedRun:
    run_id = str(uuid.uuid4())
    waiting = PoolWait(instance, Path(instance.root_directory), partial(click.echo, err=True))
    with watching_for_interrupts() as interrupted, on_wait(waiting), _watched(instance, run_id, on_event):
        result = job.execute_in_process(
            run_config=_QUIET,
            instance=instance,
            partition_key=partition_key(file.symbol, file.month),
            raise_on_error=False,
            run_id=run_id,
            tags=dict(tags),
        )
    if interrupted() or any(was_interrupted(event) for event in result.all_events):
        raise KeyboardInterrupt
    return _outcome(result)


@contextmanager
def _keeping_symbol(instance: dg.DagsterInstance, symbol: str, keys: Sequence[dg.AssetKey]) -> Iterator[None]:
    """Have `symbol` among the partitions; one that was not there before stays only if a month of it is stored.

    A mistyped symbol would be offered in every launch dialog from then on, and be fetched by *All*.
    """
    new = not instance.has_dynamic_partition(SYMBOL, symbol)
    instance.add_dynamic_partitions(SYMBOL, [symbol])
    try:
        yield
    finally:
        stored = [(key, each) for key in keys for each in instance.get_materialized_partitions(key)] if new else []
        if new and not any(file_of(key, each).symbol == symbol for key, each in stored):
            instance.delete_dynamic_partition(SYMBOL, symbol)


@contextmanager
def _watched(instance: dg.DagsterInstance, run_id: str, on_event: OnEvent | None) -> Iterator[None]:
    if on_event is None:
        yield
        return
    over, failed = threading.Event(), list[Exception]()
    # a daemon, so that the process can end even if an interrupt leaves the thread waiting
    arguments = (instance, run_id, on_event, over, failed)
    watcher = threading.Thread(target=_follow, args=arguments, name="run-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    if failed:
        raise failed[0]


def _follow(
    instance: dg.DagsterInstance, run_id: str, on_event: OnEvent, over: threading.Event, failed: list[Exception]
) -> None:
    """Pass on each event once, until the run is over and no event is left; an error ends that and is kept."""
    cursor: str | None = None
    last_look = False
    try:
        while not last_look:
            last_look = over.wait(_POLL_SECONDS)
            connection = instance.get_records_for_run(run_id, cursor=cursor)
            cursor = connection.cursor
            for record in connection.records:
                on_event(record.event_log_entry)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the run was started
        failed.append(error)


def _outcome(result: dg.ExecuteInProcessResult) -> FinishedRun:
    checks = tuple(
        EvaluatedCheck(
            asset=evaluation.asset_key.to_user_string(),
            name=evaluation.check_name,
            passed=evaluation.passed,
            error=evaluation.severity == dg.AssetCheckSeverity.ERROR,
            message=evaluation.description or "",
            blocking=tuple(rule.name for rule in failed_rules(evaluation) if rule.is_error and _BLOCKS[rule.name]),
        )
        for evaluation in result.get_asset_check_evaluations()
    )
    stored = [
        event.step_materialization_data.materialization for event in result.all_events if event.is_step_materialization
    ]
    empty = any(each.metadata["dagster/partition_row_count"].value == 0 for each in stored)
    return FinishedRun(result.run_id, result.success, tuple(_reasons(result)), checks, empty, _kind(result))


def _kind(result: dg.ExecuteInProcessResult) -> str:
    failed = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    kinds = [each.metadata[KIND].value for each in failed if each is not None and KIND in each.metadata]
    return str(kinds[0]) if kinds else ""


def _reasons(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """A sentence for each failure, and each rule that failed as an error and is not named in one of them.

    For a run that failed before its first step, the cause.
    """
    reasons: list[str] = []
    for event in result.all_events:
        if event.is_job_failure and event.job_failure_data.first_step_failure_event is None:
            reasons.append(_root_cause(event.job_failure_data))
        elif event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                reasons.append(data.user_failure_data.description)
            elif data.error is not None:
                reasons.append(data.error.message.strip())
    yield from reasons
    for evaluation in result.get_asset_check_evaluations():
        for rule in failed_rules(evaluation):
            if rule.is_error and not any(rule.message in each for each in reasons):
                yield f"{evaluation.asset_key.to_user_string()} {rule.name}: {rule.message}"


def _root_cause(failure: Any) -> str:  # noqa: ANN401 - what a dagster.DagsterEvent carries
    """Why a run failed before its first step: the innermost cause, since the run's own error only wraps it."""
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "the run failed before its first step; see its log"


def record(
    home: Home, instance: dg.DagsterInstance, archive: Archive, files: Collection[BarFile], *, parquet: bool
) -> dict[BarFile, list[dg.AssetCheckEvaluation]]:
    """Record stored raw files as `mohlcv adopt` does, and check them; those that cannot be read have no evaluations.

    Args:
        home: of the instance.
        instance: where they are recorded; it has no record of them.
        archive: where they are.
        files: raw files that are stored.
        parquet: whether each is written as Parquet too.

    Raises:
        SettingsError: `mohlcv adopt` is running on the home.
        FileError: a file could not be read.
    """
    measured = {file: measure(archive.path(file)) for file in files}
    adoption = Adoption(AdoptionState(instance, archive, (RAW,), measured, {}), BarReader(archive), parquet)
    with home.recording_lock(PATIENCE), _KeepingRecording(instance) as recording:
        entries = [entry for entry in adoption.register(files, recording) if entry.registered]
        for _ in adoption.check(entries, recording):
            pass
    return {file: recording.evaluations.get(file, []) for file in files}


class _KeepingRecording(AdoptionRun):
    """A recording that keeps the evaluations of each file."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.evaluations: dict[BarFile, list[dg.AssetCheckEvaluation]] = {}

    def evaluated(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Record what a check found."""
        super().evaluated(evaluation)
        file = file_of(evaluation.asset_key, str(evaluation.partition))
        self.evaluations.setdefault(file, []).append(evaluation)


def outcome_of(evaluations: list[dg.AssetCheckEvaluation]) -> FinishedRun:
    """The outcome of checks without a run."""
    reasons = tuple(
        f"{each.asset_key.to_user_string()} {each.check_name}: {each.description}"
        for each in evaluations
        if not each.passed and each.severity is dg.AssetCheckSeverity.ERROR
    )
    return FinishedRun("", succeeded=True, reasons=reasons, checks=())
