"""Runs of the asset graph from the command: one partition a run, in this process, remembered in the home."""

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from mohlcv_dagster.checks.registry import RULES, VENDOR_RULES, checks_for
from mohlcv_dagster.cli.interrupts import noticing_interrupts, was_interrupted
from mohlcv_dagster.defs.asset_checks import failed_rules
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, file_of, partition_key
from mohlcv_dagster.defs.run_options import NO_OPTIONS, RunOptions
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import Timeframe

if TYPE_CHECKING:
    from dagster._core.events import JobFailureData, StepMaterializationData

_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_UNLOGGED: Final = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
_BLOCKS: Final = {rule.name: rule.blocking for rule in (*RULES, *VENDOR_RULES)}
_LOOK_EVERY: Final = 0.25
NO_TAGS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Check:
    """What one asset check said.

    Attributes:
        asset: such as `aggregated/15s`.
        name: of the check.
        passed: whether it passed.
        error: whether its failing is an error, be what is downstream held back or not; else it is a warning.
        blocking: the rules of it that fail as errors and hold back what is downstream.
        message: what it found, in a sentence.
    """

    asset: str
    name: str
    passed: bool
    error: bool
    message: str
    blocking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        run_id: as the UI shows it.
        succeeded: whether every step did and no blocking check failed.
        reasons: why it failed, a sentence for each step that failed of itself and each check that found an error, those
            that hold nothing back included.
        checks: every check that was evaluated.
        empty: whether a file without bars was stored.
    """

    run_id: str
    succeeded: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    empty: bool = False


def instance() -> dg.DagsterInstance:
    """The instance of `DAGSTER_HOME`, for runs in this process: their output stays on the terminal.

    Dagster would turn file descriptor 1 into a log file while a run works, where a line that moves finds no terminal
    and stands still; and four processes would copy that file back, which answer Ctrl-C with tracebacks.
    """
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=_UNLOGGED))


def materialize(  # noqa: PLR0913 - what, where, how, and who is told
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    raw: BarFile,
    timeframes: Sequence[Timeframe],
    on_event: Callable[[dg.EventLogEntry], None] | None = None,
    *,
    orders: RunOptions = NO_OPTIONS,
    tags: Mapping[str, str] = NO_TAGS,
    offline: bool = False,
) -> Outcome:
    """Materialize the partition of `raw` in the assets of `timeframes`, checks included.

    A run that fails is an outcome too, never raised.

    Args:
        definitions: the code location.
        instance: where the run is remembered; the symbol is added to its partitions, and taken from them again
            where the run stored nothing and none of its months is stored in these assets.
        raw: the raw file of the symbol and month.
        timeframes: the assets to materialize; `timeframes.RAW` is `raw_1s`.
        on_event: told each event of the run, in order, from a thread of its own.
        orders: how raw bars are to be fetched.
        tags: further tags of the run.
        offline: whether checks that ask the vendor are left out.

    Raises:
        KeyboardInterrupt: Ctrl-C came meanwhile; Dagster takes it for a failure of the run.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    keys = [asset_key(timeframe) for timeframe in timeframes]
    chosen = _offline(timeframes) if offline else None
    job = job.get_subset(asset_selection=set(keys), asset_check_selection=chosen)
    with _kept(instance, raw.symbol, keys):
        return _execute(job, instance, raw, on_event, {**tags, **orders.tags()})


def _offline(timeframes: Sequence[Timeframe]) -> set[dg.AssetCheckKey]:
    """The checks of these assets for which nobody is asked."""
    return {
        dg.AssetCheckKey(asset_key(each), check.name)
        for each in timeframes
        for check in checks_for(each)
        if not check.asks_vendor
    }


def judge(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    file: BarFile,
    on_event: Callable[[dg.EventLogEntry], None] | None = None,
    *,
    tags: Mapping[str, str] = NO_TAGS,
) -> Outcome:
    """Execute the checks of a stored file that need no network, and make nothing; else as `materialize`."""
    job = definitions.resolve_implicit_global_asset_job_def()
    return _execute(job.get_subset(asset_check_selection=_offline([file.timeframe])), instance, file, on_event, tags)


def _execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    file: BarFile,
    on_event: Callable[[dg.EventLogEntry], None] | None,
    tags: Mapping[str, str],
) -> Outcome:
    run_id = str(uuid.uuid4())
    with noticing_interrupts() as interrupted, _watched(instance, run_id, on_event):
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
def _kept(instance: dg.DagsterInstance, symbol: str, keys: Sequence[dg.AssetKey]) -> Iterator[None]:
    """Keep `symbol` among the partitions; one that was not there before stays only if a month of it is stored.

    A slip of the pen would be offered in every launch dialog from then on, and be fetched by *All*.
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
def _watched(
    instance: dg.DagsterInstance, run_id: str, on_event: Callable[[dg.EventLogEntry], None] | None
) -> Iterator[None]:
    if on_event is None:
        yield
        return
    over = threading.Event()
    watched = (instance, run_id, on_event, over)
    # a daemon: whatever an interrupt leaves it in, the process can end
    watcher = threading.Thread(target=_follow, args=watched, name="run-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _follow(
    instance: dg.DagsterInstance, run_id: str, on_event: Callable[[dg.EventLogEntry], None], over: threading.Event
) -> None:
    """Hand on each event once, looking for new ones until the run is over and none is left."""
    cursor: str | None = None
    last_look = False
    while not last_look:
        last_look = over.wait(_LOOK_EVERY)
        connection = instance.get_records_for_run(run_id, cursor=cursor)
        cursor = connection.cursor
        for record in connection.records:
            on_event(record.event_log_entry)


def _outcome(result: dg.ExecuteInProcessResult) -> Outcome:
    checks = tuple(
        Check(
            asset=evaluation.asset_key.to_user_string(),
            name=evaluation.check_name,
            passed=evaluation.passed,
            error=evaluation.severity == dg.AssetCheckSeverity.ERROR,
            message=evaluation.description or "",
            blocking=tuple(rule.name for rule in failed_rules(evaluation) if rule.is_error and _BLOCKS[rule.name]),
        )
        for evaluation in result.get_asset_check_evaluations()
    )
    stored = [event.materialization for event in _materializations(result)]
    empty = any(made.metadata["dagster/partition_row_count"].value == 0 for made in stored)
    return Outcome(result.run_id, result.success, tuple(_reasons(result)), checks, empty)


def _materializations(result: dg.ExecuteInProcessResult) -> Iterator["StepMaterializationData"]:
    return (event.step_materialization_data for event in result.all_events if event.is_step_materialization)


def _reasons(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """A sentence for each failure, and each rule that failed as an error and is not named in one of them.

    A run that failed before its first step says so itself.
    """
    said: list[str] = []
    for event in result.all_events:
        if event.is_job_failure and event.job_failure_data.first_step_failure_event is None:
            said += _unbegun(event.job_failure_data)
        elif event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                said.append(data.user_failure_data.description)
            elif data.error is not None:
                said.append(data.error.message.strip())
    yield from said
    for evaluation in result.get_asset_check_evaluations():
        for rule in failed_rules(evaluation):
            if rule.is_error and not any(rule.message in each for each in said):
                yield f"{evaluation.asset_key.to_user_string()} {rule.name}: {rule.message}"


def _unbegun(failure: "JobFailureData") -> Iterator[str]:
    """What kept a run from its first step: the cause at the bottom, where the run's own error only wraps it."""
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    yield error.message.strip() if error is not None else "the run failed before its first step; see its log"
