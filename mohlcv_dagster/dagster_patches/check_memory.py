"""The memory of what checks said: brought up to date at each question, bounded, and kept for the next process.

What is remembered is of an asset (`check_facts`), under a lock of its own, so that one whose facts are read for the
first time holds up no other. What is new is asked of the database (`check_news`) and then read by Dagster's own
`get_asset_check_partition_info`, so what a row means is Dagster's to say.

An event is read again at each question until `Limits.settle` seconds after it was first seen: its row may be committed
after one with a higher number, and what a check said is committed after its event.
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
from mohlcv_dagster.dagster_patches import check_news
from mohlcv_dagster.dagster_patches.check_answer import Answer, CheckKey, Keys, RunStatuses, answer
from mohlcv_dagster.dagster_patches.check_facts import AssetFacts, CheckFacts, Mark
from mohlcv_dagster.dagster_patches.check_news import MANY, CheckRow

if TYPE_CHECKING:
    from dagster._core.storage.asset_check_execution_record import AssetCheckPartitionInfo
    from dagster._core.storage.asset_check_state import AssetCheckState
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

KEPT_AS: Final = "mohlcv/check_state/{}"
"""The key in the table of Dagster's own cursors, by asset."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Bounds of a memory.

    Attributes:
        most: partitions remembered over all checks and assets, some 100 bytes each. The asset asked for last stays in
            any case; of the others the one not asked for the longest goes first, and is loaded again when asked for.
        settle: seconds after which a transaction that was open when an event was seen is committed.
        look_back: events that are read again after a first reading, when no event has been seen for `settle` seconds.
        save_every: seconds between two times that what is known of an asset is kept while it changes.
    """

    most: int = 4_000_000
    settle: float = 60.0
    look_back: int = 5000
    save_every: float = 60.0


@dataclass
class _Remembered:
    """The facts of one asset with what goes with them in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    facts: AssetFacts | None = None
    keys: Keys | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    rows: set[CheckRow] = field(default_factory=set)
    """Rows of the runs that are looked at again, which the facts have as they stand here."""
    unsaved: bool = False
    saved_at: float = float("-inf")


@dataclass(frozen=True)
class _Question:
    """What is asked of the database once for all the checks of a question, before any of their rows is read."""

    now: tuple[Mark, ...]
    settled: tuple[Mark, ...]
    wiped: Mapping[dg.AssetKey, str]
    unpartitioned: Mapping[dg.AssetKey, int]
    statuses: RunStatuses
    runs: dict[int, list[str] | None] = field(default_factory=dict)
    """Runs with events of checks, by the number that they are above."""


class CheckMemory:
    """Answers for one event log.

    Args:
        storage: the event log; it has an instance.
        limits: bounds.
        clock: seconds that never go back.
    """

    def __init__(
        self, storage: "SqlEventLogStorage", limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage, self._limits, self._clock = storage, limits, clock
        self._assets: OrderedDict[dg.AssetKey, _Remembered] = OrderedDict()
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, tuple[Mark, ...]]] = deque()

    def states(self, keys: Iterable[CheckKey]) -> "dict[dg.AssetCheckKey, AssetCheckState]":
        """The state of each of these partitioned checks, as Dagster's `get_asset_check_state` gives it."""
        by_asset: dict[dg.AssetKey, list[CheckKey]] = {}
        for key in keys:
            by_asset.setdefault(key[0].asset_key, []).append(key)
        question = self._question(list(by_asset))
        states: dict[dg.AssetCheckKey, AssetCheckState] = {}
        for asset, of_asset in by_asset.items():
            remembered = self._remembered(asset)
            with remembered.lock:
                facts = self._up_to_date(asset, {key.name for key, _ in of_asset}, remembered, question)
                states |= _answers(of_asset, facts, remembered, question.statuses)
                self._save(asset, facts, remembered)
        self._evict()
        return states

    def _question(self, assets: list[dg.AssetKey]) -> _Question:
        storage = self._storage
        now = check_news.marks(storage)
        return _Question(
            now,
            self._settled(now),
            check_news.wipes(storage, assets),
            storage._get_latest_unpartitioned_materialization_storage_ids(assets),  # noqa: SLF001
            RunStatuses(storage._instance),  # noqa: SLF001 - as Dagster's own storages come to it
        )

    def _settled(self, now: tuple[Mark, ...]) -> tuple[Mark, ...]:
        """What was the newest event `settle` seconds ago, as far as it was looked at; `now` is noted for later."""
        at, seen = self._clock(), self._seen
        with self._lock:
            if not seen or (seen[-1][1] != now and at - seen[-1][0] >= self._limits.settle / 60):
                seen.append((at, now))
            while len(seen) > 1 and at - seen[1][0] >= self._limits.settle:
                seen.popleft()
            return seen[0][1] if at - seen[0][0] >= self._limits.settle else ()

    # ---- what is held

    def _remembered(self, asset: dg.AssetKey) -> _Remembered:
        with self._lock:
            remembered = self._assets.setdefault(asset, _Remembered())
            self._assets.move_to_end(asset)
            return remembered

    def _evict(self) -> None:
        with self._lock:
            sizes = {asset: len(each.facts) if each.facts is not None else 0 for asset, each in self._assets.items()}
            held = sum(sizes.values())
            while held > self._limits.most and len(self._assets) > 1:
                gone, _ = self._assets.popitem(last=False)
                held -= sizes[gone]

    def _save(self, asset: dg.AssetKey, facts: AssetFacts, remembered: _Remembered) -> None:
        """Keep what is known for the next process, unless that was done just now."""
        if not remembered.unsaved or self._clock() - remembered.saved_at < self._limits.save_every:
            return
        remembered.saved_at = self._clock()
        try:  # one at a time: with several, of which some are new, Dagster 1.13 on SQLite drops the new ones
            self._storage._instance.run_storage.set_cursor_values({_kept_as(asset): facts.to_text()})  # noqa: SLF001
        except SQLAlchemyError as error:  # a page that only reads is not to fail for a full disk
            _log.warning("The state of the checks of %s could not be kept: %s", asset.to_user_string(), error)
        else:
            remembered.unsaved = False

    def _load(self, asset: dg.AssetKey) -> AssetFacts | None:
        name = _kept_as(asset)
        text = self._storage._instance.run_storage.get_cursor_values({name}).get(name)  # noqa: SLF001
        try:
            return AssetFacts.from_text(text) if text else None
        except ValueError as error:
            _log.warning("The kept state of the checks of %s is made again: %s", asset.to_user_string(), error)
            return None

    # ---- what is new

    def _up_to_date(
        self, asset: dg.AssetKey, names: set[str], remembered: _Remembered, question: _Question
    ) -> AssetFacts:
        """The facts of `asset`, at least of the checks `names`, as the database has them now."""
        facts, remembered.facts = remembered.facts, None  # half of an update, ended by an error, is not to stay
        known_rows, remembered.rows = remembered.rows if facts is not None else set(), set()
        if facts is None:
            facts = self._load(asset)
            remembered.saved_at = self._clock() if facts is not None else float("-inf")
        rows = check_news.rows_of_checks(self._storage, asset)
        read_to = self._read_to(asset, facts, rows, question) if facts is not None else None
        if facts is None or read_to is None:
            facts, read_to, known_rows = self._nothing(asset, question), 0, set()
            remembered.answers.clear()
            remembered.unsaved = True
        looked_at = self._looked_at_again(asset, facts, read_to, question)
        news = None if looked_at is None else {row.partition for row in looked_at - known_rows}
        changed = self._read(asset, facts, names, news)
        for name in facts.checks:
            facts.checks[name].rows = rows.get(name, 0)
        if question.settled and facts.read_to != question.settled:
            facts.read_to, remembered.unsaved = question.settled, True
        for name in changed:
            remembered.answers.pop(name, None)
        if changed:
            remembered.keys, remembered.unsaved = None, True
        remembered.facts, remembered.rows = facts, looked_at or set()
        return facts

    def _read_to(
        self, asset: dg.AssetKey, facts: AssetFacts, rows: Mapping[str, int], question: _Question
    ) -> int | None:
        """The number of the event up to which `facts` hold; `None` where that cannot be said, or rows were wiped."""
        same = (facts.wiped, facts.unpartitioned) == (question.wiped.get(asset), question.unpartitioned.get(asset))
        if not same or any(rows.get(name, 0) < check.rows for name, check in facts.checks.items()):
            return None
        there = check_news.standing(self._storage, facts.read_to)
        return next((mark.number for mark in facts.read_to if mark in there), None)

    def _nothing(self, asset: dg.AssetKey, question: _Question) -> AssetFacts:
        """No facts, from which all is read."""
        up_to = question.now[0].number - self._limits.look_back if question.now else 0
        read_to = question.settled or check_news.marks(self._storage, up_to)
        return AssetFacts(read_to, question.wiped.get(asset), question.unpartitioned.get(asset))

    def _looked_at_again(
        self, asset: dg.AssetKey, facts: AssetFacts, after: int, question: _Question
    ) -> set[CheckRow] | None:
        """Rows of the runs with events above the number `after`; `None` for more runs than are asked for by name."""
        if not facts.checks:
            return set()
        if after not in question.runs:
            question.runs[after] = check_news.runs_with_check_events(self._storage, after)
        runs = question.runs[after]
        return None if runs is None else check_news.rows_of_runs(self._storage, asset, facts.checks, runs)

    def _read(self, asset: dg.AssetKey, facts: AssetFacts, names: set[str], news: set[str] | None) -> set[str]:
        """Bring `facts` up to date; the checks of which something changed.

        Args:
            asset: the asset.
            facts: what is known of it.
            names: checks that are asked for.
            news: partitions with a row that is new or changed; `None` where all are to be read.
        """
        changed = check_news.materializations(self._storage, asset, facts).apply(facts) | (news or set())
        first, known = names - facts.checks.keys(), list(facts.checks)
        if news is None or len(changed) > MANY:
            first, known = first | set(known), []
        for name in first:
            facts.checks[name] = CheckFacts()
            _apply(facts.checks[name], self._infos(asset, name, None))
        return first | {name for name in known if changed and self._reread(asset, name, facts.checks[name], changed)}

    def _reread(self, asset: dg.AssetKey, name: str, facts: CheckFacts, partitions: set[str]) -> bool:
        """Read these partitions of a check again; whether anything is new."""
        news = CheckFacts()
        _apply(news, self._infos(asset, name, sorted(partitions)))
        if news.same_of(facts, partitions):
            return False
        facts.forget(partitions)
        facts.add(news)
        return True

    def _infos(
        self, asset: dg.AssetKey, name: str, partitions: Sequence[str] | None
    ) -> "Sequence[AssetCheckPartitionInfo]":
        key = dg.AssetCheckKey(asset, name)
        with runtime.gc_paused():
            return self._storage.get_asset_check_partition_info([key], partition_keys=partitions)


def _kept_as(asset: dg.AssetKey) -> str:
    return KEPT_AS.format(asset.to_string())


def _apply(facts: CheckFacts, infos: "Iterable[AssetCheckPartitionInfo]") -> None:
    """Add what was read, of partitions that `facts` know nothing of, as Dagster's `AssetCheckState` takes it."""
    for info in infos:
        facts.newest = max(
            facts.newest, info.latest_check_event_storage_id, info.latest_materialization_storage_id or 0
        )
        if info.partition_key is None:
            continue
        if info.latest_execution_status is Recorded.PLANNED:
            facts.planned[info.partition_key] = info.latest_planned_run_id
        elif info.is_current:
            passed = info.latest_execution_status is Recorded.SUCCEEDED
            (facts.passed if passed else facts.failed).add(info.partition_key)


def _answers(
    keys: Iterable[CheckKey], facts: AssetFacts, remembered: _Remembered, statuses: RunStatuses
) -> "dict[dg.AssetCheckKey, AssetCheckState]":
    """The answer for each of these checks of one asset; one that was given before where nothing changed."""
    if remembered.keys is None:
        remembered.keys = Keys(partition for check in facts.checks.values() for partition in check.partitions())
    last: Answer | None = None
    given = {}
    for key, definition in keys:
        check, former = facts.checks[key.name], remembered.answers.get(key.name)
        same = last is not None and last.definition == definition
        invalid = last.invalid if last and same else remembered.keys.invalid(definition)
        runs = statuses.of(check.planned.values())
        if former is None or (former.definition, former.invalid, former.runs) != (definition, invalid, runs):
            former = answer((key, definition), check, invalid, runs)
        remembered.answers[key.name] = last = former
        given[key] = former.state
    return given
