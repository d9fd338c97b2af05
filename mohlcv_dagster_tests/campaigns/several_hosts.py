"""Backfills over several hosts that are started for this, with Celery, PostgreSQL, Redis and an S3 store on loopback.

`python -m mohlcv_dagster_tests.campaigns several-hosts --symbols 10 --months 24 --workers 2 --trouble`
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.deploy import backfills, troubles
from mohlcv_dagster_tests.deploy.backfills import Backfill, ManyQuietStocks
from mohlcv_dagster_tests.deploy.costs import Costs
from mohlcv_dagster_tests.deploy.hosts import Hosts


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def undisturbed(hosts: Hosts, vendor: Sandbox, backfill: Backfill) -> list[str]:
    """Run a backfill, say what it cost, and return what did not hold."""
    before, begun = Costs.until_now(hosts, vendor), time.monotonic()
    status = backfills.ended(hosts, backfill.launch(hosts), patience=3600)
    seconds = time.monotonic() - begun
    months = len(backfill.partitions)
    say(f"{len(hosts.workers)} workers: {months} months in {seconds:.0f} s, {seconds / months:.2f} s a month")
    say(Costs.until_now(hosts, vendor).since(before).a_month(months))
    wrong = [] if status == "COMPLETED_SUCCESS" else [f"the backfill ended with {status}"]
    if twice := backfills.written_twice(hosts):
        wrong.append(f"written twice: {sorted(twice)}")
    if twice := backfills.materialized_twice(hosts):
        wrong.append(f"materialized twice: {twice}")
    return wrong


def disturbed(hosts: Hosts, backfill: Backfill) -> list[str]:
    """Run a backfill with each trouble, say what came of it, and return what did not hold."""
    told = troubles.disturbed(hosts, backfill)
    first, second = told.seconds
    say(f"with each trouble: {told.first} after {first:.0f} s, {told.again} launched again, over after {second:.0f} s")
    wrong = [f"missing: {sorted(told.missing)}"] if told.missing else []
    if changed := backfills.rewritten(hosts):
        wrong.append(f"written twice with different bytes: {sorted(changed)}")
    return wrong


def main(argv: list[str]) -> int:
    """Run one backfill; returns 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="several-hosts", description=__doc__)
    parser.add_argument("--symbols", type=int, default=10)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trouble", action="store_true", help="have each trouble happen once during it")
    given = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the processes that were started are ended
    backfill = Backfill(given.symbols, given.months)
    changes = troubles.IMPATIENT if given.trouble else None
    with tempfile.TemporaryDirectory() as folder, Sandbox(ManyQuietStocks()) as vendor:
        with Hosts(Path(folder) / "hosts", vendor.url, given.workers, changes=changes) as hosts:
            wrong = disturbed(hosts, backfill) if given.trouble else undisturbed(hosts, vendor, backfill)
            wrong += [f"failed: {each}" for each in backfills.failed_evaluations(hosts)]
            made = backfills.bars_of(hosts)
        if made != backfill.on_one_machine(vendor.url, Path(folder) / "one"):
            wrong.append("the bytes are not those of one machine")
    say("\n".join(wrong) or f"all green, {len(made)} files, their bytes those of one machine")
    return bool(wrong)
