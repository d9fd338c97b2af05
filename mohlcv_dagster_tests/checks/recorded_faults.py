"""Faults in what is recorded of a month, its bars being good or none: each with the rule that must tell. No test."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from mohlcv_dagster.checks.check_input import NO_NEIGHBOURS, CheckInput, NeighbourMonths, StoredMonth
from mohlcv_dagster.checks.registry import RULES
from mohlcv_dagster.checks.rule import RuleResult
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.company import Company
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason, Split
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster_tests.checks.clean_files import BASIS_RULES, COMPANY_RULES, HEADER, LIFE_RULES, RAW, WHOLE, recorded

ON_RECORDS = ("not_empty", *BASIS_RULES, *COMPANY_RULES, *LIFE_RULES)
"""The rules that check what is recorded."""

_EARLIER, _LATER = Split(date(2021, 7, 20), 1, 4), Split(date(2024, 6, 10), 1, 10)
_NEW_YEAR = Split(date(2024, 1, 2), 1, 3)
_OWNER = Company(date(2024, 1, 31), "Newcorp Inc.", "BBG000000001", "0000000001")
GOOD = replace(
    recorded(WHOLE),
    fetched_at=datetime(2024, 2, 5, tzinfo=UTC),
    complete_through=datetime(2024, 2, 1, tzinfo=UTC),
    adjusted=True,
    splits=(_EARLIER, _LATER),
    splits_now=(_EARLIER,),
    revised=RevisionCounts(6),
    first_bar=datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
    last_bar=datetime(2024, 1, 2, 14, 31, tzinfo=UTC),
    company=_OWNER,
)
"""What is recorded of a settled, adjusted month whose splits are told and which was fetched anew without a change."""


@dataclass(frozen=True)
class RecordedFault:
    """A fault of a record, the one rule on records that must tell of it, and how bad it is."""

    rule: str
    what: str
    severity: str
    recorded: Provenance
    content: bytes = WHOLE
    neighbours: NeighbourMonths = NO_NEIGHBOURS

    def failing(self) -> dict[str, RuleResult]:
        """The rules on records that fail."""
        given = CheckInput.of(BarFile.parse(RAW), self.content, provenance=self.recorded, neighbours=self.neighbours)
        found = [evaluate(rule, given) for rule in RULES if rule.name in ON_RECORDS]
        return {result.rule.name: result for result in found if not result.passed}

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def _empty(what: str, severity: str, cause: EmptyMonthCause, because: str) -> RecordedFault:
    facts = replace(GOOD, rows=0, sha256=recorded(HEADER).sha256, empty=EmptyMonthReason(cause, because), revised=None)
    return RecordedFault("not_empty", what, severity, facts, HEADER)


def _beside(month: str, **facts: object) -> NeighbourMonths:
    """A month before, or after, of which the same was recorded but for some facts."""
    other = StoredMonth(Month.parse(month), replace(GOOD, **facts))
    is_after = other.month > Month(2024, 1)
    return NeighbourMonths(before=None if is_after else other, after=other if is_after else None)


_UNKNOWN = "whether it was listed then is unknown: the plan of this API key has no reference data"
_LISTED = "Synthetic SPY has been listed since 1993-01-29 and was SPY all month, in which the exchange held 21 sessions"

RECORDED_FAULTS = (
    _empty("proven empty, and the vendor does not say why", "warn", EmptyMonthCause.UNKNOWN, _UNKNOWN),
    _empty("proven empty, although it was listed all month", "error", EmptyMonthCause.UNEXPLAINED, _LISTED),
    RecordedFault(
        "split_basis",
        "a split executed after the month was fetched",
        "error",
        replace(GOOD, splits_now=(_EARLIER, _LATER)),
    ),
    RecordedFault(
        "split_basis",
        "an earlier split that the vendor learnt of since",
        "error",
        replace(GOOD, splits=(), splits_now=(Split(date(2024, 1, 25), 2, 3),)),
    ),
    RecordedFault(
        "split_basis",
        "a split whose ratio was corrected since",
        "error",
        replace(GOOD, splits=(Split(date(2024, 1, 25), 1, 2),), splits_now=(Split(date(2024, 1, 25), 1, 3),)),
    ),
    RecordedFault(
        "split_basis", "the vendor did not tell the splits", "warn", replace(GOOD, splits=None, splits_now=())
    ),
    RecordedFault(
        "split_basis", "the month before is unadjusted", "warn", GOOD, neighbours=_beside("2023-12", adjusted=False)
    ),
    RecordedFault(
        "split_basis",
        "the month before lacks a split that was executed after it",
        "warn",
        replace(GOOD, splits=(_EARLIER, _NEW_YEAR), splits_now=(_EARLIER, _NEW_YEAR)),
        neighbours=_beside("2023-12", last_bar=datetime(2023, 12, 29, 21, tzinfo=UTC), last_close=1426.0),
    ),
    RecordedFault(
        "same_company",
        "the nearest month before, over a year of empty ones, is of another FIGI",
        "warn",
        GOOD,
        neighbours=_beside("2023-01", company=Company(date(2023, 1, 31), "Elder Fund", "BBG000000002")),
    ),
    RecordedFault(
        "same_company",
        "the month after is of another CIK",
        "warn",
        GOOD,
        neighbours=_beside("2024-02", company=Company(date(2024, 2, 29), "Newcorp Inc.", cik="0000000002")),
    ),
    RecordedFault(
        "same_company",
        "by the list of changes the company had another symbol then",
        "warn",
        replace(GOOD, company=replace(_OWNER, conflict="Newcorp Inc. was OLDN in this month")),
    ),
    RecordedFault(
        "settled",
        "fetched in the middle of the month",
        "warn",
        replace(
            GOOD,
            fetched_at=datetime(2024, 1, 15, 17, 0, 1, tzinfo=UTC),
            complete_through=datetime(2024, 1, 15, 17, tzinfo=UTC),
        ),
    ),
    RecordedFault(
        "settled",
        "fetched a second before it settles",
        "warn",
        replace(GOOD, fetched_at=datetime(2024, 2, 1, 15, 59, 59, tzinfo=UTC)),
    ),
    RecordedFault(
        "settled",
        "when it was fetched is not recorded",
        "warn",
        replace(GOOD, fetched_at=None, adjusted=False, splits=None),
    ),
    RecordedFault("revised", "a settled bar changed", "warn", replace(GOOD, revised=RevisionCounts(9000, changed=1))),
    RecordedFault("revised", "three settled bars added", "warn", replace(GOOD, revised=RevisionCounts(9000, gained=3))),
    RecordedFault("revised", "two settled bars lost", "warn", replace(GOOD, revised=RevisionCounts(9000, lost=2))),
)
