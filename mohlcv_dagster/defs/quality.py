"""The quality asset: `quality/coverage`, a row a symbol and month of what was recorded, and the vendor's incidents.

It reads the event log and not the files: cheap enough to be made anew every day. Dagster's own pages stay green on a
partition that is out of step or whose checks warn; this asset shows all of them at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.defs import automation, columns
from mohlcv_dagster.defs.assets import OWNERS
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.timeframes import RAW, Timeframe

KEY: Final = dg.AssetKey(["quality", "coverage"])
VENDOR_INCIDENT: Final = "vendor_incident"


def quality_asset(
    timeframes: Sequence[Timeframe], checks: Mapping[dg.AssetCheckKey, Sequence[str]]
) -> dg.AssetsDefinition:
    """`quality/coverage`: what is known of every month that is stored or was asked for.

    Args:
        timeframes: those of the aggregates.
        checks: the names of the rules of every check of `raw_1s` and of the aggregates.
    """

    @dg.asset(
        key=KEY,
        deps=[asset_key(each) for each in (RAW, *timeframes)],
        group_name="quality",
        kinds={"parquet"},
        owners=OWNERS,
        metadata={"dagster/column_schema": _column_schema()},
        automation_condition=automation.quality_condition(),
        check_specs=[dg.AssetCheckSpec(VENDOR_INCIDENT, asset=KEY, description=_SENTENCE)],
        description=(
            "The quality of every month that is stored or was asked for, a row a symbol and month.\n\n"
            "Sessions, occupancy, gaps, mismatches, revisions and failing rules, made of what was recorded when the "
            "months were fetched and checked; no file of bars is read. The sensor quality_after_runs makes it once "
            "runs have ended: look at the heat map in its metadata.\n\n"
            f"{columns.meanings(_column_schema())}"
        ),
    )
    def coverage(context: dg.AssetExecutionContext, archive: ArchiveResource) -> Iterator[Any]:
        from mohlcv_dagster.defs import stored_months, summing_up  # noqa: PLC0415 - see the first lines of this package

        yield from summing_up.made(context, archive, stored_months.Rules(tuple(timeframes), checks))

    return coverage


_SENTENCE: Final = (
    "No minute of regular hours is missing in several liquid symbols at once. "
    "Threshold: two symbols, or as many as chance does not explain."
)


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
