"""The sensor that has `quality/coverage` made once runs have ended, however they ended; on unless it is turned off.

Dagster makes no asset whose upstream failed, in a run or in a backfill, and that is when the table is wanted most. So
the table is no part of the run or the backfill: it is asked for when nothing is under way any more. A long backfill is
not waited for to its end, so that the table tells of it meanwhile.
"""

import time
from collections.abc import Sequence
from typing import Final

import dagster as dg

from mohlcv_dagster.defs.quality import KEY

NAME: Final = "quality_after_runs"
EVERY_SECONDS: Final = 30
LONGEST_WAIT: Final = 900.0
"""Seconds after the first run that ended since the table was made; then what is under way is not waited for."""

_STATUS: Final = dg.DagsterRunStatus
_ENDED: Final = (_STATUS.SUCCESS, _STATUS.FAILURE, _STATUS.CANCELED)
_UNDER_WAY: Final = (_STATUS.QUEUED, _STATUS.NOT_STARTED, _STATUS.STARTING, _STATUS.STARTED, _STATUS.CANCELING)
_BACKFILL_UNDER_WAY: Final = frozenset({"REQUESTED", "CANCELING", "FAILING"})
_NEWEST: Final = 100
"""How many runs that ended, and backfills, are looked at."""


def sensor() -> dg.SensorDefinition:
    """The sensor."""

    @dg.sensor(
        name=NAME,
        asset_selection=[KEY],
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Makes quality/coverage when runs have ended, successful or not, and none is under way any more: at the "
            "end of a backfill also when a part of it failed. While a backfill takes longer, every quarter of an hour. "
            "Turn it off to make the table by hand."
        ),
    )
    def look(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        ended = _ended_since_made(context.instance)
        if not ended:
            return dg.SkipReason("No run has ended since the table was made.")
        waited = time.time() - min(record.end_time or 0.0 for record in ended)
        under_way = context.instance.get_runs(dg.RunsFilter(statuses=list(_UNDER_WAY)))
        if any(_makes_the_table_alone(run) for run in under_way):
            return dg.SkipReason("The table is being made.")
        if waited < LONGEST_WAIT and (under_way or _backfill_is_under_way(context.instance)):
            return dg.SkipReason("Runs are under way: the table is made when they have ended.")
        # the same runs are not answered twice, though the run that is asked for fails
        return dg.RunRequest(run_key=ended[0].dagster_run.run_id)

    return look


def _ended_since_made(instance: dg.DagsterInstance) -> Sequence[dg.RunRecord]:
    """The newest runs that ended since the table was read for the last time, the newest first; not its own."""
    made = instance.fetch_materializations(KEY, limit=1).records
    maker = instance.get_run_record_by_id(made[0].run_id) if made else None
    since = (maker.start_time if maker else made[0].timestamp if made else None) or 0.0
    found = instance.get_run_records(
        dg.RunsFilter(statuses=list(_ENDED)), limit=_NEWEST, order_by="update_timestamp", ascending=False
    )
    return [
        record
        for record in found
        if (record.end_time or 0.0) > since and not _makes_the_table_alone(record.dagster_run)
    ]


def _makes_the_table_alone(run: dg.DagsterRun) -> bool:
    return run.asset_selection == frozenset({KEY})


def _backfill_is_under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a backfill has not ended; between two of its runs there may be none."""
    return any(each.status.value in _BACKFILL_UNDER_WAY for each in instance.get_backfills(limit=_NEWEST))
