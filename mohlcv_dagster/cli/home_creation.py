"""How a home of Dagster is made: one process at a time, and complete before its `dagster.yaml` is there.

Dagster makes its databases when they are first used, table by table: two processes at once end with errors, and one
that is killed leaves a database that may never open again. Here they are made in a folder that nobody else uses, and
renamed into place.
"""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

CONFIGURATION: Final = "dagster.yaml"
_NEW: Final = ".new-"

_DAGSTER_YAML: Final = """\
# Written once by mohlcv; change it as you like, it is not written again.
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  # Dagster's own, which keeps connections and remembers check results; without this entry it reads the same files
  module: mohlcv_dagster.dagster_patches.sqlite_event_log
  class: RememberingSqliteEventLogStorage
  config: {{}}
concurrency:
  runs:
    max_concurrent_runs: {runs}
  pools:
    granularity: op
    # the pool massive_api bounds the months fetched at once, over all runs
    default_limit: {fetches}
run_coordinator:
  # Dagster's own, whose daemon looks for backfills every 30 seconds, with one that looks more often
  module: mohlcv_dagster.dagster_patches.run_queue
  class: PromptRunCoordinator
  config:
    backfill_interval_seconds: 2
    # a quiet month takes a few seconds: by default the next one would wait for up to 5 more
    dequeue_interval_seconds: 1
    # a launch lasts as long as a process takes to start: without threads, runs start one after the other
    dequeue_use_threads: true
    dequeue_num_workers: {runs}
    # a code server that died is started again: a run that leaves the queue meanwhile is tried again, not failed
    max_user_code_failure_retries: 6
    user_code_failure_retry_delay: 5
run_monitoring:
  enabled: true
  poll_interval_seconds: 5
  # a run that was killed keeps its place in the pool until it is freed
  free_slots_after_run_end_seconds: 1
  # a run whose code server was killed with it (power cut) is called failed after this time, not never
  max_runtime_seconds: 21600
"""


def configuration() -> str:
    """The `dagster.yaml` of a new home on this machine.

    One run more than there are processors: while one waits for the vendor, the disk or its start, the others work.
    """
    runs = 1 + (os.cpu_count() or 1)
    return _DAGSTER_YAML.format(runs=runs, fetches=max(4, runs))


def create(home: Path) -> None:
    """Make a home where there is none; one that was half made is completed.

    Args:
        home: the folder, which may exist.

    Raises:
        OSError: the folder cannot be written.
        HomeError: the databases could not be made.
    """
    if _is_complete(home):
        return
    from filelock import FileLock  # noqa: PLC0415 - it takes its time to load

    from mohlcv_dagster.dagster_patches import home_databases  # noqa: PLC0415 - it loads Dagster

    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / home_databases.LOCK):
        if not _is_complete(home):
            _create(home)


def _is_complete(home: Path) -> bool:
    return (home / CONFIGURATION).exists()


def _create(home: Path) -> None:
    from mohlcv_dagster.dagster_patches import home_databases, home_errors  # noqa: PLC0415 - it loads Dagster
    from mohlcv_dagster.storage import atomic_writes  # noqa: PLC0415 - not for the help text

    for left in home.glob(f"{_NEW}*"):
        shutil.rmtree(left)
    new = Path(mkdtemp(prefix=_NEW, dir=home))
    try:
        with home_errors.explained(home):
            home_databases.make(new)
        for folder in new.iterdir():
            if not (home / folder.name).exists():
                folder.rename(home / folder.name)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    atomic_writes.write(home / CONFIGURATION, [configuration().encode()])
