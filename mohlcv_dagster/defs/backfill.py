"""The job `backfill_a_symbol`: adds a symbol and asks Dagster for a backfill of its months, as the UI launches one.

The job itself fetches nothing and is over in a moment; the daemon carries the backfill out, up to a year a run.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._core.utils import make_new_backfill_id
from pydantic import Field

from mohlcv_dagster.bars.files import check_symbol
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import run_tags, spans
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, partition_key

JOB: Final = "backfill_a_symbol"
OP: Final = "ask_for_a_backfill"

# The names above are not exported by Dagster, whose UI makes its backfills of nothing else. Only this module uses them.


class Months(dg.Config):
    """Which months of which symbol are to be fetched and folded."""

    symbol: str = Field(description="One symbol, such as SPY or BRK.B; it is added if it is not kept yet.")
    first_month: str = Field(default="", description="The first month, such as 2024-01; blank: the first there is.")
    last_month: str = Field(default="", description="The last month (inclusive); blank: the one in progress.")
    only_failed_and_missing: bool = Field(
        default=True, description="Leave out what is stored and did not fail; false: fetch and fold all of it anew."
    )
    force: bool = Field(
        default=False, description="Download whole months where a part would do (the tag mohlcv/force)."
    )


def job(timeframes: Sequence[Timeframe], partitions: dg.MultiPartitionsDefinition, earliest: Month) -> dg.JobDefinition:
    """The job.

    Args:
        timeframes: those of the aggregates.
        partitions: month × symbol.
        earliest: the first month that can be asked for.
    """

    @dg.op(name=OP, out=dg.Out(dg.Nothing))
    def ask(context: dg.OpExecutionContext, config: Months) -> Iterator[Any]:
        with told_to_dagster():
            symbol = check_symbol(config.symbol.strip())
            first, last = spans.months(
                config.first_month, config.last_month, earliest=earliest, latest=Month.of(datetime.now(UTC))
            )
        keys = [partition_key(symbol, month) for month in first.until(last)]
        run_tags.add(context.instance, context.run_id, run_tags.of_partitions(keys))
        context.instance.add_dynamic_partitions(SYMBOL, [symbol])
        wanted = {
            asset_key(each): _to_make(context.instance, asset_key(each), keys, partitions, config)
            for each in (RAW, *timeframes)
        }
        title = f"{symbol} {first} to {last}"
        orders = Orders(force=config.force).tags()
        yield dg.Output(None, metadata=_asked(context, title, wanted, partitions, orders))

    @dg.config_mapping
    def flat(config: Months) -> dg.RunConfig:
        return dg.RunConfig(ops={OP: config})

    @dg.job(name=JOB, config=flat, description=_DESCRIPTION, executor_def=dg.in_process_executor)
    def backfill_a_symbol() -> None:
        ask()

    return backfill_a_symbol


_DESCRIPTION: Final = (
    "Adds a symbol and backfills its months: raw bars, aggregates and their checks, a run up to a year of months.\n\n"
    "Launch it from *Launchpad*:\n\n"
    "    symbol: SPY\n    first_month: 2024-01\n    last_month: 2024-12\n\n"
    "The job is over in a moment: it hands the months to Dagster's daemon, and the link in its output leads to the "
    "backfill, where they are watched, cancelled and resumed. What is stored already is left out unless "
    "`only_failed_and_missing: false`."
)


def _to_make(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    keys: Sequence[str],
    partitions: dg.MultiPartitionsDefinition,
    config: Months,
) -> list[str]:
    """The partitions among `keys` that are to be made of an asset."""
    if not config.only_failed_and_missing:
        return list(keys)
    statuses = instance.get_status_by_partition(key, keys, partitions) or {}
    return [each for each in keys if statuses.get(each) in {None, AssetPartitionStatus.FAILED}]


def _asked(
    context: dg.OpExecutionContext,
    title: str,
    wanted: Mapping[dg.AssetKey, Sequence[str]],
    partitions: dg.MultiPartitionsDefinition,
    tags: dict[str, str],
) -> dict[str, dg.MetadataValue]:
    """Ask for the backfill; what is told of it. Nothing is asked for where there is nothing to make."""
    some = {key: keys for key, keys in wanted.items() if keys}
    told = {key.to_user_string(): len(keys) for key, keys in wanted.items()}
    if not some:
        context.log.info("%s: all is stored or under way; only_failed_and_missing: false makes it anew", title)
        return {"partitions to make": dg.MetadataValue.json(told)}
    subsets = {key: partitions.empty_subset().with_partition_keys(keys) for key, keys in some.items()}
    now = time.time()
    backfill = PartitionBackfill(
        backfill_id=make_new_backfill_id(),
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags=tags,
        backfill_timestamp=now,
        asset_selection=list(some),
        asset_backfill_data=AssetBackfillData.empty(
            AssetGraphSubset(subsets, set()),  # type: ignore[call-arg] # its decorator hides its fields
            now,
            context.instance,
        ),
        title=title,
        description=f"Asked for by the job {JOB}.",
    )
    context.instance.add_backfill(backfill)
    context.log.info("%s: backfill %s begins within a minute, %s", title, backfill.backfill_id, told)
    return {
        "backfill": dg.MetadataValue.url(f"/runs/b/{backfill.backfill_id}"),
        "partitions to make": dg.MetadataValue.json(told),
    }
