"""The sandbox in a process of its own: started, warmed, told its latency, asked for its CPU, ended.

As a command (`python -m benchmarks.served SIZE VOLUME`) it is that process: it says its URL, then obeys line by line.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.case import Case

_ROOM: Final = 8 * 2**30
"""Bytes each shelf of the sandbox may take here: twelve months stay encoded, so that no request waits for its rows."""


class Served:
    """A running sandbox of generated bars; a context manager.

    Args:
        size: a name in `months.BARS_A_SESSION`.
        volume: `int` or `fractional`.
    """

    def __init__(self, size: str, volume: str) -> None:
        words = [sys.executable, "-m", "benchmarks.served", size, volume]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.url: str = self._answer()["url"]

    def delay(self, seconds: float) -> None:
        """Let each request from now on wait so long before it is answered."""
        self._tell(json.dumps({"latency": seconds}))

    def warm(self, symbol: str, months: tuple[str, ...]) -> None:
        """Make the pages of these months, as every way asks for them, and keep them packed."""
        self._tell(json.dumps({"symbol": symbol, "months": months}))

    @property
    def cpu(self) -> float:
        """Seconds of CPU the process has used, user and system, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()  # the end of its orders ends it
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            print(line, file=self._process.stdin, flush=True)
            self._answer()

    def _answer(self) -> dict[str, str]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"the sandbox ended with {self._process.wait()}; its message stands above")
        told: dict[str, str] = json.loads(line)
        return told


def _serve(size: str, volume: str) -> None:
    from benchmarks.months import Generated  # noqa: PLC0415 - the parent process loads nothing heavy
    from mohlcv_dagster.sandbox import Sandbox, delivery, ledger  # noqa: PLC0415 - as above

    ledger._ROOM = delivery._ROOM = _ROOM  # type: ignore[misc]  # noqa: SLF001 - no setting for it
    with Sandbox(Generated(size, volume)) as sandbox:
        print(json.dumps({"url": sandbox.url}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            if "latency" in order:
                sandbox._latency = order["latency"]  # noqa: SLF001 - fixed for a sandbox, changed between stages here
            else:
                _warm(sandbox.url, order["symbol"], order["months"])
            sandbox.requests.clear()
            print("{}", flush=True)


def _warm(url: str, symbol: str, months: list[str]) -> None:
    from benchmarks.ways import floor, ours, vectorised  # noqa: PLC0415 - as in _serve

    for month in months:
        for way in (floor, vectorised):
            way.drain(url, symbol, month)
        ours.fetch(Case(url, symbol, (month,), ""))


if __name__ == "__main__":
    _serve(*sys.argv[1:])
