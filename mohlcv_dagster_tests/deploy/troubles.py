"""What happens to hosts while they work: each trouble once, during one backfill. No test."""

import shutil
import time
from dataclasses import dataclass

import mohlcv_dagster
from mohlcv_dagster_tests.deploy import backfills
from mohlcv_dagster_tests.deploy.hosts import REPOSITORY
from mohlcv_dagster_tests.deploy.services import until

IMPATIENT = {"run_monitoring": {"max_runtime_seconds": 180, "start_timeout_seconds": 60}}
"""So that the run of a worker that was killed is failed in minutes; docs/deploy.md says an hour."""
_AWAY_SECONDS = 5
_FROZEN_SECONDS = 20
_NEWER = """
import dagster as dg


@dg.job
def added_in_the_newer_version():
    pass
"""


def kill_a_worker(hosts):
    """Kill the first worker with its run, as a power cut does; it is not started again."""
    hosts.workers[0].kill()


def restart_the_database(hosts):
    """Have PostgreSQL away for some seconds."""
    with hosts.database_restarted():
        time.sleep(_AWAY_SECONDS)


def restart_redis(hosts):
    """Have Redis away for a moment."""
    hosts.redis.restart()


def freeze_the_store(hosts):
    """Have the store hang."""
    with hosts.store.frozen():
        time.sleep(_FROZEN_SECONDS)


def replace_the_code_server(hosts):
    """Serve a newer version, which has a job more."""
    package = hosts.folder / "newer-version" / "mohlcv_dagster"
    shutil.copytree(REPOSITORY / mohlcv_dagster.__name__, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "defs" / "newer.py").write_text(_NEWER)
    hosts.replace_code_server(package.parent)


TROUBLES = (restart_the_database, kill_a_worker, restart_redis, freeze_the_store, replace_the_code_server)


@dataclass(frozen=True)
class Told:
    """What came of a disturbed backfill.

    Attributes:
        first: the status in which it ended.
        again: how many partitions were launched again, as failed or missing.
        missing: those that are missing after that.
        seconds: until the first backfill was over, and until the second was.
    """

    first: str
    again: int
    missing: set
    seconds: tuple


def disturbed(hosts, backfill):
    """Launch a backfill, have each trouble happen during it, and launch once more what failed or is missing."""
    begun = time.monotonic()
    launched = backfill.launch(hosts)
    steps = len(backfill.partitions) // (len(TROUBLES) + 2)
    for number, trouble in enumerate(TROUBLES):
        wanted = (number + 1) * steps
        until(lambda least=wanted: backfill.stored(hosts) >= least, f"{wanted} months are stored", 300, every=2)
        trouble(hosts)
    first = backfills.ended(hosts, launched)
    over = time.monotonic() - begun
    assert "added_in_the_newer_version" in jobs(hosts)
    left = backfills.missing(hosts, backfill)
    if left:
        again = hosts.webserver.launch_backfill(left)
        backfills.ended(hosts, again)
    return Told(first, len(left), backfills.missing(hosts, backfill), (over, time.monotonic() - begun))


def jobs(hosts):
    """The names of the jobs that the webserver shows."""
    told = hosts.webserver.ask("{repositoriesOrError{...on RepositoryConnection{nodes{jobs{name}}}}}")
    return {job["name"] for node in told["repositoriesOrError"]["nodes"] for job in node["jobs"]}
