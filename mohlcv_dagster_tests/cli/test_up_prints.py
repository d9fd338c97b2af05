"""What a real `mohlcv up` prints, and its sandbox with a fault, which makes a run fail."""

import re

import pytest

from mohlcv_dagster_tests.defs.served import OVER, serve, until

MONTH = "2024-01|SPY"


def test_a_fault_without_the_sandbox_is_refused(mohlcv, project):
    said = mohlcv("up", "--fault", "reset")

    assert (said.code, list(project.iterdir())) == (2, [])
    assert "--fault makes the sandbox misbehave: add --sandbox" in said.err


def test_a_fault_that_does_not_exist_is_refused_before_anything_is_served(mohlcv, project):
    said = mohlcv("up", "--sandbox", "--fault", "frobnicate")

    assert said.code == 2
    assert "frobnicate" in said.err


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_it_prints_one_line_when_it_is_ready_and_then_errors_alone_and_a_fault_makes_a_run_fail(tmp_path):
    words = ["--sandbox", "--fault", "not-found:symbol=SPY"]
    with serve(tmp_path, "http://127.0.0.1:9", words) as webserver:
        webserver.add_symbol("SPY")
        before = (tmp_path / "up.log").read_text()
        webserver.launch_backfill([MONTH])
        run = until(lambda: next((each for each in webserver.runs() if each.status in OVER), None), "the run has ended")

    port = webserver.url.rpartition(":")[2]
    assert before == (
        f"Ready, with made-up bars: http://127.0.0.1:{port}/assets/quality/coverage?view=events  (Ctrl-C ends it)\n"
    )
    assert run.status == "FAILURE"
    after = (tmp_path / "up.log").read_text()
    assert "the vendor answered 404" in after
    assert not re.search(r"\b(DEBUG|INFO)\b", after)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_verbose_it_prints_what_dagster_says(tmp_path):
    with serve(tmp_path, "http://127.0.0.1:9", ["--verbose"]):
        until(lambda: "Instance is configured with the following daemons" in (tmp_path / "up.log").read_text(), "")
