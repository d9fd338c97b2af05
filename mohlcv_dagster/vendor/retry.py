"""When to ask again, how long to wait before, and when to give up. Which errors are transient, their type says.

Waits are exponential with full jitter: a random part of `first_wait * 2 ** tries`, at most `longest_wait`. Where the
vendor names a time (`Retry-After`), that is waited instead, and a little more so that threads do not return as one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from mohlcv_dagster.errors import DeadlineError, PageNotWholeError, RateLimitError, VendorError, VendorUnavailableError
from mohlcv_dagster.vendor.allowance import Stop
from mohlcv_dagster.vendor.clock import Clock

T = TypeVar("T")

_LONGEST_EXPONENT: Final = 16


@dataclass(frozen=True)
class RetryPolicy:
    """How stubborn to be. Seconds throughout.

    Attributes:
        attempt_seconds: one attempt, from the first byte sent to the last received.
        request_seconds: one page with all its attempts and waits between them.
        month_seconds: one month with all its pages, waiting for `MASSIVE_REQUESTS_PER_MINUTE` aside.
        tries: attempts for one page while the vendor is unreachable or failing.
        page_tries: attempts for one page that keeps failing its proof.
        first_wait: the longest wait before the second attempt.
        longest_wait: the longest wait before any, unless the vendor names its own.

    A rate limit has no number of tries: limits are counted by the minute, so it is outlasted until `request_seconds`.
    """

    attempt_seconds: float = 60.0
    request_seconds: float = 240.0
    month_seconds: float = 1800.0
    tries: int = 8
    page_tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0


def _at_once() -> None:
    """Requests may leave at any time."""


@dataclass(frozen=True)
class Persistence:
    """Asking again under a policy, until the month's time is over.

    Attributes:
        policy: how stubborn to be.
        clock: tells the time, waits, draws lots.
        until: the monotonic moment the month's time is over.
        stop: set when nobody waits for the month any more.
        enter: waits until a request may leave; its time is nobody's fault and counts against no page.
    """

    policy: RetryPolicy
    clock: Clock
    until: float
    stop: Stop
    enter: Callable[[], None] = _at_once

    def ask(self, attempt: Callable[[float], T]) -> T:
        """What `attempt` gives, asked again while it fails for a while only.

        Args:
            attempt: told the monotonic moment it must end by.

        Raises:
            VendorError: a permanent error at once; the last transient one when tries or time are used up.
            StoppedError: `stop` was set.
        """
        began, queued, tries = self.clock.monotonic(), 0.0, 0
        while True:
            queued += self._queue()
            tries += 1
            until = min(began + queued + self.policy.request_seconds, self.until)
            try:
                return attempt(min(self.clock.monotonic() + self.policy.attempt_seconds, until))
            except (VendorUnavailableError, PageNotWholeError) as error:
                wait = self._wait(error, tries)
                if self._used_up(error, tries) or self.clock.monotonic() + wait >= until:
                    raise _given_up(error, tries, self.clock.monotonic() - began - queued) from error
            self.clock.pause(wait, self.stop)

    def _queue(self) -> float:
        """Wait until a request may leave; the seconds it took."""
        before = self.clock.monotonic()
        self.enter()
        now = self.clock.monotonic()
        if now >= self.until:
            raise DeadlineError(
                f"the month was not complete after {self.policy.month_seconds:.0f} s; nothing was stored. "
                "Try again later"
            )
        return now - before

    def _used_up(self, error: VendorError, tries: int) -> bool:
        if isinstance(error, RateLimitError):
            return False
        return tries >= (self.policy.page_tries if isinstance(error, PageNotWholeError) else self.policy.tries)

    def _wait(self, error: VendorError, tries: int) -> float:
        asked = error.retry_after if isinstance(error, VendorUnavailableError) else None
        if asked is not None:
            return asked + self.policy.first_wait * self.clock.random()
        exponent = min(tries - 1, _LONGEST_EXPONENT)
        return self.clock.random() * min(self.policy.longest_wait, self.policy.first_wait * 2.0**exponent)


def _given_up(error: VendorError, tries: int, seconds: float) -> VendorError:
    """The same error, saying how often and how long it was tried."""
    asked = getattr(error, "retry_after", None)
    demand = f"; the vendor asks to wait {asked:.0f} s" if asked is not None else ""
    message = f"{error} (tried {tries} times in {seconds:.0f} s{demand})"
    more = {"retry_after": asked} if isinstance(error, VendorUnavailableError) else {}
    return type(error)(message, request_id=error.request_id, status=error.status, **more)
