"""What a source of bars must give to be served, and the cache that markets and pages keep their days in."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from datetime import date
from threading import Lock
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from mohlcv_dagster.model.timeframes import Timeframe

T = TypeVar("T")


class Market(Protocol):
    """A source of bars, asked by Eastern calendar day: `[00:00, 24:00)` Eastern. Safe to share between threads."""

    def days(self, symbol: str, first: date, last: date) -> Iterable[date]:
        """The days from `first` to `last`, both inclusive, that may have bars; rising. None for an unknown symbol."""
        ...

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:
        """A day's bars, rising; no rows where nothing traded.

        Args:
            symbol: case matters.
            day: one that `days` gave.
            timeframe: one second, minute or hour.
            adjusted: whether prices and volumes are restated for later splits.
        """
        ...


class LruCache(Generic[T]):
    """A cache bounded by bytes; the least recently used value goes first. Safe to share between threads.

    Args:
        max_bytes: the most that is kept; the newest value is kept even if it alone is larger.
        size: the bytes a value takes.
    """

    def __init__(self, max_bytes: int, size: Callable[[T], int]) -> None:
        self._max_bytes = max_bytes
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self._making = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made first where it is not cached; one value is made at a time."""
        found = self._find(key)
        if found is not None:
            return found
        with self._making:
            found = self._find(key)
            return self._keep(key, make()) if found is None else found

    def _find(self, key: Hashable) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def _keep(self, key: Hashable, value: T) -> T:
        with self._lock:
            self._values[key] = value
            self._bytes += self._size(value)
            while self._bytes > self._max_bytes and len(self._values) > 1:
                self._bytes -= self._size(self._values.popitem(last=False)[1])
        return value
