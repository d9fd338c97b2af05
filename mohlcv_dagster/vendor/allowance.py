"""What one attempt at a page may take, and what it took. Who keeps to it is `transport`, who sets it `month`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Allowance:
    """What one attempt may take, and what it took.

    Attributes:
        until: the monotonic moment it is cut off.
        stop: set when nobody waits for it any more.
        received: bytes that came over the wire.
    """

    until: float
    stop: threading.Event
    received: int = 0


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
