"""What the vendor knows of a symbol apart from its bars: its splits and its listing, and why a month may have no bars.

A split changes the adjusted price and volume of every bar before it: the vendor rewrites them overnight before the
execution date. So adjusted bars include the splits executed up to the day they were fetched, and no later ones.

A symbol is a name that one company has for a while: it is listed, perhaps renamed, delisted, and the name may go to
another. So an empty month can be correct, a fault, or the sign of a misspelt symbol.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.exchange_calendar import trading_day_of, trading_day_start
from mohlcv_dagster.model.months import Month


@dataclass(frozen=True, order=True)
class Split:
    """A stock split.

    Attributes:
        executed: the first trading day on the new basis; all of its trading before the opening is on it already.
        before: the shares that become
        after: so many. A reverse split has fewer of these.
    """

    executed: date
    before: float
    after: float

    def affects(self, month: Month) -> bool:
        """Whether a bar of `month` may be before it: in winter the first hour of a month is the Eastern day before."""
        return trading_day_start(self.executed) > month.start

    def __str__(self) -> str:
        return f"{self.after:g} for {self.before:g} on {self.executed}"


@dataclass(frozen=True)
class KnownSplits:
    """A symbol's splits as the vendor gave them, announced ones included.

    Attributes:
        splits: rising; `None` where it gave none.
        why_unknown: why it did not, a clause without its full stop; empty where it did.
    """

    splits: tuple[Split, ...] | None
    why_unknown: str = ""


def executed_by(splits: Iterable[Split], moment: datetime) -> tuple[Split, ...]:
    """Those of `splits` that bars fetched at `moment` include, rising."""
    today = trading_day_of(moment)
    return tuple(sorted(split for split in splits if split.executed <= today))


def missing_splits(
    month: Month, fetched_at: datetime, then: Iterable[Split] | None, now: Iterable[Split]
) -> tuple[Split, ...]:
    """The splits that adjusted bars of `month` lack, rising: with any, they are on an old basis.

    Args:
        month: of the bars.
        fetched_at: when they were fetched.
        then: the splits known when they were; `None` where that is not recorded. Then the vendor is taken to have known
            each one executed by that day.
        now: the splits executed by now.
    """
    had = executed_by(now if then is None else then, fetched_at)
    return tuple(sorted(split for split in set(now) - set(had) if split.affects(month)))


@dataclass(frozen=True)
class Listing:
    """A symbol as the vendor knows it, or why it does not.

    Attributes:
        symbol: case kept.
        known: whether the vendor answered whether the symbol exists.
        why_unknown: why it did not answer, a clause without its full stop; empty where it did.
        exists: whether there is, or was, such a symbol; false where that is unknown.
        name: of the company; empty where it is not given.
        listed: the first Eastern day of trading; `None` where it is not given.
        delisted: the Eastern day from which there is no trading; `None` where there is, or it is not given.
        renames: the company's symbols, each with its first Eastern day, rising; `None` where they are not given. The
            first day of the first one means nothing: it may be that of the vendor's records.
    """

    symbol: str
    known: bool
    why_unknown: str = ""
    exists: bool = False
    name: str = ""
    listed: date | None = None
    delisted: date | None = None
    renames: tuple[tuple[date, str], ...] | None = None

    @property
    def display_name(self) -> str:
        """The company's name, or the symbol where it is not given."""
        return self.name or self.symbol

    def other_name_in(self, month: Month) -> tuple[str, date] | None:
        """The symbol the company had in `month` instead of this one, and the day of the nearest change.

        `None` where it had this one for a part of the month, or its symbols are not given, or do not include this one.
        """
        spans = list(_spans(self.renames or ()))
        if all(symbol != self.symbol for symbol, _, _ in spans):
            return None  # the vendor's chains are experimental, and some are another company's
        first, last = month.start.date(), _last_day(month)
        in_month = [span for span in spans if span[1] <= last and first < span[2]]
        if any(symbol == self.symbol for symbol, _, _ in in_month):
            return None
        symbol, begin, end = in_month[-1]
        return symbol, end if end != date.max else begin


@dataclass(frozen=True)
class ListedDays:
    """The days of a month on which a symbol could be traded, as far as the vendor knows.

    Attributes:
        first: the first Eastern day, where it is in the month or after it; `None` where it is before, or not known.
        end: the Eastern day from which it could not any more, where it is in the month or before it; else `None`.
    """

    first: date | None = None
    end: date | None = None

    def has(self, day: date) -> bool:
        """Whether it could be traded on an Eastern day."""
        return (self.first is None or self.first <= day) and (self.end is None or day < self.end)

    @classmethod
    def of(cls, listing: Listing, month: Month) -> "ListedDays":
        """What a listing says of a month; under another symbol before or after, it could not be traded as this one."""
        spans = [(begin, end) for symbol, begin, end in _spans(listing.renames or ()) if symbol == listing.symbol]
        first_day, last_day = month.start.date(), _last_day(month)
        begin, end = next((span for span in spans if span[0] <= last_day and first_day < span[1]), (date.min, date.max))
        begin, end = max(begin, listing.listed or date.min), min(end, listing.delisted or date.max)
        return cls(begin if begin > first_day else None, end if end <= last_day else None)


def lacks_an_edge(month: Month, first: datetime, last: datetime, since: datetime, through: datetime) -> bool:
    """Whether the first or the last session has no bar, as where a listing begins or ends within the month.

    Args:
        month: UTC.
        first: the start of its first bar.
        last: that of its last bar.
        since: the moment from which on bars were requested.
        through: the moment (exclusive) up to which they were.
    """
    due = [
        each
        for each in exchange_calendar.sessions_in(month)
        if each.regular_open >= since and each.regular_close <= through
    ]
    return bool(due) and (first >= due[0].extended_close or last < due[-1].extended_open)


class EmptyMonthCause(StrEnum):
    """Why a month has no bars, as far as is known. The values are stored."""

    EXPLAINED = "explained"
    """It cannot have any: not listed yet, delisted, another name, no session."""
    UNKNOWN = "unknown"
    """It may be right."""
    UNEXPLAINED = "unexplained"
    """It should have some."""
    NO_SUCH_SYMBOL = "no such symbol"
    """The vendor knows no company that has the symbol or had it."""


@dataclass(frozen=True)
class EmptyMonthReason:
    """Why a month that was proven empty has no bars.

    Attributes:
        cause: what is known.
        reason: a clause without its full stop, such as `listed 2010-06-29, after this month`.
    """

    cause: EmptyMonthCause
    reason: str


def explain_empty_month(listing: Listing, month: Month, through: datetime) -> EmptyMonthReason:
    """Why `month` has no bars of the symbol.

    Args:
        listing: what is known of the symbol.
        month: which was proven empty.
        through: the moment (exclusive) up to which it was.
    """
    if not listing.known:
        return EmptyMonthReason(
            EmptyMonthCause.UNKNOWN, f"whether it was listed then is unknown: {listing.why_unknown}"
        )
    if not listing.exists:
        return EmptyMonthReason(
            EmptyMonthCause.NO_SUCH_SYMBOL, f"the vendor knows no symbol {listing.symbol}, of today or before"
        )
    not_listed = why_not_listed(listing, month)
    if not_listed:
        return EmptyMonthReason(EmptyMonthCause.EXPLAINED, not_listed)
    return _while_listed(listing, month, through)


def why_not_listed(listing: Listing, month: Month) -> str | None:
    """Why the symbol cannot have traded in the month, a clause; `None` where it may have, or that is not known."""
    if listing.listed and listing.listed > _last_day(month):
        return f"{listing.display_name} was listed {listing.listed}, after this month"
    if listing.delisted and listing.delisted <= month.start.date():
        return f"{listing.display_name} was delisted {listing.delisted}, before this month"
    other = listing.other_name_in(month)
    if other is None:
        return None
    name, changed = other
    return (
        f"{listing.display_name} was {name} in this month and the change was on {changed}: its bars are those of "
        f"{name}, and {listing.symbol} had no company then, or another one"
    )


def _while_listed(listing: Listing, month: Month, through: datetime) -> EmptyMonthReason:
    """The reason for a month in which, as far as is known, the symbol was listed."""
    first, last = month.start.date(), _last_day(month)
    begin, end = max(listing.listed or first, first), min((listing.delisted or date.max) - timedelta(days=1), last)
    sessions = [
        session for session in exchange_calendar.sessions_between(begin, end) if session.regular_close <= through
    ]
    if not sessions:
        return EmptyMonthReason(
            EmptyMonthCause.EXPLAINED, f"no session of the exchange was over by {through:%Y-%m-%d %H:%M}Z"
        )
    count = quantity(len(sessions), "session")
    doubt = _doubt(listing, first, last)
    if doubt:
        return EmptyMonthReason(
            EmptyMonthCause.UNKNOWN, f"{doubt}; the exchange held {count} in which it may have traded"
        )
    since = f"{listing.display_name} has been listed since {listing.listed} and was {listing.symbol} all month"
    return EmptyMonthReason(EmptyMonthCause.UNEXPLAINED, f"{since}, in which the exchange held {count}")


def _doubt(listing: Listing, first: date, last: date) -> str | None:
    """Why it is not certain that the symbol could be traded from `first` to `last`."""
    if listing.listed is None:
        return f"the vendor does not say since when {listing.display_name} is listed"
    if listing.listed > first:
        return f"{listing.display_name} was listed {listing.listed}, within this month"
    if listing.delisted and listing.delisted <= last:
        return f"{listing.display_name} was delisted {listing.delisted}, within this month"
    if listing.renames is None:
        return f"{listing.display_name} has been listed since {listing.listed}, but its former symbols are unknown"
    for symbol, begin, end in _spans(listing.renames):
        if symbol == listing.symbol and (first < begin <= last or first < end <= last):
            return f"{listing.display_name} changed its symbol within this month, on {begin if first < begin else end}"
    return None


def _spans(renames: tuple[tuple[date, str], ...]) -> Iterator[tuple[str, date, date]]:
    """Each symbol with its first day (inclusive) and the next one's (exclusive); without end on either side."""
    for at, (day, symbol) in enumerate(renames):
        yield symbol, day if at else date.min, renames[at + 1][0] if at + 1 < len(renames) else date.max


def _last_day(month: Month) -> date:
    return month.end.date() - timedelta(days=1)
