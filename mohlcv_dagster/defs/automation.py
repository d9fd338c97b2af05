"""What keeps assets current once it is turned on: the automation `keep_current`, or a schedule in place of it.

Each day at 11:15 Eastern, when the vendor's bars of the day before are final, raw partitions are fetched again that are
provisional and have something new: the month in progress, begun for every symbol with a recently stored month, the one
before it until it is final, and any that was left provisional while nothing ran. Final partitions are left alone. An
aggregate is made whenever its raw partition was, unless the same run made it, and once the raw checks that block pass.
The table of their quality is made once a day, half an hour later or when they are done.

The schedule of the job `refresh_month_in_progress` asks for the same raw months, a run each with raw bars, aggregates
and checks, but not for aggregates made stale by other runs or for the table of quality. It skips its ticks while the
automation is on: together they would ask for each month twice.

Which partitions are provisional is in their records, which no built-in condition reads; so one condition is Python, and
the sensor evaluates it where the code is (a beta feature of Dagster 1.13, used in this module only). It is asked at the
tick only, not every thirty seconds. When a month counts as final is in `model.finality`.
"""

import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.defs import run_tags
from mohlcv_dagster.defs.jobs import REFRESH, REFRESH_SCHEDULE
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, files_of, partition_key, split
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW

SENSOR: Final = "keep_current"
DAILY: Final = "15 11 * * *"
AFTERWARDS: Final = "45 11 * * *"
EASTERN: Final = "America/New_York"
MONTHS_BACK: Final = 13
"""How far back provisional partitions are looked for: each is final within days."""


class HasNews(dg.AutomationCondition[dg.AssetKey]):
    """Holds for stored partitions that are provisional and for which there is something new, and for begun months."""

    @property
    def name(self) -> str:
        """As the UI shows it."""
        return "provisional, and something is missing or has become final"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The partitions among the candidates for which it holds at the tick's own time."""
        view = context.asset_graph_view
        if context.candidate_subset.is_empty:
            return dg.AutomationResult(context, context.get_empty_subset())
        due = due_partitions(view.instance, context.key, context.evaluation_time)
        found = unexported.asset_subset(view, context.key, due)
        return dg.AutomationResult(context, context.candidate_subset.compute_intersection(found))


def raw_condition() -> dg.AutomationCondition[dg.AssetKey]:
    """When `raw_1s` is asked for again."""
    daily = dg.AutomationCondition.cron_tick_passed(DAILY, EASTERN)
    return (daily & ~dg.AutomationCondition.in_progress() & HasNews()).with_label("refreshed daily until final")


def aggregate_condition() -> dg.AutomationCondition[Any]:
    """When an aggregate is made again."""
    condition = dg.AutomationCondition
    return (
        condition.any_deps_updated().since_last_handled()
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & condition.all_deps_blocking_checks_passed()
    ).with_label("follows its raw partition")


def quality_condition() -> dg.AutomationCondition[Any]:
    """When the table of all months' quality is made again."""
    condition = dg.AutomationCondition
    daily: dg.AutomationCondition[Any] = condition.cron_tick_passed(AFTERWARDS, EASTERN)
    return (daily.since_last_handled() & ~condition.any_deps_in_progress() & ~condition.in_progress()).with_label(
        "daily, after the months"
    )


def sensor() -> dg.AutomationConditionSensorDefinition:
    """What evaluates the conditions, every thirty seconds once it is turned on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            SENSOR,
            target=dg.AssetSelection.all().without_checks(),
            default_status=dg.DefaultSensorStatus.STOPPED,
            use_user_code_server=True,
            description=(
                "Turn it on to have provisional months completed each day at 11:15 Eastern until they are final, "
                "the month in progress begun for every symbol with a month stored of the last thirteen, aggregates "
                "made whenever their raw month was, and quality/coverage at 11:45. Leave the schedule "
                "refresh_month_in_progress_daily off then: it asks for the same months."
            ),
        )


def refresh_schedule() -> dg.ScheduleDefinition:
    """Each day, once the session before is final: a run for each symbol and month that there is something new of."""

    @dg.schedule(
        name=REFRESH_SCHEDULE,
        job_name=REFRESH,
        cron_schedule=DAILY,
        execution_timezone=EASTERN,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            "Off until you turn it on. Each day at 11:15 Eastern, when the vendor's bars of the session before are "
            "final: a run for each symbol with a month stored of the last thirteen, on the month in progress; in the "
            "first days of a month one more on the month before, until it is final. On days without anything new, "
            "none.\n\n"
            f"Turn on this schedule or the automation {SENSOR}, not both: the automation asks for the same "
            "months, and also makes aggregates again whenever their raw month was and quality/coverage each day. While "
            "it is on, this schedule skips its ticks and says so."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if unexported.is_sensor_on(context.instance, SENSOR):
            yield dg.SkipReason(f"The automation {SENSOR} is on and asks for the same months.")
            return
        kept = set(context.instance.get_dynamic_partitions(SYMBOL))
        now = context.scheduled_execution_time
        due = due_partitions(context.instance, asset_key(RAW), now)
        keys = sorted({key for key in due if split(key)[1] in kept})
        if not keys:
            yield dg.SkipReason("No month has anything new.")
        for key in keys:
            yield dg.RunRequest(run_key=f"{key} {now:%Y-%m-%d}", partition_key=key, tags=run_tags.for_partitions([key]))

    return daily


def due_partitions(instance: dg.DagsterInstance, key: dg.AssetKey, now: datetime) -> Iterator[str]:
    """The partitions of `raw_1s` to be asked for at `now`: provisional with something new, and months to be begun.

    Args:
        instance: knows what is stored.
        key: that of `raw_1s`.
        now: aware.
    """
    from mohlcv_dagster.defs import month_state, records  # noqa: PLC0415 - see the first lines of this package
    from mohlcv_dagster.model import finality  # noqa: PLC0415 - as above
    from mohlcv_dagster.model.month_decision import Action, decide  # noqa: PLC0415 - as above

    running, horizon = Month.of(now), Month.of(now)
    for _ in range(MONTHS_BACK):
        horizon = horizon.previous()
    stored = instance.get_materialized_partitions(key)
    files = [file for file in files_of(key, stored).values() if file.month >= horizon]
    undecided = set(files) - records.final_files(instance, files)  # an event is read of each: half a millisecond
    for file, state in month_state.from_records(instance, undecided).items():
        if state.recorded and decide(state, now=now).action is Action.COMPLETE:
            yield partition_key(file.symbol, file.month)
    if finality.has_traded(running, now):
        kept = {file.symbol for file in files}
        yield from (begun for begun in (partition_key(symbol, running) for symbol in kept) if begun not in stored)
