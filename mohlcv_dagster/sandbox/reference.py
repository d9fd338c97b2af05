"""What a market knows of its symbols beside bars, in the vendor's documents; the forms are those of its documentation.

A market without listings has no reference data: everything here is then a 404, as of a route that does not exist.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol, runtime_checkable

from mohlcv_dagster.sandbox import answers
from mohlcv_dagster.sandbox.answers import Refusal
from mohlcv_dagster.sandbox.listings import Listing

DETAILS: Final = "details"
TICKERS: Final = "tickers"
EVENTS: Final = "events"
SPLITS: Final = "splits"

ROUTES: Final = {
    TICKERS: "/v3/reference/tickers",
    EVENTS: "/vX/reference/tickers/{ticker}/events",
    DETAILS: "/v3/reference/tickers/{ticker}",
    SPLITS: "/stocks/v1/splits",
}
"""The paths served, by the name that a fault calls them."""


@runtime_checkable
class Listed(Protocol):
    """A market that knows of its symbols beside their bars."""

    def listing(self, symbol: str) -> Listing | None:
        """What there is to know of `symbol`; `None` where there never was such a symbol."""
        ...


def answer(
    market: object, document: str, path: Mapping[str, str], parameters: Mapping[str, str], now: float
) -> Refusal:
    """The vendor's answer to a request for reference data.

    Args:
        market: whose symbols; without `Listed` there is no reference data.
        document: one of `ROUTES`.
        path: `ticker`, where the path has it.
        parameters: those of the query string.
        now: Unix seconds.
    """
    if not isinstance(market, Listed):
        return answers.message(404, "NOT_FOUND", "Data not found.")
    symbol = path.get("ticker") or parameters.get("ticker", "")
    listing = market.listing(symbol)
    today = datetime.fromtimestamp(now, UTC).date()
    if document == SPLITS:
        return _list([_split(symbol, each.date, each.ratio) for each in listing.splits] if listing else [])
    if document == TICKERS:
        active = parameters.get("active", "true") == "true"
        return _list([_details(listing, today)] if listing and listing.trades_on(today) is active else [])
    day = date.fromisoformat(parameters["date"]) if "date" in parameters else today
    if listing is None or not listing.trades_on(day):
        return answers.message(404, "NOT_FOUND", "Ticker not found.")
    return _object(_events(listing) if document == EVENTS else _details(listing, day, overview=True))


def _details(listing: Listing, day: date, *, overview: bool = False) -> dict[str, Any]:
    active = listing.trades_on(day)
    told: dict[str, Any] = {
        "ticker": listing.symbol,
        "name": listing.name or f"{listing.symbol} Synthetic Corp.",
        "market": "stocks",
        "locale": "us",
        "type": "CS",
        "active": active,
        "currency_name": "usd",
    }
    if listing.delisted and not active:
        told["delisted_utc"] = f"{listing.delisted}T00:00:00Z"
    if overview and listing.listed:
        told["list_date"] = str(listing.listed)
    return told


def _events(listing: Listing) -> dict[str, Any]:
    renames = listing.renames or ((listing.listed or date(2003, 9, 10), listing.symbol),)
    events = [
        {"ticker_change": {"ticker": symbol}, "type": "ticker_change", "date": str(day)}
        for day, symbol in reversed(renames)
    ]
    return {"name": listing.name or f"{listing.symbol} Synthetic Corp.", "events": events}


def _split(symbol: str, day: date, ratio: int) -> dict[str, Any]:
    return {
        "adjustment_type": "forward_split",
        "execution_date": str(day),
        "id": f"sandbox-{symbol}-{day}",
        "split_from": 1,
        "split_to": ratio,
        "ticker": symbol,
    }


def _object(results: dict[str, Any]) -> Refusal:
    return _body({"request_id": answers.request_id(), "results": results, "status": "OK"})


def _list(results: list[dict[str, Any]]) -> Refusal:
    told: dict[str, Any] = {"results": results, "status": "OK", "request_id": answers.request_id()}
    return _body(told | ({"count": len(results)} if results else {}))


def _body(told: dict[str, Any]) -> Refusal:
    return Refusal(200, json.dumps(told, separators=(",", ":")).encode())
