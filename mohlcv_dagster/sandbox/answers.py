"""What is said: the vendor's bodies, of bars and of refusals, byte for byte in its form. No HTTP, no choice of when."""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from mohlcv_dagster.sandbox.ledger import Page
from mohlcv_dagster.sandbox.query import Query

VENDOR: Final = "https://api.massive.com"
"""Where `next_url` points, whoever serves it."""
MARK: Final = "sandbox-"
"""How each `request_id` of the sandbox begins."""


@dataclass(frozen=True)
class Refusal:
    """An answer without bars.

    Attributes:
        status: the HTTP status.
        body: JSON, or whatever a gateway says.
        html: whether the body is HTML.
        retry_after: seconds for the header `Retry-After`; `None` leaves it out.
    """

    status: int
    body: bytes
    html: bool = False
    retry_after: float | None = None


@dataclass(frozen=True)
class Answer:
    """An answer with bars, its rows still apart from what stands around them.

    Attributes:
        ticker: the symbol it says it is about.
        query_count: how many base bars it says it was made from.
        results_count: how many rows it says it has.
        adjusted: what it says of that.
        asked_from: the first millisecond asked for; it is not said, but shows which rows are foreign.
        beyond: where the bars after the last row would be, whether or not there are any.
        rows: the text of the rows, a comma after each.
        results: `rows`; or `null`, or nothing at all, in their place.
        status: `OK` or `DELAYED`.
        next_url: where the next page is, if there is one.
    """

    ticker: str
    query_count: int
    results_count: int
    adjusted: bool
    asked_from: int
    beyond: str
    rows: tuple[bytes | memoryview, ...]
    results: str = "rows"
    status: str = "OK"
    next_url: str | None = None

    @property
    def head(self) -> bytes:
        """What stands before the rows."""
        fields = {
            "ticker": self.ticker,
            "queryCount": self.query_count,
            "resultsCount": self.results_count,
            "adjusted": self.adjusted,
        }
        opening = {"rows": b',"results":[', "null": b',"results":null', "absent": b""}[self.results]
        return _json(fields)[:-1] + opening

    @property
    def shown(self) -> list[bytes | memoryview]:
        """The rows as they are joined: the comma after the last is gone."""
        if self.results != "rows" or not self.rows:
            return []
        return [*self.rows[:-1], self.rows[-1][:-1]]

    def tail(self) -> bytes:
        """What stands after the rows; each call is a request of its own."""
        fields: dict[str, object] = {"status": self.status, "request_id": request_id()}
        if self.results_count:
            fields["count"] = self.results_count
        if self.next_url is not None:
            fields["next_url"] = self.next_url
        return (b"]," if self.results == "rows" else b",") + _json(fields)[1:]


def of_page(query: Query, to: str, page: Page) -> Answer:
    """The vendor's answer to a query.

    Args:
        query: what was asked.
        to: the `to` of the path, as written: `next_url` repeats it.
        page: the rows due.
    """
    beyond = following(query, to, page)
    return Answer(
        ticker=query.symbol,
        query_count=page.base_count,
        results_count=page.count,
        adjusted=query.adjusted,
        asked_from=query.first,
        beyond=beyond,
        rows=tuple(page.pieces),
        results="rows" if page.count else "absent",
        next_url=beyond if page.more else None,
    )


def following(query: Query, to: str, page: Page) -> str:
    """The address of the page after `page`, which is not empty: on the vendor's host, with a bare cursor."""
    begin, end = _text(query.first), to
    if page.final is not None:
        begin, end = (begin, _text(page.final - 1)) if query.descending else (_text(page.final + query.width), to)
    bar = f"{query.multiplier}/{query.base}"
    return f"{VENDOR}/v2/aggs/ticker/{quote(query.symbol)}/range/{bar}/{begin}/{end}?cursor={query.cursor}"


def request_id() -> str:
    """A mark for one answer, such as `sandbox-9ec51009a5dbddbef348c26f1e22ea47`."""
    return MARK + uuid4().hex


def error(status: int, said: str) -> Refusal:
    """An error whose body has `status` ERROR and an `error`."""
    return Refusal(status, _json({"status": "ERROR", "request_id": request_id(), "error": said}))


def message(status: int, name: str, said: str) -> Refusal:
    """An error whose body has a `status` of `name` and a `message`."""
    return Refusal(status, _json({"status": name, "request_id": request_id(), "message": said}))


def not_entitled() -> Refusal:
    """The plan does not reach the date, or the date is in the future."""
    upgrade = "Please upgrade your plan at https://massive.com/pricing"
    return message(403, "NOT_AUTHORIZED", f"You are not entitled to this data. {upgrade}")


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _text(milliseconds: int) -> str:
    return str(milliseconds)
