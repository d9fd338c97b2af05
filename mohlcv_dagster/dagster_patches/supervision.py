"""How the processes of `mohlcv up` watch each other: one that dies is started again, and none outlives its parent."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

FIRST: Final = 1.0
LONGEST: Final = 60.0
LASTED: Final = 300.0
"""Seconds after which a process that dies is taken for one that worked, and is started again as soon as the first."""
_LOOK_EVERY: Final = 0.5
_ENDS_WITHIN: Final = 60.0


class Restarts:
    """How long to wait before a process that died is started again: 1, 2, 4 … 60 seconds.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._deaths = 0

    def died(self) -> float:
        """The seconds to wait after this death; the process is taken to begin once they are over."""
        now = self._clock()
        self._deaths = 1 if now - self._begun > LASTED else self._deaths + 1
        delay: float = min(FIRST * 2 ** (self._deaths - 1), LONGEST)
        self._begun = now + delay
        return delay


def ending(code: int) -> str:
    """How a process ended, for a message: `with status 1`, `by signal 9`."""
    return f"with status {code}" if code >= 0 else f"by signal {-code}"


def end_with(parent: int) -> None:
    """Have this process interrupted, as by Ctrl-C, once the process `parent` that started it is gone.

    A process whose parent was killed gets another parent, on every Unix. On Windows it does not, and nothing is done.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(_ENDS_WITHIN)
        os.kill(os.getpid(), signal.SIGKILL)

    if os.name == "posix":
        threading.Thread(target=watch, name="watch of the parent", daemon=True).start()
