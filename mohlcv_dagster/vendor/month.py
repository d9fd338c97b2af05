"""The pages of a month on their way: windows side by side, each page asked for until it is proven, all counted.

How one page is asked for once is handed in; what comes of the pages is `massive`'s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mohlcv_dagster.vendor.allowance import Allowance, Stop
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.fetched import Progress, Tally
from mohlcv_dagster.vendor.gather import follow, side_by_side
from mohlcv_dagster.vendor.limits import MINUTE, ledger_of
from mohlcv_dagster.vendor.pages import Page, PageRequest
from mohlcv_dagster.vendor.retry import Persistence, RetryPolicy


@dataclass(frozen=True)
class MonthFetch:
    """One fetch of one month.

    Attributes:
        ask_once: gives the page for a request, proven, or raises; one attempt.
        persistence: when it is asked again.
        concurrency: windows under way at once.
        tally: what it took so far.
    """

    ask_once: Callable[[PageRequest, Allowance], Page]
    persistence: Persistence
    concurrency: int
    tally: Tally

    def run(self, windows: Sequence[PageRequest], on_progress: Callable[[Progress], None]) -> list[Page]:
        """The pages of all windows, in order of time.

        Args:
            windows: what to ask for, in order of time.
            on_progress: told after each window, in the caller's thread.

        Raises:
            VendorError: the first failure that asking again did not cure; the other windows are called off.
        """
        counted = []

        def done(pages: list[Page]) -> None:
            counted.append(sum(page.rows for page in pages))
            on_progress(
                Progress(len(counted), len(windows), sum(counted), self.tally.bytes, self.tally.attempts),
            )

        chains = side_by_side(self._window, windows, self.concurrency, self.persistence.stop, done)
        return [page for chain in chains for page in chain]

    def _window(self, request: PageRequest) -> list[Page]:
        return follow(request, self._page)

    def _page(self, request: PageRequest) -> Page:
        self.tally.page()
        return self.persistence.ask(lambda until: self._attempt(request, until))

    def _attempt(self, request: PageRequest, until: float) -> Page:
        allowance = Allowance(until, self.persistence.stop)
        self.tally.attempt()
        try:
            return self.ask_once(request, allowance)
        finally:
            self.tally.received(allowance.received)


def persistence(
    retry: RetryPolicy, clock: Clock, base_url: str, requests_per_minute: int | None, windows: int
) -> Persistence:
    """The persistence for a month of so many `windows` that begins now.

    The time the limit of requests a minute costs at least is given on top of `retry.month_seconds`.
    """
    stop = Stop()
    until = clock.monotonic() + retry.month_seconds
    if requests_per_minute is None:
        return Persistence(retry, clock, until, stop)
    ledger, per_minute = ledger_of(base_url), requests_per_minute

    def enter() -> None:
        clock.pause(ledger.reserve(per_minute, clock.monotonic()), stop)

    return Persistence(retry, clock, until + windows / per_minute * MINUTE, stop, enter)
