"""What is remembered of the checks of one asset, and the text in which it is kept. Pure data, no database.

Of each check: the partitions whose latest evaluation passed or failed, and those that a run has only planned. A
partition that was materialized after its evaluation is in none. That is what Dagster 1.13 makes its answer of, but for
two things that can change without an event: whether a planned run has ended, and whether a partition key is valid.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

FORM: Final = 1
"""Of the kept text; one of another form is not read."""
_PASSED, _FAILED, _PLANNED, _NOTHING = "pfr."


class Mark(NamedTuple):
    """An event by which the log is recognized: its number can be given again when it is deleted, the rest cannot.

    Attributes:
        number: the event's number in the log.
        run_id: its run.
        at: its time, as the database gives it, as text.
    """

    number: int
    run_id: str
    at: str


@dataclass
class CheckFacts:
    """What is known of one check. A partition is in at most one of the three.

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

    def forget(self, partitions: Iterable[str]) -> None:
        """Know nothing of these partitions."""
        gone = set(partitions)
        self.passed -= gone
        self.failed -= gone
        for partition in gone & self.planned.keys():
            del self.planned[partition]

    def add(self, other: "CheckFacts") -> None:
        """Know all that `other` knows, of whose partitions nothing is known here."""
        self.passed |= other.passed
        self.failed |= other.failed
        self.planned |= other.planned
        self.newest = max(self.newest, other.newest)

    def same_of(self, other: "CheckFacts", partitions: Iterable[str]) -> bool:
        """Whether `other` knows the same of `partitions`, which are all that this knows of."""
        return all(self.of(partition) == other.of(partition) for partition in partitions)

    def of(self, partition: str) -> str | bool | None:
        """What is known of a partition: whether it passed, or the run that planned it; `None` for nothing."""
        if partition in self.planned:
            return self.planned[partition]
        return True if partition in self.passed else False if partition in self.failed else None

    def partitions(self) -> set[str]:
        """All partitions of which anything is known."""
        return self.passed | self.failed | self.planned.keys()

    def __len__(self) -> int:
        return len(self.passed) + len(self.failed) + len(self.planned)


@dataclass
class AssetFacts:
    """What is known of an asset's checks, and what it was made of.

    Attributes:
        read_to: marks, the newest first: what the log has up to the first one that still stands is known.
        wiped: what Dagster notes of the asset's last wipe.
        unpartitioned: the number of its latest materialization, where that was one without a partition.
        materialized: the number of the latest materialization of each partition.
        last_materialization: the newest of those events, and how many there were up to it.
        checks: by name.
    """

    read_to: tuple[Mark, ...] = ()
    wiped: str | None = None
    unpartitioned: int | None = None
    materialized: dict[str, int] = field(default_factory=dict)
    last_materialization: Mark | None = None
    materializations: int = 0
    checks: dict[str, CheckFacts] = field(default_factory=dict)

    def __len__(self) -> int:
        """Partitions remembered, each as often as it is."""
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
            raise ValueError(f"not the kept state of checks: {error!r}") from error

    @classmethod
    def _from_content(cls, content: Mapping[str, Any]) -> Self:
        partitions, last = content["partitions"], content["last_materialization"]
        numbers = zip(partitions, content["materialized"], strict=True)
        return cls(
            read_to=tuple(Mark(*mark) for mark in content["read_to"]),
            wiped=content["wiped"],
            unpartitioned=content["unpartitioned"],
            materialized={partition: number for partition, number in numbers if number},
            last_materialization=Mark(*last) if last else None,
            materializations=content["materializations"],
            checks={name: _check_from(check, partitions) for name, check in content["checks"].items()},
        )


def _check_content(check: CheckFacts, partitions: list[str]) -> dict[str, Any]:
    letters = {
        **dict.fromkeys(check.passed, _PASSED),
        **dict.fromkeys(check.failed, _FAILED),
        **dict.fromkeys(check.planned, _PLANNED),
    }
    said = "".join(letters.get(partition, _NOTHING) for partition in partitions)
    runs = [check.planned[each] for each in partitions if each in check.planned]
    return {"said": said, "runs": runs, "newest": check.newest, "rows": check.rows}


def _check_from(content: Mapping[str, Any], partitions: list[str]) -> CheckFacts:
    by_letter: dict[str, list[str]] = {letter: [] for letter in (_PASSED, _FAILED, _PLANNED, _NOTHING)}
    for partition, letter in zip(partitions, content["said"], strict=True):
        by_letter[letter].append(partition)
    planned = dict(zip(by_letter[_PLANNED], content["runs"], strict=True))
    return CheckFacts(set(by_letter[_PASSED]), set(by_letter[_FAILED]), planned, content["newest"], content["rows"])
