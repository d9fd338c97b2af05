"""What a run leaves in a Dagster home: its events, counted and weighed."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Weight:
    """Events of one run.

    Attributes:
        events: how many.
        payload: bytes of their JSON, kept once for the run and, for those about assets, again in the index.
        stored: bytes of the run's own database file.
        heaviest: kinds of event with how many there are and their bytes, the heaviest first.
    """

    events: int
    payload: int
    stored: int
    heaviest: tuple[tuple[str, int, int], ...]


def of_run(home: Path, run_id: str) -> Weight:
    """The events of a run in the home's SQLite files."""
    file = home / "history" / "runs" / f"{run_id}.db"
    kinds = _kinds(file, run_id)
    indexed = _kinds(home / "history" / "runs" / "index.db", run_id)
    payload = sum(size for _, _, size in kinds) + sum(size for _, _, size in indexed)
    return Weight(sum(count for _, count, _ in kinds), payload, file.stat().st_size, tuple(kinds[:4]))


def _kinds(file: Path, run_id: str) -> list[tuple[str, int, int]]:
    query = (
        "select coalesce(dagster_event_type, 'LOG'), count(*), sum(length(event)) from event_logs "
        "where run_id = ? group by 1 order by 3 desc"
    )
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
        return [(str(kind), int(count), int(size)) for kind, count, size in base.execute(query, (run_id,))]
