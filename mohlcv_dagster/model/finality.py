"""When the bars of a month are final, what a refresh requests, and how many final bars may change.

The vendor goes on adding late trades and correcting bars for some hours. The bars of a session are final from 11:00
Eastern on the next trading day, those of a month from 11:00 Eastern on the trading day after its last session. Whether
fetched bars are final follows from when they were fetched and from the exchange calendar, not from the last bar.

Every function raises `MonthError` where a month or moment is beyond the exchange calendar.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.months import Month

FINAL_TIME: Final = time(11)
"""The Eastern time of day from which the bars of the session before are final."""

OVERLAP: Final = timedelta(hours=1)
"""How long before the close of the last final session the overlap of a refresh begins; it lasts to the end of the
extended hours. The closing hour is dense in every symbol that trades at all, and its auction is what is revised first.
"""

MOST_LOST: Final = 10
LARGEST_SHARE_LOST: Final = 0.001
"""A month may lose `MOST_LOST` final bars, or this share of them where that is more."""


class Finality(StrEnum):
    """Whether a month's bars may still change. The values are stored."""

    PROVISIONAL = "provisional"
    """Fetched before its bars were final: some may be missing, some may be revised."""
    FINAL = "settled"
    """Fetched after that."""


def final_at(month: Month) -> datetime:
    """The moment, UTC, from which on what is fetched of the UTC month is final (inclusive).

    11:00 Eastern on the trading day after the last session that shares a moment of its extended hours with the month.
    In winter that session's last hour may belong to the next month; it is this one's last session all the same. A month
    without sessions is final as from its end.
    """
    sessions = exchange_calendar.sessions_overlapping(month)
    last = sessions[-1].date if sessions else month.end.date() - timedelta(days=1)
    return _final_on(exchange_calendar.next_session(last).date)


def state(month: Month, fetched_at: datetime) -> Finality:
    """Whether a month's bars are final.

    Args:
        month: UTC.
        fetched_at: when the first request for them was sent, aware.
    """
    return Finality.FINAL if fetched_at >= final_at(month) else Finality.PROVISIONAL


def final_through(fetched_at: datetime) -> datetime:
    """The moment, UTC, exclusive, before which bars fetched at `fetched_at` are final.

    It is the end of the extended hours of the last final session.

    Args:
        fetched_at: when the first request was sent, aware.
    """
    today = fetched_at.astimezone(EASTERN).date()
    reached = exchange_calendar.previous_session(today + timedelta(days=1))
    if _final_on(reached.date) > fetched_at:
        reached = exchange_calendar.previous_session(reached.date)
    return exchange_calendar.previous_session(reached.date).extended_close


def final_until(month: Month, fetched_at: datetime) -> datetime:
    """The end, UTC, exclusive, of the final part of a month fetched at `fetched_at`.

    The month's end once all of it is final, the month's start while nothing of it is.
    """
    if state(month, fetched_at) is Finality.FINAL:
        return month.end
    return max(month.start, min(month.end, final_through(fetched_at)))


def needs_refresh(month: Month, fetched_at: datetime, now: datetime) -> bool:
    """Whether asking again at `now` can give what a fetch at `fetched_at` could not: more bars, or final ones.

    Never for a final month, and not on a Sunday for a provisional one fetched on Saturday.
    """
    if state(month, fetched_at) is Finality.FINAL:
        return False
    if final_until(month, now) > final_until(month, fetched_at):
        return True
    end = min(now, month.end)
    sessions = exchange_calendar.sessions_overlapping(month)
    return any(opens < end and closes > fetched_at for session in sessions for opens, closes in session.spans)


def has_traded(month: Month, now: datetime) -> bool:
    """Whether at `now` a session that shares a moment of its extended hours with the month is over."""
    return any(session.extended_close <= now for session in exchange_calendar.sessions_overlapping(month)[:1])


def _final_on(day: date) -> datetime:
    """11:00 Eastern of `day`, UTC."""
    return datetime.combine(day, FINAL_TIME, EASTERN).astimezone(UTC)


@dataclass(frozen=True)
class RefreshSpan:
    """What an incremental refresh requests: from `since` to the month's end or to now.

    Attributes:
        since: the first moment requested, inclusive, UTC; in the month.
        provisional_from: the first moment from which on stored bars may be replaced, UTC; at or after `since`. The
            final bars before it must come back unchanged: which shows that both parts have the same prices and basis.
    """

    since: datetime
    provisional_from: datetime


def refresh_span(month: Month, fetched_at: datetime) -> RefreshSpan | None:
    """What to request again of a month stored at `fetched_at`; `None` where it is final."""
    if state(month, fetched_at) is Finality.FINAL:
        return None
    provisional_from = final_until(month, fetched_at)
    final = [s for s in exchange_calendar.sessions_overlapping(month) if s.extended_open < provisional_from]
    since = final[-1].regular_close - OVERLAP if final else month.start
    return RefreshSpan(max(month.start, min(since, provisional_from)), provisional_from)


@dataclass(frozen=True)
class RevisionCounts:
    """How many bars differ between two fetches of a month.

    Attributes:
        compared: bars of the earlier fetch.
        changed: bars with another price or volume.
        gained: bars that the earlier fetch did not have.
        lost: bars that the new fetch does not have.
    """

    compared: int
    changed: int = 0
    gained: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """Bars that changed, came or went."""
        return self.changed + self.gained + self.lost

    @property
    def allowed_loss(self) -> int:
        """The most bars that may be lost."""
        return max(MOST_LOST, int(self.compared * LARGEST_SHARE_LOST))
