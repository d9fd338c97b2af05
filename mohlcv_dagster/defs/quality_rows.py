"""The rows of `quality/coverage`, made of what the event log says of each month; no file of bars is read.

A row is a month that is stored, or that a run was to make; of a symbol that was removed, only what is stored.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from mohlcv_dagster.bars.incidents import Gap
from mohlcv_dagster.defs import metadata, quality_basis
from mohlcv_dagster.defs.partitions import asset_key, files_of
from mohlcv_dagster.defs.quality_events import Fact, MonthEvents, RuleCounts, RunOutcome, UnmadeFile, name_of
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus
from mohlcv_dagster.model.timeframes import RAW, Timeframe

_RAW: Final = asset_key(RAW).to_user_string()
_UNMADE: Final = {
    RunOutcome.FAILED: MonthStatus.FAILED,
    RunOutcome.NOT_MADE: MonthStatus.MISSING,
    RunOutcome.UNDER_WAY: MonthStatus.IN_PROGRESS,
}


@dataclass(frozen=True)
class CheckedAssets:
    """The assets of bars, their checks and the rules in these.

    Attributes:
        timeframes: those of the aggregates.
        by_check: the names of the rules of each check of `raw_1s` and of the aggregates.
        adjusted: whether adjusted prices are asked for now; `None`: no month is told to be on another basis.
    """

    timeframes: tuple[Timeframe, ...]
    by_check: Mapping[dg.AssetCheckKey, Sequence[str]]
    adjusted: bool | None = None

    @property
    def assets(self) -> list[dg.AssetKey]:
        """The assets of bars, `raw_1s` first."""
        return [asset_key(each) for each in (RAW, *self.timeframes)]

    @property
    def checks(self) -> list[dg.AssetCheckKey]:
        """Every check, and every rule as the check of its own that it is in homes of an earlier form."""
        single = (dg.AssetCheckKey(check.asset_key, rule) for check, rules in self.by_check.items() for rule in rules)
        return list(dict.fromkeys([*self.by_check, *single]))

    def check_of(self, asset: str, rule: str) -> str:
        """The name of the check that has this rule; that of the rule where no check has it any more."""
        found = (
            check.name
            for check, rules in self.by_check.items()
            if check.asset_key.to_user_string() == asset and rule in rules
        )
        return next(found, rule)


@dataclass(frozen=True)
class QualityRow:
    """What is known of a month.

    Attributes:
        quality: its row.
        missing: the regular minutes it lacks; `None` where that was not recorded, as of a symbol that is not liquid.
        measured: whether it was compared with the exchange calendar.
        event: Dagster's number of the materialization of its raw file; `None` where it is not stored.
        run_id: the run that was to make it and did not, or has not yet; empty where it is stored.
    """

    quality: MonthQuality
    missing: tuple[Gap, ...] | None
    measured: bool
    event: int | None
    run_id: str = ""


def rows(months: Mapping[str, MonthEvents], checked: CheckedAssets, kept: AbstractSet[str]) -> list[QualityRow]:
    """The rows of months, in their order.

    Args:
        months: what the event log says of each, by partition.
        checked: the checks that there are.
        kept: the symbols that there are partitions of.
    """
    checks = [(check.asset_key.to_user_string(), name_of(check), rules) for check, rules in checked.by_check.items()]
    files, executed = files_of(asset_key(RAW), months), quality_basis.executed_splits(months)
    return [
        _row(file, months[partition], checks, executed.get(file.symbol, ()), checked.adjusted)
        for partition, file in files.items()
        if _RAW in months[partition].stored or (months[partition].unmade and file.symbol in kept)
    ]


def _row(
    file: BarFile,
    month: MonthEvents,
    checks: Sequence[tuple[str, str, Sequence[str]]],
    executed: tuple[Split, ...],
    adjusted: bool | None,  # noqa: FBT001 - as of `CheckedAssets`
) -> QualityRow:
    stored = month.stored.get(_RAW)
    facts: Mapping[str, Fact] = stored.facts if stored else {}
    total = _add_up(month, checks) if stored else _RuleTotal()
    status, unmade = _status(month, has_errors=bool(total.errors))
    quality = MonthQuality(
        symbol=file.symbol,
        month=file.month,
        status=status,
        why=(unmade.why or None) if unmade else None,
        state=_text(facts.get("state")),
        rows=_count(facts.get("dagster/partition_row_count")),
        sessions_present=_count(facts.get("sessions_present")),
        sessions_expected=_count(facts.get("sessions_expected")),
        occupancy=_share(facts.get(metadata.OCCUPANCY)),
        largest_gap_minutes=_count(facts.get(metadata.LARGEST_GAP)),
        outside_hours=_count(facts.get(metadata.OUTSIDE_HOURS)),
        mismatches=total.mismatches,
        revised=_revised(facts),
        errors=len(total.errors),
        warnings=len(total.warnings),
        judged=total.checked,
        not_judged=total.not_checked,
        failing=(*total.errors, *total.warnings),
        stale=(*quality_basis.why_stale(file.month, facts, executed, asked=adjusted), *_stale(month)) if stored else (),
        complete_through=metadata.moment(facts, "complete_through"),
        fetched_at=metadata.moment(facts, "fetched_at"),
    )
    gaps = facts.get(metadata.MISSING_MINUTES)
    return QualityRow(
        quality=quality,
        missing=tuple(Gap.parse(str(each)) for each in gaps) if isinstance(gaps, list) else None,
        measured=metadata.LARGEST_GAP in facts,
        event=stored.event if stored else None,
        run_id=unmade.run_id if unmade else "",
    )


@dataclass
class _RuleTotal:
    """What all checks on the raw file and the aggregates of a month found."""

    checked: int = 0
    not_checked: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mismatches: int | None = None

    def add(self, asset: str, rules: RuleCounts) -> None:
        self.checked += rules.checked
        self.not_checked += rules.not_checked
        if rules.errors or rules.warnings:  # rarely: this is called for each check of each month
            self.errors += [f"{asset}: {rule}" for rule in rules.errors]
            self.warnings += [f"{asset}: {rule}" for rule in rules.warnings]
        if rules.mismatches is not None:
            self.mismatches = rules.mismatches


def _add_up(month: MonthEvents, checks: Sequence[tuple[str, str, Sequence[str]]]) -> _RuleTotal:
    """What the checks found of the files as they are; where a check has no result, its rules may have one each."""
    total = _RuleTotal()
    for asset, check, rules in checks:
        if check in month.checks:
            found = month.current(asset, check)
            total.add(asset, found if found is not None else RuleCounts(not_checked=len(rules)))
            continue
        for rule in rules:
            single = f"{asset}: {rule}"
            if single in month.checks:
                total.add(asset, month.current(asset, single) or RuleCounts(not_checked=1))
    return total


def _status(month: MonthEvents, *, has_errors: bool) -> tuple[MonthStatus, UnmadeFile | None]:
    """The status of a month, and what was not made of it.

    An aggregate that failed fails its month, unless rules fail on the raw file as errors: that is what blocked it.
    """
    raw = month.unmade.get(_RAW)
    if _RAW not in month.stored:
        unmade = raw or _first_failed(month) or next(iter(month.unmade.values()))
        return _UNMADE[unmade.outcome], unmade
    failed = raw if raw is not None and raw.outcome is RunOutcome.FAILED else None
    failed = failed or (None if has_errors else _first_failed(month))
    return (MonthStatus.FAILED if failed else MonthStatus.STORED), failed


def _first_failed(month: MonthEvents) -> UnmadeFile | None:
    return next((unmade for unmade in month.unmade.values() if unmade.outcome is RunOutcome.FAILED), None)


def _stale(month: MonthEvents) -> tuple[str, ...]:
    """The aggregates that are not made of the raw file as it is."""
    digest = month.stored[_RAW].facts.get("sha256")
    earlier = (asset for asset, each in month.stored.items() if each.facts.get(metadata.RAW_DIGEST, digest) != digest)
    missing = (
        asset
        for asset, unmade in month.unmade.items()
        if asset not in month.stored and unmade.outcome is not RunOutcome.UNDER_WAY
    )
    return tuple(
        sorted(
            [
                *(f"{asset} was resampled from an earlier raw_1s" for asset in earlier),
                *(f"{asset} is missing" for asset in missing),
            ]
        )
    )


def _revised(facts: Mapping[str, Fact]) -> int | None:
    counts = [_count(facts.get(name)) for name in metadata.REVISED]
    return None if None in counts else sum(count for count in counts if count is not None)


def _text(value: Fact) -> str | None:
    return None if value is None else str(value)


def _count(value: Fact) -> int | None:
    return None if value is None else int(str(value))


def _share(value: Fact) -> float | None:
    return None if value is None else float(str(value))
