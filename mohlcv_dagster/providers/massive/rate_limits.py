"""How many requests may be sent a minute: by the threads of this process, or by all processes that share a store.

A request books the next free moment and waits for it, so that each gets its turn in the order of asking, whichever
process it is in. When the vendor asks to wait, nothing that shares the limit is sent before that time is over.

A store that cannot be used does not end the work: this process goes on with the limit for itself alone, says so in its
log, and tries the store again half a minute later. Where every process does, together they may send more than the
limit; the vendor then answers 429, which is waited for.
"""

import bisect
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.formatting import without_credentials
from mohlcv_dagster.settings import LIMIT_STORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mohlcv_dagster.providers.massive.limit_stores import LimitStore

MINUTE: Final = 60.0
TRY_AGAIN: Final = 30.0
"""Seconds for which a store that could not be used is left alone."""

_log: Final = logging.getLogger(__name__)


class RateLimiter:
    """When requests were sent, or may be sent, within the last minute; for all threads of the process.

    Args:
        window: seconds that the limit is counted in.
    """

    def __init__(self, window: float = MINUTE) -> None:
        self.window = window
        self._lock = threading.Lock()
        self._moments: list[float] = []
        self._held_until = 0.0

    def reserve(self, per_minute: int, now: float) -> float:
        """Book the next free moment for one request; returns the seconds until then, zero for at once.

        Args:
            per_minute: how many requests may be sent in any window of 60 seconds, at least 1.
            now: monotonic seconds.
        """
        with self._lock:
            self._forget(now)
            full = len(self._moments) >= per_minute
            moment = max(now, self._moments[-per_minute] + self.window) if full else now
            moment = max(moment, self._held_until)
            bisect.insort(self._moments, moment)
            return moment - now

    def hold(self, seconds: float, now: float) -> None:
        """Let nothing be sent for so many seconds."""
        with self._lock:
            self._held_until = max(self._held_until, now + seconds)

    def held(self, now: float) -> bool:
        """Whether nothing may be sent now, also what has booked this moment: it books another one."""
        return now < self._held_until

    def _note(self, moment: float, now: float) -> None:
        with self._lock:
            self._forget(now)
            bisect.insort(self._moments, moment)

    def _forget(self, now: float) -> None:
        while self._moments and self._moments[0] <= now - self.window:
            self._moments.pop(0)


class SharedLimiter(RateLimiter):
    """The same for all processes that use a store; and for this one alone while the store cannot be used.

    Args:
        address: a file, or the URL of a store; see `MASSIVE_LIMIT_STORE`.
        name: what is limited: the vendor's base URL.
        window: seconds that the limit is counted in.
    """

    def __init__(self, address: str, name: str, window: float = MINUTE) -> None:
        super().__init__(window)
        self._address, self._name = address, name
        self._one_at_a_time = threading.Lock()  # one thread asks for its process, so that processes have equal chances
        self._store: LimitStore | None = None
        self._try_at = 0.0

    def reserve(self, per_minute: int, now: float) -> float:
        """As `RateLimiter.reserve`."""
        wait = self._ask(lambda store: store.book(per_minute), now)
        if wait is None:
            return super().reserve(per_minute, now)
        self._note(now + wait, now)
        return wait

    def hold(self, seconds: float, now: float) -> None:
        """As `RateLimiter.hold`."""
        super().hold(seconds, now)
        self._ask(lambda store: store.hold(seconds), now)

    def held(self, now: float) -> bool:
        """As `RateLimiter.held`."""
        return super().held(now) or bool(self._ask(lambda store: store.held_for(), now))

    def close(self) -> None:
        """End the connection to the store; the next request opens it again."""
        with self._one_at_a_time:
            self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _ask(self, question: "Callable[[LimitStore], float]", now: float) -> float | None:
        """The answer of the store; `None` if it cannot be used now."""
        from mohlcv_dagster.providers.massive import limit_stores  # noqa: PLC0415 - only where there is a limit

        with self._one_at_a_time:
            if now < self._try_at:
                return None
            for is_last in (self._store is None, True):  # a store that was open may have been restarted
                try:
                    if self._store is None:
                        self._store = limit_stores.open_store(self._address, self._name, self.window)
                    return question(self._store)
                except limit_stores.UnusableStoreError as error:
                    self._close()
                    if is_last:
                        self._try_at = now + TRY_AGAIN
                        _log.warning("%s", _unusable(self._address, error))
                        return None
        return None


def _unusable(address: str, error: Exception) -> str:
    return (
        f"the rate limit is not shared now: {LIMIT_STORE.variable}, {without_credentials(address)}, cannot be used "
        f"({error}); this process goes on with MASSIVE_REQUESTS_PER_MINUTE for itself and tries again in "
        f"{TRY_AGAIN:.0f} s: start the store, or correct the setting"
    )


@dataclass(frozen=True)
class RateLimit:
    """A limit of requests a minute, and what counts them.

    Attributes:
        per_minute: at least 1.
        limiter: shared by everything in this process that asks the same base URL.
    """

    per_minute: int
    limiter: RateLimiter

    @classmethod
    def of(cls, base_url: str, per_minute: int, store: str | None = None) -> "RateLimit":
        """The limit for a base URL.

        Args:
            base_url: the vendor's.
            per_minute: at least 1.
            store: a file or URL by which other processes share the limit; `None` where they do not.

        Raises:
            SettingsError: the package for such a store is not installed.
        """
        if store is not None:
            from mohlcv_dagster.providers.massive.limit_stores import require_package  # noqa: PLC0415 - as above

            require_package(store)
        return cls(per_minute, rate_limiter(base_url, store))

    def reserve(self, now: float) -> float:
        """As `RateLimiter.reserve`."""
        return self.limiter.reserve(self.per_minute, now)

    def hold(self, seconds: float, now: float) -> None:
        """As `RateLimiter.hold`."""
        self.limiter.hold(seconds, now)

    def held(self, now: float) -> bool:
        """As `RateLimiter.held`."""
        return self.limiter.held(now)


_limiters: dict[tuple[int, str, str | None], RateLimiter] = {}
"""By process too: a connection to a store must not be used, nor closed, by a process forked from the one it is of."""


def rate_limiter(base_url: str, store: str | None = None) -> RateLimiter:
    """The process's limiter for a base URL, so that all providers made for it count together."""
    made = RateLimiter(MINUTE) if store is None else SharedLimiter(store, base_url, MINUTE)
    return _limiters.setdefault((os.getpid(), base_url, store), made)  # atomic, so that threads get the same one
