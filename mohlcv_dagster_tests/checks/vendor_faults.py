"""Faults that only another source shows: the vendor's own minutes, or what other symbols lack at once. No test.

What is seeded into minutes is in `mismatches`; here it is checked by the rules, and minutes lost in several symbols.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np

from mohlcv_dagster.bars import bar_table, coverage, incidents
from mohlcv_dagster.bars.incidents import Gap
from mohlcv_dagster.bars.trade_figures import MinuteTrades
from mohlcv_dagster.checks.check_input import CheckInput, VendorMinutes
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.registry import VENDOR_RULES
from mohlcv_dagster.checks.rule import RuleResult
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.reconciliation import KINDS
from mohlcv_dagster_tests.checks.whole_months import (
    Seeded,
    days_lost,
    full_days,
    once,
    single_minutes,
    somewhere,
    whole_month,
)
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS, Seed
from mohlcv_dagster_tests.reconciliation.reconciled_months import Case
from mohlcv_dagster_tests.reconciliation.thinned import Counted, spare_seconds, thinned

LIQUID = ("AAC", "ADC", "BAC")
"""About 20 bars and more in a regular minute: none lacks one by chance."""


def checked(case: Case, trades: tuple[MinuteTrades, MinuteTrades] | None = None) -> dict[str, RuleResult]:
    """What the rules say of our minutes of a case beside the vendor's, with the trades in each where they are given."""
    own, raw = (Reading(b"", bars.table(), None) for bars in (case.seconds.minutes(), case.seconds))
    recorded = Provenance(own.rows, "", complete_through=case.month.end, adjusted=False)
    file = BarFile("KO", MINUTE, case.month)
    ours, theirs = trades or ("the mirror was written without them", None)
    vendor = VendorMinutes(case.vendor.table(), trades=theirs)
    given = CheckInput(file, own, raw, recorded, vendor=vendor, trades=ours)
    return {rule.name: evaluate(rule, given) for rule in VENDOR_RULES}


def minutes_found(seed: Seed) -> tuple[bool, str]:
    """Whether `vendor_minutes` names the kind of a seed, as an error where the kind is wrong; and the severity."""
    found = checked(seed.make(reconciled_months.winter()))["vendor_minutes"]
    kinds = found.facts["minutes that differ, by kind"]
    assert isinstance(kinds, dict)
    severe = found.severity == "error" or not KINDS[seed.kind].wrong
    return not found.passed and seed.kind in kinds and severe, str(found.severity)


def _seconds_twice(case: Case) -> Case:
    at = np.arange(1_000, 1_006)
    return replace(case, seconds=case.seconds.changed(at, v=case.seconds.v[at] * 2))


def _shares_fewer(case: Case) -> Case:
    at = np.arange(500, 512)
    return replace(case, vendor=case.vendor.changed(at, v=case.vendor.v[at] - 1))


_CANCELLED = next(seed.make for seed in SEEDS if seed.what == "six seconds that the vendor's minutes lack")
LADDER: dict[str, Callable[[Case], Case]] = {
    "the volume of six of our seconds twice": _seconds_twice,
    "six seconds that the vendor's minutes lack": _CANCELLED,
    "a share less in twelve of the vendor's minutes": _shares_fewer,
}
"""Minutes of the vendor's with less volume than our seconds, by what made them so."""


def ladder_found(make: Callable[[Case], Case]) -> tuple[bool, str]:
    """Whether `volume_ladder` tells of each minute of the vendor's that has less, worked out by itself; severity."""
    case = make(reconciled_months.winter())
    ours = case.seconds.minutes()
    both, at, theirs = np.intersect1d(ours.t, case.vendor.t, return_indices=True)
    less = both[case.vendor.v[theirs] < ours.v[at]]
    found = checked(case)["volume_ladder"]
    told = bar_table.seconds(found.bars)
    return not found.passed and less.size > 0 and np.array_equal(told, less), str(found.severity)


@dataclass(frozen=True)
class ThinMonth:
    """Seconds lost where no minute shows it.

    Attributes:
        what: in words.
        case: the month.
        kept: which of the seconds that could go are not lost.
        counted: whether the vendor counts trades.
        severity: what it must be given.
    """

    what: str
    case: Callable[[], Case]
    kept: Callable[[Case], np.ndarray]
    counted: bool
    severity: str

    def results(self) -> dict[str, RuleResult]:
        """What the rules say."""
        return checked(self._made.case, self._made.trades if self.counted else None)

    @cached_property
    def _made(self) -> Counted:
        case = self.case()
        return thinned(case, keep=self.kept(case))

    def found(self) -> tuple[bool, str]:
        """Whether `thin_seconds` alone tells of it, of each minute that lacks a second; and the severity."""
        results = self.results()
        lost = np.setdiff1d(self.case().seconds.t, self._made.case.seconds.t)
        failed = [name for name, result in results.items() if not result.passed]
        found = results["thin_seconds"]
        told = np.array_equal(bar_table.seconds(found.bars), np.unique(lost - lost % 60))
        return lost.size > 0 and failed == ["thin_seconds"] and told, str(found.severity)


def _none(case: Case) -> np.ndarray:
    return np.zeros(len(case.seconds.t), bool)


def _most(case: Case) -> np.ndarray:
    return np.random.default_rng(len(case.seconds.t)).random(len(case.seconds.t)) < 19 / 20


def _other_days(case: Case) -> np.ndarray:
    days = case.day_of(case.seconds.t)
    return days != np.unique(days)[1]


def _all_but_three(case: Case) -> np.ndarray:
    """Three in minutes of their own."""
    spare = np.flatnonzero(spare_seconds(case))
    _, first = np.unique(case.seconds.t[spare] // 60, return_index=True)
    return ~np.isin(np.arange(len(case.seconds.t)), spare[first[:3]])


_BUSY, _QUIET = reconciled_months.busy, reconciled_months.winter
THIN = (
    ThinMonth("all seconds that no minute shows, by their volume alone", _BUSY, _none, False, "error"),
    ThinMonth("one in twenty of them, by volume alone", _BUSY, _most, False, "error"),
    ThinMonth("those of one session, by volume alone", _BUSY, _other_days, False, "error"),
    ThinMonth("those of a stock that trades seldom, by volume alone", reconciled_months.thin, _none, False, "warn"),
    ThinMonth("all seconds that no minute shows, trades counted", _BUSY, _none, True, "error"),
    ThinMonth("three of them, trades counted", _BUSY, _all_but_three, True, "warn"),
    ThinMonth("those of a quiet stock, trades counted", _QUIET, _none, True, "warn"),
    ThinMonth("three of a quiet stock, trades counted", _QUIET, _all_but_three, True, "warn"),
)
"""Seconds lost that make no minute differ: none makes a price of its minute, nor half a percent of its volume."""


@dataclass(frozen=True)
class LostMinutes:
    """Minutes lost from several symbols at once."""

    what: str
    seeded: Seeded
    symbols: tuple[str, ...] = LIQUID

    def found(self, seed: int) -> bool:
        """Whether incidents are made of exactly the minutes lost, each with exactly the symbols that lost them."""
        month = ("2024-01", "2024-02", "2024-06")[seed % 3]
        edit = self.seeded(full_days(month), np.random.default_rng([seed, len(self.what)]))
        before = {name: missing(name, month) for name in LIQUID}
        after = before | {name: missing(name, month, edit) for name in self.symbols}
        lost = _minutes(after[self.symbols[0]]) - _minutes(before[self.symbols[0]])
        told = find(after, month)
        return {each.symbols for each in told} == {self.symbols} and set(
            chain.from_iterable(_minutes((each.gap,)) for each in told)
        ) == lost


LOST_MINUTES = (
    LostMinutes("a minute lost in three liquid symbols", single_minutes(1)),
    LostMinutes("ten minutes lost in two of three liquid symbols", somewhere(10), LIQUID[:2]),
    LostMinutes("an afternoon lost in three liquid symbols", once("13:00", "16:00")),
    LostMinutes("a session lost in three liquid symbols", days_lost(1)),
)


def missing(symbol: str, month: str, edit: Callable = lambda bars: bars) -> tuple[Gap, ...]:
    """The regular minutes that a synthetic month lacks."""
    span = Month.parse(month)
    return incidents.of_coverage(coverage.measure(bar_table.seconds(edit(whole_month(symbol, month))), span, span.end))


def find(lacking: dict[str, tuple[Gap, ...]], month: str) -> tuple[incidents.Incident, ...]:
    """The incidents of a month."""
    regular = sum(session.regular_minutes for session in exchange_calendar.sessions_in(Month.parse(month)))
    return incidents.find(lacking, regular)


def _minutes(gaps: tuple[Gap, ...]) -> set[int]:
    return {minute for gap in gaps for minute in range(gap.start, gap.end)}
