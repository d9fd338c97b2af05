"""The vendor's reference documents on a market's symbols: listings, renames, splits; in the form of its documentation.

For a market without listings every document is a 404, as for a route that does not exist.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any, Final, Protocol, runtime_checkable

from mohlcv_dagster.sandbox.responses import FixedResponse, new_request_id, not_found, to_json
from mohlcv_dagster.sandbox.synthetic_market import SandboxListing

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
"""The paths served, by the name that a fault uses."""


@runtime_checkable
class HasListings(Protocol):
    """A market that has listings of its symbols."""

    def listing(self, symbol: str) -> SandboxListing | None:
        """The listing of `symbol`; `None` where there never was such a symbol."""
        ...


def reference_response(
    market: object, document: str, path: Mapping[str, str], parameters: Mapping[str, str], now: float
) -> FixedResponse:
    """The vendor's answer to a request for reference data.

    Args:
        market: with the symbols; without `HasListings` there is no reference data.
        document: one of `ROUTES`.
        path: `ticker`, where the path has it.
        parameters: those of the query string.
        now: Unix seconds.

    Raises:
        ValueError: the parameter `date` is not a date.
    """
    if not isinstance(market, HasListings):
        return not_found()
    symbol = path.get("ticker") or parameters.get("ticker", "")
    listing = market.listing(symbol)
    today = datetime.fromtimestamp(now, UTC).date()
    if document == SPLITS:
        return _list([_split(symbol, each.date, each.ratio) for each in listing.splits] if listing else [])
    if document == TICKERS:
        active = parameters.get("active", "true") == "true"
        return _list([_details(listing, today)] if listing and listing.trades_on(today) is active else [])
    day = date.fromisoformat(parameters["date"]) if "date" in parameters else today
    if listing is None or not listing.on(day).trades_on(day):
        return not_found("Ticker not found.")
    return _object(_events(listing) if document == EVENTS else _details(listing.on(day), day, overview=True))


def _details(listing: SandboxListing, day: date, *, overview: bool = False) -> dict[str, Any]:
    active = listing.trades_on(day)
    fields: dict[str, Any] = {
        "ticker": listing.symbol,
        **_company(listing),
        "market": "stocks",
        "locale": "us",
        "type": "CS",
        "active": active,
        "currency_name": "usd",
    }
    if listing.delisted and not active:
        fields["delisted_utc"] = f"{listing.delisted}T00:00:00Z"
    if overview and listing.listed:
        fields["list_date"] = str(listing.listed)
    return fields


def _events(listing: SandboxListing) -> dict[str, Any]:
    renames = listing.renames or ((listing.listed or date(2003, 9, 10), listing.symbol),)
    events = [
        {"ticker_change": {"ticker": symbol}, "type": "ticker_change", "date": str(day)}
        for day, symbol in reversed(renames)
    ]
    return {**_company(listing), "events": events}


def _company(listing: SandboxListing) -> dict[str, str]:
    """A company under its name: the same numbers under each of its symbols, made up."""
    name = listing.name or f"{listing.symbol} Synthetic Corp."
    digest = blake2b(name.encode(), digest_size=5)
    return {
        "name": name,
        "composite_figi": f"BBG{int.from_bytes(digest.digest()) % 10**9:09d}",
        "cik": f"{int.from_bytes(digest.digest()) % 10**7:010d}",
    }


def _split(symbol: str, day: date, ratio: int) -> dict[str, Any]:
    return {
        "adjustment_type": "forward_split",
        "execution_date": str(day),
        "id": f"sandbox-{symbol}-{day}",
        "split_from": 1,
        "split_to": ratio,
        "ticker": symbol,
    }


def _object(results: dict[str, Any]) -> FixedResponse:
    return FixedResponse(200, to_json({"request_id": new_request_id(), "results": results, "status": "OK"}))


def _list(results: list[dict[str, Any]]) -> FixedResponse:
    fields: dict[str, Any] = {"results": results, "status": "OK", "request_id": new_request_id()}
    return FixedResponse(200, to_json(fields | ({"count": len(results)} if results else {})))
