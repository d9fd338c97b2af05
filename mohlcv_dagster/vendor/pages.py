"""What is asked of one page, what a page holds, and when it is whole. JSON is read in `decoder`, not here.

A page is believed when all of this holds (the vendor's own client checks none of it and ends in silence):

- `status` is `OK` or `DELAYED` (a plan with delayed data answers the latter; both are good);
- `resultsCount`, and `count` where given, equal the number of rows; no rows may be written as `results` absent or null;
- `ticker` is the one asked for, letter by letter; only a page without rows may leave it out;
- `adjusted` is as asked, also on a page without rows;
- each row has a time, four prices and a volume, all finite numbers;
- times lie inside the request, on whole bars, and rise strictly;
- a page that names a next one has rows: the chain goes on behind its last bar, so without one it would not advance.
  (A *last* page without rows names no next one and is fine.)

What a page says of itself is proven here, its numbers and times, which are arrays, in `page_rows`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.errors import PageNotWholeError
from mohlcv_dagster.vendor.windows import Timespan, Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mohlcv_dagster.bars.schema import Floats

DELAYED: Final = "DELAYED"
_GOOD: Final = ("OK", DELAYED)


@dataclass(frozen=True)
class PageRequest:
    """One page as it is asked for.

    Attributes:
        symbol: case kept.
        timespan: the length of a bar.
        window: the first bar to the last millisecond, both inclusive.
        adjusted: whether prices and volumes are to be adjusted for splits.
    """

    symbol: str
    timespan: Timespan
    window: Window
    adjusted: bool

    def __str__(self) -> str:
        return f"{self.symbol} {self.timespan.name} bars {self.window}"


@dataclass(frozen=True)
class Envelope:
    """What a page says of itself; `None` where it does not say.

    Attributes:
        rows: `len(results)`; zero where `results` is absent or null.
        following: whether `next_url` was there. Its host and cursor are not believed, so it is not kept.
    """

    ticker: str | None
    status: str | None
    results_count: int | None
    count: int | None
    adjusted: bool | None
    request_id: str | None
    following: bool
    rows: int


@dataclass(frozen=True)
class Page:
    """A page proven whole.

    Attributes:
        starts: Unix milliseconds of each bar's start, strictly rising.
        numbers: open, high, low, close (US dollars) and volume (shares) by name, each as long as `starts`.
        request_id: the vendor's mark; `None` where it gave none.
        delayed: the status was `DELAYED`.
        following: the vendor says there is more behind the last bar.
    """

    starts: "npt.NDArray[np.int64]"
    numbers: "dict[str, Floats]"
    request_id: str | None
    delayed: bool
    following: bool

    @property
    def rows(self) -> int:
        """How many bars."""
        return len(self.starts)


def not_whole(request: PageRequest, reason: str, request_id: str | None = None) -> PageNotWholeError:
    """The error for a page that failed its proof, saying where and why."""
    mark = f" (request_id {request_id})" if request_id else ""
    else_ask = "give the request_id to the vendor's support" if request_id else "check what answers at MASSIVE_BASE_URL"
    return PageNotWholeError(
        f"the page for {request} is not whole: {reason}{mark}; nothing was stored. Try again later; "
        f"if it stays so, {else_ask}",
        request_id=request_id,
        status=200,
    )


def prove_envelope(envelope: Envelope, request: PageRequest) -> None:
    """Prove what the page says of itself against what was asked and what it holds.

    Raises:
        PageNotWholeError: a statement is missing or wrong.
    """
    reason = _status_fault(envelope) or _count_fault(envelope) or _identity_fault(envelope, request)
    if reason:
        raise not_whole(request, reason, envelope.request_id)


def _status_fault(envelope: Envelope) -> str | None:
    if envelope.status in _GOOD:
        return None
    return f"expected status {' or '.join(_GOOD)}, was {envelope.status!r}"


def _count_fault(envelope: Envelope) -> str | None:
    if envelope.results_count != envelope.rows:
        return f"expected as many rows as resultsCount {envelope.results_count} says, were {envelope.rows}"
    if envelope.count is not None and envelope.count != envelope.rows:
        return f"expected as many rows as count {envelope.count} says, were {envelope.rows}"
    if envelope.following and not envelope.rows:
        return "it names a next page but has no rows to go on from"
    return None


def _identity_fault(envelope: Envelope, request: PageRequest) -> str | None:
    absent = envelope.ticker is None and not envelope.rows
    if envelope.ticker != request.symbol and not absent:
        return f"expected ticker {request.symbol!r}, was {envelope.ticker!r}"
    if envelope.adjusted is not request.adjusted:
        return f"expected adjusted {request.adjusted}, was {envelope.adjusted}"
    return None
