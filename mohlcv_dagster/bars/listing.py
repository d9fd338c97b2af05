"""What the vendor knows of a symbol beside its bars, and what that says of a month without any. Nothing is asked here.

A symbol is a name that one company bears for a while: it is listed, perhaps renamed, delisted, and the name may go to
another. So the same empty month can be as it must be, a fault, or the sign of a symbol misspelt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.months import Month


@dataclass(frozen=True)
class Listing:
    """A symbol as the vendor knows it, or why it does not.

    Attributes:
        symbol: case kept.
        known: whether the vendor said whether there is such a symbol.
        why_unknown: why it did not, a clause without its full stop; empty where it did.
        exists: whether there is, or was, such a symbol; false where that is unknown.
        name: of the company; empty where it is not told.
        listed: the first Eastern day of trading; `None` where it is not told.
        delisted: the Eastern day from which there is no trading; `None` where there is, or it is not told.
        renames: the company's symbols, each with the Eastern day it bears it from, rising; `None` where they are not
            told. The first day of the first one means nothing: it may be that of the vendor's records.
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
    def called(self) -> str:
        """The company's name, or the symbol where it is not told."""
        return self.name or self.symbol

    def other_name_in(self, month: Month) -> tuple[str, date] | None:
        """The symbol the company bore in `month` in the place of this one, and the day nearest to it of a change.

        `None` where it bore this one for a part of the month, or its symbols are not told, or do not name this one.
        """
        spans = list(_spans(self.renames or ()))
        if all(symbol != self.symbol for symbol, _, _ in spans):
            return None  # the vendor's chains are experimental, and some are another company's
        first, last = month.start.date(), _last_day(month)
        borne = [span for span in spans if span[1] <= last and first < span[2]]
        if any(symbol == self.symbol for symbol, _, _ in borne):
            return None
        symbol, begin, end = borne[-1]
        return symbol, end if end != date.max else begin


class Cause(StrEnum):
    """What is known of why a month has no bars."""

    EXPLAINED = "explained"
    """It cannot have any: not listed yet, delisted, another name, no session."""
    UNKNOWN = "unknown"
    """It may be right."""
    UNEXPLAINED = "unexplained"
    """It should have some."""
    NO_SUCH_SYMBOL = "no such symbol"
    """The vendor knows no company that bears the symbol or bore it."""


@dataclass(frozen=True)
class Emptiness:
    """Why a month that was proven empty is so.

    Attributes:
        cause: what is known.
        because: the reason, a clause without its full stop, such as `listed 2010-06-29, after this month`.
    """

    cause: Cause
    because: str


def explain(listing: Listing, month: Month, through: datetime) -> Emptiness:
    """Why `month` has no bars of the symbol.

    Loads the exchange calendar, unless the listing alone explains it.

    Args:
        listing: what is known of the symbol.
        month: which was proven empty.
        through: the moment (exclusive) up to which it was.
    """
    if not listing.known:
        return Emptiness(Cause.UNKNOWN, f"whether it was listed then is unknown: {listing.why_unknown}")
    if not listing.exists:
        return Emptiness(Cause.NO_SUCH_SYMBOL, f"the vendor knows no symbol {listing.symbol}, of today or before")
    before_or_after = outside(listing, month)
    return Emptiness(Cause.EXPLAINED, before_or_after) if before_or_after else _inside(listing, month, through)


def outside(listing: Listing, month: Month) -> str | None:
    """Why the symbol cannot have traded in the month, a clause; `None` where it may have, or that is not known."""
    if listing.listed and listing.listed > _last_day(month):
        return f"{listing.called} was listed {listing.listed}, after this month"
    if listing.delisted and listing.delisted <= month.start.date():
        return f"{listing.called} was delisted {listing.delisted}, before this month"
    other = listing.other_name_in(month)
    if other is None:
        return None
    name, changed = other
    return (
        f"{listing.called} was {name} in this month and the change was on {changed}: its bars are those of {name}, "
        f"and {listing.symbol} was nobody's then or another company's"
    )


def _inside(listing: Listing, month: Month, through: datetime) -> Emptiness:
    """The reason for a month in which, as far as is known, the symbol was listed."""
    first, last = month.start.date(), _last_day(month)
    begin, end = max(listing.listed or first, first), min((listing.delisted or date.max) - timedelta(days=1), last)
    held = [session for session in sessions.sessions_between(begin, end) if session.regular_close <= through]
    if not held:
        return Emptiness(Cause.EXPLAINED, f"no session of the exchange was over by {through:%Y-%m-%d %H:%M}Z")
    count = f"{len(held)} session{'' if len(held) == 1 else 's'}"
    doubt = _doubt(listing, first, last)
    if doubt:
        return Emptiness(Cause.UNKNOWN, f"{doubt}; the exchange held {count} in which it may have traded")
    since = f"{listing.called} has been listed since {listing.listed} and was {listing.symbol} all month"
    return Emptiness(Cause.UNEXPLAINED, f"{since}, in which the exchange held {count}")


def _doubt(listing: Listing, first: date, last: date) -> str | None:
    """What keeps the listing from saying that the symbol could be traded from `first` to `last`."""
    if listing.listed is None:
        return f"the vendor does not say since when {listing.called} is listed"
    if listing.listed > first:
        return f"{listing.called} was listed {listing.listed}, within this month"
    if listing.delisted and listing.delisted <= last:
        return f"{listing.called} was delisted {listing.delisted}, within this month"
    if listing.renames is None:
        return f"{listing.called} has been listed since {listing.listed}, but its former symbols are unknown"
    for symbol, begin, end in _spans(listing.renames):
        if symbol == listing.symbol and (first < begin <= last or first < end <= last):
            return f"{listing.called} changed its symbol within this month, on {begin if first < begin else end}"
    return None


def _spans(renames: tuple[tuple[date, str], ...]) -> Iterator[tuple[str, date, date]]:
    """Each symbol with its first day (inclusive) and the next one's (exclusive); without end on either side."""
    for at, (day, symbol) in enumerate(renames):
        yield symbol, day if at else date.min, renames[at + 1][0] if at + 1 < len(renames) else date.max


def _last_day(month: Month) -> date:
    return month.end.date() - timedelta(days=1)
