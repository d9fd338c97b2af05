"""The official client made with the API key, and single questions about what the key may access."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from mohlcv_dagster.errors import VendorError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.providers.massive.paging import PAGE_LIMIT, SECOND, PageRequest, Timespan, Window
from mohlcv_dagster.providers.massive.retry import CancelToken, Clock, Deadline, under
from mohlcv_dagster.providers.massive.vendor_text import Secret

if TYPE_CHECKING:
    from massive import RESTClient

_PROBE_SYMBOL: Final = "SPY"
"""It trades in every minute of every session."""
_PROBE_SECONDS: Final = 20.0
_MINUTE: Final = timedelta(minutes=1)


def open_client(secret: Secret, base_url: str, clock: Clock, connections: int) -> "RESTClient":
    """The official client with our pool inside; it serves as many threads as it has `connections`.

    Imports the client and its HTTP library, which takes half a second the first time.
    """
    from massive import RESTClient  # noqa: PLC0415  # a code location loads, and a plan is made, without it

    from mohlcv_dagster.providers.massive.transport import StrictPool  # noqa: PLC0415  # as above

    _remove_stdout_handler("RESTClient")
    client = RESTClient(secret.reveal(), base=base_url, retries=0, pagination=False)
    trust = {name: client.client.connection_pool_kw[name] for name in ("ca_certs", "cert_reqs")}
    client.client = StrictPool(base_url, secret, clock, connections, **trust)
    return client


def _remove_stdout_handler(name: str) -> None:
    """Take off the handler that the client's import adds; records still reach the root's handlers."""
    logger = logging.getLogger(name)
    for handler in list(logger.handlers):
        if type(handler) is logging.StreamHandler:
            logger.removeHandler(handler)


def page_body(client: "RESTClient", request: PageRequest, deadline: Deadline) -> tuple[bytes, Mapping[str, str]]:
    """The body of a page of bars as sent over the network, and its headers; one request.

    Raises:
        VendorError: no answer of 200 came in time.
    """
    with under(deadline):
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
    return response.data or b"", response.headers


@dataclass(frozen=True)
class ProbeResult:
    """The answer to a question.

    Attributes:
        error: why there is no page; `None` where one came and was verified.
        rows: bars of the page.
        seconds: how long it took.
        ahead: seconds that this machine's clock is ahead of the vendor's, to half a second; `None` where the answer had
            no time.
    """

    error: VendorError | None
    rows: int
    seconds: float
    ahead: float | None


class Probe:
    """Asks for a minute of second bars at a time, once and without retries; a context manager.

    Args:
        api_key: sent as a bearer token; never shown.
        base_url: scheme and host.
        clock: gives the time.

    Raises:
        SettingsError: the key cannot be sent.
    """

    def __init__(self, api_key: str, base_url: str, clock: Clock | None = None) -> None:
        self._secret = Secret(api_key)
        self._base_url = base_url
        self._clock = clock or Clock()
        self._client: RESTClient | None = None

    def __enter__(self) -> Self:
        self._client = open_client(self._secret, self._base_url, self._clock, connections=1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.client.clear()

    def ask(self, day: date) -> ProbeResult:
        """Ask for the first minute after the opening of the last session up to `day`, inclusive; one request.

        Raises:
            MonthError: the day is beyond the exchange calendar.
        """
        opens = exchange_calendar.previous_session(day + timedelta(days=1)).regular_open
        first = int(opens.timestamp()) * 1000
        last = int((opens + _MINUTE).timestamp()) * 1000 - 1
        request = PageRequest(_PROBE_SYMBOL, Timespan.parse(SECOND), Window(first, last), adjusted=False)
        asked_at, began = self._clock.now(), self._clock.monotonic()
        rows, error = 0, None
        try:
            rows = self._rows(request)
        except VendorError as failed:
            self._secret.redact_error(failed)
            error = failed
        took = self._clock.monotonic() - began
        return ProbeResult(error, rows, took, self._ahead(asked_at + timedelta(seconds=took / 2)))

    def _rows(self, request: PageRequest) -> int:
        from mohlcv_dagster.providers.massive.decoder import decode_page  # noqa: PLC0415 - at first use
        from mohlcv_dagster.providers.massive.transport import decompressed  # noqa: PLC0415 - with the client

        if self._client is None:
            raise RuntimeError("a probe is a context manager: ask within its block")
        deadline = Deadline(self._clock.monotonic() + _PROBE_SECONDS, CancelToken())
        body = decompressed(*page_body(self._client, request, deadline))
        return decode_page(body, request, self._secret.printable).rows

    def _ahead(self, ours: datetime) -> float | None:
        from mohlcv_dagster.providers.massive.transport import http_date  # noqa: PLC0415 - with the client

        header = self._client.client.date if self._client is not None else None
        theirs = http_date(header) if header else None
        if theirs is None:
            return None
        return (ours - theirs).total_seconds() - 0.5  # a header has full seconds, on average half a second ago
