"""Time and chance as the vendor boundary sees them: passed in, so that tests never wait. No policy here."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_SLICE: Final = 0.25
"""Seconds slept in one piece: how late a stop is noticed at most."""


class StoppedError(Exception):
    """The fetch this belonged to has ended already. Never leaves `vendor/`."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """What tells the time, waits and draws lots.

    Attributes:
        now: the present moment, aware, UTC.
        monotonic: seconds from any origin, never going back.
        sleep: waits so many seconds.
        random: a number in [0, 1).
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def pause(self, seconds: float, stop: threading.Event) -> None:
        """Wait `seconds`, or until `stop` is set.

        Raises:
            StoppedError: `stop` was set.
        """
        until = self.monotonic() + seconds
        while not stop.is_set():
            left = until - self.monotonic()
            if left <= 0:
                return
            self.sleep(min(left, _SLICE))
        raise StoppedError
