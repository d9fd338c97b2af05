"""`MassiveVendor`: a month of bars from Massive.com, on the official client. The parts it joins live beside it.

The client is imported when the first request is made, and what reads pages when the first month is fetched: together
they cost half a second, and a plan or a look at what a symbol is does without.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from mohlcv_dagster.bars.files import check_symbol
from mohlcv_dagster.bars.listing import Listing
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.processors import pool
from mohlcv_dagster.errors import PlanError, SettingsError, VendorError
from mohlcv_dagster.settings import BASE_URL, CONCURRENCY, REQUESTS_PER_MINUTE, check_base_url
from mohlcv_dagster.vendor import plans
from mohlcv_dagster.vendor.allowance import Allowance, within
from mohlcv_dagster.vendor.client import open_client
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.fetched import FetchedMonth, Progress, Tally
from mohlcv_dagster.vendor.month import MonthFetch, persistence
from mohlcv_dagster.vendor.pages import Page, PageRequest
from mohlcv_dagster.vendor.reference import REQUESTS, Reference, modest, why_empty
from mohlcv_dagster.vendor.retry import RetryPolicy
from mohlcv_dagster.vendor.secret import Secret
from mohlcv_dagster.vendor.windows import HALF_A_PAGE, PAGE_LIMIT, SECOND, Timespan, Window, cut, end_of, start_of

if TYPE_CHECKING:
    from massive import RESTClient
    from urllib3 import BaseHTTPResponse

_VENDOR: Final = "massive.com"


def name_of(base_url: str) -> str:
    """What the vendor at a base URL is called: `massive.com`, or `stand-in at <base_url>` for any other host.

    Raises:
        SettingsError: the URL is invalid.
    """
    checked = check_base_url(base_url)
    url = urlsplit(checked)
    host = url.hostname or ""
    own = url.scheme == "https" and (host == _VENDOR or host.endswith(f".{_VENDOR}"))
    return _VENDOR if own else f"stand-in at {checked}"


class MassiveVendor:
    """Fetches bars; may be shared by threads. Not picklable: make one for each process.

    Args:
        api_key: sent as a bearer token; never shown.
        base_url: scheme and host, without a path below it unless the vendor is behind one.
        adjusted: whether to ask for prices and volumes adjusted for splits.
        concurrency: requests in flight for one month, at least 1.
        requests_per_minute: shared by everything in this process that asks the same base URL; `None` for no limit.
        retry: how stubborn to be.
        clock: tells the time, waits and draws lots.
        fill: bars a page of several windows is to have at the most, as far as can be foreseen, at least 1.

    Raises:
        MissingKeyError: `api_key` is empty.
        SettingsError: a value that cannot be meant.
    """

    def __init__(  # noqa: PLR0913  # one argument for each setting
        self,
        api_key: str,
        base_url: str = BASE_URL.default,
        *,
        adjusted: bool = False,
        concurrency: int = int(CONCURRENCY.default),
        requests_per_minute: int | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        fill: int = HALF_A_PAGE,
    ) -> None:
        self._secret = Secret(api_key)
        self.base_url = check_base_url(base_url)
        self.adjusted = adjusted
        self.concurrency = _at_least_one(CONCURRENCY.variable, concurrency)
        self.requests_per_minute = (
            None if requests_per_minute is None else _at_least_one(REQUESTS_PER_MINUTE.variable, requests_per_minute)
        )
        self.retry = retry or RetryPolicy()
        self._clock = clock or Clock()
        self._fill = _at_least_one("fill", fill)
        self._client: RESTClient | None = None
        self._client_lock = threading.Lock()

    @property
    def name(self) -> str:
        """As `name_of` has it."""
        return name_of(self.base_url)

    def fetch_month(  # noqa: PLR0913  # each has a default, and a name at every call
        self,
        symbol: str,
        month: Month,
        *,
        timeframe: str = "second",
        adjusted: bool | None = None,
        since: datetime | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> FetchedMonth:
        """Every bar of `symbol` in `month`, each page proven; all of them or an error.

        For a month proven empty the vendor is asked why, and for adjusted bars which splits there are, before them.

        Args:
            symbol: case kept.
            month: UTC; one in progress is asked up to the bar that is still open.
            timeframe: `second` or `minute`.
            adjusted: whether to ask for bars adjusted for splits; `None` for what this vendor was made to ask for.
            since: where to begin, inclusive, UTC, a whole bar in the month; `None` for its start. There may be no bars
                from there on: then none are given back, and it is no error.
            on_progress: told after each page, in the caller's thread.

        Raises:
            SymbolError, TimeframeError, MonthError: what was asked cannot be meant; no request was made.
            VendorRefusedError: the key, the plan or the request is wrong.
            VendorUnavailableError: rate limit, failing vendor, no connection or no time left, after all retries.
            PageNotWholeError: a page could not be proven, time after time.
            ConflictingBarsError: two answers contradict each other.
            NoTradesError: every window was answered whole and empty, and the vendor knows no such symbol.
        """
        from mohlcv_dagster.vendor.merge import merge  # noqa: PLC0415 - see the first lines

        began, now = self._clock.monotonic(), self._clock.now()
        timespan = Timespan.parse(timeframe)
        end = end_of(month, timespan, now)
        adjusted = self.adjusted if adjusted is None else adjusted
        start = start_of(month, end, since)
        windows = cut(start, end, timespan)
        span = Window(windows[0].start, windows[-1].last)
        request = PageRequest(check_symbol(symbol), timespan, span, adjusted)
        tally = Tally()
        stored = timespan.name == SECOND  # minutes are compared with and go: nothing is asked about them
        splits = self._reference(tally).splits(symbol) if adjusted and stored else None
        try:
            pages = self._month_fetch(len(windows), tally).run(request, windows, on_progress or _silent)
        except PlanError as error:
            raise _plan_error(error, request, month, now) from error
        bars, empty = merge(pages), None
        if stored and since is None and not bars.num_rows:
            empty = why_empty(self._reference(tally), symbol, month, end, len(pages))
        return FetchedMonth(
            bars=bars,
            requests=tally.attempts,
            retries=tally.attempts - tally.pages,
            seconds=self._clock.monotonic() - began,
            bytes=tally.bytes,
            fetched_at=now,
            complete_through=end,
            base_url=self.base_url,
            vendor=self.name,
            adjusted=adjusted,
            request_ids=(
                *(self._secret.redact(page.request_id) for page in pages if page.request_id),
                *(self._secret.redact(mark) for mark in tally.beside),
            ),
            plan_delayed=any(page.delayed for page in pages),
            empty=empty,
            splits=splits,
        )

    def listing(self, symbol: str) -> Listing:
        """What the vendor knows of `symbol`, its former names aside: one request, of one not listed today up to three.

        Never an error of the vendor's: what it does not tell is unknown, and why is said.

        Raises:
            SymbolError: it cannot be asked for.
        """
        return self._reference(Tally()).listing(check_symbol(symbol), renames=False)

    def close(self) -> None:
        """Close the connections; the next fetch opens new ones."""
        with self._client_lock:
            if self._client is not None:
                self._client.client.clear()
                self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MassiveVendor({self.base_url!r}, adjusted={self.adjusted}, concurrency={self.concurrency})"

    def _month_fetch(self, windows: int, tally: Tally) -> MonthFetch:
        stubborn = persistence(self.retry, self._clock, self.base_url, self.requests_per_minute, windows)
        return MonthFetch(self._ask_once, stubborn, self.concurrency, tally, self._fill)

    def _reference(self, tally: Tally) -> Reference:
        patience = modest(self.retry)
        stubborn = persistence(patience, self._clock, self.base_url, self.requests_per_minute, REQUESTS)
        return Reference(self._rest_client, stubborn, tally, self._secret)

    def _ask_once(self, request: PageRequest, allowance: Allowance) -> Page:
        """One page, one attempt, proven."""
        try:
            client = self._rest_client()
            with within(allowance):
                response = client.list_aggs(
                    request.symbol,
                    1,
                    request.timespan.name,
                    request.window.start,
                    request.window.last,
                    adjusted=request.adjusted,
                    sort="asc",
                    limit=PAGE_LIMIT,
                    raw=True,
                )
            # not in the threads that wait for the vendor: they are many, and each keeps what it freed
            return pool().submit(_decode, response, request).result()
        except VendorError as error:
            self._secret.redact_error(error)
            raise

    def _rest_client(self) -> "RESTClient":
        with self._client_lock:
            if self._client is None:
                self._client = open_client(self._secret, self.base_url, self._clock, self.concurrency)
            return self._client


def _decode(response: "BaseHTTPResponse", request: PageRequest) -> Page:
    from mohlcv_dagster.vendor.decoder import decode_page  # noqa: PLC0415 - see the first lines
    from mohlcv_dagster.vendor.transport import decompressed  # noqa: PLC0415 - as above

    return decode_page(decompressed(response.data or b"", response.headers), request)


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise SettingsError(f"{name} is {value}; expected a whole number of at least 1")
    return value


def _silent(_: Progress) -> None:
    """Nobody wants to know."""


def _plan_error(error: PlanError, request: PageRequest, month: Month, now: datetime) -> PlanError:
    """The refusal with what each plan reaches."""
    timespan = request.timespan.name
    return PlanError(
        f"the plan of this API key does not reach {request.symbol} {timespan} bars of {month} ({error}); "
        f"{plans.coverage(month, timespan, now.date())}. "
        "A date in the future is refused in the same words: is this machine's clock right?",
        request_id=error.request_id,
        status=error.status,
    )
