"""How bars, values, shares, moments and spans are written in the messages of rules."""

from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mohlcv_dagster.formatting import printable, quantity
from mohlcv_dagster.model.bar_files import COLUMNS, TIME
from mohlcv_dagster.model.exchange_calendar import EASTERN

_LABELS: Final = {
    "previous_ts_event": "the bar before at",
    "columns": "in",
    "volume_text": "volume written",
    "median": "median around",
    "allowed": "allowed off it",
}
"""What columns of context are called in a message, where their name alone is not clear."""


def percent(share: float) -> str:
    """`99.27 %` of a share of 0 to 1, four digits."""
    return f"{100 * share:.4g} %"


def length(span: timedelta) -> str:
    """`10 minutes`, `10 minutes 3 s`."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes} minutes" + (f" {seconds} s" if seconds else "")


def utc(moment: datetime | None) -> str:
    """`2024-01-02 14:30:07Z`."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else "an unknown time"


def eastern(moment: datetime | None) -> str:
    """`09:30:07`, New York time."""
    return f"{moment.astimezone(EASTERN):%H:%M:%S}" if moment else "an unknown time"


def offending(
    bars: pa.Table, of: int, fault: str, *, shown: tuple[str, ...] = COLUMNS[1:], row: int | None = None
) -> str:
    """`3 of 10 bars have FAULT; first at 2024-01-02 14:30:07Z (open 475.32, …)`.

    Args:
        bars: the offending bars, one or more.
        of: how many bars were looked at.
        fault: what they have, such as `a price of zero`.
        shown: the columns given of the first.
        row: where in the file the first is, counted from 0; shown where it has no time.
    """
    have = "has" if bars.num_rows == 1 else "have"
    unknown = "an unknown time" if row is None else f"bar {row + 1:,} of the file, which has no time"
    at = as_text(bars[TIME][0]) if bars[TIME][0].is_valid else unknown
    values = ", ".join(f"{_LABELS.get(name, name)} {as_text(bars[name][0])}" for name in shown)
    text = f"{bars.num_rows:,} of {quantity(of, 'bar')} {have} {fault}; first at {at}"
    return f"{text} ({values})" if values else text


def as_text(value: "pa.Scalar[pa.DataType]") -> str:
    """A value as messages show it: `2024-01-02 14:30:07Z`, `475.32`, `NaN`, `missing`."""
    if not value.is_valid:
        return "missing"
    if pa.types.is_timestamp(value.type):
        # Through text, since a Python datetime ends with the year 9999.
        return f"{pc.cast(pc.cast(value, pa.timestamp('s')), pa.string()).as_py()}Z"
    text = printable(str(value.as_py()))
    return "NaN" if text == "nan" else text
