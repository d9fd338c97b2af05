"""The report of `mohlcv plan`, as text and as a JSON document."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Table

from mohlcv_dagster.cli.console import WARNED, print_table
from mohlcv_dagster.cli.plan import Density, PlannedMonth, Planner, Totals, months_by_plan, seconds
from mohlcv_dagster.formatting import duration, quantity
from mohlcv_dagster.model.month_decision import FORCED, Action, Decision
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.base import Cost

if TYPE_CHECKING:
    from rich.console import Console

_DONE: Final = tuple(dict.fromkeys(action.done for action in Action))
"""What a fetch may do about a month, in the words of its summary."""
_CHECKED: Final = frozenset({Action.CHECK, Action.RECORD})
_HUNDRED_MB: Final = 100


@dataclass(frozen=True)
class PlanReport:
    """What a fetch would take.

    Attributes:
        latency: assumed seconds that an answer takes.
        disk: a folder and the bytes free there; `None` where files are kept under a URL.
        not_asked: what is not known from the vendor and why, clauses.
    """

    planner: Planner
    planned: Sequence[PlannedMonth]
    latency: float
    disk: tuple[Path, int] | None
    not_asked: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As docs/plan-and-doctor.md describes it: bytes, seconds, requests; months as `2024-01`."""
        totals, settings = Totals.of(self.planned), self.planner.settings
        least, most = totals.size
        soonest, latest = self._seconds
        return {
            "partitions": {"all": totals.months, **{done: totals.done[done] for done in _DONE}},
            "requests": _requests(totals.cost),
            "seconds": {
                "least": round(soonest, 3),
                "most": round(latest, 3),
                "concurrency": settings.concurrency,
                "requests_per_minute": settings.requests_per_minute,
                "latency": self.latency,
            },
            "bytes": {
                "raw": {"least": round(least.raw), "most": round(most.raw)},
                "aggregated": {"least": round(least.aggregated), "most": round(most.aggregated)},
                "measured_in_months": {symbol: each.months for symbol, each in self.planner.densities.items()},
            },
            "disk": {"folder": str(self.disk[0]), "free": self.disk[1]} if self.disk else None,
            "plan": {
                "named": self.planner.plan.name if self.planner.plan else None,
                "refused": sum(month.refused for month in self.planned),
                "months_reached": months_by_plan(self.planned, self.planner.now.date()),
            },
            "unknown_symbols": self._unknown,
            "not_asked": list(self.not_asked),
            "months": [_month(month) for month in self.planned],
        }

    def show(self, console: "Console") -> None:
        """Print it for a person."""
        totals = Totals.of(self.planned)
        symbols = list(self.planner.densities)
        months = [month.file.month for month in self.planned]
        count = quantity(totals.months, "partition")
        console.print(f"{', '.join(symbols)}, {month_ranges(months)}: {count}; nothing was fetched.\n")
        print_table(console, self._table(symbols))
        console.print()
        for label, text in self._lines(totals):
            console.print(f"{label:<12} {escape(text)}")
        for warning in self._warnings(totals):
            console.print(f"{WARNED} {escape(warning)}")

    @property
    def _seconds(self) -> tuple[float, float]:
        return seconds(self.planned, self.planner.settings, self.latency)

    @property
    def _refused(self) -> list[Month]:
        return [month.file.month for month in self.planned if month.refused]

    @property
    def _unknown(self) -> list[str]:
        return [symbol for symbol, known in self.planner.listings.items() if known.known and not known.exists]

    def _table(self, symbols: Sequence[str]) -> Table:
        table = Table("symbol", box=None, pad_edge=False, header_style="bold")
        for heading in (*_DONE, "requests", "MB of raw bars", "measured in"):
            table.add_column(heading, justify="left" if heading == "measured in" else "right")
        for symbol in symbols:
            each = Totals.of(month for month in self.planned if month.file.symbol == symbol)
            counts = (each.done[done] for done in _DONE)
            requests = _range(*(f"{cost.fetch:,}" for cost in each.cost))
            size = _between(each.size[0].raw, each.size[1].raw, "")
            source = _source(self.planner.densities[symbol])
            table.add_row(symbol, *(f"{count:,}" for count in counts), requests, size, source)
        return table

    def _lines(self, totals: Totals) -> Iterator[tuple[str, str]]:
        settings, (fewest, most) = self.planner.settings, totals.cost
        if not most.fetch:
            yield "requests", "none: there is nothing to fetch" + (" within the plan" if self._refused else "")
            return
        reference = f", {most.reference:,} of them for reference data" if most.reference else ""
        yield "requests", f"{_range(f'{fewest.fetch:,}', f'{most.fetch:,}')}{reference}, without retries"
        if most.minutes:
            yield "", f"{most.minutes:,} more once aggregated/1min is made: the check against the vendor's own minutes"
        yield "time", self._time(most)
        least, largest = totals.size
        raw = _between(least.raw, largest.raw, " MB")
        timeframes = ", ".join(each.name for each in settings.timeframes)
        aggregated = _between(least.aggregated, largest.aggregated, " MB")
        yield "disk", f"{raw} of raw bars, and at most {aggregated} of aggregates ({timeframes})"
        yield "", f"{self.disk[1] / 1e9:,.1f} GB free at {self.disk[0]}" if self.disk else f"at {settings.data_dir}"
        by_plan = months_by_plan(self.planned, self.planner.now.date())
        if fetched := sum(bool(month.refused or month.cost[1].fetch) for month in self.planned):
            counts = ", ".join(f"{name} {count:,}" for name, count in by_plan.items())
            yield "plans", f"of the {fetched:,} to fetch: {counts}"

    def _time(self, most: Cost) -> str:
        settings = self.planner.settings
        limit = settings.requests_per_minute
        rate = f"{settings.concurrency} in flight, {self.latency:g} s an answer (assumed)"
        rate = f"{limit:,} requests a minute" if limit and most.fetch > limit else rate
        soonest, latest = map(duration, self._seconds)
        more = f" ({latest} with the most requests)" if latest != soonest else ""
        return f"at least {soonest}{more} at {rate}, plus the time to store and check"

    def _warnings(self, totals: Totals) -> Iterator[str]:
        if self._refused and self.planner.plan:
            yield (
                f"the plan {self.planner.plan.name} does not include {month_ranges(self._refused)}: the vendor would "
                "refuse; not counted above"
            )
        for because, months in self._empty().items():
            yield f"{month_ranges(months)}: {because}; requested all the same, and stored without bars"
        for symbol in self._unknown:
            yield f"the vendor knows no symbol {symbol}, of today or before: each month of it would fail"
        if self.disk and totals.size[1].raw + totals.size[1].aggregated > self.disk[1]:
            yield "the disk may not hold all of it: free space, or set MOHLCV_DATA_DIR to a larger one"
        for reason, months in self._stored().items():
            yield f"{month_ranges(months)}: {reason}"
        yield from self.not_asked

    def _stored(self) -> dict[str, list[Month]]:
        """The stored months about which there is something to tell, by what is done about them and why."""
        found: dict[str, list[Month]] = {}
        for month in self.planned:
            decision = month.decision
            ordinary = decision.is_new or decision.reason == FORCED
            skipped = decision.action is Action.SKIP and not decision.not_compared
            if not (skipped or ordinary or decision.action is Action.COMPLETE):
                found.setdefault(f"{month.file.symbol} {_sentence(month.decision)}", []).append(month.file.month)
        return found

    def _empty(self) -> dict[str, list[Month]]:
        found: dict[str, list[Month]] = {}
        for month in self.planned:
            if month.empty:
                found.setdefault(f"{month.file.symbol} has no bars ({month.empty})", []).append(month.file.month)
        return found


def _month(month: PlannedMonth) -> dict[str, Any]:
    return {
        "symbol": month.file.symbol,
        "month": str(month.file.month),
        "outcome": month.decision.action.done,
        "because": month.decision.reason,
        "requests": _requests(month.cost),
        "refused": month.refused,
        "empty_because": month.empty or None,
    }


def _requests(cost: tuple[Cost, Cost]) -> dict[str, Any]:
    fewest, most = cost
    return {
        "fetch": {"least": fewest.fetch, "most": most.fetch},
        "bars": {"least": fewest.bars, "most": most.bars},
        "reference": most.reference,
        "minutes": most.minutes,
    }


def _sentence(decision: Decision) -> str:
    """What a fetch would do; the result of checks is not known yet."""
    after = "; downloaded again if a blocking check fails" if decision.action in _CHECKED else ""
    return decision.sentence + after


def _source(density: Density) -> str:
    if not density.months:
        return "none stored: quiet to SPY-like"
    return quantity(density.months, "stored month")


def _between(least: float, most: float, unit: str) -> str:
    return f"{_range(_megabytes(least), _megabytes(most))}{unit}"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _megabytes(size: float) -> str:
    megabytes = size / 1e6
    return f"{megabytes:,.1f}" if megabytes < _HUNDRED_MB else f"{megabytes:,.0f}"


def month_ranges(months: Iterable[Month]) -> str:
    """Months, each once, in order: `2023-01, 2024-01 to 2024-05`."""
    runs: list[list[Month]] = []
    for month in sorted(set(months)):
        if runs and runs[-1][-1].next() == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
