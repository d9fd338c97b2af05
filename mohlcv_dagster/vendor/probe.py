"""Single questions that find out about the key, the plan and the clock: asked once, never again. No bars are kept."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Self

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.errors import VendorError
from mohlcv_dagster.vendor.allowance import Allowance, Stop, within
from mohlcv_dagster.vendor.client import open_client
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.pages import PageRequest
from mohlcv_dagster.vendor.secret import Secret
from mohlcv_dagster.vendor.windows import PAGE_LIMIT, SECOND, Timespan, Window

if TYPE_CHECKING:
    from massive import RESTClient

SYMBOL: Final = "SPY"
"""Whose bars are asked for: it trades in every minute of every session."""

_PATIENCE: Final = 20.0
_MINUTE: Final = timedelta(minutes=1)
_WEEKS: Final = timedelta(days=21)


@dataclass(frozen=True)
class Answered:
    """What came of a question.

    Attributes:
        error: what the vendor, or the way to it, said no with; `None` where a page came and was proven.
        rows: bars of the page.
        seconds: the time it took.
        ahead: seconds that this machine's clock is ahead of the vendor's, to half a second; `None` where it told none.
    """

    error: VendorError | None
    rows: int
    seconds: float
    ahead: float | None


class Probe:
    """Asks for a minute of second bars at a time, as a context manager.

    Args:
        api_key: sent as a bearer token; never shown.
        base_url: as `MassiveVendor` has it.
        clock: tells the time.

    Raises:
        SettingsError: the key cannot be sent.
    """

    def __init__(self, api_key: str, base_url: str, clock: Clock | None = None) -> None:
        self._secret = Secret(api_key)
        self._base_url = base_url
        self._clock = clock or Clock()
        self._client: RESTClient | None = None

    def __enter__(self) -> Self:
        self._client = open_client(self._secret, self._base_url, self._clock, 1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.client.clear()

    def ask(self, day: date) -> Answered:
        """Ask for the first minute after the opening bell of the last session up to `day`, inclusive; one request.

        Raises:
            MonthError: the day is beyond the exchange calendar.
        """
        opens = sessions.sessions_between(day - _WEEKS, day)[-1].regular_open
        first = int(opens.timestamp()) * 1000
        last = int((opens + _MINUTE).timestamp()) * 1000 - 1
        request = PageRequest(SYMBOL, Timespan.parse(SECOND), Window(first, last), adjusted=False)
        asked_at, began = self._clock.now(), self._clock.monotonic()
        rows, error = 0, None
        try:
            rows = self._page(request)
        except VendorError as failed:
            self._secret.redact_error(failed)
            error = failed
        took = self._clock.monotonic() - began
        return Answered(error, rows, took, self._ahead(asked_at + timedelta(seconds=took / 2)))

    def _page(self, request: PageRequest) -> int:
        from mohlcv_dagster.vendor.decoder import decode_page  # noqa: PLC0415 - at first use, with the client
        from mohlcv_dagster.vendor.transport import decompressed  # noqa: PLC0415 - as above

        if self._client is None:
            raise RuntimeError("a probe is a context manager: ask within its block")
        with within(Allowance(self._clock.monotonic() + _PATIENCE, Stop())):
            response = self._client.list_aggs(
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
        return decode_page(decompressed(response.data or b"", response.headers), request).rows

    def _ahead(self, ours: datetime) -> float | None:
        told = self._client.client.date if self._client is not None else None
        if told is None:
            return None
        try:
            theirs = parsedate_to_datetime(told)
        except ValueError:
            return None  # a header that means nothing tells no time
        aware = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
        return (ours - aware).total_seconds() - 0.5  # a header has whole seconds, on the average half of one ago
