"""The cache of asset check states: brought up to date at each question, bounded, and stored for the next process.

What is cached is of an asset (`check_states`), under a lock of its own, so that one that is read for the first time
holds up no other. What is new is asked of the database (`check_queries`) and then read by Dagster's own
`get_asset_check_partition_info`, so what a row means is Dagster's to say.

An event is read again at each question until `CacheLimits.commit_seconds` after it was first seen: its row may be
committed after one with a higher number, and the result of a check is committed after its event.
"""

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Recorded
from sqlalchemy.exc import SQLAlchemyError

from mohlcv_dagster.bars import runtime
from mohlcv_dagster.dagster_patches import check_queries
from mohlcv_dagster.dagster_patches.check_queries import MANY, CheckRow, EventId
from mohlcv_dagster.dagster_patches.check_states import (
    CachedAsset,
    CachedCheck,
    CheckKey,
    PartitionKeys,
    RunStatuses,
    StateAnswer,
    answer,
)

if TYPE_CHECKING:
    from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo
    from dagster._core.storage.asset_check_state import AssetCheckState
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

STORED_AS: Final = "mohlcv/check_state/{}"
"""The key in the table of Dagster's own cursors, by asset."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheLimits:
    """Bounds of a cache.

    Attributes:
        most: partitions cached over all checks and assets, some 100 bytes each. The asset asked for last stays in
            any case; of the others the one not asked for the longest goes first, and is loaded again when asked for.
        commit_seconds: seconds after which a transaction that was open when an event was seen is committed.
        look_back: events that are read again after a first reading, when no event has been seen for `commit_seconds`.
        save_every: seconds between two times that an asset is stored while it changes.
    """

    most: int = 4_000_000
    commit_seconds: float = 60.0
    look_back: int = 5000
    save_every: float = 60.0


@dataclass
class _Entry:
    """An asset in the cache, with what goes with it in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    cached: CachedAsset | None = None
    keys: PartitionKeys | None = None
    answers: dict[str, StateAnswer] = field(default_factory=dict)
    rows: set[CheckRow] = field(default_factory=set)
    """Rows of the runs that are looked at again, which `cached` has as they are here."""
    unsaved: bool = False
    saved_at: float = float("-inf")


@dataclass(frozen=True)
class _Snapshot:
    """What is asked of the database once for all checks of a question, before any of their rows is read."""

    now: tuple[EventId, ...]
    committed: tuple[EventId, ...]
    wiped: Mapping[dg.AssetKey, str]
    unpartitioned: Mapping[dg.AssetKey, int]
    statuses: RunStatuses
    runs: dict[int, list[str] | None] = field(default_factory=dict)
    """Runs with events of checks, by the number that they are above."""


class CheckStateCache:
    """Answers for one event log.

    Args:
        storage: the event log; it has an instance.
        limits: bounds.
        clock: seconds that never go back.
    """

    def __init__(
        self, storage: "SqlEventLogStorage", limits: CacheLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage, self._limits, self._clock = storage, limits, clock
        self._assets: OrderedDict[dg.AssetKey, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, tuple[EventId, ...]]] = deque()

    def states(self, keys: Iterable[CheckKey]) -> "dict[dg.AssetCheckKey, AssetCheckState]":
        """The state of each of these partitioned checks, as Dagster's `get_asset_check_state` gives it."""
        by_asset: dict[dg.AssetKey, list[CheckKey]] = {}
        for key in keys:
            by_asset.setdefault(key[0].asset_key, []).append(key)
        snapshot = self._snapshot(list(by_asset))
        states: dict[dg.AssetCheckKey, AssetCheckState] = {}
        for asset, of_asset in by_asset.items():
            entry = self._entry(asset)
            with entry.lock:
                cached = self._up_to_date(asset, {key.name for key, _ in of_asset}, entry, snapshot)
                states |= _answers(of_asset, cached, entry, snapshot.statuses)
                self._save(asset, cached, entry)
        self._evict()
        return states

    def _snapshot(self, assets: list[dg.AssetKey]) -> _Snapshot:
        storage = self._storage
        now = check_queries.newest_events(storage)
        return _Snapshot(
            now,
            self._committed(now),
            check_queries.wipes(storage, assets),
            storage._get_latest_unpartitioned_materialization_storage_ids(assets),  # noqa: SLF001
            RunStatuses(storage._instance),  # noqa: SLF001 - as Dagster's own storages come to it
        )

    def _committed(self, now: tuple[EventId, ...]) -> tuple[EventId, ...]:
        """What was the newest event `commit_seconds` ago, as far as it was looked at; `now` is noted for later."""
        at, seen = self._clock(), self._seen
        with self._lock:
            if not seen or (seen[-1][1] != now and at - seen[-1][0] >= self._limits.commit_seconds / 60):
                seen.append((at, now))
            while len(seen) > 1 and at - seen[1][0] >= self._limits.commit_seconds:
                seen.popleft()
            return seen[0][1] if at - seen[0][0] >= self._limits.commit_seconds else ()

    # ---- what is held

    def _entry(self, asset: dg.AssetKey) -> _Entry:
        with self._lock:
            entry = self._assets.setdefault(asset, _Entry())
            self._assets.move_to_end(asset)
            return entry

    def _evict(self) -> None:
        with self._lock:
            sizes = {asset: len(each.cached) if each.cached is not None else 0 for asset, each in self._assets.items()}
            held = sum(sizes.values())
            while held > self._limits.most and len(self._assets) > 1:
                gone, _ = self._assets.popitem(last=False)
                held -= sizes[gone]

    def _save(self, asset: dg.AssetKey, cached: CachedAsset, entry: _Entry) -> None:
        """Store what is cached for the next process, unless that was done just now."""
        if not entry.unsaved or self._clock() - entry.saved_at < self._limits.save_every:
            return
        entry.saved_at = self._clock()
        try:  # one at a time: with several, of which some are new, Dagster 1.13 on SQLite drops the new ones
            self._storage._instance.run_storage.set_cursor_values({_cursor_name(asset): cached.to_text()})  # noqa: SLF001
        except SQLAlchemyError as error:  # a page that only reads is not to fail for a full disk
            _log.warning("The state of the checks of %s could not be stored: %s", asset.to_user_string(), error)
        else:
            entry.unsaved = False

    def _load(self, asset: dg.AssetKey) -> CachedAsset | None:
        name = _cursor_name(asset)
        text = self._storage._instance.run_storage.get_cursor_values({name}).get(name)  # noqa: SLF001
        try:
            return CachedAsset.from_text(text) if text else None
        except ValueError as error:
            _log.warning("The stored state of the checks of %s is made again: %s", asset.to_user_string(), error)
            return None

    # ---- what is new

    def _up_to_date(self, asset: dg.AssetKey, names: set[str], entry: _Entry, snapshot: _Snapshot) -> CachedAsset:
        """What is cached of `asset`, at least of the checks `names`, as the database has them now."""
        cached, entry.cached = entry.cached, None  # half of an update, ended by an error, is not to stay
        known_rows, entry.rows = entry.rows if cached is not None else set(), set()
        if cached is None:
            cached = self._load(asset)
            entry.saved_at = self._clock() if cached is not None else float("-inf")
        rows = check_queries.count_rows(self._storage, asset)
        read_to = self._read_to(asset, cached, rows, snapshot) if cached is not None else None
        if cached is None or read_to is None:
            cached, read_to, known_rows = self._nothing(asset, snapshot), 0, set()
            entry.answers.clear()
            entry.unsaved = True
        looked_at = self._looked_at_again(asset, cached, read_to, snapshot)
        news = None if looked_at is None else {row.partition for row in looked_at - known_rows}
        changed = self._read(asset, cached, names, news)
        for name in cached.checks:
            cached.checks[name].rows = rows.get(name, 0)
        if snapshot.committed and cached.read_to != snapshot.committed:
            cached.read_to, entry.unsaved = snapshot.committed, True
        for name in changed:
            entry.answers.pop(name, None)
        if changed:
            entry.keys, entry.unsaved = None, True
        entry.cached, entry.rows = cached, looked_at or set()
        return cached

    def _read_to(
        self, asset: dg.AssetKey, cached: CachedAsset, rows: Mapping[str, int], snapshot: _Snapshot
    ) -> int | None:
        """The number of the event up to which `cached` holds; `None` where that cannot be said, or rows were wiped."""
        same = (cached.wiped, cached.unpartitioned) == (snapshot.wiped.get(asset), snapshot.unpartitioned.get(asset))
        if not same or any(rows.get(name, 0) < check.rows for name, check in cached.checks.items()):
            return None
        there = check_queries.still_stored(self._storage, cached.read_to)
        return next((event.number for event in cached.read_to if event in there), None)

    def _nothing(self, asset: dg.AssetKey, snapshot: _Snapshot) -> CachedAsset:
        """An empty state of an asset, from which all is read."""
        up_to = snapshot.now[0].number - self._limits.look_back if snapshot.now else 0
        read_to = snapshot.committed or check_queries.newest_events(self._storage, up_to)
        return CachedAsset(read_to, snapshot.wiped.get(asset), snapshot.unpartitioned.get(asset))

    def _looked_at_again(
        self, asset: dg.AssetKey, cached: CachedAsset, after: int, snapshot: _Snapshot
    ) -> set[CheckRow] | None:
        """Rows of the runs with events above the number `after`; `None` for more runs than are asked for by name."""
        if not cached.checks:
            return set()
        if after not in snapshot.runs:
            snapshot.runs[after] = check_queries.runs_with_check_events(self._storage, after)
        runs = snapshot.runs[after]
        return None if runs is None else check_queries.rows_of_runs(self._storage, asset, cached.checks, runs)

    def _read(self, asset: dg.AssetKey, cached: CachedAsset, names: set[str], news: set[str] | None) -> set[str]:
        """Bring `cached` up to date; the checks of which something changed.

        Args:
            asset: the asset.
            cached: what is cached of it.
            names: checks that are asked for.
            news: partitions with a row that is new or changed; `None` where all are to be read.
        """
        changed = check_queries.update_materializations(self._storage, asset, cached) | (news or set())
        first, known = names - cached.checks.keys(), list(cached.checks)
        if news is None or len(changed) > MANY:
            first, known = first | set(known), []
        for name in first:
            cached.checks[name] = CachedCheck()
            _apply(cached.checks[name], self._infos(asset, name, None))
        return first | {name for name in known if changed and self._reread(asset, name, cached.checks[name], changed)}

    def _reread(self, asset: dg.AssetKey, name: str, cached: CachedCheck, partitions: set[str]) -> bool:
        """Read these partitions of a check again; whether anything is new."""
        news = CachedCheck()
        _apply(news, self._infos(asset, name, sorted(partitions)))
        if all(news.of(partition) == cached.of(partition) for partition in partitions):
            return False
        cached.replace(partitions, news)
        return True

    def _infos(
        self, asset: dg.AssetKey, name: str, partitions: Sequence[str] | None
    ) -> "Sequence[AssetCheckPartitionInfo]":
        key = dg.AssetCheckKey(asset, name)
        with runtime.gc_paused():
            return self._storage.get_asset_check_partition_info([key], partition_keys=partitions)


def _cursor_name(asset: dg.AssetKey) -> str:
    return STORED_AS.format(asset.to_string())


def _apply(cached: CachedCheck, infos: "Iterable[AssetCheckPartitionInfo]") -> None:
    """Add what was read, of partitions that `cached` knows nothing of, as Dagster's `AssetCheckState` takes it."""
    for info in infos:
        cached.newest = max(
            cached.newest, info.latest_check_event_storage_id, info.latest_materialization_storage_id or 0
        )
        if info.partition_key is None:
            continue
        if info.latest_execution_status is Recorded.PLANNED:
            cached.planned[info.partition_key] = info.latest_planned_run_id
        elif info.is_current:
            passed = info.latest_execution_status is Recorded.SUCCEEDED
            (cached.passed if passed else cached.failed).add(info.partition_key)


def _answers(
    keys: Iterable[CheckKey], cached: CachedAsset, entry: _Entry, statuses: RunStatuses
) -> "dict[dg.AssetCheckKey, AssetCheckState]":
    """The answer for each of these checks of one asset; one that was given before where nothing changed."""
    if entry.keys is None:
        entry.keys = PartitionKeys(partition for check in cached.checks.values() for partition in check.partitions())
    last: StateAnswer | None = None
    given = {}
    for key, definition in keys:
        check, former = cached.checks[key.name], entry.answers.get(key.name)
        same = last is not None and last.definition == definition
        invalid = last.invalid if last and same else entry.keys.invalid(definition)
        runs = statuses.of(check.planned.values())
        if former is None or (former.definition, former.invalid, former.runs) != (definition, invalid, runs):
            former = answer((key, definition), check, invalid, runs)
        entry.answers[key.name] = last = former
        given[key] = former.state
    return given
