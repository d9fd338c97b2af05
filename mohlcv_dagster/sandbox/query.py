"""What is asked: the path and query of an aggregates request, read as the vendor reads them. No bar, no answer."""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.errors import InputError

BASES: Final = {"second": Timeframe(1, "second"), "minute": Timeframe(60, "minute"), "hour": Timeframe(3600, "hour")}
DEFAULT_LIMIT: Final = 5_000
HIGHEST_LIMIT: Final = 50_000

_HOUR: Final = 3600
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MILLISECONDS: Final = re.compile(r"\d{1,15}")


@dataclass(frozen=True)
class Query:
    """One request for bars.

    Attributes:
        symbol: as written; case matters.
        multiplier: base bars in a bar.
        base: one second, minute or hour.
        first: the start of the earliest bar wanted, Unix milliseconds, inclusive, snapped down to a whole bar.
        last: the last millisecond wanted, inclusive.
        begins: the moment `to` names, Unix milliseconds: `last`, or for a day its midnight.
        adjusted: whether bars are wanted restated for later splits.
        limit: the most base bars an answer may hold.
        descending: whether the latest bar comes first.
    """

    symbol: str
    multiplier: int
    base: Timeframe
    first: int
    last: int
    begins: int
    adjusted: bool
    limit: int
    descending: bool

    @property
    def width(self) -> int:
        """The length of a bar, milliseconds."""
        return self.base.seconds * self.multiplier * 1000

    @property
    def cursor(self) -> str:
        """The cursor of the next page: it carries only the limit and the order."""
        text = f"limit={self.limit}&sort={'desc' if self.descending else 'asc'}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse(path: Mapping[str, str], parameters: Mapping[str, str]) -> Query:
    """The query of a request.

    Args:
        path: `ticker`, `multiplier`, `timespan`, `from` and `to`, as the path has them.
        parameters: `adjusted`, `sort`, `limit` and `cursor`, where given; a cursor's values win.

    Raises:
        InputError: the vendor would answer 400; the message is what it would say.
    """
    settings = {**parameters, **_opened(parameters.get("cursor", ""))}
    base, multiplier = _bar(path["timespan"], path["multiplier"])
    first, _ = _bounds("from", path["from"])
    begins, last = _bounds("to", path["to"])
    if last < first:
        raise InputError("The parameter 'to' cannot be a time that occurs before 'from'")
    width = base.seconds * multiplier * 1000
    return Query(
        symbol=path["ticker"],
        multiplier=multiplier,
        base=base,
        first=first // width * width,
        last=last,
        begins=begins,
        adjusted=_chosen("adjusted", settings.get("adjusted", "true"), ("false", "true")),
        limit=_limit(settings.get("limit", str(DEFAULT_LIMIT))),
        descending=_chosen("sort", settings.get("sort", "asc"), ("asc", "desc")),
    )


def _opened(cursor: str) -> dict[str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return dict(parse_qsl(b64decode(padded, altchars=b"-_", validate=True).decode()))
    except ValueError as error:
        raise InputError(f"Could not read the cursor '{cursor}'") from error


def _bar(timespan: str, multiplier: str) -> tuple[Timeframe, int]:
    base = BASES.get(timespan)
    if base is None:
        raise InputError(f"Could not parse the timespan '{timespan}'; the sandbox serves {', '.join(BASES)}")
    times = int(multiplier) if _MILLISECONDS.fullmatch(multiplier) else 0
    if times < 1 or _HOUR % (base.seconds * times):
        raise InputError(f"Could not use the multiplier '{multiplier}'; in the sandbox a bar divides an hour")
    return base, times


def _bounds(name: str, text: str) -> tuple[int, int]:
    """The first and last millisecond that `text` names: one and the same, or those of an Eastern day."""
    if _MILLISECONDS.fullmatch(text):
        return int(text), int(text)
    try:
        day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
        midnights = sessions.eastern_midnight(day), sessions.eastern_midnight(day + timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise InputError(f"Could not parse the time parameter '{name}': '{text}'") from error
    start, end = (round(midnight.timestamp() * 1000) for midnight in midnights)
    return start, end - 1


def eastern_days(first: int, last: int) -> tuple[date, date]:
    """The Eastern calendar days that hold two moments.

    Args:
        first: Unix milliseconds.
        last: Unix milliseconds.

    Raises:
        InputError: a moment is beyond what a calendar holds.
    """
    try:
        days = [datetime.fromtimestamp(moment / 1000, sessions.EASTERN).date() for moment in (first, last)]
    except (ValueError, OverflowError) as error:
        raise InputError(f"Could not parse the time parameter: {first} to {last} is beyond the calendar") from error
    return days[0], days[1]


def _limit(text: str) -> int:
    limit = int(text) if _MILLISECONDS.fullmatch(text) else 0
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise InputError(f"The parameter 'limit' must be from 1 to {HIGHEST_LIMIT}, was '{text}'")
    return limit


def _chosen(name: str, text: str, choices: tuple[str, str]) -> bool:
    """Whether `text` is the second of the two choices."""
    if text not in choices:
        raise InputError(f"The parameter '{name}' must be {choices[0]} or {choices[1]}, was '{text}'")
    return text == choices[1]
