"""What one attempt at a page may take, and what ends it early. Who keeps to it is `transport`, who sets it `month`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class Stop(threading.Event):
    """Set once, when nobody waits for the month any more; cuts off what is under way."""

    def __init__(self) -> None:
        super().__init__()
        self._cuts: set[Callable[[], None]] = set()

    def set(self) -> None:
        """Stop, and cut off every attempt under way."""
        super().set()
        for cut in tuple(self._cuts):
            cut()

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """`cut` is called if there is a stop meanwhile, from the thread that stops, or if there was one before."""
        self._cuts.add(cut)
        if self.is_set():  # looked at after the line above, so that no stop falls in between
            cut()
        try:
            yield
        finally:
            self._cuts.discard(cut)


@dataclass
class Allowance:
    """What one attempt may take, and what it took.

    Attributes:
        until: the monotonic moment it is cut off.
        stop: set when nobody waits for it any more.
        received: bytes that came over the wire.
        left: seconds until `until`, as last looked at.
    """

    until: float
    stop: Stop
    received: int = 0
    left: float = 0.0


_allowance: ContextVar[Allowance] = ContextVar("_allowance")


@contextmanager
def within(allowance: Allowance) -> Iterator[None]:
    """Requests of this thread fall under `allowance` meanwhile; the client in between has no way to hand it on."""
    token = _allowance.set(allowance)
    try:
        yield
    finally:
        _allowance.reset(token)


def granted() -> Allowance:
    """The allowance this thread's request falls under."""
    return _allowance.get()
