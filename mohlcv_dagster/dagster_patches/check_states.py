"""The states of an asset's checks: values, the text in which they are kept, and what Dagster is answered with.

Of each check: the partitions whose latest evaluation passed or failed, and those that a run has only planned. A
partition that was materialized after its evaluation is in none. That is what Dagster 1.13 makes its answer, an
`AssetCheckState`, of, but for two things that can change without an event: whether a planned run has ended, and whether
a partition key is valid. These are asked each time; an answer is given again until its facts or one of those change.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import dagster as dg
from dagster._core.asset_graph_view.serializable_entity_subset import SerializableEntitySubset
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionResolvedStatus as Status
from dagster._core.storage.asset_check_state import AssetCheckState
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from mohlcv_dagster.dagster_patches.check_queries import EventId
from mohlcv_dagster.dagster_patches.unexported import in_batches

if TYPE_CHECKING:
    from dagster._core.definitions.partitions.definition.partitions_definition import PartitionsDefinition

CheckKey: TypeAlias = "tuple[dg.AssetCheckKey, PartitionsDefinition]"
FORM: Final = 1
"""Of the kept text; one of another form is not read."""
_PASSED, _FAILED, _PLANNED, _NOTHING = "pfr."
_DELIMITER: Final = "|"
_RUN_FAILED: Final = [dg.DagsterRunStatus.FAILURE]
_RUN_ENDED_OTHERWISE: Final = [status for status in FINISHED_STATUSES if status not in _RUN_FAILED]


@dataclass
class CachedCheck:
    """What is cached of one check. A partition is in at most one of the three.

    Attributes:
        passed, failed: partitions by their latest evaluation, which is of their latest materialization.
        planned: partitions whose latest evaluation was planned and not made, with the run that was to make it.
        newest: the highest number of an event that this was made of.
        rows: how many rows of the database were there for it, at least: they only grow, but for a wipe.
    """

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    planned: dict[str, str] = field(default_factory=dict)
    newest: int = 0
    rows: int = 0

    def replace(self, partitions: set[str], news: "CachedCheck") -> None:
        """Hold what `news` has of these partitions, which are all that it has any of."""
        self.passed -= partitions
        self.failed -= partitions
        for partition in partitions & self.planned.keys():
            del self.planned[partition]
        self.passed |= news.passed
        self.failed |= news.failed
        self.planned |= news.planned
        self.newest = max(self.newest, news.newest)

    def of(self, partition: str) -> str | bool | None:
        """What a partition is cached as: whether it passed, or the run that planned it; `None` for nothing."""
        if partition in self.planned:
            return self.planned[partition]
        return True if partition in self.passed else False if partition in self.failed else None

    def partitions(self) -> set[str]:
        """All partitions of which anything is cached."""
        return self.passed | self.failed | self.planned.keys()

    def __len__(self) -> int:
        return len(self.passed) + len(self.failed) + len(self.planned)


@dataclass
class CachedAsset:
    """What is cached of an asset's checks, and what it was made of.

    Attributes:
        read_to: events, the newest first: what the log has up to the first one that is still stored is cached.
        wiped: what Dagster notes of the asset's last wipe.
        unpartitioned: the number of its latest materialization, where that was one without a partition.
        materialized: the number of the latest materialization of each partition.
        last_materialization: the newest of those events, and how many there were up to it.
        checks: by name.
    """

    read_to: tuple[EventId, ...] = ()
    wiped: str | None = None
    unpartitioned: int | None = None
    materialized: dict[str, int] = field(default_factory=dict)
    last_materialization: EventId | None = None
    materializations: int = 0
    checks: dict[str, CachedCheck] = field(default_factory=dict)

    def __len__(self) -> int:
        """Partitions cached, each as often as it is."""
        return len(self.materialized) + sum(len(check) for check in self.checks.values())

    def to_text(self) -> str:
        """All of it as ASCII, compressed."""
        partitions = sorted(set(self.materialized).union(*(check.partitions() for check in self.checks.values())))
        content = {
            "form": FORM,
            "read_to": self.read_to,
            "wiped": self.wiped,
            "unpartitioned": self.unpartitioned,
            "partitions": partitions,
            "materialized": [self.materialized.get(partition, 0) for partition in partitions],
            "last_materialization": self.last_materialization,
            "materializations": self.materializations,
            "checks": {name: _check_content(check, partitions) for name, check in self.checks.items()},
        }
        return base64.b85encode(zlib.compress(json.dumps(content).encode(), 1)).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` gave.

        Raises:
            ValueError: it is not that, or of another form.
        """
        try:
            content = json.loads(zlib.decompress(base64.b85decode(text)))
            if content["form"] != FORM:
                raise ValueError(f"form {content['form']} is not form {FORM}")
            return cls._from_content(content)
        except (zlib.error, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the stored state of checks: {error!r}") from error

    @classmethod
    def _from_content(cls, content: Mapping[str, Any]) -> Self:
        partitions, last = content["partitions"], content["last_materialization"]
        numbers = zip(partitions, content["materialized"], strict=True)
        return cls(
            read_to=tuple(EventId(*mark) for mark in content["read_to"]),
            wiped=content["wiped"],
            unpartitioned=content["unpartitioned"],
            materialized={partition: number for partition, number in numbers if number},
            last_materialization=EventId(*last) if last else None,
            materializations=content["materializations"],
            checks={name: _check_from(check, partitions) for name, check in content["checks"].items()},
        )


def _check_content(check: CachedCheck, partitions: list[str]) -> dict[str, Any]:
    letters = {
        **dict.fromkeys(check.passed, _PASSED),
        **dict.fromkeys(check.failed, _FAILED),
        **dict.fromkeys(check.planned, _PLANNED),
    }
    said = "".join(letters.get(partition, _NOTHING) for partition in partitions)
    runs = [check.planned[each] for each in partitions if each in check.planned]
    return {"said": said, "runs": runs, "newest": check.newest, "rows": check.rows}


def _check_from(content: Mapping[str, Any], partitions: list[str]) -> CachedCheck:
    by_letter: dict[str, list[str]] = {letter: [] for letter in (_PASSED, _FAILED, _PLANNED, _NOTHING)}
    for partition, letter in zip(partitions, content["said"], strict=True):
        by_letter[letter].append(partition)
    planned = dict(zip(by_letter[_PLANNED], content["runs"], strict=True))
    return CachedCheck(set(by_letter[_PASSED]), set(by_letter[_FAILED]), planned, content["newest"], content["rows"])


# ---- answers


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
        for some in in_batches(unknown):
            for statuses, meaning in ((_RUN_FAILED, Status.EXECUTION_FAILED), (_RUN_ENDED_OTHERWISE, Status.SKIPPED)):
                ended = self._instance.get_run_ids(dg.RunsFilter(run_ids=list(some), statuses=statuses))
                self._known |= dict.fromkeys(ended, meaning)
        return {run: self._known[run] for run in asked}


class PartitionKeys:
    """The partition keys of an asset, with the values that each dimension has in them: there are fewer of those.

    Args:
        partitions: every key that is cached of the asset.
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
class StateAnswer:
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


def answer(key: CheckKey, cached: CachedCheck, invalid: frozenset[str], runs: Mapping[str, Status]) -> StateAnswer:
    """The state of the check `key`.

    Args:
        key: a partitioned check and its partitions.
        cached: what is cached of it.
        invalid: partition keys that its definition does not have.
        runs: what became of each run in `cached.planned`.
    """
    check, definition = key
    by_status: dict[Status, set[str]] = {status: set() for status in Status}
    by_status[Status.SUCCEEDED], by_status[Status.FAILED] = cached.passed, cached.failed
    in_progress: dict[str, set[str]] = {}
    for partition, run in cached.planned.items():
        by_status[runs[run]].add(partition)
        if runs[run] is Status.IN_PROGRESS:
            in_progress.setdefault(run, set()).add(partition)

    def subset(partitions: set[str]) -> SerializableEntitySubset[dg.AssetCheckKey]:
        return SerializableEntitySubset(check, definition.empty_subset().with_partition_keys(partitions - invalid))

    subsets = {status: subset(partitions) for status, partitions in by_status.items()}
    valid_runs = {run: subset(partitions) for run, partitions in in_progress.items() if partitions - invalid}
    state = AssetCheckState(latest_storage_id=cached.newest, subsets=subsets, in_progress_runs=valid_runs)
    return StateAnswer(definition, invalid, runs, state)
