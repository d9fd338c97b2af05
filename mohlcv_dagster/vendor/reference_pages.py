"""The vendor's reference documents, bytes to what they say; one that is not of its form says nothing. No request here.

The forms are those of the vendor's documentation, all under `https://massive.com/docs/rest/stocks`:

- `tickers/ticker-overview`, `GET /v3/reference/tickers/{ticker}`;
- `tickers/all-tickers`, `GET /v3/reference/tickers`;
- `corporate-actions/ticker-events`, `GET /vX/reference/tickers/{id}/events`, "experimental";
- `corporate-actions/splits`, `GET /stocks/v1/splits`.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from mohlcv_dagster.bars.splits import Split
from mohlcv_dagster.errors import PageNotWholeError

_GOOD = ("OK", "DELAYED")


@dataclass(frozen=True)
class Details:
    """A symbol as the overview of it says, `None` where it does not.

    Attributes:
        name: of the company.
        listed: `list_date`, when the company was first listed, under whatever symbol.
        delisted: the day of `delisted_utc`.
        request_id: the vendor's mark.
    """

    name: str | None
    listed: date | None
    delisted: date | None
    request_id: str | None


def decode_details(body: bytes, symbol: str) -> Details:
    """What the overview of `symbol` says.

    Raises:
        PageNotWholeError: it is not such a document, or about another symbol.
    """
    document = _document(body)
    return _details(_object(document.get("results"), "results"), symbol, _request_id(document))


def decode_tickers(body: bytes, symbol: str) -> list[Details]:
    """Every entry of `symbol` in a list of symbols, as it stands; empty where it has none.

    Raises:
        PageNotWholeError: it is not such a list, or goes on on a further page, or has another symbol.
    """
    document = _document(body)
    return [_details(entry, symbol, _request_id(document)) for entry in _entries(document)]


def decode_events(body: bytes) -> tuple[tuple[date, str], ...]:
    """The symbols a company has borne, each with the day it bears it from, rising.

    Raises:
        PageNotWholeError: it is not such a document, or gives two symbols for one day.
    """
    results = _object(_document(body).get("results"), "results")
    found = set()
    for entry in _list(results.get("events"), "events"):
        event = _object(entry, "an event")
        if event.get("type") == "ticker_change":
            change = _object(event.get("ticker_change"), "ticker_change")
            found.add((_day(event, "date"), _text(change, "ticker")))
    if len({day for day, _ in found}) < len(found):
        raise _not_whole("two symbols from the same day on")
    return tuple(sorted(found))


def decode_splits(body: bytes, symbol: str) -> tuple[Split, ...]:
    """The splits of `symbol`, rising, those to come among them.

    Raises:
        PageNotWholeError: it is not such a list, or goes on on a further page, or has another symbol's.
    """
    splits = set()
    for entry in _entries(_document(body)):
        if entry.get("ticker") != symbol:
            raise _not_whole(f"a split of {entry.get('ticker')!r}, asked was {symbol!r}")
        splits.add(Split(_day(entry, "execution_date"), _shares(entry, "split_from"), _shares(entry, "split_to")))
    return tuple(sorted(splits))


def request_id(body: bytes) -> str | None:
    """The vendor's mark of a document that was decoded; `None` where it has none."""
    return _request_id(_document(body))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _not_whole(f"{len(body)} bytes that are no JSON ({error})") from error
    document = _object(document, "the document")
    if document.get("status", "OK") not in _GOOD:
        raise _not_whole(f"status {document['status']!r}")
    return document


def _entries(document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if document.get("next_url"):
        raise _not_whole("a list that goes on on another page")
    return (_object(entry, "an entry") for entry in _list(document.get("results"), "results"))


def _details(entry: dict[str, Any], symbol: str, mark: str | None) -> Details:
    if entry.get("ticker") != symbol:
        raise _not_whole(f"an answer about {entry.get('ticker')!r}, asked was {symbol!r}")
    name, delisted = entry.get("name"), entry.get("delisted_utc")
    return Details(
        name=str(name) if name else None,
        listed=_day(entry, "list_date") if entry.get("list_date") else None,
        delisted=_day({"delisted_utc": str(delisted)[:10]}, "delisted_utc") if delisted else None,
        request_id=mark,
    )


def _list(value: object, what: str) -> list[Any]:
    """A list; one that is not given is empty."""
    if value is not None and not isinstance(value, list):
        raise _not_whole(f"{what} that are no list but {type(value).__name__}")
    return value or []


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _not_whole(f"{what} that is no object but {type(value).__name__}")
    return value


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise _not_whole(f"{key} {value!r}")
    return value


def _day(entry: dict[str, Any], key: str) -> date:
    try:
        return date.fromisoformat(_text(entry, key))
    except ValueError as error:
        raise _not_whole(f"{key} {entry[key]!r}, expected a day such as 2024-06-10") from error


def _shares(entry: dict[str, Any], key: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value > 0):
        raise _not_whole(f"{key} {value!r}, expected a number above zero")
    return float(value)


def _request_id(document: dict[str, Any]) -> str | None:
    mark = document.get("request_id")
    return str(mark) if mark else None


def _not_whole(what: str) -> PageNotWholeError:
    return PageNotWholeError(f"the vendor's reference answered with {what}", status=200)
