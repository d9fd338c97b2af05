"""The rows of quality/coverage.parquet: one for each symbol and month; its columns and their meanings.

A row has what was recorded of a month when it was fetched and checked, and how the latest run for it went. What was not
recorded is null.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from mohlcv_dagster.model.months import Month

PATH: Final = PurePosixPath("quality/coverage.parquet")
"""The path of the table, relative to the data folder."""

OK: Final = "ok"
WARN: Final = "warn"
ERROR: Final = "error"


class MonthStatus(StrEnum):
    """The state of a month that was requested. The values are stored."""

    STORED = "stored"
    FAILED = "failed"
    """The latest run for it failed, whether or not an earlier file is stored."""
    MISSING = "missing"
    """It is not stored, and the run for it ended in another way, such as canceled."""
    IN_PROGRESS = "in progress"
    """It is not stored yet: a run for it is queued or running."""


class ColumnType(StrEnum):
    """The Arrow type of a column, by its name."""

    TEXT = "string"
    COUNT = "int64"
    SHARE = "double"
    TEXTS = "list<item: string>"
    MOMENT = "timestamp[ms, tz=UTC]"
    """Parquet has no whole seconds."""


@dataclass(frozen=True)
class Column:
    """A column of the table: its type, what it holds (as shown in the asset catalog) and its unit."""

    kind: ColumnType
    meaning: str
    unit: str = ""


COLUMNS: Final = {
    "symbol": Column(ColumnType.TEXT, "the symbol, case kept"),
    "month": Column(ColumnType.TEXT, "the UTC month, such as 2024-01"),
    "status": Column(
        ColumnType.TEXT, "stored, failed, missing or in progress: how the latest run that was to make it went"
    ),
    "why": Column(ColumnType.TEXT, "of a failed month, the error message; else null"),
    "worst": Column(ColumnType.TEXT, "error, warn or ok: the worst result of the rules checked; null where none was"),
    "state": Column(ColumnType.TEXT, "settled (final), or provisional: fetched before the bars were final"),
    "rows": Column(ColumnType.COUNT, "bars in the raw file", "bars"),
    "sessions_present": Column(ColumnType.COUNT, "sessions that have bars", "sessions"),
    "sessions_expected": Column(
        ColumnType.COUNT, "sessions that should have, by when the bars were requested", "sessions"
    ),
    "occupancy": Column(
        ColumnType.SHARE, "share of a session's regular minutes that have a bar, 0 to 1; median of sessions"
    ),
    "largest_gap_minutes": Column(ColumnType.COUNT, "minutes of the longest gap in regular hours", "minutes"),
    "outside_hours": Column(ColumnType.COUNT, "bars outside the hours of the sessions", "bars"),
    "mismatches": Column(ColumnType.COUNT, "minutes that differ from the vendor's own minute bars", "minutes"),
    "revised": Column(ColumnType.COUNT, "final bars that the latest fetch changed, added or lost", "bars"),
    "errors": Column(ColumnType.COUNT, "rules that fail as errors, on the raw file and its aggregates"),
    "warnings": Column(ColumnType.COUNT, "rules that fail as warnings"),
    "judged": Column(ColumnType.COUNT, "rules with a result on the files as they are"),
    "not_judged": Column(ColumnType.COUNT, "rules without: they could not be checked, or not on the file as it is"),
    "failing": Column(ColumnType.TEXTS, "the failing rules, errors first, such as raw_1s: ohlc_order"),
    "stale": Column(ColumnType.TEXTS, "what is out of date and why, such as an aggregate of an earlier raw file"),
    "complete_through": Column(ColumnType.MOMENT, "the moment (exclusive) up to which bars were requested, UTC", "UTC"),
    "fetched_at": Column(ColumnType.MOMENT, "when the bars were requested, UTC", "UTC"),
}
"""The columns in their order."""

NEVER_NULL: Final = frozenset(
    {"symbol", "month", "status", "errors", "warnings", "judged", "not_judged", "failing", "stale"}
)
"""The columns that have a value in every row."""


@dataclass(frozen=True, kw_only=True)
class MonthQuality:
    """A row: the attributes are the columns of the table (`COLUMNS` has their meanings), `None` is null."""

    symbol: str
    month: Month
    status: MonthStatus = MonthStatus.STORED
    why: str | None = None
    state: str | None = None
    rows: int | None = None
    sessions_present: int | None = None
    sessions_expected: int | None = None
    occupancy: float | None = None
    largest_gap_minutes: int | None = None
    outside_hours: int | None = None
    mismatches: int | None = None
    revised: int | None = None
    errors: int = 0
    warnings: int = 0
    judged: int = 0
    not_judged: int = 0
    failing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    complete_through: datetime | None = None
    fetched_at: datetime | None = None

    @property
    def worst(self) -> str | None:
        """`error`, `warn` or `ok`; `None` where no rule has a result."""
        if self.errors:
            return ERROR
        if self.warnings:
            return WARN
        return OK if self.judged else None

    @property
    def is_checked(self) -> bool:
        """Whether at least one rule was checked on the files as they are, and none is without a result."""
        return self.judged > 0 and not self.not_judged


def by_symbol(months: Iterable[MonthQuality]) -> list[MonthQuality]:
    """The months in order of symbol and month."""
    return sorted(months, key=lambda row: (row.symbol, row.month))


def worst_first(months: Iterable[MonthQuality]) -> list[MonthQuality]:
    """The months in order of need: failed, errors, warnings, missing, stale, not checked, the emptiest."""

    def badness(row: MonthQuality) -> tuple[object, ...]:
        sparse = 1.0 if row.occupancy is None else row.occupancy
        failed, stored = row.status is MonthStatus.FAILED, row.status in {MonthStatus.STORED, MonthStatus.FAILED}
        bad = not failed, -row.errors, -row.warnings, stored, not row.stale, row.is_checked
        return (*bad, sparse, row.symbol, row.month)

    return sorted(months, key=badness)
