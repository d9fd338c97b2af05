"""Reading the event log for `quality/coverage`, as far as it has something new of a month.

Which months changed is found from numbers alone. The newest materialization and the newest planned one of every
partition are asked for whole: that takes an index and some 0.1 s for 30,000 partitions, and nothing that takes rows
away (a wiped asset, a deleted run) and nothing committed late can be missed. Results of checks are far more; of them
only the events since the last reading are looked at, and those of its last two minutes once more: PostgreSQL gives an
event its number before it is committed, so a lower number may appear after a higher one.

A wipe and a deleted run take away what was read, and no event says so. Everything is read again after a wipe, which
deletes results of checks, and after a run that was there at the last reading was deleted (`LogExtent`). A run that
began after it and was deleted before this one leaves no event, but Dagster keeps the rows of its checks; the partitions
of new rows are asked for besides those of new events (`dagster_patches/check_queries`).
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import dagster as dg

from mohlcv_dagster.dagster_patches import check_queries, unexported
from mohlcv_dagster.dagster_patches.check_queries import Database, NewRows
from mohlcv_dagster.dagster_patches.unexported import CheckSummary, in_batches
from mohlcv_dagster.defs import failures
from mohlcv_dagster.defs.failures import StepFailure
from mohlcv_dagster.defs.quality_events import (
    History,
    LatestCheck,
    LogExtent,
    MonthEvents,
    RuleCounts,
    RunOutcome,
    StoredFile,
    UnmadeFile,
    facts_of,
    name_of,
    rule_counts,
)

OVERLAP: Final = 120.0
"""Seconds before a reading in which events may not have been committed yet, clocks of several hosts included."""
FEW: Final = 2000
"""Up to so many changed partitions are asked for by name; of more, all are asked for."""


def update(
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey],
    checks: Sequence[dg.AssetCheckKey],
    history: History,
) -> int:
    """Bring a history up to date with the event log.

    Args:
        instance: whose event log is read.
        assets: those of bars.
        checks: every check of them.
        history: changed in place; an empty one is filled, which reads everything.

    Returns:
        How many months were read.
    """
    database = check_queries.database(instance)
    before, history.extent = history.extent, LogExtent.of(instance, database, assets)
    if database is None or history.extent.has_lost(before, instance):
        history.months, history.cursor = {}, None
    committed = time.time() - OVERLAP
    rows = _new_rows(database, assets, None if history.cursor is None else history.row, committed)
    news = _new_check_events(instance, frozenset(assets), history.cursor, committed)
    numbers = {key.to_user_string(): _EventNumbers.of(instance, key) for key in assets}
    changed = _changed(history.months, numbers, rows.partitions | news.partitions)
    for key in assets:
        of_asset = numbers[key.to_user_string()]
        _read_stored(instance, key, of_asset.made, changed, history.months)
        _read_unmade(instance, key, of_asset.unmade(), changed, history.months)
    for check in checks:
        _read_check(instance, check, changed, history.months, news.results)
    history.cursor, history.row = None if database is None else news.cursor, rows.mark
    return len(changed)


# ---- which months changed


@dataclass(frozen=True)
class _EventNumbers:
    """The numbers of the newest events of an asset, by partition.

    Attributes:
        made: of its materializations.
        planned: of those that a run was to make.
    """

    made: Mapping[str, int]
    planned: Mapping[str, int]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, key: dg.AssetKey) -> "_EventNumbers":
        # planned ones first: a file made in between is then no file that is missing
        log, kinds = instance.event_log_storage, dg.DagsterEventType
        planned = log.get_latest_storage_id_by_partition(key, kinds.ASSET_MATERIALIZATION_PLANNED)
        return cls(log.get_latest_storage_id_by_partition(key, kinds.ASSET_MATERIALIZATION), planned)

    def unmade(self) -> dict[str, int]:
        """What was planned and not made since."""
        return {partition: number for partition, number in self.planned.items() if number > self.made.get(partition, 0)}


def _changed(months: dict[str, MonthEvents], numbers: Mapping[str, _EventNumbers], news: AbstractSet[str]) -> set[str]:
    """The partitions to read; those that are gone are removed from `months`, and new ones are added."""
    there = {partition for each in numbers.values() for partition in (*each.made, *each.unmade())}
    for gone in months.keys() - there:
        del months[gone]
    changed = {each for each in there if each in news or _differs(months.get(each), each, numbers)}
    for partition in changed:
        months.setdefault(partition, MonthEvents())
    return changed


def _differs(month: MonthEvents | None, partition: str, numbers: Mapping[str, _EventNumbers]) -> bool:
    """Whether the log has other events of a partition than those in the history, or a run of it was under way."""
    if month is None:
        return True
    if any(unmade.outcome is RunOutcome.UNDER_WAY for unmade in month.unmade.values()):
        return True
    for asset, each in numbers.items():
        stored, unmade = month.stored.get(asset), month.unmade.get(asset)
        number, planned = each.made.get(partition), each.planned.get(partition, 0)
        if number != (stored.event if stored else None):
            return True
        if (planned if planned > (number or 0) else None) != (unmade.event if unmade else None):
            return True
    return False


def _new_rows(database: Database | None, assets: Sequence[dg.AssetKey], after: int | None, committed: float) -> NewRows:
    if database is None:
        return NewRows(frozenset(), 0)
    if after is None:  # everything is read
        return NewRows(frozenset(), check_queries.newest_row(database, assets, committed))
    return check_queries.new_rows(database, assets, after, committed)


@dataclass
class _CheckEvents:
    """The events of checks since the last reading: the partitions they are about, and the evaluations."""

    partitions: set[str] = field(default_factory=set)
    results: dict[tuple[int, str], RuleCounts] = field(default_factory=dict)
    """By number and run: SQLite gives the numbers of deleted events again."""
    cursor: int = 0


def _new_check_events(
    instance: dg.DagsterInstance, assets: frozenset[dg.AssetKey], cursor: int | None, committed: float
) -> _CheckEvents:
    if cursor is None:
        return _CheckEvents(cursor=_first_cursor(instance, committed))
    news = _CheckEvents(cursor=cursor)
    for number, entry in unexported.check_events(instance, cursor):
        if entry.timestamp <= committed:
            news.cursor = max(news.cursor, number)
        partitions = unexported.partitions_of_check_event(entry, assets)
        news.partitions |= partitions
        evaluation = entry.dagster_event.event_specific_data if entry.dagster_event else None
        if partitions and isinstance(evaluation, dg.AssetCheckEvaluation):
            news.results[number, entry.run_id] = rule_counts(evaluation)
    return news


def _first_cursor(instance: dg.DagsterInstance, committed: float) -> int:
    """The number of the newest event of a check that was stored by the moment `committed`; 0 where there is none."""
    top, width = instance.event_log_storage.get_maximum_record_id() or 0, unexported.MOST_AT_ONCE
    while True:
        start = max(top - width, 0)
        entries = unexported.check_events(instance, start)
        numbers = [number for number, entry in entries if entry.timestamp <= committed]
        if numbers or not start:
            return max(numbers, default=0)
        width *= 4


# ---- reading the months that changed


def _read_stored(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    numbers: Mapping[str, int],
    changed: Iterable[str],
    months: Mapping[str, MonthEvents],
) -> None:
    asset, wanted = key.to_user_string(), []
    for partition in changed:
        stored, number = months[partition].stored.get(asset), numbers.get(partition)
        if stored is not None and stored.event != number:
            del months[partition].stored[asset]
        if number is not None and (stored is None or stored.event != number):
            wanted.append(number)
    for some in in_batches(sorted(wanted)):
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, storage_ids=some), limit=len(some)
        ).records
        for record in records:
            made = record.asset_materialization
            if made is not None and made.partition is not None:
                months[made.partition].stored[asset] = StoredFile(record.storage_id, facts_of(made))


def _read_unmade(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    unmade: Mapping[str, int],
    changed: Iterable[str],
    months: Mapping[str, MonthEvents],
) -> None:
    asset, new = key.to_user_string(), set[str]()
    open_runs: dict[str, tuple[str, int]] = {}
    for partition in changed:
        before = months[partition].unmade.pop(asset, None)
        if partition not in unmade:
            continue
        if before is None or before.event != unmade[partition]:
            new.add(partition)
        elif before.outcome is RunOutcome.UNDER_WAY:
            open_runs[partition] = before.run_id, before.event
        else:
            months[partition].unmade[asset] = before
    if new:
        found = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(
            key, after_storage_id=min(unmade[partition] for partition in new) - 1
        )
        open_runs |= {partition: found[partition] for partition in new if partition in found}
    ends = _run_ends(instance, {run_id for run_id, _ in open_runs.values()})
    for partition, (run_id, event) in open_runs.items():
        outcome, reasons = ends[run_id]
        why = failures.reason(reasons, partition)
        months[partition].unmade[asset] = UnmadeFile(event, run_id, outcome, why)


RunEnd: TypeAlias = tuple[RunOutcome, Sequence[StepFailure]]
"""How a run ended, and why it failed."""


def _run_ends(instance: dg.DagsterInstance, run_ids: Collection[str]) -> dict[str, RunEnd]:
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
            found[run.run_id] = (RunOutcome.FAILED, failures.step_failures(instance, run.run_id))
    return found


def _read_check(
    instance: dg.DagsterInstance,
    check: dg.AssetCheckKey,
    changed: set[str],
    months: Mapping[str, MonthEvents],
    results: Mapping[tuple[int, str], RuleCounts],
) -> None:
    """Read the latest results of a check on the changed partitions; what it found is in `results` if it is new."""
    name, unread = name_of(check), dict[tuple[str, str], LatestCheck]()
    before = {partition: months[partition].checks.pop(name, None) for partition in changed}
    for summary in _summaries(instance, check, changed):
        partition, place = summary.partition, (summary.event, summary.run_id)
        latest, former = LatestCheck(summary.event, summary.target, None), before[partition]
        if summary.passed is None:
            months[partition].checks[name] = latest
        elif former is not None and former.event == latest.event and former.rules is not None:
            months[partition].checks[name] = latest._replace(rules=former.rules)
        elif place in results:
            months[partition].checks[name] = latest._replace(rules=results[place])
        else:
            unread[partition, summary.run_id] = latest
    for partition, run_id, evaluation in unexported.evaluations(instance, check, unread):
        rules = rule_counts(evaluation)
        months[partition].checks[name] = unread[partition, run_id]._replace(rules=rules)


def _summaries(instance: dg.DagsterInstance, check: dg.AssetCheckKey, changed: set[str]) -> Iterator[CheckSummary]:
    partitions = sorted(changed) if len(changed) <= FEW else None
    found = unexported.check_summaries(instance, [check], partitions)
    return (summary for summary in found if summary.partition in changed)
