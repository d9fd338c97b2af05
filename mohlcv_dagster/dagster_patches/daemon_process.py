"""Dagster's daemon as a child of `mohlcv up`: one a home, and gone when the process that started it is.

As a command: `python -m mohlcv_dagster.dagster_patches.daemon_process PARENT …`, with the number of that process and
the words of `dagster-daemon`.
"""

import os
import sys
from pathlib import Path

from filelock import FileLock

from mohlcv_dagster.dagster_patches.supervision import end_with


def main() -> None:
    """Be the daemon; it ends the process."""
    from dagster._daemon.cli import main as daemon  # noqa: PLC0415 - `services` reports what is missing

    end_with(int(sys.argv.pop(1)))
    # where an `up` was killed, its daemon may still be ending: two at once would launch every backfill twice
    with FileLock(Path(os.environ["DAGSTER_HOME"]) / "daemon.lock"):
        daemon()


if __name__ == "__main__":
    main()
