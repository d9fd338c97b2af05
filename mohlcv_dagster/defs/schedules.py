"""The job `refresh_month_in_progress` and its daily schedule: for those who would rather see a schedule than a sensor.

It asks for the same months as the automation `keep_current` (see `automation`), a run each with raw bars, aggregates
and checks, and does not look after aggregates made stale by other runs or after the table of quality. It stands back
while that automation is on: together they would ask for each month twice.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,  # not exported: what define_asset_job gives
)

from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import automation, run_tags
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, split
from mohlcv_dagster.model.timeframes import RAW, Timeframe

JOB: Final = "refresh_month_in_progress"
SCHEDULE: Final = "refresh_month_in_progress_daily"


def job(timeframes: Sequence[Timeframe]) -> UnresolvedAssetJobDefinition:
    """The job: raw bars, aggregates of `timeframes` and the checks of both, of a month."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(*map(asset_key, (RAW, *timeframes))),
        description=(
            "Completes the month in progress of a symbol: bars that came since it was fetched are asked for, "
            "aggregates are folded again, and all is checked. By hand: *Materialize all*, the month *Latest* and the "
            f"symbols. Daily: its schedule {SCHEDULE}."
        ),
    )


def schedule(refresh: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """The schedule: each day after settlement time, a run for each symbol and month that there is something new of."""

    @dg.schedule(
        name=SCHEDULE,
        job=refresh,
        cron_schedule=automation.DAILY,
        execution_timezone=automation.EASTERN,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            "Off until you turn it on. Each day at 11:15 Eastern, when the vendor has settled the session before: a "
            "run for each symbol with a month stored of the last thirteen, on the month in progress; in the first days "
            "of a month one more on the month before, until it has settled. On days without anything new, none.\n\n"
            f"Turn on this schedule or the automation {automation.SENSOR}, not both: the automation asks for the same "
            "months, and also makes aggregates anew whenever their raw month was and quality/coverage each day. While "
            "it is on, this schedule skips its ticks and says so."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if unexported.is_sensor_on(context.instance, automation.SENSOR):
            yield dg.SkipReason(f"The automation {automation.SENSOR} is on and asks for the same months.")
            return
        kept = set(context.instance.get_dynamic_partitions(SYMBOL))
        now = context.scheduled_execution_time
        due = [key for key in automation.due(context.instance, asset_key(RAW), now) if split(key)[1] in kept]
        if not due:
            yield dg.SkipReason("No month has anything new.")
        for key in sorted(set(due)):
            yield dg.RunRequest(run_key=f"{key} {now:%Y-%m-%d}", partition_key=key, tags=run_tags.of_partitions([key]))

    return daily
