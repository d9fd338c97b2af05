"""When a request is repeated, and how long it may take. Time is passed in as a `Clock`.

Waits are exponential with full jitter: after the first try a random part of `first_wait`, after each further one one
of twice as much, at most `longest_wait`. Where the vendor names a time (`Retry-After`), that is waited instead, and
up to half a second more, so that threads do not return at the same moment. `VendorUnavailableError` and
`IncompletePageError` are retried, other errors are not. A month that fails in spite of it is tried again by the run
(`defs.partition_loop`).
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from mohlcv_dagster.errors import (
    DeadlineError,
    IncompletePageError,
    RateLimitError,
    VendorError,
    VendorUnavailableError,
)
from mohlcv_dagster.formatting import quantity

if TYPE_CHECKING:
    from mohlcv_dagster.providers.massive.rate_limits import RateLimit

T = TypeVar("T")

_LONGEST_EXPONENT: Final = 16
_SLICE: Final = 0.25
"""Seconds slept in one piece: how late a cancellation is noticed at most."""


class FetchCancelledError(Exception):
    """The fetch that this request belonged to has ended. Never raised out of this package."""


class CancelToken(threading.Event):
    """Set once, when the month is no longer needed; ends the requests under way."""

    def __init__(self) -> None:
        super().__init__()
        self._actions: set[Callable[[], None]] = set()

    def set(self) -> None:
        """Cancel: call what was registered with `on_cancel`."""
        super().set()
        for action in tuple(self._actions):
            action()

    @contextmanager
    def on_cancel(self, action: Callable[[], None]) -> Iterator[None]:
        """Call `action` on cancellation within the block, in the cancelling thread; at once if already cancelled."""
        self._actions.add(action)
        if self.is_set():  # looked at after the line above, so that no cancellation falls in between
            action()
        try:
            yield
        finally:
            self._actions.discard(action)


@dataclass
class Deadline:
    """What one attempt may take, and what it took.

    Attributes:
        until: the monotonic moment it is cut off.
        cancel: set when its result is no longer needed.
        received: bytes received over the network.
        left: seconds until `until`, as last looked at.
    """

    until: float
    cancel: CancelToken
    received: int = 0
    left: float = 0.0


_deadline: ContextVar[Deadline] = ContextVar("_deadline")


@contextmanager
def under(deadline: Deadline) -> Iterator[None]:
    """Apply `deadline` to the requests of this thread; the client in between cannot pass it on."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def current_deadline() -> Deadline:
    """The deadline of this thread's request."""
    return _deadline.get()


@dataclass(frozen=True)
class Clock:
    """Time and random numbers, passed in so that tests never wait.

    Attributes:
        now: the present moment, aware, UTC.
        monotonic: seconds from any origin, never going back.
        sleep: waits so many seconds.
        random: a number in [0, 1).
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def pause(self, seconds: float, cancel: threading.Event) -> None:
        """Wait `seconds`.

        Raises:
            FetchCancelledError: `cancel` is set, or was meanwhile.
        """
        until = self.monotonic() + seconds
        while not cancel.is_set():
            left = until - self.monotonic()
            if left <= 0:
                return
            self.sleep(min(left, _SLICE))
        raise FetchCancelledError


@dataclass
class RequestStats:
    """Counters that threads share; `reference_ids` are the request ids of answers about listings and splits."""

    attempts: int = 0
    pages: int = 0
    bytes: int = 0
    rate_limited: int = 0
    reference_ids: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, attempts: int = 0, pages: int = 0, received: int = 0, rate_limited: int = 0) -> None:
        """Count requests sent, pages requested (however many attempts each takes), bytes received, answers 429."""
        with self._lock:
            self.attempts += attempts
            self.pages += pages
            self.bytes += received
            self.rate_limited += rate_limited


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try. Seconds throughout.

    Attributes:
        attempt_seconds: one attempt, from the first byte sent to the last received.
        request_seconds: one page with all its attempts and waits between them.
        month_seconds: one month with all its pages, waiting for `MASSIVE_REQUESTS_PER_MINUTE` aside.
        tries: attempts for one page while the vendor is unreachable or failing.
        page_tries: attempts for one page that keeps failing its checks.
        first_wait: the longest wait before the second attempt.
        longest_wait: the longest wait before any, unless the vendor names its own.

    A rate limit has no number of tries: limits are counted by the minute, so it is retried until `request_seconds`.
    """

    attempt_seconds: float = 60.0
    request_seconds: float = 240.0
    month_seconds: float = 1800.0
    tries: int = 8
    page_tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0


def best_effort(policy: RetryPolicy) -> RetryPolicy:
    """`policy` for what a month can do without: three tries, a minute and a half for all documents."""
    return replace(
        policy,
        attempt_seconds=min(policy.attempt_seconds, 20.0),
        request_seconds=min(policy.request_seconds, 45.0),
        month_seconds=min(policy.month_seconds, 90.0),
        tries=min(policy.tries, 3),
        page_tries=min(policy.page_tries, 2),
    )


class QueuedTime:
    """How long at least one thread of a month waited until it might send: others may have the first turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._since = self._seconds = 0.0

    @contextmanager
    def waiting(self, clock: Clock) -> Iterator[None]:
        """Count the block as waiting."""
        with self._lock:
            if not self._waiting:
                self._since = clock.monotonic()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._seconds += clock.monotonic() - self._since

    def seconds(self, now: float) -> float:
        """The seconds up to `now`, monotonic."""
        with self._lock:
            return self._seconds + (now - self._since if self._waiting else 0.0)


@dataclass(frozen=True)
class Retrying:
    """Repeats requests under a policy, until the month's time is over.

    Attributes:
        policy: how often and how long.
        clock: gives the time, waits, draws random numbers.
        until: the monotonic moment the month's time is over.
        cancel: set when the month is no longer needed.
        wait_turn: waits until a request may be sent; this time counts against no page, and not against the month.
        hold: lets no other request be sent for so many seconds, as the vendor asked.
        queued: the time that the month waited for its turns.
    """

    policy: RetryPolicy
    clock: Clock
    until: float
    cancel: CancelToken
    wait_turn: Callable[[], None] = lambda: None
    hold: Callable[[float], None] = lambda _: None
    queued: QueuedTime = field(default_factory=QueuedTime)

    @classmethod
    def starting_now(cls, policy: RetryPolicy, clock: Clock, limit: "RateLimit | None") -> "Retrying":
        """For a month that begins now; `limit` is that of requests a minute, `None` for none."""
        cancel = CancelToken()
        until = clock.monotonic() + policy.month_seconds
        if limit is None:
            return cls(policy, clock, until, cancel)

        def wait_turn() -> None:
            while wait := limit.reserve(clock.monotonic()):
                clock.pause(wait, cancel)
                if not limit.held(clock.monotonic()):
                    return

        return cls(policy, clock, until, cancel, wait_turn, lambda seconds: limit.hold(seconds, clock.monotonic()))

    def call(self, attempt: Callable[[float], T]) -> T:
        """What `attempt` returns, repeated while it fails with a transient error.

        Args:
            attempt: given the monotonic moment it must end by.

        Raises:
            VendorError: a permanent error at once; the last transient one when tries or time are used up.
            FetchCancelledError: `cancel` was set.
        """
        began, queued, tries = self.clock.monotonic(), 0.0, 0
        while True:
            queued += self._queue()
            tries += 1
            until = min(began + queued + self.policy.request_seconds, self._month_ends())
            try:
                return attempt(min(self.clock.monotonic() + self.policy.attempt_seconds, until))
            except (VendorUnavailableError, IncompletePageError) as error:
                wait = self._wait(error, tries)
                if self._used_up(error, tries) or self.clock.monotonic() + wait >= until:
                    raise _given_up(error, tries, self.clock.monotonic() - began - queued) from error
                if isinstance(error, RateLimitError) and error.retry_after is not None:
                    self.hold(error.retry_after)
            self.clock.pause(wait, self.cancel)

    def _queue(self) -> float:
        """Wait until a request may be sent; the seconds it took."""
        before = self.clock.monotonic()
        with self.queued.waiting(self.clock):
            self.wait_turn()
        now = self.clock.monotonic()
        if now >= self._month_ends():
            raise DeadlineError(
                f"the month was not complete after {self.policy.month_seconds:.0f} s; nothing was stored. "
                "Try again later"
            )
        return now - before

    def _month_ends(self) -> float:
        return self.until + self.queued.seconds(self.clock.monotonic())

    def _used_up(self, error: VendorError, tries: int) -> bool:
        if isinstance(error, RateLimitError):
            return False
        return tries >= (self.policy.page_tries if isinstance(error, IncompletePageError) else self.policy.tries)

    def _wait(self, error: VendorError, tries: int) -> float:
        retry_after = error.retry_after if isinstance(error, VendorUnavailableError) else None
        if retry_after is not None:
            return retry_after + self.policy.first_wait * self.clock.random()
        exponent = min(tries - 1, _LONGEST_EXPONENT)
        return self.clock.random() * min(self.policy.longest_wait, self.policy.first_wait * 2.0**exponent)


def _given_up(error: VendorError, tries: int, seconds: float) -> VendorError:
    """The same error, with how often and how long it was tried."""
    retry_after = getattr(error, "retry_after", None)
    demand = f"; the vendor asks to wait {retry_after:.6g} s" if retry_after is not None else ""
    message = f"{error} (tried {quantity(tries, 'time')} in {seconds:.0f} s{demand})"
    more = {"retry_after": retry_after} if isinstance(error, VendorUnavailableError) else {}
    return type(error)(message, request_id=error.request_id, status=error.status, **more)
