"""The answer that Dagster expects, an `AssetCheckState`, made of what is remembered of a check.

Two things are asked each time: whether the runs of planned evaluations have ended, and which partition keys are valid
now. An answer is made once and given again until its facts or one of those change.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import dagster as dg
from dagster._core.asset_graph_view.serializable_entity_subset import SerializableEntitySubset
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionResolvedStatus as Status
from dagster._core.storage.asset_check_state import AssetCheckState
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from mohlcv_dagster.dagster_patches.check_facts import CheckFacts
from mohlcv_dagster.dagster_patches.check_news import chunks

if TYPE_CHECKING:
    from dagster._core.definitions.partitions.definition.partitions_definition import PartitionsDefinition

CheckKey: TypeAlias = "tuple[dg.AssetCheckKey, PartitionsDefinition]"
_DELIMITER: Final = "|"
_FAILED: Final = [dg.DagsterRunStatus.FAILURE]
_ENDED_OTHERWISE: Final = [status for status in FINISHED_STATUSES if status not in _FAILED]


class RunStatuses:
    """What became of runs, asked once for each run of one question.

    Args:
        instance: where the runs are.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._known: dict[str, Status] = {}

    def of(self, runs: Iterable[str]) -> Mapping[str, Status]:
        """What an evaluation is that a run planned and did not make: in progress also where the run was deleted."""
        asked = set(runs)
        unknown = sorted(asked - self._known.keys())
        self._known |= dict.fromkeys(unknown, Status.IN_PROGRESS)
        for some in chunks(unknown):
            for statuses, meaning in ((_FAILED, Status.EXECUTION_FAILED), (_ENDED_OTHERWISE, Status.SKIPPED)):
                ended = self._instance.get_run_ids(dg.RunsFilter(run_ids=list(some), statuses=statuses))
                self._known |= dict.fromkeys(ended, meaning)
        return {run: self._known[run] for run in asked}


class Keys:
    """The partition keys of an asset, with the values that each dimension has in them: there are fewer of those.

    Args:
        partitions: every key that is remembered of the asset.
    """

    def __init__(self, partitions: Iterable[str]) -> None:
        self._whole = set(partitions)
        self._parts = {key: key.split(_DELIMITER) for key in self._whole}
        self._values: dict[int, list[set[str]]] = {}
        for parts in self._parts.values():
            values = self._values.setdefault(len(parts), [set() for _ in parts])
            for of_dimension, part in zip(values, parts, strict=True):
                of_dimension.add(part)

    def invalid(self, definition: "PartitionsDefinition") -> frozenset[str]:
        """Those keys that `definition` does not have now."""
        if not isinstance(definition, dg.MultiPartitionsDefinition):
            return frozenset(self._whole - definition.filter_valid_partition_keys(self._whole))
        dimensions = [dimension.partitions_def for dimension in definition.partitions_defs]
        values = self._values.get(len(dimensions), [set() for _ in dimensions])
        gone = [
            of_dimension - dimension.filter_valid_partition_keys(of_dimension)
            for dimension, of_dimension in zip(dimensions, values, strict=True)
        ]
        if not any(gone) and self._values.keys() <= {len(dimensions)}:
            return frozenset()
        return frozenset(key for key, parts in self._parts.items() if _wrong(parts, gone))


def _wrong(parts: Sequence[str], gone: Sequence[AbstractSet[str]]) -> bool:
    return len(parts) != len(gone) or any(part in wrong for part, wrong in zip(parts, gone, strict=True))


@dataclass(frozen=True)
class Answer:
    """An answer with all that it was made of, but the facts.

    Attributes:
        definition: the partitions of the check.
        invalid: keys left out.
        runs: what became of the runs of planned evaluations.
        state: the answer.
    """

    definition: "PartitionsDefinition"
    invalid: frozenset[str]
    runs: Mapping[str, Status]
    state: AssetCheckState


def answer(key: CheckKey, facts: CheckFacts, invalid: frozenset[str], runs: Mapping[str, Status]) -> Answer:
    """The state of the check `key`.

    Args:
        key: a partitioned check and its partitions.
        facts: what is known of it.
        invalid: partition keys that its definition does not have.
        runs: what became of each run in `facts.planned`.
    """
    check, definition = key
    by_status: dict[Status, set[str]] = {status: set() for status in Status}
    by_status[Status.SUCCEEDED], by_status[Status.FAILED] = facts.passed, facts.failed
    in_progress: dict[str, set[str]] = {}
    for partition, run in facts.planned.items():
        by_status[runs[run]].add(partition)
        if runs[run] is Status.IN_PROGRESS:
            in_progress.setdefault(run, set()).add(partition)

    def subset(partitions: set[str]) -> SerializableEntitySubset[dg.AssetCheckKey]:
        return SerializableEntitySubset(check, definition.empty_subset().with_partition_keys(partitions - invalid))

    subsets = {status: subset(partitions) for status, partitions in by_status.items()}
    valid_runs = {run: subset(partitions) for run, partitions in in_progress.items() if partitions - invalid}
    state = AssetCheckState(latest_storage_id=facts.newest, subsets=subsets, in_progress_runs=valid_runs)
    return Answer(definition, invalid, runs, state)
