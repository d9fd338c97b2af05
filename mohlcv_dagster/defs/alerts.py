"""The sensors that alert of failed runs and failing checks, off until they are turned on. Delivery is in `alerting`.

Both look at the runs that ended since the last look, so that a look costs what happened and not what is stored. All
that is new is one message. The cursor moves on once the message was delivered: a webhook that is away is tried again at
the next look, and nothing is sent twice unless the daemon dies in between. What ended before a sensor was first turned
on is not sent.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Self, TypeAlias

import dagster as dg

from mohlcv_dagster import alerting
from mohlcv_dagster.alerting import Alert
from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import asset_checks, failures, run_tags
from mohlcv_dagster.defs.assets import OP
from mohlcv_dagster.defs.partitions import split
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.settings import Settings

RUNS: Final = "alert_on_failed_run"
CHECKS: Final = "alert_on_failing_check"
EVERY_SECONDS: Final = 60
MOST_RUNS: Final = 50
"""Runs that are looked at in one look; the rest is left to the next."""
_OVERLAP: Final = 120.0
"""How many seconds back ended runs are looked for again: those that end at once may be seen one after the other."""
_ENDED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_BEGUN: Final = "Alerts start now; earlier failures are not reported."
_WHERE: Final = (
    "Off until you turn it on. Writes to the log of this sensor's ticks, and to the webhook or messenger in "
    "MOHLCV_ALERT_URL or the command in MOHLCV_ALERT_COMMAND where one is set; a message a minute at the most. "
    "docs/alerts.md has the recipes for Slack, e-mail and others."
)

Alerts: TypeAlias = Callable[[dg.DagsterInstance, dg.DagsterRun, Settings], Iterable[Alert]]
"""The alerts of an ended run."""


def sensors() -> list[dg.SensorDefinition]:
    """Both sensors."""
    failing = (
        "Tells of rules that fail with an error in a check (with MOHLCV_ALERT_WARNINGS=true also of those that warn), "
        "when the run that found it has ended: symbol, month, asset, rule, the sentence with its cure, and the run.\n\n"
        f"{_WHERE}"
    )
    failed = (
        "Tells of runs that failed: symbol, months, asset, the sentence with its cure, and the run. A run that failed "
        f"of its checks alone is left to {CHECKS} while that is on.\n\n{_WHERE}"
    )
    return [
        _sensor(CHECKS, failing, _ENDED, _check_alerts),
        _sensor(RUNS, failed, [dg.DagsterRunStatus.FAILURE], _run_alerts),
    ]


def _sensor(
    name: str, description: str, ended: Sequence[dg.DagsterRunStatus], alerts_of: Alerts
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=description,
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor is None:
            begun = EndedRunsCursor(datetime.now(UTC).timestamp(), {})
            context.log.info(_BEGUN)
            return dg.SensorResult(cursor=begun.encode(), skip_reason=_BEGUN)
        seen, settings = EndedRunsCursor.parse(context.cursor), Settings.from_environment(os.environ)
        records = list(itertools.islice(_ended_since(context.instance, seen, ended), MOST_RUNS))
        alerts = [alert for each in records for alert in alerts_of(context.instance, each.dagster_run, settings)]
        return _deliver(context, alerts, settings, seen.advanced(records).encode())

    return look


def _deliver(
    context: dg.SensorEvaluationContext, alerts: Sequence[Alert], settings: Settings, cursor: str
) -> dg.SensorResult:
    """Send all at once, then move the cursor; if that fails the tick fails, and the next one sends them again."""
    if not alerts:
        return dg.SensorResult(cursor=cursor, skip_reason="Nothing new is wrong.")
    context.log.warning(alerting.text_of(alerts))
    alerting.deliver(alerts, settings)
    return dg.SensorResult(
        cursor=cursor,
        skip_reason=f"{quantity(len(alerts), 'alert')} sent to {alerting.destination(settings)}; no run is needed.",
    )


@dataclass(frozen=True)
class EndedRunsCursor:
    """The cursor over ended runs.

    Attributes:
        since: runs that ended after it are looked at, Unix seconds.
        runs: those among them that were seen, by id, with the moment they ended.
    """

    since: float
    runs: Mapping[str, float]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor in a text that `encode` gave."""
        return cls(**json.loads(text))

    def encode(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    def advanced(self, records: Iterable[dg.RunRecord]) -> "EndedRunsCursor":
        """The cursor after these runs."""
        ended = {**self.runs, **{record.dagster_run.run_id: record.end_time or 0.0 for record in records}}
        since = max([self.since, *(end - _OVERLAP for end in ended.values())])
        return EndedRunsCursor(since, {run: end for run, end in ended.items() if end > since})


def _ended_since(
    instance: dg.DagsterInstance, seen: EndedRunsCursor, ended: Sequence[dg.DagsterRunStatus]
) -> Iterator[dg.RunRecord]:
    """The runs that ended since in one of these ways, the first one first."""
    filters = dg.RunsFilter(statuses=list(ended), updated_after=datetime.fromtimestamp(seen.since, UTC))
    for record in instance.get_run_records(filters, order_by="update_timestamp", ascending=True):
        # one that ended long before may be updated later, as by a tag
        if (record.end_time or 0.0) > seen.since and record.dagster_run.run_id not in seen.runs:
            yield record


def _check_alerts(instance: dg.DagsterInstance, run: dg.DagsterRun, settings: Settings) -> Iterator[Alert]:
    """An alert for each rule that failed in a run; none for a warning, unless the settings ask for it."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event is not None]
    partitioned = {each.asset_check_key for each in found if each.partition is not None}
    for each in found:
        if each.passed or (each.partition is None and each.asset_check_key in partitioned):
            continue  # the latter sums up what is sent one by one
        month, symbol = split(each.partition or "")
        for rule in asset_checks.failed_rules(each):
            if rule.is_error or settings.alert_warnings:
                yield Alert(
                    what=rule.name,
                    severity="error" if rule.is_error else "warning",
                    asset=each.asset_key.to_user_string(),
                    symbol=symbol,
                    month=month,
                    sentence=rule.message,
                    run_id=run.run_id,
                    link=_link(settings, run),
                )


def _run_alerts(instance: dg.DagsterInstance, run: dg.DagsterRun, settings: Settings) -> Iterator[Alert]:
    """An alert for each step that failed by itself; for failing checks only while the other sensor is off."""
    sent_apart = unexported.is_sensor_on(instance, CHECKS)
    for failure in failures.step_failures(instance, run.run_id):
        if not (failure.of_checks and sent_apart):
            yield Alert(
                what="run",
                severity="error",
                asset=_named(run, failure.step),
                symbol=run.tags.get(run_tags.SYMBOL, ""),
                month=run.tags.get(run_tags.MONTH, ""),
                sentence=failure.sentence,
                run_id=run.run_id,
                link=_link(settings, run),
            )


def _named(run: dg.DagsterRun, step: str) -> str:
    """The assets that a step was to make, where it is the step of all bars; else the one it is called after."""
    if step == OP and run.asset_selection:
        return ", ".join(sorted(key.to_user_string() for key in run.asset_selection))
    return step.replace("__", "/")


def _link(settings: Settings, run: dg.DagsterRun) -> str:
    return f"{settings.ui_url}/runs/{run.run_id}" if settings.ui_url else ""
