"""The tags of runs: those by which runs are found, and those that set options.

``mohlcv/symbol = SPY``
    the symbol; of a run of several, all of them: `AAPL, MSFT`.
``mohlcv/month = 2024-03``
    the month; of a run of several, the first and the last: `2024-01...2024-12`.
``mohlcv/progress``
    how far the run has come; see `progress`.
``mohlcv/force = true``
    an option, set under *Tags* of the launch dialog: download whole months, also where a part would do.
``mohlcv/accept_loss = true``
    an option: replace a stored month even where the vendor's new answer lacks final bars of it.

Every run that works on partitions has the first two, however it was launched. Dagster's own `dagster/partition/symbol`
is on runs that were launched for one partition only, and its tags of a range name the ends. So the step adds these when
it begins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import dagster as dg

from mohlcv_dagster.defs.partitions import split
from mohlcv_dagster.errors import InputError

SYMBOL: Final = "mohlcv/symbol"
MONTH: Final = "mohlcv/month"
PROGRESS: Final = "mohlcv/progress"
FORCE: Final = "mohlcv/force"
ACCEPT_LOSS: Final = "mohlcv/accept_loss"
MOST_SYMBOLS: Final = 12
"""More symbols than this, which no backfill gives a run, are given as a number."""
_BOOLEANS: Final = {"true": True, "false": False}


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
        instance.add_run_tags(run_id, lacking)


@dataclass(frozen=True)
class RunOptions:
    """The options of a run.

    Attributes:
        force: download whole months.
        accept_loss: let final bars be lost.
    """

    force: bool = False
    accept_loss: bool = False

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Self:
        """The options in the tags of a run.

        Raises:
            InputError: one of them is neither `true` nor `false`.
        """
        return cls(_is_true(tags, FORCE), _is_true(tags, ACCEPT_LOSS))

    def tags(self) -> dict[str, str]:
        """The tags that set these options."""
        options = {FORCE: self.force, ACCEPT_LOSS: self.accept_loss}
        return {name: "true" for name, is_set in options.items() if is_set}


NO_OPTIONS: Final = RunOptions()


def _is_true(tags: Mapping[str, str], name: str) -> bool:
    text = tags.get(name, "false")
    if text.lower() not in _BOOLEANS:
        raise InputError(f"the run's tag {name} is {text!r}; write true or false, or leave it out")
    return _BOOLEANS[text.lower()]
