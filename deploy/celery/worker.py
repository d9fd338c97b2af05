"""Become a worker of Celery with the settings of `worker.yaml` beside this file: `python worker.py [its options]`.

`dagster-celery worker start` starts Celery as a second process and does not pass signals on: a worker that is stopped
loses its run. Here it is one process, which at SIGTERM finishes its run and takes no other.
"""

import os
import sys
from pathlib import Path

from dagster_celery.cli import get_config_dir, get_worker_name

SETTINGS = Path(__file__).with_name("worker.yaml")


def main() -> None:
    """Write the settings as the module that `dagster_celery.app` reads, and become Celery."""
    paths = [get_config_dir(str(SETTINGS)), *filter(None, [os.environ.get("PYTHONPATH")])]
    celery = ["-m", "celery", "--app", "dagster_celery.app", "worker", "--hostname", get_worker_name("worker")]
    # workers need nothing of each other, and what they say to each other fails when Redis is started again
    quiet = ["--without-gossip", "--without-mingle"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    os.execve(sys.executable, [sys.executable, *celery, *quiet, *sys.argv[1:]], environment)  # noqa: S606 - none is wanted


if __name__ == "__main__":
    main()
