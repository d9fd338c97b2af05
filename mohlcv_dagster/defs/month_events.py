"""What Dagster's event log says of a month, in the few words that the quality table is made of.

One value for each event that counts: the latest materialization of a file, the latest run that was to make it and did
not, and the latest word of each check. Which events those are is found in `month_reading`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

import dagster as dg

from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.evaluations import ERROR, PASSED, WARNING, rule_results
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.model.timeframes import RAW

Fact: TypeAlias = "str | int | float | list[object] | None"

_OF_RAW: Final = frozenset(
    {
        "state",
        "sha256",
        "dagster/partition_row_count",
        "sessions_present",
        "sessions_expected",
        "complete_through",
        "fetched_at",
        metadata.OCCUPANCY,
        metadata.LARGEST_GAP,
        metadata.OUTSIDE_HOURS,
        metadata.MISSING_MINUTES,
        *metadata.REVISED,
    }
)
_OF_AGGREGATE: Final = frozenset({metadata.RAW_DIGEST})


class Made(NamedTuple):
    """The latest materialization of a file.

    Attributes:
        event: Dagster's number of it.
        facts: what was recorded with it, as far as the table needs it.
    """

    event: int
    facts: Mapping[str, Fact]


class Outcome(StrEnum):
    """How it went with a file that a run was to make and that was not made since."""

    UNDER_WAY = "under way"
    """The run is queued or running."""
    FAILED = "failed"
    """The run failed."""
    NOT_MADE = "not made"
    """The run ended in another way, such as canceled."""


class Asked(NamedTuple):
    """The latest run that was to make a file, where the file was not made since.

    Attributes:
        event: Dagster's number of the event that says so.
        run_id: the run.
        outcome: how it went.
        why: the sentence of the failure; empty where there is none.
    """

    event: int
    run_id: str
    outcome: Outcome
    why: str = ""


class Results(NamedTuple):
    """What an evaluation says, rule by rule.

    Attributes:
        errors: the rules that fail as errors, by name.
        warnings: those that fail as warnings.
        checked: how many rules have a result.
        not_checked: how many the evaluation names and says that they could not be checked.
        mismatches: minutes that differ from the vendor's own; `None` where that is not told.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checked: int = 0
    not_checked: int = 0
    mismatches: int | None = None


class Said(NamedTuple):
    """The latest word of a check on a file.

    Attributes:
        event: Dagster's number of the event that has it.
        target: the number of the materialization that it is about.
        results: what it found; `None` where a run was to evaluate it and did not.
    """

    event: int
    target: int | None
    results: Results | None


@dataclass
class MonthEvents:
    """What the event log says of a month.

    Attributes:
        made: by asset, such as `aggregated/15s`.
        asked: by asset.
        said: by check, such as `raw_1s: intact`.
    """

    made: dict[str, Made] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)

    def current(self, asset: str, check: str) -> Results | None:
        """What a check found of the file as it is; `None` where it said nothing, or spoke of an earlier file.

        Args:
            asset: the asset of the check.
            check: such as `raw_1s: intact`.
        """
        said, made = self.said.get(check), self.made.get(asset)
        return said.results if said is not None and (made is None or said.target == made.event) else None


def name_of(check: dg.AssetCheckKey) -> str:
    """A check as `MonthEvents` names it: `raw_1s: intact`."""
    return f"{check.asset_key.to_user_string()}: {check.name}"


def facts_of(made: dg.AssetMaterialization) -> dict[str, Fact]:
    """What the table needs of what was recorded with a materialization of a file."""
    wanted = _OF_RAW if made.asset_key == asset_key(RAW) else _OF_AGGREGATE
    return {name: _plain(value.value) for name, value in made.metadata.items() if name in wanted}


def results_of(evaluation: dg.AssetCheckEvaluation) -> Results:
    """What an evaluation says, rule by rule."""
    rules = rule_results(evaluation)
    by_result = {
        result: tuple(name for name, its in rules.items() if its == result) for result in (PASSED, WARNING, ERROR)
    }
    checked = sum(map(len, by_result.values()))
    return Results(by_result[ERROR], by_result[WARNING], checked, len(rules) - checked, _mismatches(evaluation))


def _mismatches(evaluation: dg.AssetCheckEvaluation) -> int | None:
    differing = evaluation.metadata.get(metadata.MISMATCHES)
    return sum(differing.value.values()) if differing is not None and isinstance(differing.value, dict) else None


def _plain(value: object) -> Fact:
    return value if value is None or isinstance(value, (str, int, float, list)) else str(value)
