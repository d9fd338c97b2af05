"""Runs whose process is gone: they are marked failed, and their places in the pool are freed.

Dagster notices the death of a run's process by what started it: the code server its child, Kubernetes its pod. Where
that died too (a power cut, a killed worker of Celery), the run would stay in progress and keep its place in the pool
`massive_api` for hours. What tells that the process is gone:

- **On its own host**, a lock. A process holds one while its run waits for a place or has one (`pool_places`), and a
  command for all its runs; the system releases it when the process ends. A lock that is there and free is certain, and
  it is acted on at once.
- **On another host**, its silence. A process writes into the tags of its run each minute (`run_beats`), whatever it
  waits for. A run that has such tags and was not written to for `SILENT_SECONDS`, ten beats, is taken for dead. The
  sensor measures that by its own looks and clock: neither clocks that differ, nor a daemon or a database that was away,
  make a run look dead.

A run without a lock and without beats, such as one of a user's own assets, is left alone. One that is only cut off from
the database and is marked failed does no harm when it goes on: a file is replaced as a whole, by the same bytes.
"""

import json
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dagster as dg
from filelock import FileLock

from mohlcv_dagster.dagster_patches.pool_places import FOLDER, GUARD, is_locked, lock_of
from mohlcv_dagster.dagster_patches.run_beats import ALIVE, HOST
from mohlcv_dagster.defs.run_tags import COMMAND
from mohlcv_dagster.formatting import quantity

SENSOR: Final = "fail_dead_runs"
EVERY_SECONDS: Final = 60
SILENT_SECONDS: Final = 600.0
LONGEST_BETWEEN_LOOKS: Final = 180.0
"""After more seconds without a look, silence is measured anew: the database may have been away from the runs, too."""

BEGUN: Final = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_CURE: Final = "Stored files are complete; run the same again, or launch *only failed and missing*, to continue."
KILLED: Final = f"The process of this run was killed. {_CURE}"


def mark_killed(instance: dg.DagsterInstance, home: Path, keep: Collection[str] = ()) -> int:
    """Mark runs of killed processes of this host as failed, free their places, and remove locks that nobody holds.

    Args:
        instance: that of `home`.
        home: Dagster's home; the caller holds its lock `GUARD`.
        keep: the names of further locks to leave.

    Returns:
        How many runs.
    """
    begun = instance.get_runs(dg.RunsFilter(statuses=list(BEGUN)))
    killed = [run.run_id for run in begun if _was_killed(run, home)]
    marked = sum(_fail(instance, run_id, KILLED) for run_id in killed)
    for lock in (home / FOLDER).glob("*.lock"):
        if lock.name not in {GUARD, *keep} and not is_locked(lock):
            lock.unlink(missing_ok=True)
    return marked


def _was_killed(run: dg.DagsterRun, home: Path) -> bool:
    """Whether the locks of a home tell that the process of a run is gone."""
    name, of_run = run.tags.get(COMMAND), lock_of(home, run.run_id)
    if name is None:
        return of_run.exists() and not is_locked(of_run)
    lock = home / FOLDER / f"{name}.lock"
    if not lock.exists() and run.tags.get(HOST, socket.gethostname()) != socket.gethostname():
        return False  # the lock is in the home of that host
    return not is_locked(lock)


def _fail(instance: dg.DagsterInstance, run_id: str, why: str) -> bool:
    """Mark a run as failed; returns whether it had not ended, as one may have while it was judged."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    instance.report_run_failed(run, why)
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return True


@dataclass(frozen=True)
class Silence:
    """How long the runs of all hosts have been silent: the sensor's cursor.

    Attributes:
        looked: when the sensor last looked, Unix seconds.
        runs: by id, when a run was last written to, and when the sensor first saw that, Unix seconds.
    """

    looked: float
    runs: Mapping[str, tuple[float, float]]

    @classmethod
    def parse(cls, text: str | None) -> "Silence":
        """The silence in a text that `encode` gave; none known where there is no text."""
        if text is None:
            return cls(0.0, {})
        facts = json.loads(text)
        return cls(facts["looked"], {run: (written, since) for run, (written, since) in facts["runs"].items()})

    def encode(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    def after(self, written: Mapping[str, float], now: float) -> "Silence":
        """The silence after a look.

        Args:
            written: by id, when each run in progress was last written to.
            now: Unix seconds.
        """
        known = self.runs if now - self.looked <= LONGEST_BETWEEN_LOOKS else {}
        found = {}
        for run, moment in written.items():
            before = known.get(run)
            found[run] = before if before is not None and before[0] == moment else (moment, now)
        return Silence(now, found)

    def dead(self) -> list[str]:
        """The runs that were silent for too long."""
        return [run for run, (_, since) in self.runs.items() if self.looked - since >= SILENT_SECONDS]


def fail_silent(instance: dg.DagsterInstance, home: Path, before: Silence, now: float) -> tuple[Silence, int]:
    """Mark runs that write nothing any more as failed, and free their places.

    Args:
        instance: knows the runs.
        home: Dagster's home on this host; a run that has its lock is alive, though it may be stopped (`kill -STOP`).
        before: what the last look found.
        now: Unix seconds.

    Returns:
        What this look found, and how many runs were marked.
    """
    begun = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    records = {
        record.dagster_run.run_id: record
        for record in instance.get_run_records(dg.RunsFilter(statuses=begun))
        if ALIVE in record.dagster_run.tags and not is_locked(lock_of(home, record.dagster_run.run_id))
    }
    found = before.after({run: each.update_timestamp.timestamp() for run, each in records.items()}, now)
    marked = sum(
        _fail(instance, run_id, _silent_since(records[run_id].dagster_run.tags[HOST], found.runs[run_id][0]))
        for run_id in found.dead()
    )
    return found, marked


def _silent_since(host: str, written: float) -> str:
    return (
        f"The process of this run on the host {host} has written nothing since "
        f"{datetime.fromtimestamp(written, UTC):%Y-%m-%d %H:%M:%S}Z, where one that is alive does so each minute: "
        f"it was killed, or its host is gone. {_CURE}"
    )


def sensor() -> dg.SensorDefinition:
    """The sensor that looks for dead runs; on unless it is turned off."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Marks runs as failed whose process is gone, and frees their places in the pool: of this host at once, of "
            "another host when it has written nothing for ten minutes. A run that is alive writes each minute. "
            "Turn it off and such a run is in progress until max_runtime_seconds of dagster.yaml is over."
        ),
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        instance, home = context.instance, Path(context.instance.root_directory)
        killed = 0
        if any((home / FOLDER).glob("*.lock")):
            with FileLock(home / FOLDER / GUARD):
                killed = mark_killed(instance, home)
        silence, silent = fail_silent(instance, home, Silence.parse(context.cursor), time.time())
        if not killed + silent:
            return dg.SensorResult(cursor=silence.encode(), skip_reason="No run is dead.")
        marked = quantity(killed + silent, "dead run")
        context.log.warning("%s marked as failed", marked)
        return dg.SensorResult(cursor=silence.encode(), skip_reason=f"{marked} marked as failed; no run is needed.")

    return look
