"""What `mohlcv up` does when one of its processes dies: it starts it again, says so, and the work goes on."""

import os
import signal
import sys

import pytest

from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster_tests.dagster_patches.test_services import processes
from mohlcv_dagster_tests.defs.served import serve, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


def of_kind(home, *words):
    """The processes of a home whose command line has these words one after the other."""
    wanted = "\0".join(words)
    return {number for number, line in processes(home).items() if f"\0{wanted}\0" in line}


def killed(home, *words):
    """Kill the process with these words; another one, once there is one."""
    [first] = until(lambda: of_kind(home, *words), f"{words} is running")
    os.kill(first, signal.SIGKILL)
    [another] = until(lambda: of_kind(home, *words) - {first}, f"another {words} is running")
    return another


@pytest.fixture
def month(tmp_path):
    """The UI, and a backfill of a month whose vendor takes 15 seconds for the first answer."""
    with Sandbox(SyntheticMarket(), latency=0.1) as vendor, serve(tmp_path, vendor.url) as webserver:
        vendor.inject("drip:times=1,seconds=15")
        webserver.add_symbol("MMM")
        backfill = webserver.launch_backfill({"2024-01|MMM"})
        until(lambda: vendor.requests, "the month is being fetched")
        yield webserver, backfill


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("code-server", "start"), "Code server process has exited with code -9. Restarting"),
        (("api", "grpc"), "The code server has ended by signal 9; it is started again in 1 seconds"),
        (("mohlcv_dagster.dagster_patches.daemon_process",), "daemon has ended by signal 9; it is started again in 1"),
        (
            ("mohlcv_dagster.dagster_patches.services",),
            "The UI has ended by signal 9; it is started again in 1 seconds",
        ),
    ],
)
def test_what_dies_is_started_again_and_the_backfill_ends_as_its_runs_did(tmp_path, month, words, said):
    webserver, backfill = month

    killed(tmp_path / "home", *words)

    until(webserver.is_loaded, "the location is loaded again")
    assert until(lambda: webserver.completed(backfill), "the backfill is over") == "COMPLETED_SUCCESS"
    assert {run.status for run in webserver.runs()} == {"SUCCESS"}
    assert said in (tmp_path / "up.log").read_text()


def test_a_code_server_that_dies_again_and_again_is_started_after_longer_and_longer_waits(tmp_path):
    home = tmp_path / "home"
    with serve(tmp_path, "http://127.0.0.1:9") as webserver:
        for _ in range(3):
            killed(home, "api", "grpc")

        until(webserver.is_loaded, "the location is loaded again")
    log = (tmp_path / "up.log").read_text()
    assert [f"started again in {delay} seconds" in log for delay in (1, 2, 4)] == [True] * 3


@pytest.mark.parametrize("parent", ["up", "mohlcv_dagster.dagster_patches.services"])
def test_nothing_outlives_an_up_that_is_killed(tmp_path, parent):
    home = tmp_path / "home"
    with serve(tmp_path, "http://127.0.0.1:9"):
        for each in {"up", parent}:  # else it would start another
            for number in of_kind(home, each):
                os.kill(number, signal.SIGKILL)

        until(lambda: not processes(home), "all of them have ended", patience=30)


def test_a_backfill_that_is_launched_while_the_code_server_is_away_waits_for_it(tmp_path):
    with Sandbox(SyntheticMarket()) as vendor, serve(tmp_path, vendor.url) as webserver:
        webserver.add_symbol("MMM")
        [server] = of_kind(tmp_path / "home", "api", "grpc")
        os.kill(server, signal.SIGKILL)

        backfill = webserver.launch_backfill({"2024-01|MMM"})

        assert until(lambda: webserver.completed(backfill), "the backfill is over") == "COMPLETED_SUCCESS"
