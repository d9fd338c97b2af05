"""The tags by which runs are found. Those that set options are in `month_decision`.

``mohlcv/symbol = SPY``
    the symbol; of a run of several, all of them: `AAPL, MSFT`.
``mohlcv/month = 2024-03``
    the month; of a run of several, the first and the last: `2024-01...2024-12`.
``mohlcv/progress``
    how far the run has come; see `progress`.
``mohlcv/command = 5f0c…``
    of a run of the command `mohlcv`: the name of the lock that its process holds.
``mohlcv/host``, ``mohlcv/alive``
    where its process is and when it was last alive; see `dagster_patches.run_beats`.

Every run that works on partitions has the first two, however it was launched. Dagster's own `dagster/partition/symbol`
is on runs that were launched for one partition only, and its tags of a range name the ends. So the step adds these when
it begins.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from mohlcv_dagster.dagster_patches import run_beats
from mohlcv_dagster.defs.partitions import split

SYMBOL: Final = "mohlcv/symbol"
MONTH: Final = "mohlcv/month"
PROGRESS: Final = "mohlcv/progress"
COMMAND: Final = "mohlcv/command"
MOST_SYMBOLS: Final = 12
"""More symbols than this, which no backfill gives a run, are given as a number."""


def for_partitions(keys: Sequence[str]) -> dict[str, str]:
    """The tags of a run over these partitions.

    Args:
        keys: such as `2024-01|SPY`, in any order.
    """
    months = sorted({split(key)[0] for key in keys})
    names = sorted({split(key)[1] for key in keys})
    if not months:
        return {}
    return {
        SYMBOL: ", ".join(names) if len(names) <= MOST_SYMBOLS else f"{len(names):,} symbols",
        MONTH: months[0] if len(months) == 1 else f"{months[0]}...{months[-1]}",
    }


def add(instance: dg.DagsterInstance, run_id: str, partitions: Sequence[str]) -> None:
    """Add the tags of these partitions to a run, unless it has them from an earlier step."""
    run = instance.get_run_by_id(run_id)
    tags = for_partitions(partitions)
    lacking = {name: value for name, value in tags.items() if run is None or run.tags.get(name) != value}
    if lacking:
        run_beats.set_tags(instance, run_id, lacking)
