"""The job `re_verify_a_range`: the checks alone, on the stored months of a range, each under its own partition.

An op and no selection of checks: Dagster 1.13 launches a job of partitioned checks alone neither for a range nor with a
config. Its evaluations stand on the same pages as those that follow a materialization.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import dagster as dg
from pydantic import Field

from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe

JOB: Final = "re_verify_a_range"
OP: Final = "judge_stored_months"


class Range(dg.Config):
    """Which stored months are checked again."""

    symbols: list[str] = Field(default=[], description="Symbols such as [SPY, QQQ]; empty: all that are stored.")
    first_month: str = Field(default="", description="The first month, such as 2024-01; blank: the first there is.")
    last_month: str = Field(default="", description="The last month (inclusive); blank: the one in progress.")
    ask_the_vendor: bool = Field(
        default=False, description="Hold minutes against the vendor's own too: one request a month."
    )


def job(timeframes: Sequence[Timeframe], earliest: Month) -> dg.JobDefinition:
    """The job.

    Args:
        timeframes: those of the aggregates.
        earliest: the first month there is.
    """

    @dg.op(name=OP, out=dg.Out(dg.Nothing))
    def re_verify(
        context: dg.OpExecutionContext, config: Range, massive: ProviderResource, archive: ArchiveResource
    ) -> Iterator[Any]:
        from mohlcv_dagster.defs import recheck  # noqa: PLC0415 - see the first lines of this package

        with told_to_dagster():
            months = recheck.meant(context.instance, config, (RAW, *timeframes), earliest)
        yield from recheck.check(context, months, archive, massive if config.ask_the_vendor else None)

    @dg.config_mapping
    def flat(config: Range) -> dg.RunConfig:
        return dg.RunConfig(ops={OP: config})

    @dg.job(name=JOB, config=flat, description=_DESCRIPTION, executor_def=dg.in_process_executor)
    def re_verify_a_range() -> None:
        re_verify()

    return re_verify_a_range


_DESCRIPTION: Final = (
    "Checks only: reads the stored files of a range of months and judges them anew, raw bars and aggregates, without "
    "making any of them. Every evaluation stands under its partition on the checks tab of its asset; the run fails if "
    "one fails with an error, and says which.\n\n"
    "Launch it from *Launchpad*. As it stands there, it checks every stored month; narrow it down with\n\n"
    "    symbols: [SPY]\n    first_month: 2024-01\n    last_month: 2024-12\n\n"
    "`ask_the_vendor: true` also holds `aggregated/1min` against the vendor's own minutes, one request a month."
)
