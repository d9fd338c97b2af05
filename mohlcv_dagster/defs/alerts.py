"""The sensors that tell of failed runs and failing checks, off until they are turned on. Who is told is `alerting`'s.

All that is new since the last look is one message. The cursor moves on when the message was taken, not before: a
webhook that is away is tried again at the next look, and nothing is told twice but where the daemon dies in between.
What failed before a sensor was first turned on is not told.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Self

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter  # not exported, though a method of the event log takes it
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status  # as above

from mohlcv_dagster import alerting
from mohlcv_dagster.alerting import Alert
from mohlcv_dagster.defs import automation, run_tags
from mohlcv_dagster.defs.partitions import split
from mohlcv_dagster.settings import Settings

RUNS: Final = "alert_on_failed_run"
CHECKS: Final = "alert_on_failing_check"
EVERY_SECONDS: Final = 60
_CHECKS_FAILED: Final = "DagsterAssetCheckFailedError"
_OVERLAP: Final = 120.0
"""How many seconds back ended runs are looked for again: those that end at once may be seen one after the other."""
_WHERE: Final = (
    "Off until you turn it on. Writes to the log of this sensor's ticks, and to the webhook in MOHLCV_ALERT_URL or the "
    "command in MOHLCV_ALERT_COMMAND where one is set; a message a minute at the most. docs/alerts.md has the recipes "
    "for Slack and e-mail."
)


def sensors(checks: Sequence[dg.AssetCheckKey]) -> list[dg.SensorDefinition]:
    """Both sensors.

    Args:
        checks: every check that may fail.
    """
    return [_failed_runs(), _failing_checks(checks)]


def _failed_runs() -> dg.SensorDefinition:
    @dg.sensor(
        name=RUNS,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Tells of runs that failed: symbol, months, asset, the sentence with its cure, and the run. A run that "
            f"failed of its checks alone is left to {CHECKS} while that is on.\n\n{_WHERE}"
        ),
    )
    def failed_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor is None:
            return dg.SensorResult(cursor=Seen(datetime.now(UTC).timestamp(), {}).written(), skip_reason=_BEGINS)
        seen = Seen.parse(context.cursor)
        records = list(_ended_since(context.instance, seen))
        settings = Settings.from_environment(os.environ)
        apart = automation.is_on(context.instance, CHECKS)
        alerts = [alert for each in records for alert in _of_run(context.instance, each, settings, apart=apart)]
        return _told(context, alerts, settings, seen.and_of(records).written())

    return failed_runs


def _failing_checks(checks: Sequence[dg.AssetCheckKey]) -> dg.SensorDefinition:
    @dg.sensor(
        name=CHECKS,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Tells of checks that fail with an error (with MOHLCV_ALERT_WARNINGS=true also of those that warn): "
            f"symbol, month, asset, check, the sentence with its cure, and the run.\n\n{_WHERE}"
        ),
    )
    def failing_checks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        instance, since = context.instance, int(context.cursor) if context.cursor else None
        infos = instance.event_log_storage.get_asset_check_partition_info(checks, after_storage_id=since)
        newest = max((info.latest_check_event_storage_id for info in infos), default=0)
        if since is None:
            return dg.SensorResult(cursor=str(newest), skip_reason=_BEGINS)
        settings = Settings.from_environment(os.environ)
        new = [info for info in infos if info.latest_check_event_storage_id > since]
        failed = [(info.check_key, info.partition_key) for info in new if info.latest_execution_status is Status.FAILED]
        partitioned = {info.check_key for info in new if info.partition_key is not None}
        alerts = [
            alert
            for key, partition in failed
            if partition is not None or key not in partitioned  # else it sums up what is told one by one
            for alert in _of_check(instance, key, partition, settings)
        ]
        return _told(context, alerts, settings, str(max(newest, since)))

    return failing_checks


_BEGINS: Final = "From now on: what failed before is not told."


def _told(
    context: dg.SensorEvaluationContext, alerts: Sequence[Alert], settings: Settings, cursor: str
) -> dg.SensorResult:
    """Tell all at once, then move on; where nobody takes it the tick fails, and the next one tells it again."""
    if not alerts:
        return dg.SensorResult(cursor=cursor, skip_reason="Nothing new is wrong.")
    context.log.warning(alerting.text_of(alerts))
    alerting.deliver(alerts, settings)
    return dg.SensorResult(
        cursor=cursor, skip_reason=f"Told {len(alerts):,} to {alerting.destination(settings)}; no run is needed."
    )


def _of_check(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, partition: str | None, settings: Settings
) -> Iterator[Alert]:
    """What is told of the latest failure of a check; nothing of a warning, unless that is wanted."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=1, status={Status.FAILED}, partition_filter=PartitionKeyFilter(key=partition)
    )
    for record in history:
        found = record.evaluation
        if found is None:
            continue
        error = found.severity is dg.AssetCheckSeverity.ERROR
        if error or settings.alert_warnings:
            month, symbol = split(partition or "")
            yield Alert(
                what=found.check_name,
                severity="error" if error else "warning",
                asset=found.asset_key.to_user_string(),
                symbol=symbol,
                month=month,
                sentence=found.description or "",
                run_id=record.run_id,
                link=_link(settings, record.run_id),
            )


@dataclass(frozen=True)
class Seen:
    """The cursor over failed runs.

    Attributes:
        since: runs that ended after it are looked at, Unix seconds.
        runs: those among them that were seen, by id, with the moment they ended.
    """

    since: float
    runs: Mapping[str, float]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor as it was written."""
        return cls(**json.loads(text))

    def written(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    def and_of(self, records: Iterable[dg.RunRecord]) -> "Seen":
        """The cursor when these were seen, too."""
        ended = {**self.runs, **{record.dagster_run.run_id: record.end_time or 0.0 for record in records}}
        since = max([self.since, *(end - _OVERLAP for end in ended.values())])
        return Seen(since, {run: end for run, end in ended.items() if end > since})


def _ended_since(instance: dg.DagsterInstance, seen: Seen) -> Iterator[dg.RunRecord]:
    """The failed runs that ended since, the first one first."""
    updated = datetime.fromtimestamp(seen.since, UTC)
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=updated)
    records = instance.get_run_records(filters, order_by="update_timestamp", ascending=True)
    for record in records:
        # one that ended long before may be updated later, as by a tag
        if (record.end_time or 0.0) > seen.since and record.dagster_run.run_id not in seen.runs:
            yield record


def _of_run(instance: dg.DagsterInstance, record: dg.RunRecord, settings: Settings, *, apart: bool) -> Iterator[Alert]:
    """What is told of a failed run: each step that failed of itself.

    Args:
        instance: knows its events.
        record: the run.
        settings: where the UI is.
        apart: whether failing checks are told by the other sensor.
    """
    run = record.dagster_run
    for step, sentence, of_checks in _reasons(instance, run):
        if of_checks and apart:
            continue
        yield Alert(
            what="run",
            severity="error",
            asset=step,
            symbol=run.tags.get(run_tags.SYMBOL, ""),
            month=run.tags.get(run_tags.MONTH, ""),
            sentence=sentence,
            run_id=run.run_id,
            link=_link(settings, run.run_id),
        )


def _reasons(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[str, str, bool]]:
    """Step, sentence, and whether it was checks that failed; the run's own words where no step of it failed."""
    entries = instance.all_logs(run.run_id, of_type={dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE})
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    steps = []
    for event in (each for each in events if each.is_step_failure):
        data = event.step_failure_data
        step = (event.step_key or "").replace("__", "/")
        if data.user_failure_data is not None and data.user_failure_data.description:
            steps.append((step, data.user_failure_data.description, False))
        elif data.error is not None:
            steps.append((step, data.error.message.strip(), data.error.cls_name == _CHECKS_FAILED))
    return steps or [("", event.message or "", False) for event in events]


def _link(settings: Settings, run_id: str) -> str:
    return f"{settings.ui_url}/runs/{run_id}" if settings.ui_url and run_id else ""
