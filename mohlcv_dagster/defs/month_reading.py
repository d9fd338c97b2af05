"""Reading the event log as far as it says something new of a month.

Which months changed is found from numbers alone. The newest materialization and the newest planned one of every
partition are asked for whole: that takes an index and some 0.1 s for 30,000 partitions, and nothing that takes rows
away (a wiped asset, a deleted run) and nothing committed late can be missed. What checks said is far more; of it only
the events since the last reading are looked at, and those of its last two minutes once more: PostgreSQL gives an event
its number before it is committed, so a lower number may appear after a higher one.

A wipe and a deleted run take away what was read, and no event tells of them. Everything is read again after a wipe,
which deletes what checks said, and after a run that was there at the last reading was deleted. A run that began after
it and was deleted before this one leaves no event, but Dagster keeps the rows of what its checks said; the partitions
of new rows are asked for besides those of new events (`month_losses`, `dagster_patches/check_rows`).
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned  # not exported
from dagster._core.storage.asset_check_execution_record import (
    # not exported, though methods of the exported DagsterInstance's event log take and give it
    AssetCheckExecutionRecordStatus as Status,
)

from mohlcv_dagster.dagster_patches import check_rows
from mohlcv_dagster.defs import run_failures
from mohlcv_dagster.defs.month_events import (
    Asked,
    Made,
    MonthEvents,
    Outcome,
    Results,
    Said,
    facts_of,
    name_of,
    results_of,
)
from mohlcv_dagster.defs.month_losses import There

OVERLAP: Final = 120.0
"""Seconds before a reading in which events may not have been committed yet, clocks of several hosts included."""
MOST_AT_ONCE: Final = 1000
"""Events a query; Dagster gives no more."""
FEW: Final = 2000
"""Up to so many changed partitions are asked for by name; of more, all are asked for."""

_CHECKED: Final = frozenset({Status.SUCCEEDED, Status.FAILED})
_ABOUT_CHECKS: Final = (dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION)


@dataclass
class Remembered:
    """What was read of every month.

    Attributes:
        months: by partition key.
        cursor: Dagster's number of the newest event of a check that need not be looked at again; `None` before the
            first reading, and where nothing tells what was taken away since.
        row: the same of the rows of what checks said.
        there: what was there to be read.
    """

    months: dict[str, MonthEvents] = field(default_factory=dict)
    cursor: int | None = None
    row: int = 0
    there: There = field(default_factory=There)


@dataclass
class _News:
    """What the events of checks since the last reading say: the partitions they are about, and the evaluations."""

    partitions: set[str] = field(default_factory=set)
    results: dict[tuple[int, str], Results] = field(default_factory=dict)
    """By number and run: SQLite gives the numbers of deleted events again."""
    cursor: int = 0


def update(
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetKey],
    checks: Sequence[dg.AssetCheckKey],
    remembered: Remembered,
) -> int:
    """Bring what is remembered up to date with the event log.

    Args:
        instance: whose event log is read.
        assets: those of bars.
        checks: every check of them.
        remembered: changed in place; an empty one is filled, which reads everything.

    Returns:
        How many months were read.
    """
    database = check_rows.database(instance)
    before, remembered.there = remembered.there, There.of(instance, database, assets)
    if database is None or remembered.there.lacks(before, instance):
        remembered.months, remembered.cursor = {}, None
    committed = time.time() - OVERLAP
    rows = _new_rows(database, assets, None if remembered.cursor is None else remembered.row, committed)
    news = _of_checks(instance, frozenset(assets), remembered.cursor, committed)
    news.partitions |= rows.partitions
    numbers = {key.to_user_string(): _Numbers.of(instance, key) for key in assets}
    there = {partition for each in numbers.values() for partition in (*each.made, *each.unmade())}
    for gone in remembered.months.keys() - there:
        del remembered.months[gone]
    changed = {
        partition
        for partition in there
        if partition in news.partitions or _differs(remembered.months.get(partition), partition, numbers)
    }
    for partition in changed:
        remembered.months.setdefault(partition, MonthEvents())
    for key in assets:
        _read_made(instance, key, numbers[key.to_user_string()].made, changed, remembered.months)
        _read_asked(instance, key, numbers[key.to_user_string()].unmade(), changed, remembered.months)
    for check in checks:
        _read_said(instance, check, changed, remembered.months, news.results)
    remembered.cursor, remembered.row = None if database is None else news.cursor, rows.mark
    return len(changed)


def _new_rows(
    database: check_rows.Database | None, assets: Sequence[dg.AssetKey], after: int | None, committed: float
) -> check_rows.Newer:
    if database is None:
        return check_rows.Newer(frozenset(), 0)
    if after is None:  # everything is read
        return check_rows.Newer(frozenset(), check_rows.newest(database, assets, committed))
    return check_rows.newer(database, assets, after, committed)


@dataclass(frozen=True)
class _Numbers:
    """The numbers of the newest events of an asset, by partition.

    Attributes:
        made: of its materializations.
        planned: of those that a run was to make.
    """

    made: Mapping[str, int]
    planned: Mapping[str, int]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, key: dg.AssetKey) -> "_Numbers":
        # what was planned first: a file made in between is then no file that is missing
        log, kinds = instance.event_log_storage, dg.DagsterEventType
        planned = log.get_latest_storage_id_by_partition(key, kinds.ASSET_MATERIALIZATION_PLANNED)
        return cls(log.get_latest_storage_id_by_partition(key, kinds.ASSET_MATERIALIZATION), planned)

    def unmade(self) -> dict[str, int]:
        """What was planned and not made since."""
        return {partition: number for partition, number in self.planned.items() if number > self.made.get(partition, 0)}


def _differs(month: MonthEvents | None, partition: str, numbers: Mapping[str, _Numbers]) -> bool:
    """Whether the log has other events of a partition than those remembered, or a run of it was under way."""
    if month is None:
        return True
    if any(asked.outcome is Outcome.UNDER_WAY for asked in month.asked.values()):
        return True
    for asset, each in numbers.items():
        made, asked = month.made.get(asset), month.asked.get(asset)
        number, planned = each.made.get(partition), each.planned.get(partition, 0)
        if number != (made.event if made else None):
            return True
        if (planned if planned > (number or 0) else None) != (asked.event if asked else None):
            return True
    return False


def _of_checks(
    instance: dg.DagsterInstance, assets: frozenset[dg.AssetKey], cursor: int | None, committed: float
) -> _News:
    if cursor is None:
        return _News(cursor=_first_cursor(instance, committed))
    news = _News(cursor=cursor)
    for number, entry in _entries(instance, cursor):
        if entry.timestamp <= committed:
            news.cursor = max(news.cursor, number)
        said = entry.dagster_event.event_specific_data if entry.dagster_event else None
        if isinstance(said, dg.AssetCheckEvaluation):
            if said.asset_key in assets and said.partition is not None:
                news.partitions.add(said.partition)
                news.results[number, entry.run_id] = results_of(said)
        elif isinstance(said, AssetCheckEvaluationPlanned) and said.asset_key in assets and said.partitions_subset:
            news.partitions.update(said.partitions_subset.get_partition_keys())
    return news


def _first_cursor(instance: dg.DagsterInstance, committed: float) -> int:
    """The number of the newest event of a check that was stored by the moment `committed`; 0 where there is none."""
    top, width = instance.event_log_storage.get_maximum_record_id() or 0, MOST_AT_ONCE
    while True:
        start = max(top - width, 0)
        numbers = [number for number, entry in _entries(instance, start) if entry.timestamp <= committed]
        if numbers or not start:
            return max(numbers, default=0)
        width *= 4


def _entries(instance: dg.DagsterInstance, after: int) -> Iterator[tuple[int, dg.EventLogEntry]]:
    """The events about checks whose numbers are larger than `after`, those of a kind in their order."""
    for kind in _ABOUT_CHECKS:
        cursor = after
        while True:
            page = instance.event_log_storage.get_logs_for_all_runs_by_log_id(cursor, kind, MOST_AT_ONCE)
            yield from page.items()
            if len(page) < MOST_AT_ONCE:
                break
            cursor = max(page)


def _read_made(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    numbers: Mapping[str, int],
    changed: Iterable[str],
    months: Mapping[str, MonthEvents],
) -> None:
    asset, wanted = key.to_user_string(), []
    for partition in changed:
        made, number = months[partition].made.get(asset), numbers.get(partition)
        if made is not None and made.event != number:
            del months[partition].made[asset]
        if number is not None and (made is None or made.event != number):
            wanted.append(number)
    for some in _in_batches(sorted(wanted)):
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, storage_ids=some), limit=MOST_AT_ONCE
        ).records
        for record in records:
            event = record.asset_materialization
            if event is not None and event.partition is not None:
                months[event.partition].made[asset] = Made(record.storage_id, facts_of(event))


def _read_asked(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    unmade: Mapping[str, int],
    changed: Iterable[str],
    months: Mapping[str, MonthEvents],
) -> None:
    asset, new = key.to_user_string(), set[str]()
    under_way: dict[str, Asked] = {}
    for partition in changed:
        asked = months[partition].asked.pop(asset, None)
        if partition not in unmade:
            continue
        if asked is None or asked.event != unmade[partition]:
            new.add(partition)
        elif asked.outcome is Outcome.UNDER_WAY:
            under_way[partition] = asked
        else:
            months[partition].asked[asset] = asked
    open_ = {partition: (asked.run_id, asked.event) for partition, asked in under_way.items()}
    if new:
        found = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(
            key, after_storage_id=min(unmade[partition] for partition in new) - 1
        )
        open_ |= {partition: found[partition] for partition in new if partition in found}
    outcomes = run_failures.outcomes(instance, {run_id for run_id, _ in open_.values()})
    for partition, (run_id, event) in open_.items():
        outcome, sentences = outcomes[run_id]
        why = run_failures.sentence(sentences, partition)
        months[partition].asked[asset] = Asked(event, run_id, outcome, why)


def _read_said(
    instance: dg.DagsterInstance,
    check: dg.AssetCheckKey,
    changed: set[str],
    months: Mapping[str, MonthEvents],
    results: Mapping[tuple[int, str], Results],
) -> None:
    """Read what a check said of the changed partitions; what it found is in `results` if it is new."""
    name, unread = name_of(check), dict[tuple[str, str], Said]()
    former = {partition: months[partition].said.pop(name, None) for partition in changed}
    for partition, run_id, said, is_checked in _infos(instance, check, changed):
        before = former[partition]
        if not is_checked:
            months[partition].said[name] = said
        elif before is not None and before.event == said.event and before.results is not None:
            months[partition].said[name] = said._replace(results=before.results)
        elif (said.event, run_id) in results:
            months[partition].said[name] = said._replace(results=results[said.event, run_id])
        else:
            unread[partition, run_id] = said
    for partition, run_id, found in _history(instance, check, set(unread)):
        months[partition].said[name] = unread[partition, run_id]._replace(results=found)


def _infos(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, changed: set[str]
) -> Iterator[tuple[str, str, Said, bool]]:
    """Partition, run, what is known of the latest word without its results, and whether it is an evaluation."""
    ask = instance.event_log_storage.get_asset_check_partition_info
    pages: Iterable[Sequence[str] | None] = [None] if len(changed) > FEW else _in_batches(sorted(changed))
    for partitions in pages:
        for info in ask([check], partition_keys=partitions):
            if info.partition_key is not None and info.partition_key in changed:
                said = Said(info.latest_check_event_storage_id, info.latest_target_materialization_storage_id, None)
                is_checked = info.latest_execution_status in _CHECKED
                yield info.partition_key, info.latest_planned_run_id, said, is_checked


def _history(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, wanted: set[tuple[str, str]]
) -> Iterator[tuple[str, str, Results]]:
    """What these runs said of these partitions, read from the newest backwards until all is found."""
    cursor = None
    while wanted:
        page = instance.event_log_storage.get_asset_check_execution_history(
            check, limit=MOST_AT_ONCE, cursor=cursor, status=_CHECKED
        )
        for record in page:
            found, place = record.evaluation, (str(record.partition), record.run_id)
            if found is not None and place in wanted:
                wanted.discard(place)
                yield *place, results_of(found)
        if len(page) < MOST_AT_ONCE:
            return
        cursor = page[-1].id


def _in_batches(items: Sequence[int] | Sequence[str]) -> Iterator[Sequence]:  # type: ignore[type-arg]
    return (items[start : start + MOST_AT_ONCE] for start in range(0, len(items), MOST_AT_ONCE))
