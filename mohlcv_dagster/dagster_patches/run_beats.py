"""What the process of a run writes into the run's tags so that another host can see that it is alive.

``mohlcv/host = worker-2``
    the host of the process.
``mohlcv/alive = 2024-03-01T09:30:00Z``
    when it was last written: at the start, then every `BEAT_SECONDS` for as long as the process is alive, however
    quiet the download, the wait for a place or the check is. A tag is replaced and adds no event to the log.

A run has these tags from when it first waits for a place in the pool `massive_api`, or makes `quality/coverage`.
Nothing private of Dagster is used: the module is here because `pool_places` begins the beats.
"""

import logging
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import dagster as dg

HOST: Final = "mohlcv/host"
ALIVE: Final = "mohlcv/alive"
BEAT_SECONDS: Final = 60.0
_LOG: Final = logging.getLogger(__name__)
_THREAD: Final = "run-beats"
_writing: Final = threading.Lock()
_starting: Final = threading.Lock()
_runs: Final[dict[str, "weakref.ref[dg.DagsterInstance]"]] = {}


def set_tags(instance: "dg.DagsterInstance", run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run; two threads that do it at once would lose those of one (Dagster reads all and writes all)."""
    with _writing:
        instance.add_run_tags(run_id, dict(tags))


def begin(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Show from now on that the process of a run, this one, is alive, until the run or the process has ended.

    Args:
        instance: knows the run; nothing is done for one that it does not know.
        run_id: the run.
    """
    if run_id in _runs or not instance.has_run(run_id):
        return
    _write(instance, run_id)
    with _starting:
        _runs[run_id] = weakref.ref(instance)
        if not any(thread.name == _THREAD for thread in threading.enumerate()):
            # a daemon: a process whose work is done does not wait for it
            threading.Thread(target=_go_on, name=_THREAD, daemon=True).start()


def _go_on() -> None:
    while True:
        time.sleep(BEAT_SECONDS)
        beat()


def beat() -> None:
    """Write once into each run of this process that is under way, and forget the others."""
    for run_id, known_by in list(_runs.items()):
        instance = known_by()
        try:
            if instance is None or not _is_under_way(instance, run_id):
                _runs.pop(run_id, None)
            else:
                _write(instance, run_id)
        except Exception:  # noqa: BLE001 - of any database; the step itself says so if it lasts
            _LOG.debug("No beat of the run %s could be written", run_id, exc_info=True)


def _is_under_way(instance: "dg.DagsterInstance", run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and not run.is_finished


def _write(instance: "dg.DagsterInstance", run_id: str) -> None:
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    set_tags(instance, run_id, {HOST: socket.gethostname(), ALIVE: now})
