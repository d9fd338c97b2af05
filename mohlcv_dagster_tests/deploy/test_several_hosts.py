"""Workers on hosts of their own, with PostgreSQL, Redis and an S3 store between them: docs/deploy.md, Celery."""

import pytest

from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.deploy import backfills, hosts, troubles
from mohlcv_dagster_tests.deploy.backfills import Backfill, ManyQuietStocks
from mohlcv_dagster_tests.deploy.services import until
from mohlcv_dagster_tests.providers.massive.test_rate_limits import Timed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SHORT = Backfill(symbols=4, months=6)
LATER = Backfill(symbols=4, months=8)
LIMIT = 40
"""Requests a minute."""


@pytest.fixture(scope="module")
def vendor():
    with Sandbox(ManyQuietStocks()) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def done(vendor, tmp_path_factory):
    hosts.require()
    with hosts.Hosts(tmp_path_factory.mktemp("hosts"), vendor.url) as started:
        yield started, backfills.ended(started, SHORT.launch(started))


def test_a_backfill_over_two_hosts_is_green(done):
    started, status = done
    assert status == "COMPLETED_SUCCESS"
    assert backfills.missing(started, SHORT) == set()
    assert backfills.failed_evaluations(started) == []
    assert backfills.hosts_that_worked(started) == {"worker1", "worker2"}


def test_hosts_write_the_bytes_of_one_machine(done, vendor, tmp_path):
    assert backfills.bars_of(done[0]) == SHORT.on_one_machine(vendor.url, tmp_path)


def test_no_partition_is_written_twice(done):
    started, _ = done
    assert backfills.written_twice(started) == {}
    assert backfills.materialized_twice(started) == []


def test_a_worker_that_is_asked_to_end_finishes_its_run(done):
    started, _ = done
    worker = started.workers[0]
    begun = worker.log.read_text().count("received")
    backfill = started.webserver.launch_backfill(LATER.partitions - SHORT.partitions)
    until(lambda: worker.log.read_text().count("received") > begun, "the worker has a run")
    worker.process.terminate()

    assert worker.process.wait(120) == 0
    assert backfills.ended(started, backfill) == "COMPLETED_SUCCESS"
    assert worker.log.read_text().count("received") == worker.log.read_text().count("succeeded")


def test_after_every_trouble_one_launch_of_what_failed_completes_the_backfill(vendor, tmp_path_factory):
    hosts.require()
    with hosts.Hosts(tmp_path_factory.mktemp("hosts"), vendor.url, changes=troubles.IMPATIENT) as started:
        told = troubles.disturbed(started, SHORT)
        assert told.missing == set()
        assert backfills.failed_evaluations(started) == []
        assert backfills.rewritten(started) == {}
        assert backfills.bars_of(started) == SHORT.on_one_machine(vendor.url, tmp_path_factory.mktemp("one"))


def test_workers_on_several_hosts_keep_one_limit_of_requests_together(tmp_path):
    hosts.require()
    shared = {"MASSIVE_REQUESTS_PER_MINUTE": str(LIMIT), "MASSIVE_LIMIT_STORE": "{redis}"}
    with Sandbox(ManyQuietStocks()) as sandbox, hosts.Hosts(tmp_path, sandbox.url, settings=shared) as started:
        sandbox.requests = Timed()
        assert backfills.ended(started, SHORT.launch(started)) == "COMPLETED_SUCCESS"
        assert backfills.hosts_that_worked(started) == {"worker1", "worker2"}
        moments = sorted(moment for moment, _ in sandbox.requests.moments)

    assert len(moments) > 1.5 * LIMIT
    busiest = max(sum(begin <= each < begin + 60 for each in moments) for begin in moments)
    assert 0.95 * LIMIT <= busiest <= 1.05 * LIMIT
