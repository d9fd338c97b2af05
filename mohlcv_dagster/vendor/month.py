"""The pages of a month on their way: side by side, each asked for until it is proven, all counted.

How one page is asked for once is handed in; what comes of the pages is `massive`'s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mohlcv_dagster.vendor.allowance import Allowance, Stop
from mohlcv_dagster.vendor.clock import Clock
from mohlcv_dagster.vendor.fetched import Progress, Tally
from mohlcv_dagster.vendor.gather import side_by_side
from mohlcv_dagster.vendor.limits import MINUTE, ledger_of
from mohlcv_dagster.vendor.pages import Page, PageRequest
from mohlcv_dagster.vendor.retry import Persistence, RetryPolicy
from mohlcv_dagster.vendor.windows import Window, cut_out, joined


@dataclass(frozen=True)
class MonthFetch:
    """One fetch of one month.

    Attributes:
        ask_once: gives the page for a request, proven, or raises; one attempt.
        persistence: when it is asked again.
        concurrency: pages under way at once.
        tally: what it took so far.
        fill: bars that a page of joined windows is to have at the most, as far as can be foreseen.
    """

    ask_once: Callable[[PageRequest, Allowance], Page]
    persistence: Persistence
    concurrency: int
    tally: Tally
    fill: int

    def run(
        self, request: PageRequest, windows: Sequence[Window], on_progress: Callable[[Progress], None]
    ) -> list[Page]:
        """The pages of a span, in order of time.

        The first window goes alone, and tells how full pages come: the others are asked for as `joined` then. What is
        behind the last bar of a page that names a next one is asked for window by window, with our own parameters: the
        vendor's cursor loses `adjusted`. A proven page that names a next one has rows, so each step is shorter.

        Args:
            request: the whole span.
            windows: the span cut into what a page each can answer, in order of time, at least one.
            on_progress: told after each page, in the caller's thread.

        Raises:
            VendorError: the first failure that asking again did not cure; the other pages are called off.
        """
        pages: dict[Window, Page] = {}
        open_windows = {windows[0]}

        def then(window: Window, page: Page) -> list[Window]:
            pages[window] = page
            rest = window.after(int(page.starts[-1]), request.timespan) if page.following else None
            behind = [] if rest is None else cut_out(rest, windows)
            others = joined(windows[1:], page.rows, self.fill) if window == windows[0] else []
            open_windows.remove(window)
            open_windows.update(behind, others)
            left = sum(len(cut_out(each, windows)) for each in open_windows)
            bars = sum(each.rows for each in pages.values())
            on_progress(Progress(len(windows) - left, len(windows), bars, self.tally.bytes, self.tally.attempts))
            return [*behind, *others]

        def work(window: Window) -> Page:
            return self._page(replace(request, window=window))

        side_by_side(work, windows[:1], self.concurrency, self.persistence.stop, then)
        return [pages[window] for window in sorted(pages)]

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
