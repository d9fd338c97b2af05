"""A PostgreSQL server on loopback for tests; they skip, and say so, where it is not installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest


def require():
    """Skip the test where there is no Postgres, or Dagster's package for it."""
    pytest.importorskip("dagster_postgres", reason="Dagster's package is not installed: uv sync --group stores")
    if not all(shutil.which(tool) for tool in ("initdb", "postgres", "createdb", "psql", "pg_isready")):
        pytest.skip("there is no Postgres on this machine")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Postgres:
    """A server at `address`, the parts of a URL; run as nobody where the tests run as root.

    Attributes:
        at: the options with which its tools connect to it.
    """

    def __init__(self, folder, address):
        self._folder, self._address = folder, address
        self._user = {"user": "nobody"} if os.getuid() == 0 else {}
        self.at = ["-h", address.hostname, "-p", str(address.port)]

    def make(self):
        self._folder.mkdir()
        if self._user:
            shutil.chown(self._folder, "nobody")
            for above in takewhile(lambda each: each != Path(tempfile.gettempdir()), self._folder.parents):
                above.chmod(above.stat().st_mode | 0o011)  # pytest makes its folders private
        words = ["initdb", "-D", self._folder / "db", "-U", self._address.username, "--auth=trust", "--no-sync"]
        subprocess.run(words, check=True, capture_output=True, cwd="/", **self._user)

    def start(self):
        words = ["postgres", "-D", self._folder / "db", *self.at, "-k", self._folder, "-F"]
        log = self._folder.with_suffix(".log")
        with log.open("ab") as output:
            self._server = subprocess.Popen(words, cwd="/", stderr=output, **self._user)
        while subprocess.run([shutil.which("pg_isready"), *self.at], capture_output=True, check=False).returncode:
            assert self._server.poll() is None, f"Postgres did not start: {log.read_text()[-2000:]}"
            time.sleep(0.1)

    def create(self, database):
        subprocess.run([shutil.which("createdb"), *self.at, "-U", self._address.username, database], check=True)

    def stop(self, *, immediately=False):
        # SIGINT ends open connections; SIGTERM waits for them
        self._server.send_signal(2 if immediately else 15)
        self._server.wait()


@contextmanager
def postgres(folder, address):
    """A PostgreSQL server at `address` with its database, for the time of the block."""
    server = Postgres(folder, address)
    server.make()
    server.start()
    try:
        server.create(address.path[1:])
        yield server
    finally:
        server.stop(immediately=True)
