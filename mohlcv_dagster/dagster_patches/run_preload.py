"""What the processes of runs have loaded when they begin, see `run_processes`; imported by nothing else.

Dagster, its storage and ours, the vendor's client. Not the code location, which may have been edited since; and neither
NumPy nor Arrow, which start threads: a process that has some cannot be forked safely.
"""

# ruff: noqa: F401 - loaded, not used

import dagster._core.storage.legacy_storage
import dagster._grpc.impl
import massive

import mohlcv_dagster.dagster_patches.run_queue
import mohlcv_dagster.dagster_patches.sqlite_event_log
