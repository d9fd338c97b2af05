"""The file `DATA/quality/coverage.state`: what was read of the event log for the table next to it.

It saves reading the log again and holds nothing else: whoever removes it pays with one full reading. It is used where
it has this form, the same assets and checks, belongs to the table that stands there, and was written by a run that this
home has: not by another home, not by one newer than a restored database, not next to an edited table.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.dagster_patches.check_queries import OldestRow
from mohlcv_dagster.defs import quality_history
from mohlcv_dagster.defs.partitions import SYMBOL
from mohlcv_dagster.defs.quality_events import (
    LatestCheck,
    MonthEvents,
    RuleCounts,
    RunOutcome,
    StoredFile,
    UnmadeFile,
    name_of,
)
from mohlcv_dagster.defs.quality_history import History, LogExtent
from mohlcv_dagster.defs.quality_rows import CheckedAssets, QualityRow, rows
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.storage.archive import Archive

PATH: Final = PurePosixPath("quality/coverage.state")
"""Where it stands, relative to the data folder."""
FORM: Final = 2
"""Raise it when the content changes its meaning or form."""
_FASTEST: Final = 1


class QualityReader:
    """Reads what is new since the table was made, and gives every row.

    Args:
        instance: whose event log is read.
        archive: where the table stands.
        checked: the assets and checks to read.
    """

    def __init__(self, instance: dg.DagsterInstance, archive: Archive, checked: CheckedAssets) -> None:
        self._instance, self._archive, self._checked = instance, archive, checked
        self._assets = [key.to_user_string() for key in checked.assets]
        self._checks = [name_of(check) for check in checked.checks]
        self._history = History()

    def read(self) -> list[QualityRow]:
        """Every month that is stored or was asked for, in no order of use.

        Raises:
            FileError: the disk refused to give the table or the file of its state.
        """
        self._history = load(self._instance, self._archive, self._assets, self._checks)
        quality_history.update(self._instance, self._checked.assets, self._checked.checks, self._history)
        kept = frozenset(self._instance.get_dynamic_partitions(SYMBOL))
        return rows(self._history.months, self._checked, kept)

    def save(self, run_id: str, table_sha256: str) -> None:
        """Write what was read for the next time, whole or not at all.

        Args:
            run_id: the run that made the table.
            table_sha256: the digest of the table.

        Raises:
            FileError: the disk refused.
        """
        names = {"assets": self._assets, "checks": self._checks, "table": table_sha256, "run": run_id}
        content = {"form": FORM, **names, **_of_history(self._history, self._checks)}
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), _FASTEST)
        self._archive.write_path(PATH, packed)


def load(instance: dg.DagsterInstance, archive: Archive, assets: Sequence[str], checks: Sequence[str]) -> History:
    """The history in the file; an empty one where there is no file, or one that cannot be used.

    Args:
        instance: which home is to be read.
        archive: where table and file stand.
        assets: those that are to be read, by name.
        checks: those of them, by name.
    """
    packed, table = archive.read_path(PATH), archive.read_path(quality_rows.PATH)
    if packed is None or table is None:
        return History()
    try:
        content = json.loads(zlib.decompress(packed))
        found = content["form"], content["assets"], content["checks"], content["table"]
        if found != (FORM, list(assets), list(checks), hashlib.sha256(table).hexdigest()):
            return History()
        return _history(content) if instance.has_run(content["run"]) else History()
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError):  # cut short, or none of ours
        return History()


def _of_history(history: History, checks: Sequence[str]) -> dict[str, Any]:
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
