"""The daily schedule of the job `refresh_month_in_progress`, for those who would rather have a schedule than a sensor.

It asks for the same months as the automation `keep_current` (see `automation`), a run each with raw bars, aggregates
and checks, but not for aggregates made stale by other runs or for the table of quality. It skips its ticks while that
automation is on: together they would ask for each month twice.
"""

from collections.abc import Iterator

import dagster as dg

from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import automation, run_tags
from mohlcv_dagster.defs.jobs import REFRESH, REFRESH_SCHEDULE
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, split
from mohlcv_dagster.model.timeframes import RAW


def refresh_schedule() -> dg.ScheduleDefinition:
    """Each day, once the session before is final: a run for each symbol and month that there is something new of."""

    @dg.schedule(
        name=REFRESH_SCHEDULE,
        job_name=REFRESH,
        cron_schedule=automation.DAILY,
        execution_timezone=automation.EASTERN,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            "Off until you turn it on. Each day at 11:15 Eastern, when the vendor's bars of the session before are "
            "final: a run for each symbol with a month stored of the last thirteen, on the month in progress; in the "
            "first days of a month one more on the month before, until it is final. On days without anything new, "
            "none.\n\n"
            f"Turn on this schedule or the automation {automation.SENSOR}, not both: the automation asks for the same "
            "months, and also makes aggregates again whenever their raw month was and quality/coverage each day. While "
            "it is on, this schedule skips its ticks and says so."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if unexported.is_sensor_on(context.instance, automation.SENSOR):
            yield dg.SkipReason(f"The automation {automation.SENSOR} is on and asks for the same months.")
            return
        kept = set(context.instance.get_dynamic_partitions(SYMBOL))
        now = context.scheduled_execution_time
        due = automation.due_partitions(context.instance, asset_key(RAW), now)
        keys = sorted({key for key in due if split(key)[1] in kept})
        if not keys:
            yield dg.SkipReason("No month has anything new.")
        for key in keys:
            yield dg.RunRequest(run_key=f"{key} {now:%Y-%m-%d}", partition_key=key, tags=run_tags.for_partitions([key]))

    return daily
