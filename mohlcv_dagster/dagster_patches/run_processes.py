"""How the process of a run begins: as a fork of one that has Dagster loaded, which takes a tenth of a second of CPU.

Dagster 1.13 starts an interpreter for each run (`multiprocessing`'s `spawn`), which loads Dagster anew: 1.2 s of CPU, a
fifth of what a year of quiet months takes. Here the code server does it by `forkserver`: it starts a process that loads
`run_preload` and nothing else, has one thread and does no work; each run is forked from that one. The code location is
loaded in each run, as before. The server's own threads and connections are in no run, as before.

A code server alone does so, and on Linux alone: Windows cannot fork, and macOS has libraries that do not outlive it. A
private habit of Dagster is relied on, that it asks `multiprocessing` for `spawn` by name; where it does not, nothing
changes. A test holds what such a run records, and how it is ended, against Dagster's own.
"""

import multiprocessing
import sys
from multiprocessing import forkserver
from typing import Any, Final

from mohlcv_dagster.dagster_patches.guard import obstacle

_CODE_SERVER: Final = ["api", "grpc"]
_LOADED: Final = "mohlcv_dagster.dagster_patches.run_preload"


def fork() -> None:
    """Have the runs of this process forked, if it is a code server; Dagster then says `spawn` and gets a fork."""
    if obstacle(multiprocessing, ("get_context",)) is not None:  # runs are spawned, as Dagster does it
        return
    of_a_run = multiprocessing.parent_process() is not None  # it is handed the server's arguments
    if sys.platform != "linux" or sys.argv[1:3] != _CODE_SERVER or of_a_run:
        return
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload([_LOADED])
    spawned: Any = multiprocessing.get_context("spawn")
    spawned.Process = forked.Process
    forkserver.ensure_running()  # now, so that the first run need not wait for it
