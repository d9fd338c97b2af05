"""The file of what the quality table remembers of the event log, next to the table: `DATA/quality/coverage.state`.

It saves reading the log again and holds nothing else: whoever removes it pays with one full reading. It is believed
where it is of this form, of the same assets and checks, of the table that stands there, and written by a run that this
home has: not another home's, not one newer than a restored database, not one next to an edited table.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.defs.month_events import Asked, Made, MonthEvents, Outcome, Results, Said
from mohlcv_dagster.defs.month_losses import There
from mohlcv_dagster.defs.month_reading import Remembered
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.storage.archive import Archive

PATH: Final = PurePosixPath("quality/coverage.state")
"""Where it stands, relative to the data folder."""
FORM: Final = 2
"""Raise it when what is remembered changes its meaning or form."""
_FASTEST: Final = 1


def load(instance: dg.DagsterInstance, archive: Archive, assets: Sequence[str], checks: Sequence[str]) -> Remembered:
    """What is remembered; nothing where there is no file, or one that is not to be believed.

    Args:
        instance: which home is to be read.
        archive: where table and file stand.
        assets: those that are to be read, by name.
        checks: those of them, by name.
    """
    packed, table = archive.read_path(PATH), archive.read_path(quality_rows.PATH)
    if packed is None or table is None:
        return Remembered()
    try:
        held = json.loads(zlib.decompress(packed))
        its = held["form"], held["assets"], held["checks"], held["table"]
        if its != (FORM, list(assets), list(checks), hashlib.sha256(table).hexdigest()):
            return Remembered()
        return _parsed(held) if instance.has_run(held["run"]) else Remembered()
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError):  # cut short, or none of ours
        return Remembered()


def save(  # noqa: PLR0913 - each is told in the file
    archive: Archive,
    remembered: Remembered,
    assets: Sequence[str],
    checks: Sequence[str],
    *,
    run_id: str,
    table_sha256: str,
) -> None:
    """Write the file of what is remembered, whole or not at all.

    Args:
        archive: where the table stands.
        remembered: what.
        assets: those that were read, by name.
        checks: those of them, by name.
        run_id: the run that does so.
        table_sha256: the digest of the table that was made of it.

    Raises:
        FileError: the disk refused.
    """
    shared: dict[Results, int] = {}
    held = {
        "form": FORM,
        "assets": list(assets),
        "checks": list(checks),
        "table": table_sha256,
        "run": run_id,
        "cursor": remembered.cursor,
        "row": remembered.row,
        "there": [remembered.there.newest_run, remembered.there.runs, remembered.there.oldest],
        "months": {partition: _written(month, checks, shared) for partition, month in remembered.months.items()},
        "results": list(shared),
    }
    packed = zlib.compress(json.dumps(held, separators=(",", ":")).encode(), _FASTEST)
    archive.write_path(PATH, packed)


def _written(month: MonthEvents, checks: Sequence[str], shared: dict[Results, int]) -> list[Any]:
    """A month in few characters: results that many months have are written once, and checks in their order."""
    said = [_numbered(month.said[name], shared) if name in month.said else 0 for name in checks]
    return [month.made, month.asked, said]


def _numbered(said: Said, shared: dict[Results, int]) -> list[int | None]:
    results = None if said.results is None else shared.setdefault(said.results, len(shared))
    return [said.event, said.target, results]


def _parsed(held: Mapping[str, Any]) -> Remembered:
    results = [Results(tuple(errors), tuple(warnings), *rest) for errors, warnings, *rest in held["results"]]
    checks = held["checks"]
    months = {}
    for partition, (made, asked, said) in held["months"].items():
        months[partition] = MonthEvents(
            {asset: Made(*each) for asset, each in made.items()},
            {asset: Asked(event, run_id, Outcome(how), why) for asset, (event, run_id, how, why) in asked.items()},
            {
                name: Said(each[0], each[1], None if each[2] is None else results[each[2]])
                for name, each in zip(checks, said, strict=True)
                if each
            },
        )
    newest_run, runs, oldest = held["there"]
    there = There(newest_run, runs, {asset: (row, count) for asset, (row, count) in oldest.items()})
    return Remembered(months, held["cursor"], held["row"], there)
