"""What a source of bars must provide: the `BarProvider` protocol and the values that it takes and returns.

A second source is a class with these methods and an entry in `create`. The assets, the checks and the storage use
nothing else of a provider, so they stay as they are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol, Self

from mohlcv_dagster.model.company import Company, KnownCompany
from mohlcv_dagster.model.listings import EmptyMonthReason, KnownSplits, ListedDays, Listing
from mohlcv_dagster.model.months import Month

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class FetchProgress:
    """How far a fetch has come.

    Attributes:
        windows_done: parts of the month that are complete.
        windows: parts of the month, at least 1.
        bars: received so far.
        bytes: received so far, as sent over the network.
        requests: made so far, retries included.
    """

    windows_done: int
    windows: int
    bars: int
    bytes: int
    requests: int


@dataclass(frozen=True)
class FetchedMonth:
    """The bars of a symbol in a month, and their provenance.

    Attributes:
        bars: a table as `bars.schema` describes, with the volume type of the contract; without rows where the provider
            has proven that there are none in what was requested.
        requests: made, retries included.
        retries: how many of them were retries.
        seconds: how long it took.
        bytes: received over the network, compressed where the provider compressed.
        fetched_at: when the first request was sent, UTC.
        complete_through: exclusive end of what was requested, UTC: the month's end, or the start of the bar still open.
        vendor: the provider's name, as `BarProvider.name`.
        adjusted: whether prices and volumes are adjusted for splits.
        request_ids: the provider's own ids of its answers: of the bars in order of time, then of listings and splits.
        plan_delayed: whether the provider marked its data as delayed.
        empty: why there are no bars; `None` where there are some, or a part of a month was requested.
        listed: on which days the symbol could be traded, asked where the first or last session has no bar; else `None`.
        splits: the symbol's splits, known before adjusted bars were requested; of unadjusted ones, `None` unless prices
            jump between two sessions.
        rate_limited: how many of the requests were answered with status 429, too many requests.
        company: that had the symbol then; `None` where nobody was asked for it.
        figures: how many trades each bar has, and their average price, row for row (see `bars.trade_figures`); `None`
            where the provider gives none.
    """

    bars: "pa.Table"
    requests: int
    retries: int
    seconds: float
    bytes: int
    fetched_at: datetime
    complete_through: datetime
    vendor: str
    adjusted: bool
    request_ids: tuple[str, ...]
    plan_delayed: bool
    empty: EmptyMonthReason | None = None
    splits: KnownSplits | None = None
    listed: ListedDays | None = None
    company: KnownCompany | None = None
    figures: "pa.Table | None" = None
    rate_limited: int = 0


@dataclass(frozen=True)
class Cost:
    """Estimated requests, without retries.

    Attributes:
        bars: for second bars.
        reference: for splits, before adjusted bars; for the company that had the symbol; for why a month has no bars.
        minutes: for the provider's own minutes, which a check requests once `aggregated/1min` is made.
    """

    bars: int = 0
    reference: int = 0
    minutes: int = 0

    @property
    def fetch(self) -> int:
        """What the fetch itself takes."""
        return self.bars + self.reference

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.bars + other.bars, self.reference + other.reference, self.minutes + other.minutes)


class BarProvider(Protocol):
    """A source of bars, used as a context manager and by several threads.

    Its errors are those of `mohlcv_dagster.errors`; their type shows whether trying again helps.
    """

    @property
    def name(self) -> str:
        """What is recorded as the origin of its bars, such as `massive.com`.

        A stored month is only completed, and compared, with bars of the same name.
        """
        ...

    @property
    def adjusted(self) -> bool:
        """Whether it gives prices and volumes adjusted for splits, unless a call says otherwise."""
        ...

    @property
    def company_requests(self) -> int:
        """How many requests `company` makes for a symbol at first; later one or none for each month."""
        ...

    def fetch_month(  # noqa: PLR0913 - each has a default, and a name at every call
        self,
        symbol: str,
        month: Month,
        *,
        timeframe: str = "second",
        adjusted: bool | None = None,
        since: datetime | None = None,
        on_progress: Callable[[FetchProgress], None] | None = None,
    ) -> FetchedMonth:
        """Every bar of `symbol` in `month`: all of them, proven complete, or an error.

        Args:
            symbol: case-sensitive.
            month: UTC; of the month in progress, up to the bar that is still open.
            timeframe: `second`, or `minute` for the provider's own minute bars, which a check compares with ours.
            adjusted: whether to return bars adjusted for splits; `None` for `self.adjusted`.
            since: the first moment, inclusive, UTC, on a bar's start within the month; `None` for the month's start.
                There may be no bars from there on: then none are returned, without an error.
            on_progress: called now and then, in the caller's thread.

        Raises:
            InputError: the symbol, the timeframe or the month cannot be requested; no request was made.
            VendorRefusedError: the provider refuses: trying again does not help.
            VendorUnavailableError: it is out of reach, too busy or too slow: trying again later helps.
            IncompletePageError: an answer could not be proven complete.
            ConflictingBarsError: two answers contradict each other.
            NoTradesError: there are no bars in the complete month, and the provider knows no such symbol.
        """
        ...

    def listing(self, symbol: str) -> Listing:
        """What is known of `symbol`: whether it exists, the company's name, when it was listed and delisted.

        What the provider does not know is unknown, with the reason, and not an error.

        Raises:
            SymbolError: it cannot be requested.
        """
        ...

    def splits(self, symbol: str) -> KnownSplits:
        """The splits of `symbol`; what the provider does not know is unknown, with the reason, and not an error.

        Raises:
            SymbolError: it cannot be requested.
        """
        ...

    def company(self, symbol: str, day: date, known: Iterable[Company] = ()) -> KnownCompany:
        """The company that had `symbol` on an Eastern day; what is unknown has a reason and is no error.

        Args:
            symbol: case-sensitive.
            day: that of a month's last bar.
            known: what was recorded with other months of the symbol, which may save a request.

        Raises:
            SymbolError: it cannot be requested.
        """
        ...

    def estimate(
        self,
        month: Month,
        now: datetime,
        *,
        bars_a_session: float,
        since: datetime | None = None,
        empty: Listing | None = None,
    ) -> Cost:
        """How many requests `fetch_month` would make at `now`; none is made.

        Args:
            month: UTC, begun.
            now: aware.
            bars_a_session: second bars in each session; ignored where `empty` is given.
            since: as in `fetch_month`.
            empty: the listing that shows that the month has no bars; `None` where it may have some.

        Raises:
            MonthInFutureError: at `now` no bar of the month is complete.
        """
        ...

    def close(self) -> None:
        """Close the connections; the next request may open new ones."""
        ...

    def __enter__(self) -> Self:
        """Itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...
