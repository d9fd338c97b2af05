"""What a page of bars holds, when it is complete, and verified pages merged into one table. `decoder` reads the JSON.

A page is accepted when all of this is true (the vendor's own client checks none of it and ends without an error):

- `status` is `OK` or `DELAYED` (a plan with delayed data answers the latter; both are good);
- `resultsCount`, and `count` where given, equal the number of rows; no rows may be written as `results` absent or null;
- `ticker` is the requested one, case included; only a page without rows may leave it out;
- `adjusted` is as requested, also on a page without rows;
- each row has a time, four prices and a volume, all finite numbers; its number of trades and their average price are
  optional;
- times lie inside the request, on the grid of bars, and rise strictly;
- a page that names a next one has rows: the next request starts after its last bar, so without rows it would not
  advance. (A *last* page without rows names no next one and is fine.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import trade_figures
from mohlcv_dagster.bars.bar_table import Floats, Seconds, empty, from_arrays, normalize_volume_dtype
from mohlcv_dagster.errors import ConflictingBarsError, IncompletePageError, PlanError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import PRICES, VOLUME
from mohlcv_dagster.providers.massive.paging import PageRequest

DELAYED: Final = "DELAYED"
GOOD: Final = ("OK", DELAYED)
_REFUSED: Final = "NOT_AUTHORIZED"
_NUMBERS: Final = (*PRICES, VOLUME)


@dataclass(frozen=True)
class Envelope:
    """The fields of a page apart from its rows; `None` where one is missing.

    Attributes:
        rows: `len(results)`; zero where `results` is absent or null.
        following: whether `next_url` was there. Its host and cursor are not used, so it is not kept.
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
    """A page verified to be complete.

    Attributes:
        starts: Unix milliseconds of each bar's start, strictly rising.
        numbers: open, high, low, close (US dollars) and volume (shares) by name, each as long as `starts`; and the
            `trade_figures`, NaN where the vendor did not give them.
        request_id: the vendor's; `None` where it gave none.
        delayed: whether the status was `DELAYED`.
        following: whether the vendor has more after the last bar.
    """

    starts: npt.NDArray[np.int64]
    numbers: dict[str, Floats]
    request_id: str | None
    delayed: bool
    following: bool

    @property
    def rows(self) -> int:
        """How many bars."""
        return len(self.starts)


def incomplete_page(request: PageRequest, reason: str, request_id: str | None = None) -> IncompletePageError:
    """The error for a page that failed its checks, with what was requested and the reason."""
    quoted = f" (request_id {request_id})" if request_id else ""
    advice = "give the request_id to the vendor's support" if request_id else "check what answers at MASSIVE_BASE_URL"
    return IncompletePageError(
        f"the page for {request} is not complete: {reason}{quoted}; nothing was stored. Try again later; "
        f"if that does not help, {advice}",
        request_id=request_id,
        status=200,
    )


def verify_envelope(envelope: Envelope, request: PageRequest, words: str | None = None) -> None:
    """Check the page's fields against the request and against its rows.

    Args:
        envelope: the fields.
        request: what was requested.
        words: what the vendor says where the status is not good.

    Raises:
        PlanError: the vendor refuses the bars, though with the status 200.
        IncompletePageError: a field is missing or wrong.
    """
    if envelope.status == _REFUSED:
        raise PlanError(f"the vendor answered 200: {words}", request_id=envelope.request_id, status=200)
    reason = _status_fault(envelope, words) or _count_fault(envelope) or _identity_fault(envelope, request)
    if reason:
        raise incomplete_page(request, reason, envelope.request_id)


def _status_fault(envelope: Envelope, words: str | None) -> str | None:
    if envelope.status in GOOD:
        return None
    return f"expected status {' or '.join(GOOD)}, was {envelope.status!r}{f': {words}' if words else ''}"


def _count_fault(envelope: Envelope) -> str | None:
    if envelope.results_count != envelope.rows:
        return f"resultsCount {envelope.results_count} does not match its {quantity(envelope.rows, 'row')}"
    if envelope.count is not None and envelope.count != envelope.rows:
        return f"count {envelope.count} does not match its {quantity(envelope.rows, 'row')}"
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


def verify_rows(page: Page, request: PageRequest) -> Page:
    """Check the rows and return the page: numbers finite, times in the request, on the grid, strictly rising.

    Raises:
        IncompletePageError: a number is not finite, or a time is outside the request, off the grid or out of order.
    """
    reason = _number_fault(page) or _time_fault(page, request)
    if reason:
        raise incomplete_page(request, reason, page.request_id)
    return page


def _number_fault(page: Page) -> str | None:
    for name in _NUMBERS:
        bad = np.flatnonzero(~np.isfinite(page.numbers[name]))
        if bad.size:
            return f"expected a number for {name}, was {page.numbers[name][bad[0]]} in row {bad[0]}"
    return None


def _time_fault(page: Page, request: PageRequest) -> str | None:
    starts, window, unit = page.starts, request.window, request.timespan.milliseconds
    faults = (
        (f"a time inside {window.start}..{window.last}", (starts < window.start) | (starts > window.last)),
        (f"a multiple of {unit} ms", starts % unit != 0),
        ("times to rise strictly", np.diff(starts, prepend=starts[:1] - 1) <= 0),
    )
    for expected, bad in faults:
        rows = np.flatnonzero(bad)
        if rows.size:
            return f"expected {expected}, was {starts[rows[0]]} in row {rows[0]}"
    return None


def merge(pages: Sequence[Page]) -> tuple[pa.Table, pa.Table]:
    """All bars of `pages` in order of time, each once, volume typed as the schema requires; and their trade figures.

    Args:
        pages: of one symbol and timespan, in any order; they may overlap.

    Raises:
        ConflictingBarsError: two pages give different bars for one moment.
    """
    pages = [page for page in pages if page.rows]
    if not pages:
        return empty(), trade_figures.unknown(0)
    if all(
        earlier.starts[-1] < later.starts[0] for earlier, later in pairwise(pages)
    ):  # the usual case: nothing is copied
        bars = pa.concat_tables([_bars(page.starts // 1000, page.numbers) for page in pages])
        return normalize_volume_dtype(bars), pa.concat_tables([_figures(page.numbers) for page in pages])
    starts = np.concatenate([page.starts for page in pages]) // 1000
    names = (*_NUMBERS, *trade_figures.NAMES)
    numbers = {name: np.concatenate([page.numbers[name] for page in pages]) for name in names}
    starts, numbers = _in_order(starts, numbers)
    return normalize_volume_dtype(_bars(starts, numbers)), _figures(numbers)


def _bars(starts: Seconds, numbers: dict[str, Floats]) -> pa.Table:
    return from_arrays(starts, {name: numbers[name] for name in PRICES}, numbers[VOLUME])


def _figures(numbers: dict[str, Floats]) -> pa.Table:
    return trade_figures.of(*(numbers[name] for name in trade_figures.NAMES))


def _in_order(starts: Seconds, numbers: dict[str, Floats]) -> tuple[Seconds, dict[str, Floats]]:
    """The rows in order of time without duplicates."""
    order = np.argsort(starts, kind="stable")
    starts, numbers = starts[order], {name: column[order] for name, column in numbers.items()}
    again = np.diff(starts, prepend=starts[0] - 1) == 0
    for row in np.flatnonzero(again):
        earlier, later = ({name: float(numbers[name][at]) for name in _NUMBERS} for at in (row - 1, row))
        if earlier != later:
            moment = datetime.fromtimestamp(int(starts[row]), UTC)
            raise ConflictingBarsError(
                f"two answers of the vendor differ for {moment:%Y-%m-%d %H:%M:%S} UTC: {earlier} and {later}; "
                "nothing was stored. The bar is being revised: fetch the month again"
            )
    return starts[~again], {name: column[~again] for name, column in numbers.items()}
