"""When the bars of a month count as final: provisional until then, settled from then on. No clock is read here.

The vendor goes on adding late trades and correcting bars for some hours: a session's bars count as settled from
11:00 Eastern on the next trading day, a month's from 11:00 Eastern on the trading day after its last session. What a
fetch has is known from when it was made and from the exchange calendar, never from the last bar it brought.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.sessions import EASTERN

SETTLES: Final = time(11)
"""The Eastern time of day at which the bars of the session before are settled."""

_LONGEST_CLOSURE: Final = timedelta(days=21)
"""More days than two sessions were ever apart, twice over (after 2001-09-10 it was seven)."""


class State(StrEnum):
    """Whether a month's bars may still change."""

    PROVISIONAL = "provisional"
    """Fetched before its bars settled: some may be missing, some may be revised."""
    SETTLED = "settled"
    """Fetched after that."""


def settles_at(month: Month) -> datetime:
    """The moment, UTC, from which on what is fetched of the UTC month is settled (inclusive).

    11:00 Eastern on the trading day after the last session that shares a moment of its extended hours with the month.
    In winter that session's last hour may belong to the next month; it is this one's last session all the same.

    Raises:
        MonthError: the month is beyond the exchange calendar.
    """
    last = sessions.sessions_overlapping(month)[-1].date
    following = sessions.sessions_between(last + timedelta(days=1), last + _LONGEST_CLOSURE)
    return _settles_on(following[0].date)


def state(month: Month, fetched_at: datetime) -> State:
    """The state of a month's bars.

    Args:
        month: UTC.
        fetched_at: when the first request for them left, aware.

    Raises:
        MonthError: the month is beyond the exchange calendar.
    """
    return State.SETTLED if fetched_at >= settles_at(month) else State.PROVISIONAL


def settled_through(fetched_at: datetime) -> datetime:
    """The moment, UTC, exclusive, before which bars fetched at `fetched_at` are settled.

    It is where the extended hours of the last settled session end.

    Args:
        fetched_at: when the first request left, aware.

    Raises:
        MonthError: the moment is beyond the exchange calendar.
    """
    today = fetched_at.astimezone(EASTERN).date()
    recent = sessions.sessions_between(today - _LONGEST_CLOSURE, today)
    reached = [session for session in recent if _settles_on(session.date) <= fetched_at]
    return reached[-2].extended_close


def settled_until(month: Month, fetched_at: datetime) -> datetime:
    """The end, UTC, exclusive, of the settled part of a month fetched at `fetched_at`.

    The month's end once it is settled, the month's start while nothing of it is.

    Raises:
        MonthError: the month or the moment is beyond the exchange calendar.
    """
    if state(month, fetched_at) is State.SETTLED:
        return month.end
    return max(month.start, min(month.end, settled_through(fetched_at)))


def is_due(month: Month, fetched_at: datetime, now: datetime) -> bool:
    """Whether asking again at `now` can bring what a fetch at `fetched_at` could not: further bars, or settled ones.

    Never of a settled month; not on a Sunday, either, of one fetched on Saturday.

    Raises:
        MonthError: the month or a moment is beyond the exchange calendar.
    """
    if state(month, fetched_at) is State.SETTLED:
        return False
    if settled_until(month, now) > settled_until(month, fetched_at):
        return True
    end = min(now, month.end)
    return any(s.extended_open < end and s.extended_close > fetched_at for s in sessions.sessions_overlapping(month))


def has_traded(month: Month, now: datetime) -> bool:
    """Whether at `now` a session that shares a moment of its extended hours with the month is over.

    Raises:
        MonthError: the month is beyond the exchange calendar.
    """
    return sessions.sessions_overlapping(month)[0].extended_close <= now


def _settles_on(day: date) -> datetime:
    """11:00 Eastern of `day`, UTC."""
    return datetime.combine(day, SETTLES, EASTERN).astimezone(UTC)
