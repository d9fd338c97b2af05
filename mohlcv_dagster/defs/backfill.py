"""The job `backfill_a_symbol`: adds a symbol and asks Dagster for a backfill of its months, as the UI launches one.

The job itself fetches nothing and is over in a moment; the daemon carries the backfill out, up to a year a run.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from pydantic import Field

from mohlcv_dagster.defs import run_tags, spans
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.orders import Orders
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, partition_key
from mohlcv_dagster.model.bar_files import check_symbol
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe

JOB: Final = "backfill_a_symbol"
OP: Final = "ask_for_a_backfill"


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
        from mohlcv_dagster.dagster_patches import backfills  # noqa: PLC0415 - the location loads without Dagster's daemon

        wanted = {
            key: backfills.failed_and_missing(context.instance, key, keys, partitions)
            if config.only_failed_and_missing
            else keys
            for key in map(asset_key, (RAW, *timeframes))
        }
        asked = backfills.ask(
            context.instance, f"{symbol} {first} to {last}", wanted, partitions, Orders(force=config.force).tags()
        )
        told: dict[str, dg.MetadataValue] = {
            "partitions to make": dg.MetadataValue.json(
                {key.to_user_string(): len(each) for key, each in wanted.items()}
            )
        }
        if asked is None:
            context.log.info("All is stored or under way; only_failed_and_missing: false makes it anew.")
        else:
            context.log.info("Backfill %s begins within a minute.", asked)
            told["backfill"] = dg.MetadataValue.url(f"/runs/b/{asked}")
        yield dg.Output(None, metadata=told)

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
