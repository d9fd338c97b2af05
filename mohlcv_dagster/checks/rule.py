"""What a rule is, what it needs, and what it finds. The rules themselves are in the other modules of this package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER, BarFile
from mohlcv_dagster.model.timeframes import MINUTE, RAW, Timeframe

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.checks.check_input import CheckInput

ASK_AGAIN: Final = (
    "Re-materialize {asset} for {partition}; if it stays, report the request_ids of its materialization to the vendor."
)
CHANGED: Final = "Re-materialize {asset} for {partition}: the file is not the one that was written."
"""What to do about a raw file that changed since: its faults are not the vendor's."""
WRITE_AGAIN: Final = "Re-materialize {asset} for {partition}, which writes the file again."
AFTER_RAW: Final = "Re-materialize {asset} for {partition} once raw_1s is stored and passes its checks."
RESAMPLE_AGAIN: Final = "Re-materialize {asset} for {partition}; if raw_1s fails the same check, cure that first."

Facts: TypeAlias = Mapping[str, str | int | float | Mapping[str, int]]
"""Figures worth keeping with a result, by name: text, numbers, or counts by name."""


class Severity(StrEnum):
    """How bad it is when a rule fails."""

    ERROR = "error"
    """Something is wrong."""
    WARN = "warn"
    """Look at it; the bars can be used."""


class Requires(StrEnum):
    """What a rule needs; where it is missing, the rule is not checked."""

    FILE = "file"
    """Nothing: that the file is absent or cannot be read is what such a rule finds."""
    BARS = "bars"
    """The file's bars: its bytes could be decoded."""
    RAW = "raw"
    """The file's bars and, for an aggregate, those of its raw file."""
    RECOMPUTED = "recomputed"
    """As `RAW`, and the second engine can make the aggregate from the raw bars."""
    CALENDAR = "calendar"
    """The file's bars and an exchange calendar that covers its month."""
    VENDOR = "vendor"
    """As `RAW`, and the vendor's own minutes of the month, comparable with ours."""


class Scope(StrEnum):
    """Which files a rule applies to."""

    EVERY = "every file"
    RAW = "raw files"
    AGGREGATE = "aggregates"
    MINUTES = "1min aggregates"

    def includes(self, timeframe: Timeframe) -> bool:
        """Whether files of `timeframe` are among them."""
        if self is Scope.MINUTES:
            return timeframe == MINUTE
        return self is Scope.EVERY or (self is Scope.RAW) == (timeframe == RAW)


@dataclass(frozen=True)
class RuleOutcome:
    """What the function of a rule returns.

    Attributes:
        of: how many bars were looked at.
        fault: what is wrong, a sentence without its full stop; `None` where nothing is.
        bars: the offending bars, or rows of what else the rule `counts`.
        count: how many offend, where that is not the number of rows of `bars`.
        severity: where it is milder than the rule's.
        note: where nothing is wrong, what was found or why the rule does not apply; replaces the number of bars.
        facts: figures worth keeping, whether or not something is wrong.
        cure: what to do, where that is not the rule's cure; `{asset}` and `{partition}` are filled in.
    """

    of: int
    fault: str | None = None
    bars: "pa.Table | None" = None
    count: int | None = None
    severity: Severity | None = None
    note: str | None = None
    facts: Facts = field(default_factory=dict)
    cure: str | None = None


RuleFunction: TypeAlias = "Callable[[CheckInput], RuleOutcome]"
"""It is called only where the input has what the rule requires."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rule:
    """Something that must be true of a file.

    Attributes:
        name: the function's name. It is stored with results, so it must not change.
        check: the function.
        sentence: what must be true, in one sentence.
        threshold: how much of a breach is allowed.
        severity: the worst it can give.
        blocking: whether an error keeps downstream files from being made. An error in the bars does; bars that are
            missing do not, since what is there can be resampled exactly.
        scope: the files it applies to.
        requires: what it needs.
        cure: what to do for a raw file; `{asset}` and `{partition}` are filled in.
        aggregate_cure: what to do for an aggregate.
        counts: what its offending rows are, in the plural.
    """

    name: str
    check: RuleFunction
    sentence: str
    threshold: str
    severity: Severity
    blocking: bool
    scope: Scope
    requires: Requires
    cure: str
    aggregate_cure: str
    counts: str

    def __call__(self, given: "CheckInput") -> RuleOutcome:
        """What its function finds."""
        return self.check(given)

    def cure_for(self, file: BarFile) -> str:
        """What to do when `file` fails the rule."""
        return fill_in(self.cure if file.timeframe == RAW else self.aggregate_cure, file)


def rule(  # noqa: PLR0913 - everything about a rule, each by its name
    *,
    sentence: str,
    threshold: str,
    severity: Severity = Severity.ERROR,
    blocking: bool = True,
    scope: Scope = Scope.EVERY,
    requires: Requires = Requires.BARS,
    cure: str = ASK_AGAIN,
    aggregate_cure: str = RESAMPLE_AGAIN,
    counts: str = "bars",
) -> Callable[[RuleFunction], Rule]:
    """Make a rule of the function that checks it; see `Rule`. A rule that only warns never blocks."""

    def decorate(check: RuleFunction) -> Rule:
        return Rule(
            name=check.__name__,
            check=check,
            sentence=sentence,
            threshold=threshold,
            severity=severity,
            blocking=blocking and severity is Severity.ERROR,
            scope=scope,
            requires=requires,
            cure=cure,
            aggregate_cure=aggregate_cure,
            counts=counts,
        )

    return decorate


@dataclass(frozen=True)
class RuleResult:
    """What a rule found in a file.

    Attributes:
        rule: the rule.
        passed: whether the file passed it.
        severity: how bad a failure is; where it passed, the rule's own.
        count: how many of what the rule `counts` offend (of `exact_form`: lines); 0 where it passed, or where the
            file itself is the fault, such as a missing one.
        of: how many bars were looked at.
        message: one or two sentences with values: what is wrong, where first, what to do.
        bars: every offending bar (of some rules: session or gap, with `ts_event` where it begins), some with columns of
            context; an empty table where there is none.
        facts: figures worth keeping.
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
    def blocking(self) -> bool:
        """Whether it keeps downstream files from being made."""
        return not self.passed and self.rule.blocking and self.severity is Severity.ERROR

    @property
    def threshold(self) -> str:
        """How much of a breach is allowed."""
        return self.rule.threshold


def asset_of(file: BarFile) -> str:
    """The asset that writes `file`, such as `aggregated/15s`."""
    return RAW_FOLDER if file.timeframe == RAW else f"{AGGREGATED_FOLDER}/{file.timeframe}"


def fill_in(cure: str, file: BarFile) -> str:
    """A cure with the asset and the partition of `file` filled in."""
    return cure.format(asset=asset_of(file), partition=f"{file.symbol} {file.month}")
