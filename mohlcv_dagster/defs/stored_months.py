"""The rows of the quality table, made of what the event log says of each month; no file of bars is read.

A row is a month that is stored, or that a run was to make; of a symbol that is no longer kept, what is stored alone.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from mohlcv_dagster.bars.incidents import Gap
from mohlcv_dagster.defs import metadata, month_memory, month_reading
from mohlcv_dagster.defs.month_events import Asked, Fact, MonthEvents, Outcome, Results, name_of
from mohlcv_dagster.defs.month_reading import Remembered
from mohlcv_dagster.defs.partitions import SYMBOL, asset_key, files_of
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.storage.archive import Archive

_RAW: Final = asset_key(RAW).to_user_string()
_UNMADE: Final = {
    Outcome.FAILED: MonthStatus.FAILED,
    Outcome.NOT_MADE: MonthStatus.MISSING,
    Outcome.UNDER_WAY: MonthStatus.IN_PROGRESS,
}


@dataclass(frozen=True)
class Rules:
    """The checks of the assets of bars and the rules in them.

    Attributes:
        timeframes: those of the aggregates.
        by_check: the names of the rules of each check of `raw_1s` and of the aggregates.
    """

    timeframes: tuple[Timeframe, ...]
    by_check: Mapping[dg.AssetCheckKey, Sequence[str]]

    @property
    def assets(self) -> list[dg.AssetKey]:
        """The assets of bars, `raw_1s` first."""
        return [asset_key(each) for each in (RAW, *self.timeframes)]

    @property
    def checks(self) -> list[dg.AssetCheckKey]:
        """Every check, and every rule as the check of its own that it was in homes of an earlier form."""
        former = (dg.AssetCheckKey(check.asset_key, rule) for check, rules in self.by_check.items() for rule in rules)
        return list(dict.fromkeys([*self.by_check, *former]))


@dataclass(frozen=True)
class StoredMonth:
    """What is known of a month.

    Attributes:
        quality: its row.
        missing: the regular minutes it lacks; `None` where that was not recorded, as of a symbol that is not liquid.
        measured: whether it was compared with the exchange calendar.
        event: Dagster's number of the materialization of its raw file; `None` where it is not stored.
    """

    quality: MonthQuality
    missing: tuple[Gap, ...] | None
    measured: bool
    event: int | None


@dataclass
class _Found:
    """What the checks on the raw file and the aggregates of a month found."""

    checked: int = 0
    open: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mismatches: int | None = None

    def add(self, asset: str, results: Results) -> None:
        self.checked += results.checked
        self.open += results.not_checked
        self.errors += [f"{asset}: {rule}" for rule in results.errors]
        self.warnings += [f"{asset}: {rule}" for rule in results.warnings]
        if results.mismatches is not None:
            self.mismatches = results.mismatches


class Reader:
    """Reads what is new since the table was made, and gives every row.

    Args:
        instance: whose event log is read.
        archive: where the table stands.
        rules: what is read of.
    """

    def __init__(self, instance: dg.DagsterInstance, archive: Archive, rules: Rules) -> None:
        self._instance, self._archive, self._rules = instance, archive, rules
        self._assets = [key.to_user_string() for key in rules.assets]
        self._checks = [name_of(check) for check in rules.checks]
        self._remembered = Remembered()

    def read(self) -> list[StoredMonth]:
        """Every month that is stored or was asked for, in no order of use.

        Raises:
            FileError: the disk refused to give the table or what is remembered.
        """
        self._remembered = month_memory.load(self._instance, self._archive, self._assets, self._checks)
        month_reading.update(self._instance, self._rules.assets, self._rules.checks, self._remembered)
        kept = frozenset(self._instance.get_dynamic_partitions(SYMBOL))
        return rows(self._remembered.months, self._rules, kept)

    def remember(self, run_id: str, table_sha256: str) -> None:
        """Keep what was read for the next time.

        Args:
            run_id: the run that made the table.
            table_sha256: the digest of the table.

        Raises:
            FileError: the disk refused.
        """
        month_memory.save(
            self._archive, self._remembered, self._assets, self._checks, run_id=run_id, table_sha256=table_sha256
        )


def rows(months: Mapping[str, MonthEvents], rules: Rules, kept: AbstractSet[str]) -> list[StoredMonth]:
    """The rows of these months, by partition.

    Args:
        months: what the event log says of each.
        rules: the checks that there are.
        kept: the symbols that there are partitions of.
    """
    checks = [(check.asset_key.to_user_string(), name_of(check), names) for check, names in rules.by_check.items()]
    files = files_of(asset_key(RAW), months)
    return [
        _row(file, months[partition], checks)
        for partition, file in files.items()
        if _RAW in months[partition].made or (months[partition].asked and file.symbol in kept)
    ]


def _row(file: BarFile, month: MonthEvents, checks: Sequence[tuple[str, str, Sequence[str]]]) -> StoredMonth:
    made = month.made.get(_RAW)
    facts: Mapping[str, Fact] = made.facts if made else {}
    found = _found(month, checks) if made else _Found()
    status, why = _status(month, has_errors=bool(found.errors))
    quality = MonthQuality(
        symbol=file.symbol,
        month=file.month,
        status=status,
        why=why or None,
        state=_text(facts.get("state")),
        rows=_count(facts.get("dagster/partition_row_count")),
        sessions_present=_count(facts.get("sessions_present")),
        sessions_expected=_count(facts.get("sessions_expected")),
        occupancy=_share(facts.get(metadata.OCCUPANCY)),
        largest_gap_minutes=_count(facts.get(metadata.LARGEST_GAP)),
        outside_hours=_count(facts.get(metadata.OUTSIDE_HOURS)),
        mismatches=found.mismatches,
        revised=_revised(facts),
        errors=len(found.errors),
        warnings=len(found.warnings),
        judged=found.checked,
        not_judged=found.open,
        failing=(*found.errors, *found.warnings),
        stale=_stale(month) if made else (),
        complete_through=metadata.moment_of(facts, "complete_through"),
        fetched_at=metadata.moment_of(facts, "fetched_at"),
    )
    gaps = facts.get(metadata.MISSING_MINUTES)
    return StoredMonth(
        quality=quality,
        missing=tuple(Gap.parse(str(each)) for each in gaps) if isinstance(gaps, list) else None,
        measured=metadata.LARGEST_GAP in facts,
        event=made.event if made else None,
    )


def _found(month: MonthEvents, checks: Sequence[tuple[str, str, Sequence[str]]]) -> _Found:
    """What the checks found of the files as they are; a check that never said anything may have been its rules'."""
    found = _Found()
    for asset, check, rules in checks:
        if check in month.said:
            results = month.current(asset, check)
            found.add(asset, results if results is not None else Results(not_checked=len(rules)))
            continue
        for rule in rules:
            former = f"{asset}: {rule}"
            if former in month.said:
                found.add(asset, month.current(asset, former) or Results(not_checked=1))
    return found


def _status(month: MonthEvents, *, has_errors: bool) -> tuple[MonthStatus, str]:
    """How it stands with a month, and why it failed.

    An aggregate that failed fails its month, unless rules fail on the raw file as errors: that is what held it back.
    """
    raw = month.asked.get(_RAW)
    if _RAW not in month.made:
        asked = raw or _first_failed(month) or next(iter(month.asked.values()))
        return _UNMADE[asked.outcome], asked.why
    failed = raw if raw is not None and raw.outcome is Outcome.FAILED else None
    failed = failed or (None if has_errors else _first_failed(month))
    return (MonthStatus.FAILED, failed.why) if failed else (MonthStatus.STORED, "")


def _first_failed(month: MonthEvents) -> Asked | None:
    return next((asked for asked in month.asked.values() if asked.outcome is Outcome.FAILED), None)


def _stale(month: MonthEvents) -> tuple[str, ...]:
    """The aggregates that are not made of the raw file as it is."""
    digest = month.made[_RAW].facts.get("sha256")
    told = []
    for asset, made in month.made.items():
        if made.facts.get(metadata.RAW_DIGEST, digest) != digest:
            told.append(f"{asset} was resampled from an earlier raw_1s")
    for asset, asked in month.asked.items():
        if asset not in month.made and asked.outcome is not Outcome.UNDER_WAY:
            told.append(f"{asset} is missing")
    return tuple(sorted(told))


def _revised(facts: Mapping[str, Fact]) -> int | None:
    counts = [_count(facts.get(name)) for name in metadata.REVISED]
    return None if None in counts else sum(count for count in counts if count is not None)


def _text(value: Fact) -> str | None:
    return None if value is None else str(value)


def _count(value: Fact) -> int | None:
    return None if value is None else int(str(value))


def _share(value: Fact) -> float | None:
    return None if value is None else float(str(value))
