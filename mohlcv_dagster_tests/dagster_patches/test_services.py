"""How the processes of `mohlcv up` end, and with which Dagster they do not begin."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mohlcv_dagster_tests.defs.served import serve, until

LACKING = """
import os, sys
sys.modules["dagster._cli.proxy_server_manager"] = None
from mohlcv_dagster.dagster_patches.services import main
sys.exit(main([str(os.getppid()), "127.0.0.1", "1", "-m", "mohlcv_dagster.definitions"]))
"""


@pytest.mark.slow
def test_a_dagster_that_lacks_a_name_that_is_needed_is_told_in_a_sentence_and_serves_nothing(tmp_path):
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LACKING], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    said = done.stdout + done.stderr

    assert done.returncode == 1
    assert "The UI cannot be served with dagster 1." in said
    assert "install dagster and dagster-webserver 1.13, from 1.13.20 on" in said
    assert "Traceback" not in said


def processes(home):
    """The processes that work with this Dagster home, as their words by id."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"DAGSTER_HOME={home}\0".encode() in (place / "environ").read_bytes():
                found[int(place.name)] = (place / "cmdline").read_text()
    return {number: words for number, words in found.items() if words}  # one that has ended has no words


def the(processes, word):
    return next(number for number, words in processes.items() if word in words.split("\0"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_that_was_started(tmp_path, asked):
    home = tmp_path / "home"
    with serve(tmp_path, "http://127.0.0.1:9"):
        running = processes(home)
        ours = {f"mohlcv_dagster.dagster_patches.{name}" for name in ("services", "daemon_process", "run_processes")}
        assert {"code-server", *ours} <= {word for words in running.values() for word in words.split("\0")}

        os.kill(the(running, "up"), asked)

        until(lambda: not processes(home), "all of them have ended", patience=60)
    assert "Traceback" not in (tmp_path / "up.log").read_text()
