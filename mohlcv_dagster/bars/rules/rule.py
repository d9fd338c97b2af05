"""What a rule is, and what it finds: the vocabulary the single rules are written in. No rule lives here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.bars.rules.evidence import Evidence, Ground
from mohlcv_dagster.bars.schema import COLUMNS, TIME
from mohlcv_dagster.bars.timeframes import MINUTE, RAW, Timeframe

ASK_AGAIN: Final = (
    "Re-materialize {asset} for {partition}; if it stays, report the request_ids of its materialization to the vendor."
)
WRITE_AGAIN: Final = "Re-materialize {asset} for {partition}, which writes the file anew."
RECORD_AGAIN: Final = "Re-materialize {asset} for {partition}, which writes the file anew and records it."
AFTER_RAW: Final = "Re-materialize {asset} for {partition} once raw_1s is there and passes its checks."
FOLD_AGAIN: Final = "Re-materialize {asset} for {partition}; if raw_1s fails the same check, cure that first."

_CALLED: Final = {
    "previous_ts_event": "the bar before at",
    "columns": "in",
    "volume_text": "volume written",
    "median": "median around",
    "allowed": "allowed off it",
}
"""What columns of context are called in a message, where their name alone would not be understood."""

Facts: TypeAlias = Mapping[str, str | int | float | Mapping[str, int]]
"""Figures worth keeping beside a finding, by what they are called: text, numbers, or counts by name."""


class Severity(StrEnum):
    """How bad it is when a rule does not hold."""

    ERROR = "error"
    """What is downstream must wait."""
    WARN = "warn"
    """Look at it; the bars can be used."""


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
        note: where nothing is wrong, what was found or why it was not judged, in place of the number of bars.
        facts: figures worth keeping, whether or not something is wrong.
    """

    of: int
    fault: str | None = None
    bars: pa.Table | None = None
    count: int | None = None
    severity: Severity | None = None
    note: str | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """Something that must hold of a file.

    Attributes:
        name: snake_case; also the name of its asset check, hence a contract.
        sentence: what holds, in one sentence.
        threshold: how much of a breach is allowed.
        check: looks at evidence on which `ground` was found to stand.
        severity: the worst it can give.
        holds_back: whether an error keeps what is downstream from being made. A file whose bars are not bars does; one
            that lacks some of the month's does not, since what it has can be folded exactly.
        scope: the files it is for.
        ground: what must be there before it can be judged; where that is missing, the rule fails.
        cure: what to do for a raw file; `{asset}` and `{partition}` are filled in.
        aggregate_cure: what to do for an aggregate.
        counts: what its offending rows are, in the plural.
    """

    name: str
    sentence: str
    threshold: str
    check: Callable[[Evidence], Outcome]
    severity: Severity = Severity.ERROR
    holds_back: bool = True
    scope: Scope = Scope.EVERY
    ground: Ground = Ground.BARS
    cure: str = ASK_AGAIN
    aggregate_cure: str = FOLD_AGAIN
    counts: str = "bars"

    @property
    def blocking(self) -> bool:
        """Whether its failure, of error severity, keeps what is downstream from being made."""
        return self.holds_back and self.severity is Severity.ERROR

    def cure_of(self, file: BarFile) -> str:
        """What to do when the rule does not hold of `file`."""
        cure = self.cure if file.timeframe == RAW else self.aggregate_cure
        return cure.format(asset=asset_of(file), partition=f"{file.symbol} {file.month}")


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
        facts: figures worth keeping beside it.
    """

    rule: Rule
    passed: bool
    severity: Severity
    count: int
    of: int
    message: str
    bars: pa.Table
    facts: Facts = field(default_factory=dict)

    @property
    def holds_back(self) -> bool:
        """Whether it keeps what is downstream from being made."""
        return not self.passed and self.rule.blocking and self.severity is Severity.ERROR

    @property
    def threshold(self) -> str:
        """How much of a breach is allowed."""
        return self.rule.threshold


def evaluate(rule: Rule, evidence: Evidence) -> Finding:
    """What `rule` says of the evidence; it fails without its ground, as a warning where the vendor alone is missing."""
    obstacle = evidence.obstacle(rule.ground)
    if obstacle is None:
        outcome = rule.check(evidence)
    else:
        mild = rule.ground is Ground.VENDOR and evidence.obstacle(Ground.RAW) is None
        outcome = Outcome(of=0, fault=obstacle, severity=Severity.WARN if mild else None)
    bars = schema.empty() if outcome.bars is None else outcome.bars
    if outcome.fault is None:
        message = f"{rule.sentence} ({outcome.note or f'{outcome.of:,} {plural(outcome.of)}'})"
        return Finding(rule, True, rule.severity, 0, outcome.of, message, bars, outcome.facts)
    return Finding(
        rule=rule,
        passed=False,
        severity=outcome.severity or rule.severity,
        count=bars.num_rows if outcome.count is None else outcome.count,
        of=outcome.of,
        message=f"{outcome.fault}. {rule.cure_of(evidence.file)}",
        bars=bars,
        facts=outcome.facts,
    )


def asset_of(file: BarFile) -> str:
    """The asset that writes `file`, such as `aggregated/15s`."""
    return RAW_FOLDER if file.timeframe == RAW else f"{AGGREGATED_FOLDER}/{file.timeframe}"


def plural(count: int) -> str:
    """`bar` or `bars`."""
    return "bar" if count == 1 else "bars"


def tally(bars: pa.Table, of: int, fault: str, *, shown: tuple[str, ...] = COLUMNS[1:], row: int | None = None) -> str:
    """`3 of 10 bars have FAULT; first at 2024-01-02 14:30:07Z (open 475.32, …)`.

    Args:
        bars: the offending bars, one or more.
        of: how many bars were looked at.
        fault: what they have, such as `a price of zero`.
        shown: the columns given of the first.
        row: where in the file the first is, counted from 0; told where it has no time.
    """
    have = "has" if bars.num_rows == 1 else "have"
    values = ", ".join(f"{_CALLED.get(name, name)} {as_text(bars[name][0])}" for name in shown)
    nowhere = "an unknown time" if row is None else f"bar {row + 1:,} of the file, which has no time"
    at = as_text(bars[TIME][0]) if bars[TIME][0].is_valid else nowhere
    return f"{bars.num_rows:,} of {of:,} {plural(of)} {have} {fault}; first at {at}" + (
        f" ({values})" if values else ""
    )


def as_text(value: "pa.Scalar[pa.DataType]") -> str:
    """A value as messages show it: `2024-01-02 14:30:07Z`, `475.32`, `NaN`, `missing`."""
    if not value.is_valid:
        return "missing"
    if pa.types.is_timestamp(value.type):
        # Through text, since a Python datetime ends with the year 9999.
        return f"{pc.cast(pc.cast(value, pa.timestamp('s')), pa.string()).as_py()}Z"
    text = str(value.as_py())
    return "NaN" if text == "nan" else text
