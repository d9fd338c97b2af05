"""What the vendor knows of a symbol apart from its bars: listing, symbol changes, splits; requests and their documents.

Nothing here fails a month. What the vendor refuses, does not have or does not answer in a short time is unknown, with
the reason. That there is *no* such symbol is accepted only from an answer of 200 that lists none: a 404 may as well
come from a stand-in, or a plan, without reference data.

The documents are those of the vendor's documentation, all under `https://massive.com/docs/rest/stocks`:

- `tickers/ticker-overview`, `GET /v3/reference/tickers/{ticker}`;
- `tickers/all-tickers`, `GET /v3/reference/tickers`;
- `corporate-actions/ticker-events`, `GET /vX/reference/tickers/{id}/events`, "experimental";
- `corporate-actions/splits`, `GET /stocks/v1/splits`.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from mohlcv_dagster.errors import (
    BadRequestError,
    IncompletePageError,
    NoTradesError,
    PlanError,
    RateLimitError,
    VendorError,
)
from mohlcv_dagster.formatting import printable
from mohlcv_dagster.model.listings import (
    EmptyMonthCause,
    EmptyMonthReason,
    KnownSplits,
    Listing,
    Split,
    explain_empty_month,
)
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.providers.massive.retry import Deadline, RequestStats, Retrying, under
from mohlcv_dagster.providers.massive.vendor_text import Secret, ToPrintable, VendorWords, all_printable

if TYPE_CHECKING:
    from massive import RESTClient

T = TypeVar("T")
Document: TypeAlias = dict[str, Any]

_MOST_ENTRIES: Final = 1000
_EXCERPT: Final = 300
_LARGEST_DOCUMENT: Final = 4 * 1024 * 1024
"""Bytes; a list of a thousand entries has some hundred thousand."""
_GOOD: Final = ("OK", "DELAYED")
_MOST_SHARES: Final = 1e15
"""Of a split; all that there are of a company, many times over."""


@dataclass(frozen=True)
class Reference:
    """Questions about symbols, asked under a best-effort policy; `secret` is masked in messages and errors."""

    client: "Callable[[], RESTClient]"
    retrying: Retrying
    stats: RequestStats
    secret: Secret

    def listing(self, symbol: str, *, renames: bool = True) -> Listing:
        """What is known of `symbol`, with its former names where `renames` asks for them; never an error."""
        try:
            found = self.details(symbol, None) or self._delisted(symbol)
        except VendorError as error:
            return Listing(symbol, known=False, why_unknown=self.why(error))
        if found is None:
            return Listing(symbol, known=True)
        return Listing(
            symbol,
            known=True,
            exists=True,
            name=found.name or "",
            listed=found.listed,
            delisted=found.delisted,
            renames=self._renames(symbol) if renames else None,
        )

    def splits(self, symbol: str) -> KnownSplits:
        """The splits of `symbol`; never an error."""
        try:
            return KnownSplits(
                self._ask(
                    lambda client: client.list_stocks_splits(ticker=symbol, limit=_MOST_ENTRIES, raw=True),
                    lambda document: read_splits(document, symbol),
                )
            )
        except VendorError as error:
            return KnownSplits(None, self.why(error))

    def _delisted(self, symbol: str) -> "Details | None":
        """A symbol that no company has today: the list has its last day, the overview of the day before the rest."""
        entries = self._ask(
            lambda client: client.list_tickers(
                ticker=symbol, market="stocks", active=False, limit=_MOST_ENTRIES, raw=True
            ),
            lambda document: read_tickers(document, symbol),
        )
        if not entries:
            return None
        last = max(entries, key=lambda entry: entry.delisted or date.min)
        try:
            before = self.details(symbol, last.delisted - timedelta(days=1)) if last.delisted else None
        except VendorError:
            before = None  # then the day of its listing stays unknown, which `explain_empty_month` reports
        return replace(last, listed=last.listed or (before.listed if before else None))

    def details(self, symbol: str, day: date | None) -> "Details | None":
        """The overview of a symbol as of a day, or today; `None` where no company had it then.

        Raises:
            VendorError: it is not to be had.
        """
        try:
            return self._ask(
                lambda client: client.get_ticker_details(symbol, date=str(day) if day else None, raw=True),
                lambda document: read_details(document, symbol),
            )
        except BadRequestError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def chain(self, symbol: str) -> "Chain":
        """The company that has a symbol now, with all symbols that it had.

        Raises:
            VendorError: it is not to be had.
        """
        return self._ask(lambda client: client.get_ticker_events(symbol, types="ticker_change", raw=True), read_chain)

    def _renames(self, symbol: str) -> tuple[tuple[date, str], ...] | None:
        try:
            return self.chain(symbol).symbols
        except VendorError:
            return None  # as for many symbols: the endpoint is experimental

    def _ask(self, send: "Callable[[RESTClient], Any]", read: Callable[[Document], T]) -> T:
        self.stats.add(pages=1)
        return self.retrying.call(lambda until: self._attempt(send, read, until))

    def _attempt(self, send: "Callable[[RESTClient], Any]", read: Callable[[Document], T], until: float) -> T:
        from mohlcv_dagster.providers.massive.transport import decompressed  # noqa: PLC0415  # with the client

        deadline = Deadline(until, self.retrying.cancel)
        self.stats.add(attempts=1)
        try:
            with under(deadline):
                response = send(self.client())
            document = parse_document(decompressed(response.data or b"", response.headers), self.secret.printable)
            found = read(document)
        except VendorError as error:
            self.stats.add(rate_limited=isinstance(error, RateLimitError))
            self.secret.redact_error(error)
            raise
        finally:
            self.stats.add(received=deadline.received)
        request_id = document.get("request_id")
        self.stats.reference_ids += [printable(str(request_id))] if request_id else []
        return found

    def why(self, error: VendorError) -> str:
        """Why the vendor did not answer, a clause."""
        if isinstance(error, PlanError):
            return f"the plan of this API key has no reference data ({str(error)[:_EXCERPT]})"
        if error.status == HTTPStatus.NOT_FOUND:
            return "there is no reference data at the base URL (it answered 404)"
        return f"the vendor's reference did not answer ({str(error)[:_EXCERPT]})"


def why_empty(reference: Reference, symbol: str, month: Month, end: datetime, pages: int) -> EmptyMonthReason:
    """Why a month that is proven empty has no bars.

    Raises:
        NoTradesError: the vendor knows no such symbol.
    """
    if month.end.date() <= plans.FIRST_DAY:
        return EmptyMonthReason(EmptyMonthCause.EXPLAINED, f"the vendor has nothing before {plans.FIRST_DAY}")
    empty = explain_empty_month(reference.listing(symbol), month, end)
    if empty.cause is EmptyMonthCause.NO_SUCH_SYMBOL:
        case = f"Case counts: is {symbol.upper()} meant?"
        question = case if symbol.islower() else "Is the symbol right? Case counts: BACpB, BRK.B"
        raise NoTradesError(
            f"{symbol} has no trades in {month}: all {pages} pages of it came complete and empty, and "
            f"{empty.reason}. {question}",
            pages=pages,
        )
    return empty


@dataclass(frozen=True)
class Details:
    """A symbol as its overview or an entry of the list describes it; `None` where it gives none.

    Attributes:
        name: of the company.
        listed: `list_date`, when the company was first listed, under any symbol.
        delisted: the day of `delisted_utc`.
        figi: the composite FIGI; empty where it is not given.
        cik: the company's number at the SEC; empty where it is not given.
    """

    name: str | None
    listed: date | None
    delisted: date | None
    figi: str = ""
    cik: str = ""


@dataclass(frozen=True)
class Chain:
    """A company and its symbols.

    Attributes:
        symbols: each with its first day, rising.
        name: empty where it is not given, as are
        figi: the composite FIGI, and
        cik: the number at the SEC.
    """

    symbols: tuple[tuple[date, str], ...]
    name: str
    figi: str
    cik: str


def parse_document(body: bytes, to_printable: ToPrintable = printable) -> Document:
    """The JSON object in `body`, each text in it made safe to show and to store.

    Raises:
        PlanError: the vendor refuses it, though with the status 200.
        IncompletePageError: it is not one, is too long, or its status is not good.
    """
    if len(body) > _LARGEST_DOCUMENT:
        raise _incomplete(f"{len(body):,} bytes, more than {_LARGEST_DOCUMENT:,}")
    try:
        document = all_printable(json.loads(body), to_printable)
    except (ValueError, RecursionError) as error:
        raise _incomplete(f"{len(body)} bytes that are not JSON ({error})") from error
    document = _object(document, "the document")
    if document.get("status", "OK") not in _GOOD:
        said = VendorWords.of(body, to_printable)
        if said.status == "NOT_AUTHORIZED":
            raise PlanError(f"the vendor answered 200: {said.words}", request_id=said.request_id, status=200)
        raise _incomplete(f"status {document['status']!r}: {said.words}")
    return document


def read_details(document: Document, symbol: str) -> Details:
    """The overview of `symbol`.

    Raises:
        IncompletePageError: it is not such a document, or about another symbol.
    """
    return _details(_object(document.get("results"), "results"), symbol)


def read_tickers(document: Document, symbol: str) -> list[Details]:
    """Every entry of `symbol` in a list of symbols, in its order; empty where it has none.

    Raises:
        IncompletePageError: it is not such a list, or continues on a further page, or has another symbol.
    """
    return [_details(entry, symbol) for entry in _entries(document)]


def read_events(document: Document) -> tuple[tuple[date, str], ...]:
    """The symbols a company has had, each with its first day, rising.

    Raises:
        IncompletePageError: it is not such a document, or gives two symbols for one day.
    """
    results = _object(document.get("results"), "results")
    found = set()
    for entry in _list(results.get("events"), "events"):
        event = _object(entry, "an event")
        if event.get("type") == "ticker_change":
            change = _object(event.get("ticker_change"), "ticker_change")
            found.add((_day(event, "date"), _text(change, "ticker")))
    if len({day for day, _ in found}) < len(found):
        raise _incomplete("two symbols from the same day on")
    return tuple(sorted(found))


def read_chain(document: Document) -> Chain:
    """The company in a list of symbol changes, and its symbols.

    Raises:
        IncompletePageError: as of `read_events`.
    """
    results = _object(document.get("results"), "results")
    return Chain(read_events(document), *(_words(results, key) for key in ("name", "composite_figi", "cik")))


def read_splits(document: Document, symbol: str) -> tuple[Split, ...]:
    """The splits of `symbol`, rising, future ones included.

    Raises:
        IncompletePageError: it is not such a list, or continues on a further page, or has another symbol's.
    """
    splits = set()
    for entry in _entries(document):
        if entry.get("ticker") != symbol:
            raise _incomplete(f"a split of {entry.get('ticker')!r}, expected {symbol!r}")
        splits.add(Split(_day(entry, "execution_date"), _shares(entry, "split_from"), _shares(entry, "split_to")))
    return tuple(sorted(splits))


def _entries(document: Document) -> Iterable[Document]:
    if document.get("next_url"):
        raise _incomplete("a list that continues on another page")
    return (_object(entry, "an entry") for entry in _list(document.get("results"), "results"))


def _details(entry: Document, symbol: str) -> Details:
    if entry.get("ticker") != symbol:
        raise _incomplete(f"an answer about {entry.get('ticker')!r}, expected {symbol!r}")
    name, delisted = entry.get("name"), entry.get("delisted_utc")
    return Details(
        name=printable(str(name)) if name else None,
        listed=_day(entry, "list_date") if entry.get("list_date") else None,
        delisted=_day({"delisted_utc": str(delisted)[:10]}, "delisted_utc") if delisted else None,
        figi=_words(entry, "composite_figi"),
        cik=_words(entry, "cik"),
    )


def _words(entry: Document, key: str) -> str:
    """A text that may be missing; empty where it is."""
    value = entry.get(key)
    return printable(value.strip()) if isinstance(value, str) else ""


def _list(value: object, what: str) -> list[Any]:
    """A list; empty where it is missing."""
    if value is not None and not isinstance(value, list):
        raise _incomplete(f"{what} that are not a list but {type(value).__name__}")
    return value or []


def _object(value: object, what: str) -> Document:
    if not isinstance(value, dict):
        raise _incomplete(f"{what} that is not an object but {type(value).__name__}")
    return value


def _text(entry: Document, key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise _incomplete(f"{key} {value!r}")
    return value


def _day(entry: Document, key: str) -> date:
    try:
        return date.fromisoformat(_text(entry, key))
    except ValueError as error:
        raise _incomplete(f"{key} {entry[key]!r}, expected a day such as 2024-06-10") from error


def _shares(entry: Document, key: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST_SHARES:
        raise _incomplete(f"{key} {value!r}, expected a number above zero")
    return float(value)


def _incomplete(what: str) -> IncompletePageError:
    return IncompletePageError(f"the vendor's reference answered with {printable(what)}", status=200)
