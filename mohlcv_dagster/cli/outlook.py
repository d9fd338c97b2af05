"""What `mohlcv plan` found, in words and as a document. Nothing is counted here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Table

from mohlcv_dagster.cli import planning
from mohlcv_dagster.cli.console import WARNED
from mohlcv_dagster.cli.planning import DONE, Density, Planned, Planner, Totals
from mohlcv_dagster.model.month_decision import FORCED, Action, Decision
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.base import Cost

if TYPE_CHECKING:
    from rich.console import Console

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAYS: Final = 48
_THOUSAND: Final = 1000
_CHECKED: Final = frozenset({Action.CHECK, Action.RECORD})


@dataclass(frozen=True)
class Outlook:
    """What a fetch would take.

    Attributes:
        planner: how it was found.
        planned: every month of every symbol.
        latency: seconds an answer takes, assumed.
        disk: a folder and the bytes free there; `None` where files are kept under a URL.
        not_asked: what is not known of the vendor and why, clauses.
    """

    planner: Planner
    planned: Sequence[Planned]
    latency: float
    disk: tuple[Path, int] | None
    not_asked: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As docs/plan-and-doctor.md describes it: bytes, seconds, requests; months as `2024-01`."""
        totals, settings = Totals.of(self.planned), self.planner.settings
        return {
            "partitions": {"all": totals.months, **{done: totals.done[done] for done in DONE}},
            "requests": _requests(totals.cost),
            "seconds": {
                "least": round(self._seconds[0], 3),
                "most": round(self._seconds[1], 3),
                "concurrency": settings.concurrency,
                "requests_per_minute": settings.requests_per_minute,
                "latency": self.latency,
            },
            "bytes": {
                "raw": {"least": round(totals.least.raw), "most": round(totals.most.raw)},
                "aggregated": {"least": round(totals.least.aggregated), "most": round(totals.most.aggregated)},
                "measured_in_months": {symbol: each.months for symbol, each in self.planner.densities.items()},
            },
            "disk": {"folder": str(self.disk[0]), "free": self.disk[1]} if self.disk else None,
            "plan": {
                "named": self.planner.plan.name if self.planner.plan else None,
                "refused": sum(month.refused for month in self.planned),
                "months_reached": planning.reaching(self.planned, self.planner.now.date()),
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
        count = f"{totals.months:,} partition{'' if totals.months == 1 else 's'}"
        console.print(f"{', '.join(symbols)}, {planning.spans(months)}: {count}; nothing was fetched.\n")
        console.print(self._table(symbols))
        console.print()
        for label, text in self._lines(totals):
            console.print(f"{label:<12} {escape(text)}")
        for warning in self._warnings(totals):
            console.print(f"{WARNED} {escape(warning)}")

    @property
    def _seconds(self) -> tuple[float, float]:
        return planning.seconds(self.planned, self.planner.settings, self.latency)

    @property
    def _refused(self) -> list[Month]:
        return [month.file.month for month in self.planned if month.refused]

    @property
    def _unknown(self) -> list[str]:
        return [symbol for symbol, known in self.planner.listings.items() if known.known and not known.exists]

    def _table(self, symbols: Sequence[str]) -> Table:
        table = Table("symbol", box=None, pad_edge=False, header_style="bold")
        for heading in (*DONE, "requests", "MB of raw bars", "told from"):
            table.add_column(heading, justify="left" if heading == "told from" else "right")
        for symbol in symbols:
            each = Totals.of(month for month in self.planned if month.file.symbol == symbol)
            counts = (each.done[done] for done in DONE)
            requests = _range(*(f"{cost.fetch:,}" for cost in each.cost))
            size = _between(each.least.raw, each.most.raw, "")
            source = _source(self.planner.densities[symbol])
            table.add_row(symbol, *(f"{count:,}" for count in counts), requests, size, source)
        return table

    def _lines(self, totals: Totals) -> Iterator[tuple[str, str]]:
        settings, (fewest, most) = self.planner.settings, totals.cost
        if not most.fetch:
            yield "requests", "none: there is nothing to fetch" + (" within the plan" if self._refused else "")
            return
        beside = f", {most.reference:,} of them for reference data" if most.reference else ""
        yield "requests", f"{_range(f'{fewest.fetch:,}', f'{most.fetch:,}')}{beside}, where none must be repeated"
        if most.minutes:
            yield "", f"{most.minutes:,} more once aggregated/1min is made: the check against the vendor's own minutes"
        limit = settings.requests_per_minute
        rate = f"{settings.concurrency} in flight, {self.latency:g} s an answer (assumed)"
        rate = f"{limit:,} requests a minute" if limit and most.fetch > limit else rate
        soonest, later = map(_duration, self._seconds)
        more = f" ({later} with the most requests)" if later != soonest else ""
        yield "time", f"at least {soonest}{more} at {rate}; storing and checking comes on top"
        raw = _between(totals.least.raw, totals.most.raw, " MB")
        folded = ", ".join(each.name for each in settings.timeframes)
        aggregated = _between(totals.least.aggregated, totals.most.aggregated, " MB")
        yield "disk", f"{raw} of raw bars, and at most {aggregated} of aggregates ({folded})"
        yield "", f"{self.disk[1] / 1e9:,.1f} GB free at {self.disk[0]}" if self.disk else f"at {settings.data_dir}"
        reach = planning.reaching(self.planned, self.planner.now.date())
        asked = sum(bool(month.refused or month.cost[1].fetch) for month in self.planned)
        if asked:
            yield (
                "plans",
                f"of the {asked:,} to fetch: " + ", ".join(f"{name} {count:,}" for name, count in reach.items()),
            )

    def _warnings(self, totals: Totals) -> Iterator[str]:
        if self._refused and self.planner.plan:
            yield (
                f"the plan {self.planner.plan.name} does not reach {planning.spans(self._refused)}: the vendor would "
                "refuse; not counted above"
            )
        for because, months in self._empty().items():
            yield f"{planning.spans(months)}: {because}; asked for all the same, and stored without bars"
        for symbol in self._unknown:
            yield f"the vendor knows no symbol {symbol}, of today or before: each month of it would fail"
        if self.disk and totals.most.raw + totals.most.aggregated > self.disk[1]:
            yield "the disk may not hold all of it: make room, or set MOHLCV_DATA_DIR to a larger one"
        for reason, months in self._stored().items():
            yield f"{planning.spans(months)}: {reason}"
        yield from self.not_asked

    def _stored(self) -> dict[str, list[Month]]:
        """The stored months that are not simply skipped or completed, by what is done about them and why."""
        found: dict[str, list[Month]] = {}
        for month in self.planned:
            told = month.decision.action not in {Action.SKIP, Action.COMPLETE} and month.decision.reason != FORCED
            if told and not month.decision.is_new:
                found.setdefault(f"{month.file.symbol} {_sentence(month.decision)}", []).append(month.file.month)
        return found

    def _empty(self) -> dict[str, list[Month]]:
        found: dict[str, list[Month]] = {}
        for month in self.planned:
            if month.empty:
                found.setdefault(f"{month.file.symbol} has no bars ({month.empty})", []).append(month.file.month)
        return found


def _month(month: Planned) -> dict[str, Any]:
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
    """What a fetch would do; what comes of checks is not known before."""
    after = "; downloaded again if a check that blocks fails" if decision.action in _CHECKED else ""
    return decision.sentence + after


def _source(density: Density) -> str:
    if not density.months:
        return "none stored: quiet to SPY-like"
    return f"{density.months} stored month{'' if density.months == 1 else 's'}"


def _between(least: float, most: float, unit: str) -> str:
    return f"{_range(_megabytes(least), _megabytes(most))}{unit}"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _megabytes(size: float) -> str:
    megabytes = size / 1e6
    return f"{megabytes:,.1f}" if megabytes < _THOUSAND / 10 else f"{megabytes:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s" if seconds >= 1 else "a second"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    hours = seconds / _HOUR
    return f"{hours:.0f} h" if hours < _DAYS else f"{hours / 24:.1f} days"
