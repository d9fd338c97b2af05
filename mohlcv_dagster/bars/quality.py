"""The quality of each stored month: one row a symbol and month, its columns and their meanings. No table is made here.

A row holds what was recorded of a month when it was fetched and checked, and how the latest run went that was to make
it. What was not recorded is null, never a guess.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from mohlcv_dagster.bars.months import Month

PATH: Final = PurePosixPath("quality/coverage.parquet")
"""Where the table stands, relative to the data folder."""

OK: Final = "ok"
WARN: Final = "warn"
ERROR: Final = "error"


class Status(StrEnum):
    """How it stands with a month that somebody asked for."""

    STORED = "stored"
    FAILED = "failed"
    """The latest run that was to make it failed, whether or not an earlier file is there."""
    MISSING = "missing"
    """It is not there, and the run that was to make it ended in another way, such as canceled."""
    IN_PROGRESS = "in progress"
    """It is not there yet: a run that is to make it is queued or running."""


class Kind(StrEnum):
    """What a column holds, by the name of its Arrow type."""

    TEXT = "string"
    COUNT = "int64"
    SHARE = "double"
    TEXTS = "list<item: string>"
    MOMENT = "timestamp[ms, tz=UTC]"
    """Parquet knows no whole seconds."""


@dataclass(frozen=True)
class Column:
    """A column of the table: its kind, what it holds in words for a catalogue, and its unit where it has one."""

    kind: Kind
    meaning: str
    unit: str = ""


COLUMNS: Final = {
    "symbol": Column(Kind.TEXT, "the symbol, case kept"),
    "month": Column(Kind.TEXT, "the UTC month, such as 2024-01"),
    "status": Column(Kind.TEXT, "stored, failed, missing or in progress: how the latest run that was to make it went"),
    "why": Column(Kind.TEXT, "of a failed month, the sentence of the failure; else null"),
    "worst": Column(Kind.TEXT, "error, warn or ok: the worst result of the rules checked; null where none was"),
    "state": Column(Kind.TEXT, "settled, or provisional: fetched before the vendor had finished the month"),
    "rows": Column(Kind.COUNT, "bars in the raw file", "bars"),
    "sessions_present": Column(Kind.COUNT, "sessions that have bars", "sessions"),
    "sessions_expected": Column(Kind.COUNT, "sessions that should have, by when the bars were asked for", "sessions"),
    "occupancy": Column(Kind.SHARE, "share of a session's regular minutes that have a bar, 0 to 1; median of sessions"),
    "largest_gap_minutes": Column(
        Kind.COUNT, "minutes of the longest stretch of regular hours without a bar", "minutes"
    ),
    "outside_hours": Column(Kind.COUNT, "bars outside sessions and 04:00 to 20:00 Eastern", "bars"),
    "mismatches": Column(Kind.COUNT, "minutes that differ from the vendor's own minute bars", "minutes"),
    "revised": Column(Kind.COUNT, "settled bars that the latest fetch changed, added or lost", "bars"),
    "errors": Column(Kind.COUNT, "rules that fail as errors, on the raw file and its aggregates"),
    "warnings": Column(Kind.COUNT, "rules that fail as warnings"),
    "judged": Column(Kind.COUNT, "rules with a result on the files as they are"),
    "not_judged": Column(
        Kind.COUNT,
        "rules without: they could not be checked, or not on the file as it is",
    ),
    "failing": Column(Kind.TEXTS, "the failing rules, errors first, such as raw_1s: ohlc_order"),
    "stale": Column(Kind.TEXTS, "what must be made again and why, such as an aggregate of an earlier raw file"),
    "complete_through": Column(Kind.MOMENT, "the moment (exclusive) up to which bars were asked for, UTC", "UTC"),
    "fetched_at": Column(Kind.MOMENT, "when the bars were asked for, UTC", "UTC"),
}
"""The columns in their order."""

NEVER_NULL: Final = frozenset(
    {"symbol", "month", "status", "errors", "warnings", "judged", "not_judged", "failing", "stale"}
)
"""The columns that have a value in every row."""


@dataclass(frozen=True, kw_only=True)
class MonthQuality:
    """What is recorded of a symbol's month; the attributes are the columns of the table, with their meanings there.

    `None` says that it was not recorded. `worst` follows from the rest.
    """

    symbol: str
    month: Month
    status: Status = Status.STORED
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
    def is_judged(self) -> bool:
        """Whether every rule that was to be checked on the files as they are has a result, and one was."""
        return self.judged > 0 and not self.not_judged


def by_symbol(months: Iterable[MonthQuality]) -> list[MonthQuality]:
    """The months in order of symbol and month."""
    return sorted(months, key=lambda row: (row.symbol, row.month))


def worst_first(months: Iterable[MonthQuality]) -> list[MonthQuality]:
    """The months that most need a look first: failed, errors, warnings, missing, stale, not judged, the emptiest."""

    def badness(row: MonthQuality) -> tuple[object, ...]:
        sparse = 1.0 if row.occupancy is None else row.occupancy
        failed, stored = row.status is Status.FAILED, row.status in {Status.STORED, Status.FAILED}
        bad = not failed, -row.errors, -row.warnings, stored, not row.stale, row.is_judged
        return (*bad, sparse, row.symbol, row.month)

    return sorted(months, key=badness)
