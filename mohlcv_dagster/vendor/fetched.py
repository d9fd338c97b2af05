"""What a fetch gives back, and what it tells meanwhile. How it is done is in `massive`."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mohlcv_dagster.bars.listing import Emptiness
from mohlcv_dagster.bars.splits import KnownSplits

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Progress:
    """How far a fetch has come.

    Attributes:
        windows_done: windows answered whole.
        windows: windows of the month.
        bars: bars received so far.
        bytes: bytes received so far, as they came over the wire.
        requests: HTTP requests made so far, repeated ones included.
    """

    windows_done: int
    windows: int
    bars: int
    bytes: int
    requests: int


@dataclass(frozen=True)
class FetchedMonth:
    """The bars of a symbol in a month and how they were come by.

    Attributes:
        bars: a table as `bars.schema` describes, volume settled; without rows where all that was asked for
            was proven empty.
        requests: HTTP requests made, repeated ones included.
        retries: how many of them were repeated.
        seconds: the time it took.
        bytes: received over the wire, compressed where the vendor compressed.
        fetched_at: when the first request left, UTC.
        complete_through: exclusive end of what was asked, UTC: the month's end or the start of the bar still open.
        base_url: where it was asked, without the trailing slash.
        vendor: `massive.com`, or `stand-in at <base_url>` for any other host.
        adjusted: whether prices and volumes are adjusted for splits.
        request_ids: the vendor's marks of the pages, in order of time, then of what was asked beside; an answer without
            one is left out.
        plan_delayed: a page was marked `DELAYED`.
        empty: why there are no bars; `None` where there are.
        splits: the symbol's splits, asked for before adjusted bars; `None` with unadjusted ones.
    """

    bars: "pa.Table"
    requests: int
    retries: int
    seconds: float
    bytes: int
    fetched_at: datetime
    complete_through: datetime
    base_url: str
    vendor: str
    adjusted: bool
    request_ids: tuple[str, ...]
    plan_delayed: bool
    empty: Emptiness | None = None
    splits: KnownSplits | None = None


@dataclass
class Tally:
    """Counters that threads share; `beside` has the vendor's marks of what was asked beside bars."""

    attempts: int = 0
    pages: int = 0
    bytes: int = 0
    beside: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self) -> None:
        """A request leaves."""
        with self._lock:
            self.attempts += 1

    def page(self) -> None:
        """A page is asked for, however many attempts it takes."""
        with self._lock:
            self.pages += 1

    def received(self, size: int) -> None:
        """Bytes came."""
        with self._lock:
            self.bytes += size
