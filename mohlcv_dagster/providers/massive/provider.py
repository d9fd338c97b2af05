"""`MassiveProvider`: months of bars from Massive.com, on the official client.

The client is imported with the first request, and what reads pages with the first month: together they take half a
second, and neither an estimate nor a listing needs both.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from mohlcv_dagster.bars.runtime import pool
from mohlcv_dagster.errors import DeadlineError, PlanError, SettingsError, VendorError
from mohlcv_dagster.model.bar_files import TIME, check_symbol
from mohlcv_dagster.model.company import Company, KnownCompany
from mohlcv_dagster.model.listings import EmptyMonthReason, KnownSplits, ListedDays, Listing, lacks_an_edge
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.base import Cost, FetchedMonth, FetchProgress
from mohlcv_dagster.providers.massive import plans
from mohlcv_dagster.providers.massive.account import open_client, page_body
from mohlcv_dagster.providers.massive.paging import (
    HALF_A_PAGE,
    SECOND,
    PageRequest,
    Paging,
    Timespan,
    Window,
    cut,
    end_of,
    start_of,
)
from mohlcv_dagster.providers.massive.reference import Reference, why_empty
from mohlcv_dagster.providers.massive.retry import Clock, Deadline, RequestStats, Retrying, RetryPolicy, best_effort
from mohlcv_dagster.providers.massive.vendor_text import Secret, ToPrintable
from mohlcv_dagster.settings import BASE_URL, CONCURRENCY, REQUESTS_PER_MINUTE, check_base_url

if TYPE_CHECKING:
    import pyarrow as pa
    from massive import RESTClient

    from mohlcv_dagster.providers.massive.pages import Page
    from mohlcv_dagster.providers.massive.rate_limits import RateLimit

_VENDOR: Final = "massive.com"
_FEWEST_BARS: Final = 100
"""With fewer bars in a month, a session without any says nothing of when the symbol was listed."""
_SHORTEST_READ: Final = 1.0
"""Seconds that a page has to be read, however late its last byte came: the pool may be at work on other months."""


def provider_name(base_url: str) -> str:
    """The provider's name for a base URL: `massive.com`, or `stand-in at <base_url>` for any other host.

    Raises:
        SettingsError: the URL is invalid.
    """
    checked = check_base_url(base_url)
    url = urlsplit(checked)
    host = url.hostname or ""
    own = url.scheme == "https" and (host == _VENDOR or host.endswith(f".{_VENDOR}"))
    return _VENDOR if own else f"stand-in at {checked}"


class MassiveProvider:
    """The `BarProvider` of Massive.com; may be shared by threads. Not picklable: make one for each process.

    Args:
        api_key: sent as a bearer token; never shown.
        base_url: scheme and host, without a path below it unless the vendor is behind one.
        adjusted: whether to ask for prices and volumes adjusted for splits.
        concurrency: requests in flight for one month, at least 1.
        requests_per_minute: shared by everything in this process that asks the same base URL; `None` for no limit.
        limit_store: a file or URL by which other processes share this limit (see `rate_limits`); `None` for none.
        retry: how often and how long to try.
        clock: gives the time, waits and draws random numbers.
        fill: the most bars that a page of several windows is expected to have, at least 1.

    Raises:
        MissingKeyError: `api_key` is empty.
        SettingsError: an invalid value.
    """

    def __init__(  # noqa: PLR0913  # one argument for each setting
        self,
        api_key: str,
        base_url: str = BASE_URL.default,
        *,
        adjusted: bool = False,
        concurrency: int = int(CONCURRENCY.default),
        requests_per_minute: int | None = None,
        limit_store: str | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        fill: int = HALF_A_PAGE,
    ) -> None:
        self._secret = Secret(api_key)
        self.base_url = check_base_url(base_url)
        self.adjusted = adjusted
        self.concurrency = _at_least_one(CONCURRENCY.variable, concurrency)
        self._limit = None if requests_per_minute is None else _limit(self.base_url, requests_per_minute, limit_store)
        self.retry = retry or RetryPolicy()
        self._clock = clock or Clock()
        self._fill = _at_least_one("fill", fill)
        self._client: RESTClient | None = None
        self._client_lock = threading.Lock()

    @property
    def company_requests(self) -> int:
        """As `BarProvider.company_requests`: the overview of a symbol as of the month, and its changes of symbol."""
        return 2

    @property
    def name(self) -> str:
        """As `provider_name` gives it."""
        return provider_name(self.base_url)

    def fetch_month(  # noqa: PLR0913  # each has a default, and a name at every call
        self,
        symbol: str,
        month: Month,
        *,
        timeframe: str = "second",
        adjusted: bool | None = None,
        since: datetime | None = None,
        on_progress: Callable[[FetchProgress], None] | None = None,
    ) -> FetchedMonth:
        """As `BarProvider.fetch_month`; each page is verified, and `on_progress` is called after each.

        For a month proven empty the vendor is asked why, for one without a bar in its first or last session when the
        symbol was listed; for adjusted bars, which splits there are, before the bars.
        Transient errors and pages that fail their checks are raised after all retries.
        """
        from mohlcv_dagster.providers.massive.pages import merge  # noqa: PLC0415 - see the first lines

        began, now = self._clock.monotonic(), self._clock.now()
        timespan = Timespan.parse(timeframe)
        end = end_of(month, timespan, now)
        adjusted = self.adjusted if adjusted is None else adjusted
        windows = cut(start_of(month, end, since), end, timespan)
        request = PageRequest(check_symbol(symbol), timespan, Window(windows[0].start, windows[-1].last), adjusted)
        stats = RequestStats()
        splits = self._splits(request, stats)
        try:
            pages = self._paging(stats).run(request, windows, on_progress or _silent)
        except PlanError as error:
            raise _plan_error(error, request, month, now) from error
        bars, figures = merge(pages)
        empty = None if bars.num_rows or since else self._why_empty(request, month, end, len(pages), stats)
        listed = self._listed(request, month, bars, end, stats) if bars.num_rows else None
        return FetchedMonth(
            bars=bars,
            figures=figures,
            requests=stats.attempts,
            retries=stats.attempts - stats.pages,
            rate_limited=stats.rate_limited,
            seconds=self._clock.monotonic() - began,
            bytes=stats.bytes,
            fetched_at=now,
            complete_through=end,
            vendor=self.name,
            adjusted=adjusted,
            request_ids=(*(page.request_id for page in pages if page.request_id), *stats.reference_ids),
            plan_delayed=any(page.delayed for page in pages),
            empty=empty,
            splits=splits,
            listed=listed,
        )

    def listing(self, symbol: str) -> Listing:
        """As `BarProvider.listing`, without former names; one request, up to three for a symbol not listed today."""
        return self._reference(RequestStats()).listing(check_symbol(symbol), renames=False)

    def splits(self, symbol: str) -> KnownSplits:
        """As `BarProvider.splits`; one request."""
        return self._reference(RequestStats()).splits(check_symbol(symbol))

    def company(self, symbol: str, day: date, known: Iterable[Company] = ()) -> KnownCompany:
        """As `BarProvider.company`; at most three requests, mostly none: see `companies`."""
        from mohlcv_dagster.providers.massive.companies import Companies, memory_of  # noqa: PLC0415 - as above

        asked = Companies(self._reference(RequestStats()), memory_of(self.base_url))
        return asked.company(check_symbol(symbol), day, known)

    def estimate(
        self,
        month: Month,
        now: datetime,
        *,
        bars_a_session: float,
        since: datetime | None = None,
        empty: Listing | None = None,
    ) -> Cost:
        """As `BarProvider.estimate`."""
        return plans.estimate_month(
            month, now, bars_a_session=bars_a_session, since=since, adjusted=self.adjusted, empty=empty
        )

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
        return f"MassiveProvider({self.base_url!r}, adjusted={self.adjusted}, concurrency={self.concurrency})"

    def _splits(self, request: PageRequest, stats: RequestStats) -> KnownSplits | None:
        """Requested before adjusted seconds; minutes are compared and not stored, so nothing is recorded of them."""
        if not request.adjusted or request.timespan.name != SECOND:
            return None
        return self._reference(stats).splits(request.symbol)

    def _why_empty(
        self, request: PageRequest, month: Month, end: datetime, pages: int, stats: RequestStats
    ) -> EmptyMonthReason | None:
        if request.timespan.name != SECOND:
            return None
        return why_empty(self._reference(stats), request.symbol, month, end, pages)

    def _listed(
        self, request: PageRequest, month: Month, bars: "pa.Table", end: datetime, stats: RequestStats
    ) -> ListedDays | None:
        """When the symbol could be traded, where the first or the last session has no bar and the vendor knows."""
        first, last = (bars[TIME][at].as_py() for at in (0, -1))
        since = datetime.fromtimestamp(request.window.start / 1000, UTC)
        if (
            request.timespan.name != SECOND
            or bars.num_rows < _FEWEST_BARS
            or not lacks_an_edge(month, first, last, since, end)
        ):
            return None
        listing = self._reference(stats).listing(request.symbol)
        return ListedDays.of(listing, month) if listing.exists else None

    def _paging(self, stats: RequestStats) -> Paging:
        return Paging(self._ask_once, self._retrying(self.retry), self.concurrency, stats, self._fill)

    def _reference(self, stats: RequestStats) -> Reference:
        return Reference(self._rest_client, self._retrying(best_effort(self.retry)), stats, self._secret)

    def _retrying(self, policy: RetryPolicy) -> Retrying:
        if self._limit is not None:
            self._rest_client()  # loaded before a turn is booked: a request that is late counts in the next minute
        return Retrying.starting_now(policy, self._clock, self._limit)

    def _ask_once(self, request: PageRequest, deadline: Deadline) -> "Page":
        """One page, one attempt, verified."""
        try:
            body, headers = page_body(self._rest_client(), request, deadline)
            # not in the threads that wait for the vendor: they are many, and each keeps the memory that it freed
            page = pool().submit(_decode, body, headers, request, self._secret.printable)
            return page.result(max(_SHORTEST_READ, deadline.until - self._clock.monotonic()))
        except TimeoutError:
            page.cancel()
            raise DeadlineError(
                f"the page for {request} could not be read in time ({len(body):,} bytes had come); try again later"
            ) from None
        except VendorError as error:
            self._secret.redact_error(error)
            raise

    def _rest_client(self) -> "RESTClient":
        with self._client_lock:
            if self._client is None:
                self._client = open_client(self._secret, self.base_url, self._clock, self.concurrency)
            return self._client


def _decode(body: bytes, headers: Mapping[str, str], request: PageRequest, to_printable: ToPrintable) -> "Page":
    from mohlcv_dagster.providers.massive.decoder import decode_page  # noqa: PLC0415 - see the first lines
    from mohlcv_dagster.providers.massive.transport import decompressed  # noqa: PLC0415 - as above

    return decode_page(decompressed(body, headers), request, to_printable)


def _limit(base_url: str, per_minute: int, store: str | None) -> "RateLimit":
    from mohlcv_dagster.providers.massive.rate_limits import RateLimit  # noqa: PLC0415 - only where there is a limit

    return RateLimit.of(base_url, _at_least_one(REQUESTS_PER_MINUTE.variable, per_minute), store)


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise SettingsError(f"{name} is {value}; expected an integer of at least 1")
    return value


def _silent(_: FetchProgress) -> None:
    """Progress that is not reported."""


def _plan_error(error: PlanError, request: PageRequest, month: Month, now: datetime) -> PlanError:
    """The refusal with what each plan covers."""
    timespan = request.timespan.name
    return PlanError(
        f"the plan of this API key does not reach {request.symbol} {timespan} bars of {month} ({error}); "
        f"{plans.coverage(month, timespan, now.date())}. "
        "A date in the future is refused in the same words: is this machine's clock right?",
        request_id=error.request_id,
        status=error.status,
    )
