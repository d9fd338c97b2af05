"""Code servers whose runs begin as forks of a process that has Dagster loaded, which takes a tenth of a second of CPU.

Dagster 1.13 starts an interpreter for each run (`multiprocessing`'s `spawn`), which loads Dagster again: 1.2 s of CPU,
a fifth of what a year of quiet months takes. A code server of ours uses `forkserver`: it starts a process that loads
`PRELOADED` and nothing else, has one thread and does no work; each run is forked from that one. The code location is
loaded in each run, as by Dagster. The server's own threads and connections are in no run, as with Dagster.

A code server of ours listens on a socket in a folder that only the user can enter: who can write to it can have code
executed. Dagster puts it into `/tmp`, with the permissions that the umask leaves.

On Linux alone: Windows cannot fork, and macOS has libraries that do not survive it, and a `/tmp` for each user. Three
private parts of Dagster are relied on: that it starts code servers by the command of
`get_python_environment_entry_point`, on sockets named by `safe_tempfile_path_unmanaged`, and that these ask
`multiprocessing` for `spawn` by name. A test compares what such a run records, and how it is ended, with Dagster's own.

As a command (`python -m mohlcv_dagster.dagster_patches.run_processes …`) it is `dagster …` as a code server of ours, or
as the proxy that Dagster puts before one.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

PRELOADED: Final = (
    "dagster._core.storage.legacy_storage",
    "dagster._grpc.impl",
    "massive",
    "mohlcv_dagster.dagster_patches.run_queue",
    "mohlcv_dagster.dagster_patches.sqlite_event_log",
)
"""Dagster, its storage and ours, the vendor's client. Not the code location, which may have been edited since; and
neither NumPy nor Arrow, which start threads: a process that has some cannot be forked safely."""
_CODE_SERVER: Final = ["api", "grpc"]
_ENTRY_POINT: Final = "get_python_environment_entry_point"
_SOCKET: Final = "safe_tempfile_path_unmanaged"
_SERVERS_END: Final = 5.0
"""Seconds in which a server that was told to end, and has no runs, removes its socket."""


@contextmanager
def forking_code_servers() -> Iterator[None]:
    """Have Dagster start code servers of ours in this process while the block lasts; on Linux alone."""
    from dagster._grpc import server  # noqa: PLC0415 - each run executes this module too

    from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once  # noqa: PLC0415 - as above

    if sys.platform != "linux":
        yield
        return
    if reason := obstacle(server, (_ENTRY_POINT, _SOCKET)):
        warn_once("Forking the processes of runs", reason)
        yield
        return
    with ExitStack() as stack:
        folder = stack.enter_context(_private_folder())
        stack.enter_context(_replaced(server, _ENTRY_POINT, _command))
        stack.enter_context(_replaced(server, _SOCKET, lambda: str(folder / uuid4().hex[:12])))
        yield


@contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mohlcv-"))  # which only the user can enter
    try:
        yield folder
    finally:
        over = time.monotonic() + _SERVERS_END
        while any(folder.iterdir()) and time.monotonic() < over:
            time.sleep(0.1)
        with suppress(OSError):  # a server that waits for its runs to end still listens there
            folder.rmdir()


@contextmanager
def _replaced(owner: object, name: str, ours: Callable[..., object]) -> Iterator[None]:
    dagsters_own = getattr(owner, name)
    setattr(owner, name, ours)
    try:
        yield
    finally:
        setattr(owner, name, dagsters_own)


def _command(executable: str) -> Sequence[str]:
    return [executable, "-m", "mohlcv_dagster.dagster_patches.run_processes"]


def main() -> None:
    """Do what `dagster` does with the words of this command line; it ends the process."""
    from dagster._cli import main as dagster_command  # noqa: PLC0415 - each run executes this module too

    if sys.argv[1:3] == _CODE_SERVER:
        _fork_runs()
        dagster_command()  # type: ignore[no-untyped-call]
        return
    from mohlcv_dagster.dagster_patches import reviving_proxy, supervision  # noqa: PLC0415 - as above

    supervision.end_with(os.getppid())
    reviving_proxy.install()
    with forking_code_servers():
        dagster_command()  # type: ignore[no-untyped-call]


def _fork_runs() -> None:
    """Have the runs of this process forked: Dagster says `spawn` and gets a fork."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(list(PRELOADED))
    spawned: Any = multiprocessing.get_context("spawn")
    spawned.Process = forked.Process
    forkserver.ensure_running()  # now, so that the first run need not wait for it


if __name__ == "__main__":
    main()
