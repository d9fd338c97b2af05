"""The vendor's side of a run without its waits: real requests, skipped sleeps. What is asked of it is `fault_lab`'s."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from mohlcv_dagster.defs.resources import ProviderResource
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import Clock, RetryPolicy
from mohlcv_dagster.settings import API_KEY, Settings

KEY = "pk-Never5how-Th1s"

_TODAY = datetime(2026, 11, 23, tzinfo=UTC)


class SkippedTime:
    """Real time in which nobody waits: a sleep is over at once, and has passed for the thread that slept."""

    def __init__(self) -> None:
        self._own = threading.local()
        self.clock = Clock(now=lambda: _TODAY, monotonic=self.monotonic, sleep=self.sleep, random=lambda: 0.5)

    def monotonic(self) -> float:
        return time.monotonic() + getattr(self._own, "slept", 0.0)

    def sleep(self, seconds: float) -> None:
        self._own.slept = getattr(self._own, "slept", 0.0) + seconds


TIME = SkippedTime()


class ImpatientMassive(ProviderResource):
    """The vendor of the resource, on skipped time, each window asked for by itself; an empty key stands for none."""

    adjusted: bool = False
    concurrency: int = 8
    requests_per_minute: int | None = None
    api_key: str = KEY
    attempt_seconds: float = 60.0
    tries: int = 8

    def create_provider(self) -> MassiveProvider:
        return MassiveProvider(
            api_key=Settings.from_environment({API_KEY.variable: self.api_key}).require_key(),
            base_url=self.base_url,
            adjusted=self.adjusted,
            concurrency=self.concurrency,
            retry=RetryPolicy(attempt_seconds=self.attempt_seconds, tries=self.tries),
            clock=TIME.clock,
            fill=1,
        )


@dataclass(frozen=True)
class Vendor:
    """How the vendor is asked in one run.

    Attributes:
        url: where; `None` for the lab's sandbox.
        key: empty for none.
        attempt_seconds: as in `RetryPolicy`.
        tries: as in `RetryPolicy`.
        concurrency: requests in flight.
    """

    url: str | None = None
    key: str = KEY
    attempt_seconds: float = 60.0
    tries: int = 8
    concurrency: int = 8
