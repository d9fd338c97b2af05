"""Stages of whole jobs, timed from the start of a process to its end: plain function, Dagster run, code location."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import trials
from benchmarks.case import Case
from benchmarks.results import MEGABYTE
from benchmarks.stages import LIBRARIES, OWN, Bench
from benchmarks.trials import Series, Trial
from benchmarks.worker import TINY, digest
from mohlcv_dagster.cli import home_creation

SCRIPTS: Final = ("download_script", "resample_script", "validate_15s", "validate_30s", "validate_1min")
"""The original's five processes."""
TWELVE: Final = tuple(f"2024-{month:02d}" for month in range(1, 13))

_WANTED: Final = {"quiet": (12.0, 0.0)}
_WANTED_BUSY: Final = (60.0, 25.0)
"""Times as fast as the original: as a plain function, and through Dagster; 0 for no target."""

_DAGSTER_ABOVE: Final = 0.3
"""Seconds that a month may take through Dagster above an empty run and the plain process together."""


def month(bench: Bench) -> None:
    """One month end to end, as a plain function in a fresh process, imports included; and its peak memory."""
    stage = "whole month, fresh process"
    ways = {way: _job(way, bench, stage) for way in (OWN, *LIBRARIES)}
    found = trials.in_turn(ways, bench.runs) | {"original": Series([original(bench)])}
    trials.require_same({way: series.trials[0].proof for way, series in found.items()})
    bench.results.add(stage, found)
    bench.results.times_faster(stage, _WANTED.get(bench.size, _WANTED_BUSY)[0])
    held = found[OWN].peak / found["original"].peak
    bench.results.at_most("peak memory of a month, to the original", 0.25, held, "times")


def twelve(bench: Bench) -> None:
    """The memory of twelve months in one process, compared with one month."""
    stage = "memory of 12 months"
    bench.sandbox.warm(bench.case.symbol, TWELVE)
    folder = str(bench.root / "twelve")
    one, many = (replace(bench.case, folder=folder, months=months) for months in (TWELVE[:1], TWELVE))
    found = {
        "1 month": Series([trials.process(OWN, "month", one)]),
        "12 months": Series([trials.process(OWN, "month", many)]),
    }
    bench.results.add(stage, found)
    ratio = found["12 months"].peak / found["1 month"].peak
    bench.results.at_most(f"{stage}, to one", 1.2, ratio, "times")


def dagster(bench: Bench) -> None:
    """One month through Dagster in a fresh process, on a home that has been used before."""
    stage = "whole month through Dagster"
    home = bench.root / "home"
    around = environment(bench, home, bench.root / "dagster")
    trials.process("under_dagster", "materialize", replace(bench.case, symbol=TINY), around)
    ways: dict[str, Callable[[bool], Trial]] = {
        OWN: partial(_materialize, bench, around),
        "an empty run": partial(_unproven, "materialize_nothing", bench.case, around),
        "the plain process": _job(OWN, bench, stage),
    }
    found = trials.in_turn(ways, bench.runs) | {"original": Series([original(bench)])}
    trials.require_same({way: found[way].trials[0].proof for way in (OWN, "original")})
    bench.results.add(stage, found)
    wanted = _WANTED.get(bench.size, _WANTED_BUSY)[1]
    if wanted:
        bench.results.times_faster(stage, wanted)
    plain, empty = found["the plain process"].seconds, found["an empty run"].seconds
    above = found[OWN].seconds - empty - plain
    bench.results.at_most(f"{stage}, above an empty run and the plain process", _DAGSTER_ABOVE, above, "s")
    _note_event_log(bench, home, found[OWN].trials[-1].more["run_id"])


def load(bench: Bench) -> None:
    """The code location loaded, compared with an empty one; at least five times each."""
    stage = "location load"
    around = environment(bench, bench.root / "home", bench.root / "dagster")
    ways = {
        way: partial(_unproven, task, bench.case, around)
        for way, task in ((OWN, "load"), ("an empty location", "load_nothing"))
    }
    found = trials.in_turn(ways, max(bench.runs, 5))
    bench.results.add(stage, found)
    ratio = found[OWN].seconds / found["an empty location"].seconds
    bench.results.at_most(f"{stage}, to an empty location", 1.35, ratio, "times")
    pandas = bool(found[OWN].trials[0].more["pandas"])
    bench.results.at_most(f"{stage}, pandas imported", 0, int(pandas), "times")


def original(bench: Bench) -> Trial:
    """The original's five processes, run once for this invocation: their sum, the highest peak, the files' digest.

    `more` has the seconds they `worked`, and those they took to start (`started`).
    """
    if bench.original is None:
        case = replace(bench.case, folder=str(bench.root / "original"))
        parts = [trials.process("original", script, case) for script in SCRIPTS]
        worked = sum(part.more["worked"] for part in parts)
        seconds = sum(part.seconds for part in parts)
        bench.original = Trial(
            seconds=seconds,
            cpu=sum(part.cpu for part in parts),
            peak=max(part.peak for part in parts),
            proof=_digest(case),
            more={"worked": worked, "started": seconds - worked},
        )
        bench.results.notes.append("The original's whole month is run once and used for every whole-month comparison.")
    return bench.original


def environment(bench: Bench, home: Path, data: Path) -> dict[str, str]:
    """The variables of a Dagster process: a home of its own, the sandbox as vendor."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(home_creation.configuration(), encoding="utf-8")
    return {
        "DAGSTER_HOME": str(home),
        "MOHLCV_DATA_DIR": str(data),
        "MOHLCV_START": "2024-01",
        "MASSIVE_BASE_URL": bench.sandbox.url,
        "MASSIVE_API_KEY": "sandbox",
    }


def _job(way: str, bench: Bench, stage: str) -> Callable[[bool], Trial]:
    case = replace(bench.case, folder=str(bench.root / f"{stage} {way}".replace(" ", "_")))

    def run(prove: bool) -> Trial:  # noqa: FBT001 - called by `in_turn` alone
        for path in case.files():
            path.parent.mkdir(parents=True, exist_ok=True)
        found = trials.process(way, "month", case)
        return replace(found, proof=_digest(case) if prove else "")

    return run


def _materialize(bench: Bench, around: dict[str, str], prove: bool) -> Trial:  # noqa: FBT001 - as above
    shutil.rmtree(around["MOHLCV_DATA_DIR"], ignore_errors=True)  # a month that is stored would be compared
    found = trials.process("under_dagster", "materialize", bench.case, around)
    written = replace(bench.case, folder=around["MOHLCV_DATA_DIR"])
    return replace(found, proof=_digest(written) if prove else "")


def _unproven(task: str, case: Case, around: dict[str, str], _: bool) -> Trial:  # noqa: FBT001 - as above
    return trials.process("under_dagster", task, case, around)


def _digest(case: Case) -> str:
    return digest(*(path.read_bytes() for path in case.files()))


def _note_event_log(bench: Bench, home: Path, run_id: str) -> None:
    size = event_log_size(home, run_id)
    kinds = ", ".join(f"{count} {kind} {each / 1000:.0f} kB" for kind, count, each in size.heaviest)
    bench.results.notes.append(
        f"Event log of one partition's run: {size.events} events, {size.payload / 1000:.0f} kB of JSON "
        f"({kinds}), a database file of {size.stored / MEGABYTE:.2f} MB."
    )


@dataclass(frozen=True)
class EventLogSize:
    """The events of one run in a Dagster home.

    Attributes:
        events: how many.
        payload: bytes of their JSON, in the run's database and, for asset events, again in the index.
        stored: bytes of the run's own database file.
        heaviest: kinds of event with their number and bytes, the heaviest first.
    """

    events: int
    payload: int
    stored: int
    heaviest: tuple[tuple[str, int, int], ...]


def event_log_size(home: Path, run_id: str) -> EventLogSize:
    """Count and weigh the events of a run in the home's SQLite files."""
    file = home / "history" / "runs" / f"{run_id}.db"
    kinds = _event_kinds(file, run_id)
    indexed = _event_kinds(home / "history" / "runs" / "index.db", run_id)
    payload = sum(size for _, _, size in kinds) + sum(size for _, _, size in indexed)
    return EventLogSize(sum(count for _, count, _ in kinds), payload, file.stat().st_size, tuple(kinds[:4]))


def _event_kinds(file: Path, run_id: str) -> list[tuple[str, int, int]]:
    query = (
        "select coalesce(dagster_event_type, 'LOG'), count(*), sum(length(event)) from event_logs "
        "where run_id = ? group by 1 order by 3 desc"
    )
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
        return [(str(kind), int(count), int(size)) for kind, count, size in base.execute(query, (run_id,))]


RUNS: Final[dict[str, Callable[[Bench], None]]] = {each.__name__: each for each in (month, twelve, dagster, load)}
