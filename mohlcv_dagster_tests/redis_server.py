"""A Redis server on loopback for tests; they skip, and say so, where it is not installed."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from mohlcv_dagster_tests.postgres import free_port


def require():
    """Skip the test where there is no Redis, or no client of it."""
    pytest.importorskip("redis", reason="the client of Redis is not installed: uv sync --group stores")
    if not shutil.which("redis-server"):
        pytest.skip("there is no Redis on this machine")


class Redis:
    """A server that keeps its files in a folder; `url` is its address."""

    def __init__(self, folder):
        self._folder, self._port = folder, free_port()
        self.url = f"redis://:secret@127.0.0.1:{self._port}/0"

    def start(self):
        words = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--requirepass", "secret"]
        words += ["--save", "", "--dir", str(self._folder), "--logfile", "redis.log"]
        self._server = subprocess.Popen(words, cwd=self._folder)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"Redis did not start: {(self._folder / 'redis.log').read_text()}")

    def stop(self):
        self._server.terminate()
        self._server.wait(10)


@contextmanager
def redis(folder):
    """A Redis server, for the time of the block; its address."""
    server = Redis(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
