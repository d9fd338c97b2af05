"""What the event log says of a month, as far as `quality/coverage` needs it, and the reasons of failed runs.

One value for each event that counts: the latest materialization of a file, the latest run that was to make it and did
not, and the latest result of each check. `quality_history` finds these events.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

import dagster as dg

from mohlcv_dagster.dagster_patches.event_log_reads import in_batches
from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.asset_checks import ERROR, PASSED, WARNING, rule_results
from mohlcv_dagster.defs.failures import FAILED_PARTITIONS
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.model.timeframes import RAW

Fact: TypeAlias = "str | int | float | list[object] | None"
LONGEST_REASON: Final = 300
"""Characters of a sentence in the table."""

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


class StoredFile(NamedTuple):
    """The latest materialization of a file.

    Attributes:
        event: Dagster's number of it.
        facts: what was recorded with it, as far as the table needs it.
    """

    event: int
    facts: Mapping[str, Fact]


class RunOutcome(StrEnum):
    """How a run ended that was to make a file and did not."""

    UNDER_WAY = "under way"
    """The run is queued or running."""
    FAILED = "failed"
    NOT_MADE = "not made"
    """The run ended in another way, such as canceled."""


class UnmadeFile(NamedTuple):
    """The latest run that was to make a file, where the file was not made since.

    Attributes:
        event: Dagster's number of the event that says so.
        run_id: the run.
        outcome: how it ended.
        why: the sentence of the failure; empty where there is none.
    """

    event: int
    run_id: str
    outcome: RunOutcome
    why: str = ""


class RuleCounts(NamedTuple):
    """What an evaluation says, rule by rule.

    Attributes:
        errors: the rules that fail as errors, by name.
        warnings: those that fail as warnings.
        checked: how many rules have a result.
        not_checked: how many the evaluation names and says that they could not be checked.
        mismatches: minutes that differ from the vendor's own; `None` where that is not said.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checked: int = 0
    not_checked: int = 0
    mismatches: int | None = None


class LatestCheck(NamedTuple):
    """The latest result of a check on a file.

    Attributes:
        event: Dagster's number of the event that has it.
        target: the number of the materialization that it is about.
        rules: what it found; `None` where a run was to evaluate it and did not.
    """

    event: int
    target: int | None
    rules: RuleCounts | None


@dataclass
class MonthEvents:
    """What the event log says of a month.

    Attributes:
        stored: by asset, such as `aggregated/15s`.
        unmade: by asset.
        checks: by check, such as `raw_1s: intact`.
    """

    stored: dict[str, StoredFile] = field(default_factory=dict)
    unmade: dict[str, UnmadeFile] = field(default_factory=dict)
    checks: dict[str, LatestCheck] = field(default_factory=dict)

    def current(self, asset: str, check: str) -> RuleCounts | None:
        """What a check found of the file as it is; `None` where it has no result, or one of an earlier file.

        Args:
            asset: the asset of the check.
            check: such as `raw_1s: intact`.
        """
        latest, stored = self.checks.get(check), self.stored.get(asset)
        is_current = latest is not None and (stored is None or latest.target == stored.event)
        return latest.rules if latest is not None and is_current else None


def name_of(check: dg.AssetCheckKey) -> str:
    """A check as `MonthEvents` names it: `raw_1s: intact`."""
    return f"{check.asset_key.to_user_string()}: {check.name}"


def facts_of(made: dg.AssetMaterialization) -> dict[str, Fact]:
    """What the table needs of what was recorded with a materialization of a file."""
    wanted = _OF_RAW if made.asset_key == asset_key(RAW) else _OF_AGGREGATE
    return {name: _plain(value.value) for name, value in made.metadata.items() if name in wanted}


def _plain(value: object) -> Fact:
    return value if value is None or isinstance(value, (str, int, float, list)) else str(value)


def rule_counts(evaluation: dg.AssetCheckEvaluation) -> RuleCounts:
    """What an evaluation says, rule by rule."""
    rules = rule_results(evaluation)
    by_result = {
        result: tuple(name for name, its in rules.items() if its == result) for result in (PASSED, WARNING, ERROR)
    }
    checked = sum(map(len, by_result.values()))
    differing = evaluation.metadata.get(metadata.MISMATCHES)
    mismatches = sum(differing.value.values()) if differing and isinstance(differing.value, dict) else None
    return RuleCounts(by_result[ERROR], by_result[WARNING], checked, len(rules) - checked, mismatches)


# ---- how runs ended


class StepFailure(NamedTuple):
    """Why a step failed, and the reason of each partition that failed, where it names single ones."""

    sentence: str
    partitions: Mapping[str, str]


RunEnd: TypeAlias = tuple[RunOutcome, tuple[StepFailure, ...]]
"""How a run ended, and why it failed."""


def run_ends(instance: dg.DagsterInstance, run_ids: Collection[str]) -> dict[str, RunEnd]:
    """How each of these runs ended as far as a file that it did not make is concerned.

    Args:
        instance: knows the runs; one that was deleted did not make the file and is not called failed.
        run_ids: which runs.
    """
    wanted = sorted(run_ids)
    runs = [run for some in in_batches(wanted) for run in instance.get_runs(dg.RunsFilter(run_ids=list(some)))]
    found: dict[str, RunEnd] = dict.fromkeys(wanted, (RunOutcome.NOT_MADE, ()))
    for run in runs:
        if not run.is_finished:
            found[run.run_id] = (RunOutcome.UNDER_WAY, ())
        elif run.status is dg.DagsterRunStatus.FAILURE:
            found[run.run_id] = (RunOutcome.FAILED, tuple(_failures(instance, run.run_id)))
    return found


def reason(failures: Sequence[StepFailure], partition: str) -> str:
    """Why a partition was not made by a failed run: the reason of this partition, else the first one.

    Args:
        failures: of the run.
        partition: which one.
    """
    own = [each.partitions[partition] for each in failures if partition in each.partitions]
    text = " ".join(next(iter([*own, *(each.sentence for each in failures)]), "").split())
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[StepFailure]:
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds)]
    failed = [event for event in events if event and event.is_step_failure]
    steps = [failure for event in failed if (failure := _failure(event)).sentence]
    return steps or [StepFailure(event.message or "", {}) for event in events if event]


def _failure(event: dg.DagsterEvent) -> StepFailure:
    data = event.step_failure_data
    if data.user_failure_data is None or not data.user_failure_data.description:
        return StepFailure(data.error.message.strip() if data.error is not None else "", {})
    partitions = data.user_failure_data.metadata.get(FAILED_PARTITIONS)
    reasons = partitions.data if isinstance(partitions, dg.JsonMetadataValue) else None
    return StepFailure(data.user_failure_data.description, reasons if isinstance(reasons, dict) else {})
