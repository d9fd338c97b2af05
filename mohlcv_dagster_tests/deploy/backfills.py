"""A backfill on several hosts: launched, waited for, and compared with what one machine makes. No test."""

import os
from collections import Counter
from dataclasses import dataclass
from unittest import mock
from zlib import crc32

import dagster as dg

from mohlcv_dagster.cli import runs
from mohlcv_dagster.definitions import build
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.defs.served import ASSETS, OVER
from mohlcv_dagster_tests.deploy.services import until
from mohlcv_dagster_tests.docs.conftest import QuietMarket

PATIENCE = 600.0
"""Seconds after which nothing may be stuck."""
_BARS = ("bars/raw_1s/", "bars/aggregated/")


class ManyQuietStocks(QuietMarket):
    """A quiet market in which each symbol has prices of its own."""

    def prices(self, symbol, day, starts):
        return 200.0 + crc32(symbol.encode()) % 100 + day.day / 4 + starts // 1800 % 7

    def volumes(self, day, starts):
        return 100 + starts // 1800 % 5


@dataclass(frozen=True)
class Backfill:
    """Symbols × months.

    Attributes:
        symbols: how many; they are `AAA`, `AAB` …
        months: how many, from January 2022 on.
    """

    symbols: int
    months: int

    @property
    def names(self):
        return [f"AA{chr(ord('A') + number)}" for number in range(self.symbols)]

    @property
    def keys(self):
        return [f"{2022 + number // 12}-{number % 12 + 1:02d}" for number in range(self.months)]

    @property
    def partitions(self):
        return {f"{month}|{symbol}" for month in self.keys for symbol in self.names}

    def launch(self, hosts):
        """Launch it as the dialog does; the backfill's id."""
        for symbol in self.names:
            hosts.webserver.add_symbol(symbol)
        return hosts.webserver.launch_backfill(self.partitions)

    def stored(self, hosts):
        """How many of its raw months are in the store."""
        return hosts.store.count("bars/raw_1s/")

    def on_one_machine(self, vendor, folder):
        """The bytes of each file that one machine makes: `Path.relative_to` its archive in, content out."""
        variables = {"MASSIVE_API_KEY": "sandbox", "MASSIVE_BASE_URL": vendor, "MOHLCV_DATA_DIR": str(folder)}
        with mock.patch.dict(os.environ, variables), dg.DagsterInstance.ephemeral() as instance:
            settings = Settings.from_environment(os.environ)
            definitions = build(settings)
            for key in sorted(self.partitions):
                month, symbol = key.split("|")
                file = BarFile(symbol, RAW, Month.parse(month))
                done = runs.materialize(definitions, instance, file, [RAW, *settings.timeframes])
                assert done.succeeded, done.reasons
        return {
            f"bars/{path.relative_to(folder).as_posix()}": path.read_bytes()
            for path in folder.rglob("*.csv")
            if f"bars/{path.relative_to(folder).as_posix()}".startswith(_BARS)
        }


def ended(hosts, backfill, patience=PATIENCE):
    """The status in which a backfill ended; no run of it goes on."""
    what = f"backfill {backfill} is over: {hosts.folder}"
    status = until(lambda: hosts.webserver.completed(backfill), what, patience, every=1)
    states = Counter(run.status for run in hosts.webserver.runs(backfill=backfill))
    assert set(states) <= OVER, states
    return status


def bars_of(hosts):
    """The files of bars in the store."""
    return {key: content for key, content in hosts.store.objects().items() if key.startswith(_BARS)}


def written_twice(hosts):
    """The files of bars that were written more than once, with the ETags of all versions."""
    return {key: tags for key, tags in hosts.store.versions().items() if key.startswith(_BARS) and len(tags) > 1}


def rewritten(hosts):
    """The files of bars that at one time had other bytes than at another."""
    return {key: tags for key, tags in written_twice(hosts).items() if len(set(tags)) > 1}


def materialized_twice(hosts):
    """Partitions that were materialized more than once, by the event log."""
    return hosts.query(
        "SELECT asset_key, partition, count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' "
        "AND partition IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
    )


def failed_evaluations(hosts):
    """The asset, check, partition and sentence of each evaluation that did not pass."""
    return hosts.query(
        """SELECT asset_key, check_name, partition, substring(evaluation_event from '"description": "([^"]*)"')
        FROM asset_check_executions WHERE execution_status = 'FAILED'"""
    )


def hosts_that_worked(hosts):
    """The names of the hosts on which runs were executed, as their workers logged it."""
    return {worker.folder.name for worker in hosts.workers if "received" in worker.log.read_text()}


def missing(hosts, backfill):
    """What *only failed and missing* would launch of the backfill's partitions, over all assets."""
    left = [hosts.webserver.failed_and_missing(asset, backfill.names, backfill.keys) for asset in ASSETS]
    return set().union(*left)
