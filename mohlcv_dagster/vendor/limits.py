"""The client's own limit of requests a minute, shared by all threads of the process. The vendor's own is not known.

One ledger stands for one base URL, so that all vendors made for it (a run may make one a step) count together.
Other processes are not seen: under several, divide the limit among them.
"""

import bisect
import threading
from typing import Final

MINUTE: Final = 60.0


class Ledger:
    """When requests left, or may leave, within the last minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moments: list[float] = []

    def reserve(self, per_minute: int, now: float) -> float:
        """Book the next free moment for one request and say how many seconds it is away, zero for at once.

        Args:
            per_minute: how many requests may leave in any 60 seconds, at least 1.
            now: monotonic seconds.
        """
        with self._lock:
            while self._moments and self._moments[0] <= now - MINUTE:
                self._moments.pop(0)
            full = len(self._moments) >= per_minute
            moment = max(now, self._moments[-per_minute] + MINUTE) if full else now
            bisect.insort(self._moments, moment)
            return moment - now


_ledgers: dict[str, Ledger] = {}
_ledgers_lock = threading.Lock()


def ledger_of(base_url: str) -> Ledger:
    """The process's ledger for a base URL."""
    with _ledgers_lock:
        return _ledgers.setdefault(base_url, Ledger())
