"""`mohlcv metrics` serves what Prometheus scrapes, on the loopback, and ends at Ctrl-C."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

MOHLCV = Path(sys.executable).with_name("mohlcv")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_a_scrape_is_answered_and_ctrl_c_ends_it_as_intended(home, project):
    port = free_port()
    words = [MOHLCV, "metrics", "--port", str(port)]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline(), process.stdout.readline()]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[0]

    assert f"http://127.0.0.1:{port}/metrics" in said[1]
    assert 'mohlcv_runs{state="queued"} 0.0' in text.splitlines()
    assert "mohlcv_requests_total 0.0" in text.splitlines()
    assert process.returncode == 0
    assert "ended" in rest


def test_a_port_that_is_taken_is_refused_with_a_sentence(mohlcv, home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = mohlcv("metrics", "--port", str(taken.getsockname()[1]))

    assert said.code == 2
    assert "choose another with --port" in said.err
