"""Every stored month as Dagster recorded it: the rows of the quality table, from the event log and from no file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.incidents import Gap
from mohlcv_dagster.bars.quality import MonthQuality
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import latest, metadata
from mohlcv_dagster.defs.partitions import asset_key, files_of

VENDOR_MINUTES: Final = "vendor_minutes"
"""The check that holds minutes against the vendor's own, and records how many differ."""


@dataclass(frozen=True)
class StoredMonth:
    """What is recorded of a month.

    Attributes:
        quality: its row.
        missing: the regular minutes it lacks; `None` where that was not recorded, as of a symbol that is not liquid.
        measured: whether it was held against the exchange calendar.
        request_ids: the vendor's marks of its pages.
    """

    quality: MonthQuality
    missing: tuple[Gap, ...] | None
    measured: bool
    request_ids: tuple[str, ...]


@dataclass
class _Checked:
    """What the checks on the raw file and the aggregates of a partition say."""

    judged: int = 0
    open: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mismatches: int | None = None


def read(
    instance: dg.DagsterInstance, timeframes: Sequence[Timeframe], checks: Iterable[dg.AssetCheckKey]
) -> list[StoredMonth]:
    """Every raw partition that this instance saw materialized, in no order of use.

    Args:
        instance: whose event log is read.
        timeframes: those of the aggregates.
        checks: every check of `raw_1s` and of the aggregates.
    """
    folded_from = {timeframe: _raw_digests(instance, timeframe) for timeframe in timeframes}
    checked = _checked(instance, checks)
    stored: list[StoredMonth] = []
    for partition, made in latest.materializations(instance, asset_key(RAW)):
        facts = {name: value.value for name, value in made.metadata.items()}
        stale = [
            f"{asset_key(timeframe).to_user_string()} was folded from an earlier raw_1s"
            for timeframe, digests in folded_from.items()
            if partition in digests and digests[partition] != facts.get("sha256")
        ]
        files = files_of(asset_key(RAW), [partition]).values()
        stored.extend(_month(file, facts, checked.get(partition, _Checked()), stale) for file in files)
    return stored


def _raw_digests(instance: dg.DagsterInstance, timeframe: Timeframe) -> dict[str, object]:
    """The digest of the raw file that each stored partition of an aggregate was folded from, where it was recorded."""
    return {
        partition: made.metadata[metadata.RAW_DIGEST].value
        for partition, made in latest.materializations(instance, asset_key(timeframe))
        if metadata.RAW_DIGEST in made.metadata
    }


def _checked(instance: dg.DagsterInstance, checks: Iterable[dg.AssetCheckKey]) -> dict[str, _Checked]:
    by_partition: dict[str, _Checked] = {}
    for check in checks:
        said = latest.verdicts(instance, check, read_passed=check.name == VENDOR_MINUTES)
        for partition in said.open:
            by_partition.setdefault(partition, _Checked()).open += 1
        for partition in said.passed | said.failed:
            by_partition.setdefault(partition, _Checked()).judged += 1
        for partition, evaluation in said.evaluations.items():
            _note(by_partition[partition], evaluation)
    return by_partition


def _note(checked: _Checked, evaluation: dg.AssetCheckEvaluation) -> None:
    differing = evaluation.metadata.get(metadata.MISMATCHES)
    if differing is not None and isinstance(differing.value, dict):
        checked.mismatches = sum(differing.value.values())
    if not evaluation.passed:
        failing = checked.errors if evaluation.severity is dg.AssetCheckSeverity.ERROR else checked.warnings
        failing.append(f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}")


def _month(file: BarFile, facts: Mapping[str, object], checked: _Checked, stale: Sequence[str]) -> StoredMonth:
    quality = MonthQuality(
        symbol=file.symbol,
        month=file.month,
        state=_text(facts.get("state")),
        rows=_count(facts.get("dagster/partition_row_count")),
        sessions_present=_count(facts.get("sessions_present")),
        sessions_expected=_count(facts.get("sessions_expected")),
        occupancy=_share(facts.get(metadata.OCCUPANCY)),
        largest_gap_minutes=_count(facts.get(metadata.LARGEST_GAP)),
        outside_hours=_count(facts.get(metadata.OUTSIDE_HOURS)),
        mismatches=checked.mismatches,
        revised=_revised(facts),
        errors=len(checked.errors),
        warnings=len(checked.warnings),
        judged=checked.judged,
        not_judged=checked.open,
        failing=(*checked.errors, *checked.warnings),
        stale=tuple(stale),
        complete_through=metadata.moment_of(facts, "complete_through"),
        fetched_at=metadata.moment_of(facts, "fetched_at"),
    )
    missing = facts.get(metadata.MISSING_MINUTES)
    return StoredMonth(
        quality=quality,
        missing=tuple(map(Gap.parse, missing)) if isinstance(missing, list) else None,
        measured=metadata.LARGEST_GAP in facts,
        request_ids=metadata.request_ids_of(facts),
    )


def _revised(facts: Mapping[str, object]) -> int | None:
    counts = [_count(facts.get(name)) for name in metadata.REVISED]
    return None if None in counts else sum(count for count in counts if count is not None)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _count(value: object) -> int | None:
    return None if value is None else int(str(value))


def _share(value: object) -> float | None:
    return None if value is None else float(str(value))
