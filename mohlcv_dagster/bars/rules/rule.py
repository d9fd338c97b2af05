"""What a rule is, and what it finds: the vocabulary the single rules are written in. No rule lives here.

Nothing here needs an array: a rule is data, and the function that judges by it is imported when it is first called.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.model.timeframes import MINUTE, RAW, Timeframe

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.bars.rules.evidence import Evidence

ASK_AGAIN: Final = (
    "Re-materialize {asset} for {partition}; if it stays, report the request_ids of its materialization to the vendor."
)
WRITE_AGAIN: Final = "Re-materialize {asset} for {partition}, which writes the file anew."
WRITE_BACK: Final = "Copy the file back, or re-materialize {asset} for {partition}, which writes it again."
RECORD_AGAIN: Final = "Re-materialize {asset} for {partition}, which writes the file anew and records it."
AFTER_RAW: Final = "Re-materialize {asset} for {partition} once raw_1s is there and passes its checks."
FOLD_AGAIN: Final = "Re-materialize {asset} for {partition}; if raw_1s fails the same check, cure that first."

Facts: TypeAlias = Mapping[str, str | int | float | Mapping[str, int]]
"""Figures worth keeping beside a finding, by what they are called: text, numbers, or counts by name."""


class Severity(StrEnum):
    """How bad it is when a rule does not hold."""

    ERROR = "error"
    """What is downstream must wait."""
    WARN = "warn"
    """Look at it; the bars can be used."""


class Ground(StrEnum):
    """What must be there before a rule can say anything; where it is not, the rule is not judged."""

    FILE = "file"
    """Nothing: that the file is absent or cannot be read is what such a rule finds."""
    BARS = "bars"
    """The file's bars: its bytes could be decoded."""
    RAW = "raw"
    """The file's bars and, for an aggregate, those of its raw file."""
    RECOMPUTED = "recomputed"
    """As `RAW`, and the second engine can make the aggregate of the raw bars."""
    CALENDAR = "calendar"
    """The file's bars and an exchange calendar that covers its month."""
    VENDOR = "vendor"
    """As `RAW`, and the vendor's own minutes of the month, comparable with ours."""


class Scope(StrEnum):
    """Which files a rule is for."""

    EVERY = "every file"
    RAW = "raw files"
    AGGREGATE = "aggregates"
    MINUTES = "1min aggregates"

    def holds(self, timeframe: Timeframe) -> bool:
        """Whether files of `timeframe` are among them."""
        if self is Scope.MINUTES:
            return timeframe == MINUTE
        return self is Scope.EVERY or (self is Scope.RAW) == (timeframe == RAW)


@dataclass(frozen=True)
class Outcome:
    """What a rule's check found, in the rule's own words.

    Attributes:
        of: how many bars were looked at.
        fault: what is wrong, a sentence without its full stop; `None` where nothing is.
        bars: the offending bars, or rows of what else the rule `counts`.
        count: how many offend, where that is not the rows of `bars`.
        severity: where it is milder than the rule's.
        note: where nothing is wrong, what was found or why the rule does not apply, in place of the number of bars.
        facts: figures worth keeping, whether or not something is wrong.
        cure: what to do, where that is not what the rule says; `{asset}` and `{partition}` are filled in.
    """

    of: int
    fault: str | None = None
    bars: "pa.Table | None" = None
    count: int | None = None
    severity: Severity | None = None
    note: str | None = None
    facts: Facts = field(default_factory=dict)
    cure: str | None = None


Judge: TypeAlias = "Callable[[Evidence], Outcome]"
"""What judges by a rule: it looks at evidence on which the rule's ground was found to stand."""


@dataclass(frozen=True)
class Rule:
    """Something that must hold of a file.

    Attributes:
        name: snake_case; it is kept with what was found, hence a contract; also the name of the function that judges.
        sentence: what holds, in one sentence.
        threshold: how much of a breach is allowed.
        judged_in: the module of this package that the function stands in.
        severity: the worst it can give.
        holds_back: whether an error keeps what is downstream from being made. A file whose bars are not bars does; one
            that lacks some of the month's does not, since what it has can be folded exactly.
        scope: the files it is for.
        ground: what must be there before it can be judged; where that is missing, it is not judged.
        cure: what to do for a raw file; `{asset}` and `{partition}` are filled in.
        aggregate_cure: what to do for an aggregate.
        counts: what its offending rows are, in the plural.
    """

    name: str
    sentence: str
    threshold: str
    judged_in: str
    severity: Severity = Severity.ERROR
    holds_back: bool = True
    scope: Scope = Scope.EVERY
    ground: Ground = Ground.BARS
    cure: str = ASK_AGAIN
    aggregate_cure: str = FOLD_AGAIN
    counts: str = "bars"

    @property
    def check(self) -> Judge:
        """The function that judges by it. Its module is imported here: those who only list rules need no arrays."""
        module = importlib.import_module(f"mohlcv_dagster.bars.rules.{self.judged_in}")
        check: Judge = getattr(module, self.name)
        return check

    @property
    def blocking(self) -> bool:
        """Whether its failure, of error severity, keeps what is downstream from being made."""
        return self.holds_back and self.severity is Severity.ERROR

    def cure_of(self, file: BarFile) -> str:
        """What to do when the rule does not hold of `file`."""
        return told_of(file, self.cure if file.timeframe == RAW else self.aggregate_cure)


@dataclass(frozen=True)
class Finding:
    """What a rule says of a file.

    Attributes:
        rule: the rule.
        passed: whether it holds.
        severity: how bad a failure is; where it passed, the rule's own.
        count: how many of what the rule `counts` offend (of `exact_form`: lines); 0 where it passed, or fails as a
            whole, as without a file.
        of: how many bars were looked at.
        message: one plain sentence or two, with values: what is wrong, where first, what to do.
        bars: every offending bar (of some rules: session or gap, with `ts_event` where it begins), some with columns of
            context; the empty table where there is none.
        facts: figures worth keeping with it.
        cure: what to do, the end of `message`; empty where it passed.
    """

    rule: Rule
    passed: bool
    severity: Severity
    count: int
    of: int
    message: str
    bars: "pa.Table"
    facts: Facts = field(default_factory=dict)
    cure: str = ""

    @property
    def holds_back(self) -> bool:
        """Whether it keeps what is downstream from being made."""
        return not self.passed and self.rule.blocking and self.severity is Severity.ERROR

    @property
    def threshold(self) -> str:
        """How much of a breach is allowed."""
        return self.rule.threshold


def asset_of(file: BarFile) -> str:
    """The asset that writes `file`, such as `aggregated/15s`."""
    return RAW_FOLDER if file.timeframe == RAW else f"{AGGREGATED_FOLDER}/{file.timeframe}"


def told_of(file: BarFile, cure: str) -> str:
    """A cure with the asset and the partition of `file` filled in."""
    return cure.format(asset=asset_of(file), partition=f"{file.symbol} {file.month}")
