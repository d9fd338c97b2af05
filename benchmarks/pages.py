"""The stage `pages`: load times of the real UI in a real browser, on homes with long histories.

A real run makes one month; its rows are copied under other names (`history`), then `mohlcv up` serves the home. A page
is loaded when no GraphQL request is pending. Measured are seconds and the CPU of the webserver, for the first load
after its start and for a second one.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import backfills, history, postgres_home, runs, trials
from benchmarks.results import Row
from benchmarks.stages import Bench
from mohlcv_dagster.defs.quality_history import OVERLAP
from mohlcv_dagster.model.months import Month

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

FIRST: Final = Month(2003, 9)
SIZES: Final[Mapping[str, tuple[int, int]]] = {"100 × 12": (100, 12), "1,000 × 12": (1000, 12), "100 × 279": (100, 279)}
"""Symbols and months, the latest ones being those of the backfill that is copied."""
ON_POSTGRESQL: Final[Mapping[str, tuple[int, int]]] = {"1,000 × 24": (1000, 24), "100 × 279": (100, 279)}
"""As `SIZES`, for `--store postgresql`."""
_PAGES: Final[Mapping[str, str]] = {
    "home": "/overview",
    "lineage": "/asset-groups?expanded=global@global:raw,global@global:aggregated",
    "catalogue": "/assets",
    "asset": "/assets/raw_1s",
    "partitions": "/assets/raw_1s?view=partitions",
    "checks tab": "/assets/raw_1s?view=checks",
    "a check's partitions": "/assets/raw_1s?view=checks&checkDetail=valid&checkTab=partitions",
    "runs": "/runs",
}
_LAUNCH: Final = "launch dialog"
_WANTED: Final = {"lineage": (10.0, 2.0), "checks tab": (10.0, 2.0)}
"""Seconds of the first and of the second load, at the most, on the home with the longest history."""
_TIMEOUT: Final = 180.0
_QUIET: Final = 0.7
"""Seconds without a request after which a page is taken for loaded; they do not count."""
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")


def pages(bench: Bench) -> None:
    """Every page on homes of 1,200, 12,000 and 27,900 partitions, first and second load."""
    for name, (symbols, months) in (SIZES if bench.store == "sqlite" else ON_POSTGRESQL).items():
        folder = bench.root / f"pages {symbols} {months}"
        with (
            _records(bench, folder, _home(bench, folder, symbols, months)) as environment,
            backfills.up(folder, environment) as (url, pid),
            _browser() as page,
        ):
            root = url.removesuffix("/graphql")
            server = trials.children_of(pid)[0]
            for load in ("first load", "second load"):
                for what, act in _page_loads(page, root).items():
                    seconds, cpu = _timed(page, act, server)
                    bench.results.rows.append(Row(f"page at {name}: {what}", load, seconds, cpu, 0, 1))
        shutil.rmtree(folder)
    for what, limits in _WANTED.items():
        for load, limit in zip(("first load", "second load"), limits, strict=True):
            row = bench.results.row(f"page at {name}: {what}", load)
            if row is not None:
                bench.results.at_most(f"{row.stage}, {load}", limit, row.seconds, "s")


@contextmanager
def _records(bench: Bench, folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a home whose records are where they are asked to be."""
    if bench.store == "sqlite":
        yield environment
        return
    with postgres_home.moved(folder / "home", folder.name.replace(" ", "_")) as variables:
        yield {**environment, **variables}


def coverage(bench: Bench) -> None:
    """`quality/coverage` on a home of 27,900 partitions: its first run, and its run after one more month."""
    name, (symbols, months) = list(SIZES.items())[-1]
    folder = bench.root / "coverage"
    environment = _home(bench, folder, symbols, months)
    case = replace(bench.case, symbol="MODEL")
    time.sleep(OVERLAP)  # events of the last minutes would be read again, and here all are as old as the model's
    first = trials.process("under_dagster", "make_coverage", case, environment)
    trials.process("under_dagster", "materialize", replace(case, months=("2024-02",)), environment)
    again = trials.process("under_dagster", "make_coverage", case, environment)
    for what, trial in {"first run": first, "after one more month": again}.items():
        bench.results.rows.append(Row(f"quality/coverage at {name}", what, trial.more["run"], trial.cpu, trial.peak, 1))
    shutil.rmtree(folder)
    bench.results.at_most(f"quality/coverage at {name}, after one more month", 3, again.more["run"], "s")


def _home(bench: Bench, folder: Path, symbols: int, months: int) -> dict[str, str]:
    """A home with the history of so many symbols and months; the environment that `mohlcv up` is to have."""
    every = list(FIRST.until(Month(2026, 11)))[-months:]
    names = [f"P{chr(65 + n // 676)}{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}" for n in range(symbols)]
    folder.mkdir()
    environment = {
        **runs.environment(bench, folder / "home", folder / "data"),
        "MOHLCV_START": str(every[0]),
    }
    case = replace(bench.case, symbol="MODEL", months=("2024-01",))
    trials.process("under_dagster", "materialize", case, {**environment, "MOHLCV_START": "2003-09"})
    history.lengthen(folder / "home", names, [str(month) for month in every])
    return environment


@dataclass
class _Requests:
    """The GraphQL requests of a page.

    Attributes:
        open: those under way.
        last: when the last one ended, by `time.perf_counter`.
    """

    open: set["Request"] = field(default_factory=set)
    last: float = 0.0

    def begun(self, request: "Request") -> None:
        """A request has left."""
        if "/graphql" in request.url:
            self.open.add(request)

    def ended(self, request: "Request") -> None:
        """A request was answered, or failed."""
        if request in self.open:
            self.open.discard(request)
            self.last = time.perf_counter()


def _page_loads(page: "Page", root: str) -> dict[str, Callable[[], object]]:
    """What loads each page."""
    acts: dict[str, Callable[[], object]] = {
        what: lambda path=path: page.goto(f"{root}{path}", wait_until="commit")  # type: ignore[misc]
        for what, path in _PAGES.items()
    }
    return {**acts, _LAUNCH: lambda: _open_launch_dialog(page, root)}


def _open_launch_dialog(page: "Page", root: str) -> None:
    page.goto(f"{root}{_PAGES['asset']}", wait_until="commit")
    page.get_by_role("button", name="Materialize").first.click(timeout=_TIMEOUT * 1000)


def _timed(page: "Page", act: Callable[[], object], server: int) -> tuple[float, float]:
    """Seconds until what `act` loads is there, and the CPU of the webserver meanwhile.

    Raises:
        TimeoutError: a request is still under way after three minutes.
    """
    requests = _Requests()
    page.on("request", requests.begun)
    page.on("requestfinished", requests.ended)
    page.on("requestfailed", requests.ended)
    cpu, began = trials.own_cpu_of(server), time.perf_counter()
    act()
    while not requests.last or requests.open or time.perf_counter() - requests.last < _QUIET:
        page.wait_for_timeout(50)
        if time.perf_counter() - began > _TIMEOUT:
            raise TimeoutError(f"{page.url} was not loaded after {_TIMEOUT:g} s")
    page.remove_listener("request", requests.begun)
    page.remove_listener("requestfinished", requests.ended)
    page.remove_listener("requestfailed", requests.ended)
    return requests.last - began, trials.own_cpu_of(server) - cpu


@contextmanager
def _browser() -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - no other stage needs it

    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(f"pages are loaded in Chromium, and none of {', '.join(_CHROMIUM)} is installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=flags)
        try:
            yield browser.new_page()
        finally:
            browser.close()


PAGES: Final[dict[str, Callable[[Bench], None]]] = {"pages": pages, "coverage": coverage}
