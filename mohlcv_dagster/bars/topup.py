"""What of a provisional month must be asked for again, and how the answer is joined with what is stored.

Asked for again is all that was not settled when it was fetched, and before that a stretch of settled bars that must
come back unchanged: the overlap. It proves that the two halves belong together: same prices, same basis, same labels.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa

from mohlcv_dagster.bars import schema, sessions, settlement
from mohlcv_dagster.bars.months import Month

OVERLAP: Final = timedelta(hours=1)
"""How long before the closing bell of the last settled session the overlap begins; it lasts to the end of its extended
hours. The closing hour is dense in every symbol that trades at all, and its auction is what is revised first."""


@dataclass(frozen=True)
class Span:
    """What to ask for, from `since` to the month's end or to now.

    Attributes:
        since: the first moment asked for, inclusive, UTC; in the month.
        unsettled: the first moment from which on stored bars may be replaced, UTC; at or after `since`.
    """

    since: datetime
    unsettled: datetime


def span(month: Month, fetched_at: datetime) -> Span | None:
    """What to ask for of a month stored at `fetched_at`; `None` where it is settled and nothing need be.

    Raises:
        MonthError: the month or the moment is beyond the exchange calendar.
    """
    if settlement.state(month, fetched_at) is settlement.State.SETTLED:
        return None
    unsettled = settlement.settled_until(month, fetched_at)
    last = [s for s in sessions.sessions_overlapping(month) if s.extended_open < unsettled]
    since = last[-1].regular_close - OVERLAP if last else month.start
    return Span(max(month.start, min(since, unsettled)), unsettled)


def join(stored: pa.Table, fetched: pa.Table, since: datetime) -> pa.Table:
    """The whole month: stored bars before `since`, then all that was fetched; volume as the contract types it.

    Args:
        stored: bars, rising.
        fetched: bars from `since` on, rising.
        since: where the fetched ones begin, inclusive.
    """
    kinds = schema.bar_schema(whole_volume=False)
    halves = (schema.between(stored, None, since), fetched)
    return schema.settle_volume(pa.concat_tables([half.cast(kinds) for half in halves]))
