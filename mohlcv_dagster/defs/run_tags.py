"""The tags by which runs are found: every run that works on partitions carries them, however it was launched.

``mohlcv/symbol = SPY``
    the symbol.
``mohlcv/month = 2024-03``
    the month; of a run of several, the first and the last: `2024-01...2024-12`.
``mohlcv/2024-03 = SPY``
    one for each month: finds the runs of that month, those of many months among them.
``mohlcv/progress``
    how far the run has come; see `progress`.

Dagster's own `dagster/partition/symbol` stands on runs that were launched for one partition only, and its tags of a
range name the ends. So these are put on by the steps, when they begin.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg

from mohlcv_dagster.defs.partitions import split

SYMBOL: Final = "mohlcv/symbol"
MONTH: Final = "mohlcv/month"
PROGRESS: Final = "mohlcv/progress"
MOST_MONTHS: Final = 12
"""More months than this, which no backfill gives a run, are told by the ends alone: each tag is shown with the run."""


def of_partitions(keys: Sequence[str]) -> dict[str, str]:
    """The tags of a run over these partitions; of several symbols, those alone that hold for all.

    Args:
        keys: such as `2024-01|SPY`, in any order.
    """
    months = sorted({split(key)[0] for key in keys})
    names = sorted({split(key)[1] for key in keys})
    if not months:
        return {}
    told = {MONTH: months[0] if len(months) == 1 else f"{months[0]}...{months[-1]}"}
    if len(names) == 1:
        told[SYMBOL] = names[0]
        told |= {of_month(month): names[0] for month in months[:MOST_MONTHS] if len(months) <= MOST_MONTHS}
    return told


def of_month(month: str) -> str:
    """The name of the tag that every run of `month` carries, such as `mohlcv/2024-03`; its value is the symbol."""
    return f"mohlcv/{month}"


def mark(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> None:
    """Put the tags on the run of a step; one without partitions gets none."""
    if context.has_partition_key or context.has_partition_key_range:
        add(context.instance, context.run.run_id, of_partitions(context.partition_keys))


def add(instance: dg.DagsterInstance, run_id: str, tags: Mapping[str, str]) -> None:
    """Put `tags` on a run that this instance knows, where it has not got them from an earlier step."""
    run = instance.get_run_by_id(run_id)
    lacking = {name: value for name, value in tags.items() if run is None or run.tags.get(name) != value}
    if lacking:
        instance.add_run_tags(run_id, lacking)
