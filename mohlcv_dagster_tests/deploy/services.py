"""The services that hosts share, as processes on loopback: Redis and an S3 store. No test."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from urllib.request import Request, urlopen

import pytest

from mohlcv_dagster_tests.postgres import free_port

BUCKET = "archive"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
_PATIENCE = 60.0


def require():
    """Skip the test where Redis, or a package of the group `hosts` or `stores`, is not installed."""
    if not shutil.which("redis-server"):
        pytest.skip("there is no Redis on this machine: apt-get install redis-server")
    for package in ("celery", "dagster_celery", "redis", "s3fs", "moto.server"):
        pytest.importorskip(package, reason=f"{package} is not installed: uv sync --all-groups")


class Process:
    """A process with a log beside `folder`, in a session of its own; ended with all that it started.

    Args:
        folder: where it works; made where it is absent.
        words: its command line.
        environment: all of its variables.
    """

    def __init__(self, folder, words, environment):
        self.folder, self._words, self._environment = folder, [str(word) for word in words], environment
        self.log = folder.with_name(f"{folder.name}.log")
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self):
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self._words,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def send(self, number):
        """A signal to the process and to all that it started."""
        os.killpg(self.process.pid, number)

    def kill(self):
        """What a power cut does."""
        self.end(signal.SIGKILL)

    def end(self, number=signal.SIGTERM):
        """Ask it to end, and wait; killed after some seconds."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        finally:
            with suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
            self.process.wait()

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:]


def until(found, what, patience=_PATIENCE, every=0.2):
    """The first true thing that `found()` gives, asked `every` seconds; an error when the time is up."""
    over = time.monotonic() + patience
    while time.monotonic() < over:
        if result := found():
            return result
        time.sleep(every)
    raise AssertionError(f"not after {patience:g} s: {what}")


class Redis(Process):
    """Redis on loopback that writes each message to disk, as docs/deploy.md asks."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        words = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        super().__init__(folder, [*words, "--appendonly", "yes"], {"PATH": os.environ["PATH"]})
        until(self.answers, "Redis answers")

    def answers(self):
        import redis  # noqa: PLC0415 - it may be absent

        try:
            return redis.Redis.from_url(self.url).ping()
        except redis.exceptions.ConnectionError:
            return False

    def restart(self):
        """Ended as by its host, and started again with what it wrote to disk."""
        self.end()
        self.start()
        until(self.answers, "Redis answers again")


class Store(Process):
    """An S3 server in a process of its own, whose bucket keeps every version of an object."""

    def __init__(self, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}
        words = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", port]
        super().__init__(folder, words, {"PATH": os.environ["PATH"], **CREDENTIALS})
        until(self._answers, f"the store answers: {self.tail()}")
        self._client = self._connected()
        self._client.create_bucket(Bucket=BUCKET)
        self._client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def _answers(self):
        try:
            urlopen(Request(f"{self.url}/moto-api/data.json"), timeout=5).close()  # noqa: S310 - http, ours
        except OSError:
            return False
        return True

    def _connected(self):
        import boto3  # noqa: PLC0415 - it comes with moto

        names = {"aws_access_key_id": "mine", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, **names)

    def count(self, prefix):
        """How many objects have this prefix: a small answer, for those who ask often."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sum(page["KeyCount"] for page in pages)

    def objects(self):
        """The content of each object."""
        keys = [version["Key"] for version in self._versions() if version["IsLatest"]]
        return {key: self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def versions(self):
        """The ETags of each object, of all that were ever written."""
        found = {}
        for version in self._versions():
            found.setdefault(version["Key"], []).append(version["ETag"])
        return found

    def _versions(self):
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        return [version for page in pages for version in page.get("Versions", ())]

    @contextmanager
    def frozen(self):
        """It answers nothing while the block lasts, and everything afterwards."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)
