"""What `mohlcv up` does when one of its processes dies: it starts it again, says so, and the work goes on."""

import os
import signal
import sys

import pytest

from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster_tests.dagster_patches.test_services import processes
from mohlcv_dagster_tests.defs.served import OVER, serve, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

MONTHS = {"2024-01|MMM"}


def of_kind(home, *words):
    """The processes of a home whose command line has these words one after the other."""
    wanted = "\0".join(words)
    return {number for number, line in processes(home).items() if f"\0{wanted}\0" in line}


@pytest.mark.parametrize("server", [("code-server", "start"), ("api", "grpc")])
def test_a_code_server_that_dies_is_started_again_and_the_backfill_ends_as_its_runs_did(tmp_path, server):
    home = tmp_path / "home"
    with Sandbox(SyntheticMarket(), latency=0.1) as vendor, serve(tmp_path, vendor.url) as webserver:
        vendor.inject("drip:times=1,seconds=15")
        webserver.add_symbol("MMM")
        backfill = webserver.launch_backfill(MONTHS)
        until(lambda: vendor.requests, "the month is being fetched")

        [killed] = of_kind(home, *server)
        os.kill(killed, signal.SIGKILL)

        until(lambda: of_kind(home, *server) - {killed}, "another one is running")
        status = until(lambda: webserver.completed(backfill), "the backfill is over", patience=120)
        assert status == "COMPLETED_SUCCESS"
        assert {run.status for run in webserver.runs()} == {"SUCCESS"}
        assert OVER
