"""What the vendor knows of a symbol beside its bars, asked for: listing, renames, splits. Documents: `reference_pages`.

Nothing here fails a month. What the vendor refuses, does not have or cannot tell in a modest time is unknown, and why
is said. That there is *no* such symbol is believed only on an answer of 200 that lists none: a 404 may as well come of
a stand-in, or a plan, without reference data.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mohlcv_dagster.bars.listing import Cause, Emptiness, Listing, explain
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.splits import KnownSplits
from mohlcv_dagster.errors import BadRequestError, NoTradesError, PlanError, VendorError
from mohlcv_dagster.vendor import plans, reference_pages
from mohlcv_dagster.vendor.allowance import Allowance, within
from mohlcv_dagster.vendor.fetched import Tally
from mohlcv_dagster.vendor.reference_pages import Details
from mohlcv_dagster.vendor.retry import Persistence, RetryPolicy
from mohlcv_dagster.vendor.secret import Secret

if TYPE_CHECKING:
    from massive import RESTClient

T = TypeVar("T")

REQUESTS: Final = 4
"""The most documents that one question takes."""
_MOST_ENTRIES: Final = 1000
_EXCERPT: Final = 300


def modest(policy: RetryPolicy) -> RetryPolicy:
    """`policy` for what a month can do without: three tries, a minute and a half for all documents."""
    return replace(
        policy,
        attempt_seconds=min(policy.attempt_seconds, 20.0),
        request_seconds=min(policy.request_seconds, 45.0),
        month_seconds=min(policy.month_seconds, 90.0),
        tries=min(policy.tries, 3),
        page_tries=min(policy.page_tries, 2),
    )


@dataclass(frozen=True)
class Reference:
    """One question about one symbol.

    Attributes:
        client: gives the official client.
        persistence: when to ask again; see `modest`.
        tally: counts what it takes, and keeps the vendor's marks of what came.
        secret: masked in what is told.
    """

    client: "Callable[[], RESTClient]"
    persistence: Persistence
    tally: Tally
    secret: Secret

    def listing(self, symbol: str, *, renames: bool = True) -> Listing:
        """What is known of `symbol`, its former names where `renames` asks for them; never an error."""
        try:
            found = self._today(symbol) or self._former(symbol)
        except VendorError as error:
            return Listing(symbol, known=False, why_unknown=self._why(error))
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
                    lambda body: reference_pages.decode_splits(body, symbol),
                )
            )
        except VendorError as error:
            return KnownSplits(None, self._why(error))

    def _today(self, symbol: str) -> Details | None:
        return self._details(symbol, None)

    def _former(self, symbol: str) -> Details | None:
        """A symbol that nobody bears any more: the list has the day it was delisted, an overview of before the rest."""
        entries = self._ask(
            lambda client: client.list_tickers(
                ticker=symbol, market="stocks", active=False, limit=_MOST_ENTRIES, raw=True
            ),
            lambda body: reference_pages.decode_tickers(body, symbol),
        )
        if not entries:
            return None
        last = max(entries, key=lambda entry: entry.delisted or date.min)
        try:
            before = self._details(symbol, last.delisted - timedelta(days=1)) if last.delisted else None
        except VendorError:
            before = None  # then the day of its listing stays unknown, which `explain` says
        return replace(last, listed=last.listed or (before.listed if before else None))

    def _details(self, symbol: str, day: date | None) -> Details | None:
        try:
            return self._ask(
                lambda client: client.get_ticker_details(symbol, date=str(day) if day else None, raw=True),
                lambda body: reference_pages.decode_details(body, symbol),
            )
        except BadRequestError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _renames(self, symbol: str) -> tuple[tuple[date, str], ...] | None:
        try:
            return self._ask(
                lambda client: client.get_ticker_events(symbol, types="ticker_change", raw=True),
                reference_pages.decode_events,
            )
        except VendorError:
            return None  # as for many a symbol: the endpoint is experimental

    def _ask(self, call: "Callable[[RESTClient], Any]", decode: Callable[[bytes], T]) -> T:
        self.tally.page()
        return self.persistence.ask(lambda until: self._attempt(call, decode, until))

    def _attempt(self, call: "Callable[[RESTClient], Any]", decode: Callable[[bytes], T], until: float) -> T:
        from mohlcv_dagster.vendor.transport import decompressed  # noqa: PLC0415  # with the client, at first use

        allowance = Allowance(until, self.persistence.stop)
        self.tally.attempt()
        try:
            with within(allowance):
                response = call(self.client())
            body = decompressed(response.data or b"", response.headers)
            decoded = decode(body)
        except VendorError as error:
            self.secret.redact_error(error)
            raise
        finally:
            self.tally.received(allowance.received)
        mark = reference_pages.request_id(body)
        self.tally.beside += [mark] if mark else []
        return decoded

    def _why(self, error: VendorError) -> str:
        if isinstance(error, PlanError):
            return f"the plan of this API key has no reference data ({str(error)[:_EXCERPT]})"
        if error.status == HTTPStatus.NOT_FOUND:
            return "there is no reference data at the base URL (it answered 404)"
        return f"the vendor's reference did not answer ({str(error)[:_EXCERPT]})"


def _meant(symbol: str) -> str:
    if symbol.islower():
        return f"Case counts: is {symbol.upper()} meant?"
    return "Is the symbol right? Case counts: BACpB, BRK.B"


def why_empty(reference: Reference, symbol: str, month: Month, end: datetime, pages: int) -> Emptiness:
    """Why a month proven empty is so.

    Raises:
        NoTradesError: the vendor knows no such symbol.
    """
    if month.end.date() <= plans.FIRST_DAY:
        return Emptiness(Cause.EXPLAINED, f"the vendor has nothing before {plans.FIRST_DAY}")
    empty = explain(reference.listing(symbol), month, end)
    if empty.cause is Cause.NO_SUCH_SYMBOL:
        raise NoTradesError(
            f"{symbol} has no trades in {month}: all {pages} pages of it came whole and empty, and "
            f"{empty.because}. {_meant(symbol)}",
            pages=pages,
        )
    return empty
