"""A bounded memory of what was made: the least recently used goes first. It knows nothing of what it keeps."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Things made once and kept while there is room; safe to share between threads.

    Args:
        room: the most that is kept, in bytes; the newest thing is kept even if it alone is larger.
        size: the bytes a thing takes.
    """

    def __init__(self, room: int, size: Callable[[T], int]) -> None:
        self._room = room
        self._size = size
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._taken = 0
        self._lock = Lock()
        self._making = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under `key`, made first where it is not there; one thing is made at a time."""
        found = self._find(key)
        if found is not None:
            return found
        with self._making:
            found = self._find(key)
            return self._keep(key, make()) if found is None else found

    def _find(self, key: Hashable) -> T | None:
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
            return self._things.get(key)

    def _keep(self, key: Hashable, thing: T) -> T:
        with self._lock:
            self._things[key] = thing
            self._taken += self._size(thing)
            while self._taken > self._room and len(self._things) > 1:
                self._taken -= self._size(self._things.popitem(last=False)[1])
        return thing
