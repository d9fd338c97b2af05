"""The proof of a page's rows: numbers finite, times as asked for, on whole bars and each later than the one before."""

from typing import Final

import numpy as np

from mohlcv_dagster.bars.columns import PRICES, VOLUME
from mohlcv_dagster.vendor.pages import Page, PageRequest, not_whole

_NUMBERS: Final = (*PRICES, VOLUME)


def prove_rows(page: Page, request: PageRequest) -> Page:
    """Prove the rows and give the page back.

    Raises:
        PageNotWholeError: a number is not finite, or a time lies outside the request, off a whole bar or out of order.
    """
    reason = _number_fault(page) or _time_fault(page, request)
    if reason:
        raise not_whole(request, reason, page.request_id)
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
        (f"a whole multiple of {unit} ms", starts % unit != 0),
        ("times to rise strictly", np.diff(starts, prepend=starts[:1] - 1) <= 0),
    )
    for expected, bad in faults:
        rows = np.flatnonzero(bad)
        if rows.size:
            return f"expected {expected}, was {starts[rows[0]]} in row {rows[0]}"
    return None
