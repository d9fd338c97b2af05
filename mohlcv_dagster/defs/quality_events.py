"""What the event log says of all months, as far as `quality/coverage` needs it, and the file that keeps it.

One value for each event that counts: the latest materialization of a file, the latest run that was to make it and did
not, and the latest result of each check. `quality_history` finds these events.

The file `DATA/quality/coverage.state` saves reading the log again and holds nothing else: whoever removes it pays with
one full reading. It is used where it has this form, the same assets and checks, belongs to the table beside it, and was
written by a run that this home has: not by another home, not by one newer than a restored database, not next to an
edited table.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple, TypeAlias

import dagster as dg

from mohlcv_dagster.dagster_patches import check_queries
from mohlcv_dagster.dagster_patches.check_queries import Database, OldestRow
from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.asset_checks import ERROR, PASSED, WARNING, rule_results
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive

Fact: TypeAlias = "str | int | float | list[object] | None"
PATH: Final = PurePosixPath("quality/coverage.state")
"""Its path, relative to the data folder."""
FORM: Final = 3
"""Raise it when the content changes its meaning or form."""
_FASTEST: Final = 1
_NO_ROWS: Final = OldestRow("", 0)

_OF_RAW: Final = frozenset(
    {
        "state",
        "sha256",
        "adjusted",
        metadata.SPLITS,
        "dagster/partition_row_count",
        "sessions_present",
        "sessions_expected",
        "complete_through",
        "fetched_at",
        metadata.OCCUPANCY,
        metadata.LARGEST_GAP,
        metadata.OUTSIDE_HOURS,
        metadata.MISSING_MINUTES,
        *metadata.REVISED,
    }
)
_OF_AGGREGATE: Final = frozenset({metadata.RAW_DIGEST})


class StoredFile(NamedTuple):
    """The latest materialization of a file.

    Attributes:
        event: Dagster's number of it.
        facts: what was recorded with it, as far as the table needs it.
    """

    event: int
    facts: Mapping[str, Fact]


class RunOutcome(StrEnum):
    """How a run ended that was to make a file and did not."""

    UNDER_WAY = "under way"
    """The run is queued or running."""
    FAILED = "failed"
    NOT_MADE = "not made"
    """The run ended in another way, such as canceled."""


class UnmadeFile(NamedTuple):
    """The latest run that was to make a file, where the file was not made since.

    Attributes:
        event: Dagster's number of the event that says so.
        run_id: the run.
        outcome: how it ended.
        why: the sentence of the failure; empty where there is none.
    """

    event: int
    run_id: str
    outcome: RunOutcome
    why: str = ""


class RuleCounts(NamedTuple):
    """What an evaluation says, rule by rule.

    Attributes:
        errors: the rules that fail as errors, by name.
        warnings: those that fail as warnings.
        checked: how many rules have a result.
        not_checked: how many the evaluation names and says that they could not be checked.
        mismatches: minutes that differ from the vendor's own; `None` where that is not said.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checked: int = 0
    not_checked: int = 0
    mismatches: int | None = None


class LatestCheck(NamedTuple):
    """The latest result of a check on a file.

    Attributes:
        event: Dagster's number of the event that has it.
        target: the number of the materialization that it is about.
        rules: what it found; `None` where a run was to evaluate it and did not.
    """

    event: int
    target: int | None
    rules: RuleCounts | None


@dataclass
class MonthEvents:
    """What the event log says of a month.

    Attributes:
        stored: by asset, such as `aggregated/15s`.
        unmade: by asset.
        checks: by check, such as `raw_1s: intact`.
    """

    stored: dict[str, StoredFile] = field(default_factory=dict)
    unmade: dict[str, UnmadeFile] = field(default_factory=dict)
    checks: dict[str, LatestCheck] = field(default_factory=dict)

    def current(self, asset: str, check: str) -> RuleCounts | None:
        """What a check found of the file as it is; `None` where it has no result, or one of an earlier file.

        Args:
            asset: the asset of the check.
            check: such as `raw_1s: intact`.
        """
        latest, stored = self.checks.get(check), self.stored.get(asset)
        is_current = latest is not None and (stored is None or latest.target == stored.event)
        return latest.rules if latest is not None and is_current else None


@dataclass(frozen=True)
class LogExtent:
    """A few facts about the event log, which change when an asset is wiped or a run is deleted.

    Attributes:
        newest_run: the run begun last; empty for none.
        runs: how many were begun before it.
        oldest: by asset, the oldest row of its checks and the count of rows.
    """

    newest_run: str = ""
    runs: int = 0
    oldest: Mapping[str, OldestRow] = field(default_factory=dict)

    @classmethod
    def of(cls, instance: dg.DagsterInstance, database: Database | None, assets: Sequence[dg.AssetKey]) -> "LogExtent":
        """The extent now. Ask before anything is read: what is lost meanwhile is then noticed the next time.

        Args:
            instance: whose runs are counted.
            database: its event log; `None` where its tables are not to be read, and no rows are looked at.
            assets: those of bars.
        """
        newest_run = next(iter(instance.get_run_ids(limit=1)), "")
        rows = {} if database is None else {key: check_queries.oldest_row(database, key) for key in assets}
        oldest = {key.to_user_string(): row for key, row in rows.items()}
        return cls(newest_run, _runs_before(instance, newest_run), oldest)

    def has_lost(self, before: "LogExtent", instance: dg.DagsterInstance) -> bool:
        """Whether something of an earlier extent is not there any more.

        Args:
            before: the extent at the last reading; of one that never was, nothing is lost.
            instance: knows the runs.
        """
        run_id = before.newest_run
        if run_id and not (instance.has_run(run_id) and _runs_before(instance, run_id) == before.runs):
            return True
        return any(_is_wiped(rows, self.oldest.get(asset, _NO_ROWS)) for asset, rows in before.oldest.items())


def _runs_before(instance: dg.DagsterInstance, run_id: str) -> int:
    return len(instance.get_run_ids(cursor=run_id)) if run_id else 0


def _is_wiped(before: OldestRow, now: OldestRow) -> bool:
    return now.rows < before.rows or bool(before.row and now.row != before.row)


@dataclass
class History:
    """What was read of every month.

    Attributes:
        months: by partition key.
        cursor: Dagster's number of the newest event of a check that need not be looked at again; `None` before the
            first reading, and where nothing tells what was taken away since.
        row: the same of the rows of checks.
        extent: of the log, when it was read.
    """

    months: dict[str, MonthEvents] = field(default_factory=dict)
    cursor: int | None = None
    row: int = 0
    extent: LogExtent = field(default_factory=LogExtent)


def name_of(check: dg.AssetCheckKey) -> str:
    """A check as `MonthEvents` names it: `raw_1s: intact`."""
    return f"{check.asset_key.to_user_string()}: {check.name}"


def facts_of(made: dg.AssetMaterialization) -> dict[str, Fact]:
    """What the table needs of what was recorded with a materialization of a file."""
    wanted = _OF_RAW if made.asset_key == asset_key(RAW) else _OF_AGGREGATE
    return {name: _plain(value.value) for name, value in made.metadata.items() if name in wanted}


def _plain(value: object) -> Fact:
    return value if value is None or isinstance(value, (str, int, float, list)) else str(value)


def rule_counts(evaluation: dg.AssetCheckEvaluation) -> RuleCounts:
    """What an evaluation says, rule by rule."""
    rules = rule_results(evaluation)
    by_result = {
        result: tuple(name for name, its in rules.items() if its == result) for result in (PASSED, WARNING, ERROR)
    }
    checked = sum(map(len, by_result.values()))
    differing = evaluation.metadata.get(metadata.MISMATCHES)
    mismatches = sum(differing.value.values()) if differing and isinstance(differing.value, dict) else None
    return RuleCounts(by_result[ERROR], by_result[WARNING], checked, len(rules) - checked, mismatches)


# ---- the file


def load(instance: dg.DagsterInstance, archive: Archive, names: Mapping[str, list[str]]) -> History:
    """The history in the file; an empty one where there is no file, or one that cannot be used.

    Args:
        instance: which home is to be read.
        archive: where table and file are.
        names: the `assets` and their `checks` that are to be read.
    """
    packed, table = archive.read_path(PATH), archive.read_path(quality_rows.PATH)
    if packed is None or table is None:
        return History()
    wanted = {"form": FORM, **names, "table": hashlib.sha256(table).hexdigest()}
    try:
        content = json.loads(zlib.decompress(packed))
        if any(content[name] != value for name, value in wanted.items()):
            return History()
        return _history(content) if instance.has_run(content["run"]) else History()
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError):  # cut short, or none of ours
        return History()


def save(archive: Archive, history: History, names: Mapping[str, list[str]], *, run: str, table: str) -> None:
    """Write a history for the next time, atomically.

    Args:
        archive: where the table is.
        history: what was read.
        names: as in `load`.
        run: the run that made the table.
        table: the digest of the table.

    Raises:
        FileError: the disk refused.
    """
    content = {"form": FORM, **names, "table": table, "run": run, **_history_content(history, names["checks"])}
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), _FASTEST)
    archive.write_path(PATH, packed)


def _history_content(history: History, checks: Sequence[str]) -> dict[str, Any]:
    shared: dict[RuleCounts, int] = {}
    places = {name: place for place, name in enumerate(checks)}
    months = {partition: _of_month(month, places, shared) for partition, month in history.months.items()}
    extent = history.extent
    return {
        "cursor": history.cursor,
        "row": history.row,
        "there": [extent.newest_run, extent.runs, extent.oldest],
        "months": months,
        "results": list(shared),
    }


def _of_month(month: MonthEvents, places: Mapping[str, int], shared: dict[RuleCounts, int]) -> list[Any]:
    """A month in few characters: results that many months have are written once, and checks in their order.

    The order ends with the last check that the month has: in new homes no rule is a check of its own.
    """
    of_checks: list[Any] = [0] * (1 + max((places[name] for name in month.checks), default=-1))
    for name, latest in month.checks.items():
        of_checks[places[name]] = _of_check(latest, shared)
    return [month.stored, month.unmade, of_checks]


def _of_check(latest: LatestCheck, shared: dict[RuleCounts, int]) -> list[int | None]:
    rules = None if latest.rules is None else shared.setdefault(latest.rules, len(shared))
    return [latest.event, latest.target, rules]


def _history(content: Mapping[str, Any]) -> History:
    results = [RuleCounts(tuple(errors), tuple(warnings), *rest) for errors, warnings, *rest in content["results"]]
    checks = content["checks"]
    months = {partition: _month(month, checks, results) for partition, month in content["months"].items()}
    newest_run, runs, oldest = content["there"]
    extent = LogExtent(newest_run, runs, {asset: OldestRow(*row) for asset, row in oldest.items()})
    return History(months, content["cursor"], content["row"], extent)


def _month(content: Sequence[Any], checks: Sequence[str], results: Sequence[RuleCounts]) -> MonthEvents:
    stored, unmade, of_checks = content
    return MonthEvents(
        {asset: StoredFile(*each) for asset, each in stored.items()},
        {asset: UnmadeFile(event, run, RunOutcome(how), why) for asset, (event, run, how, why) in unmade.items()},
        {
            name: LatestCheck(each[0], each[1], None if each[2] is None else results[each[2]])
            for name, each in zip(checks, of_checks, strict=False)
            if each
        },
    )
