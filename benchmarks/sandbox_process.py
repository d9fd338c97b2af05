"""The sandbox in a process of its own, whose caches can be filled, latency set and CPU measured.

The command `python -m benchmarks.sandbox_process SIZE VOLUME` is that process: it prints its URL, then executes the
commands that it reads, a line of JSON each.
"""

import json
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

from benchmarks.case import Case
from benchmarks.trials import own_cpu_of

_CACHE_BYTES: Final = 8 * 2**30
"""For each cache of the sandbox: twelve months stay encoded, so that no request waits for its rows."""


class SandboxProcess:
    """A running sandbox of generated bars; a context manager.

    Args:
        size: a name in `generated_market.BARS_A_SESSION`.
        volume: `int` or `fractional`.
    """

    def __init__(self, size: str, volume: str) -> None:
        words = [sys.executable, "-m", "benchmarks.sandbox_process", size, volume]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.url: str = self._receive()["url"]

    def delay(self, seconds: float) -> None:
        """Delay each answer from now on."""
        self._send(json.dumps({"latency": seconds}))

    def warm(self, symbol: str, months: tuple[str, ...]) -> None:
        """Cache the pages of these months, as every way asks for them."""
        self._send(json.dumps({"symbol": symbol, "months": months}))

    @property
    def cpu(self) -> float:
        """Seconds of CPU the process has used, user and system, all threads."""
        return own_cpu_of(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()  # the end of its input ends it
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, line: str) -> None:
        if self._process.stdin is not None:
            print(line, file=self._process.stdin, flush=True)
            self._receive()

    def _receive(self) -> dict[str, str]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"the sandbox ended with {self._process.wait()}; its message is above")
        answer: dict[str, str] = json.loads(line)
        return answer


def _serve(size: str, volume: str) -> None:
    from benchmarks.generated_market import GeneratedMarket  # noqa: PLC0415 - the parent process loads nothing heavy
    from mohlcv_dagster.sandbox import Sandbox, pages, responses  # noqa: PLC0415 - as above

    pages._CACHE_BYTES = responses._CACHE_BYTES = _CACHE_BYTES  # type: ignore[misc]  # noqa: SLF001 - no setting for it
    with Sandbox(GeneratedMarket(size, volume)) as sandbox:
        print(json.dumps({"url": sandbox.url}), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            if "latency" in command:
                sandbox._latency = command["latency"]  # noqa: SLF001 - fixed for a sandbox, changed between stages here
            else:
                _warm(sandbox.url, command["symbol"], command["months"])
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
