"""The asset `quality/coverage`, its check on vendor incidents, and the sensor that asks for it after runs.

The table has a row for each symbol and month. It is made of the event log and not of the files, so it is cheap enough
to be made every day. Dagster's own pages stay green on a partition that is out of step or whose checks warn; this asset
shows all of them at once.

Dagster makes no asset whose upstream failed, in a run or in a backfill, and that is when the table is wanted most. So
the table is no part of the run or the backfill: the sensor asks for it when no run is under way any more. It does not
wait for the end of a long backfill, so that the table shows how far that is.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.dagster_patches import run_beats
from mohlcv_dagster.defs import automation
from mohlcv_dagster.defs.assets import OWNERS
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.resources import NO_CONFIG, ArchiveResource
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.timeframes import RAW, Timeframe

KEY: Final = dg.AssetKey(["quality", "coverage"])
VENDOR_INCIDENT: Final = "vendor_incident"
SENSOR: Final = "quality_after_runs"
EVERY_SECONDS: Final = 30
LONGEST_WAIT: Final = 900.0
"""Seconds after the first run that ended since the table was made; then the sensor does not wait for other runs."""

_INCIDENT_RULE: Final = (
    "No minute of regular hours is missing in several liquid symbols at once. "
    "Threshold: two symbols, or as many as chance does not explain."
)
_STATUS: Final = dg.DagsterRunStatus
_ENDED: Final = (_STATUS.SUCCESS, _STATUS.FAILURE, _STATUS.CANCELED)
_UNDER_WAY: Final = (_STATUS.QUEUED, _STATUS.NOT_STARTED, _STATUS.STARTING, _STATUS.STARTED, _STATUS.CANCELING)
_BACKFILL_UNDER_WAY: Final = frozenset({"REQUESTED", "CANCELING", "FAILING"})
_NEWEST: Final = 100
"""How many runs that ended, and backfills, are looked at."""


def coverage_asset(
    timeframes: Sequence[Timeframe], checks: Mapping[dg.AssetCheckKey, Sequence[str]], *, adjusted: bool
) -> dg.AssetsDefinition:
    """The asset `quality/coverage`: a row for every month that is stored or that a run was to store.

    Args:
        timeframes: those of the aggregates.
        checks: the names of the rules of every check of `raw_1s` and of the aggregates.
        adjusted: whether adjusted prices are asked for; months on another basis are told.
    """

    @dg.asset(
        key=KEY,
        deps=[asset_key(each) for each in (RAW, *timeframes)],
        group_name="quality",
        kinds={"parquet"},
        owners=OWNERS,
        config_schema=NO_CONFIG,
        metadata={"dagster/column_schema": _column_schema()},
        automation_condition=automation.quality_condition(),
        check_specs=[dg.AssetCheckSpec(VENDOR_INCIDENT, asset=KEY, description=_INCIDENT_RULE)],
        description=(
            "The quality of every month that is stored or was asked for, a row a symbol and month.\n\n"
            "Sessions, occupancy, gaps, mismatches, revisions and failing rules, made of what was recorded when the "
            "months were fetched and checked; no file of bars is read. The sensor quality_after_runs makes it once "
            "runs have ended. [Look at the heat map](/assets/quality/coverage?view=events)."
        ),
    )
    def coverage(context: dg.AssetExecutionContext, archive: ArchiveResource) -> Iterator[Any]:
        from mohlcv_dagster.defs import quality_rows, quality_step  # noqa: PLC0415 - see the package's docstring

        checked = quality_rows.CheckedAssets(tuple(timeframes), checks, adjusted)
        run_beats.begin(context.instance, context.run.run_id)
        yield from quality_step.make_table(context, archive, checked)

    return coverage


def _column_schema() -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                type=column.kind.value,
                description=column.meaning,
                constraints=dg.TableColumnConstraints(nullable=name not in quality_rows.NEVER_NULL),
                tags={"unit": column.unit} if column.unit else {},
            )
            for name, column in quality_rows.COLUMNS.items()
        ],
        constraints=dg.TableConstraints(other=["a row a symbol and month"]),
    )


def after_runs_sensor() -> dg.SensorDefinition:
    """The sensor that asks for the table after runs, successful or not; on unless it is turned off."""

    @dg.sensor(
        name=SENSOR,
        asset_selection=[KEY],
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Makes quality/coverage when runs have ended, successful or not, and none is under way any more: at the "
            "end of a backfill also when a part of it failed. While a backfill takes longer, every quarter of an hour. "
            "Turn it off to make the table by hand."
        ),
    )
    def tick(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        ended = _ended_since_made(context.instance)
        if not ended:
            return dg.SkipReason("No run has ended since the table was made.")
        waited = time.time() - min(record.end_time or 0.0 for record in ended)
        under_way = context.instance.get_runs(dg.RunsFilter(statuses=list(_UNDER_WAY)))
        if any(_makes_the_table_alone(run) for run in under_way):
            return dg.SkipReason("The table is being made.")
        if waited < LONGEST_WAIT and (under_way or _backfill_is_under_way(context.instance)):
            return dg.SkipReason("Runs are under way: the table is made when they have ended.")
        # asked for once for the same runs, even if the run that is asked for fails
        return dg.RunRequest(run_key=ended[0].dagster_run.run_id)

    return tick


def _ended_since_made(instance: dg.DagsterInstance) -> Sequence[dg.RunRecord]:
    """The newest runs that ended since the table's run began to read, the newest first; without its own runs."""
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
