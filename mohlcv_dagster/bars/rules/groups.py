"""The checks: the rules in groups, each of which answers one question of the person at the dashboard.

A check is what Dagster shows of a file, a rule is what is written, tested and documented. Data, and no arrays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from mohlcv_dagster.bars.rules.catalogue import AGAINST_VENDOR, RULES
from mohlcv_dagster.bars.rules.rule import Finding, Rule, Severity
from mohlcv_dagster.model.timeframes import MINUTE, RAW, Timeframe


@dataclass(frozen=True)
class Check:
    """A question about a file, and the rules that answer it.

    Attributes:
        name: snake_case, the name of its asset check, hence a contract.
        question: what it asks, one sentence.
        rules: in the order in which they are shown, the most telling first. Each rule of a file is in one check.
        blocking: whether it may keep what is downstream from being made; the rules in it that block say when.
        asks_vendor: whether the vendor must be asked, now, before it can be answered.
        decisive: the rule without which a check in which no rule fails says nothing.
    """

    name: str
    question: str
    rules: tuple[Rule, ...]
    blocking: bool
    asks_vendor: bool
    decisive: Rule


_RULES: Final = {rule.name: rule for rule in (*RULES, *AGAINST_VENDOR)}

_BARS: Final = (
    "no_missing_values",
    "rising_time",
    "inside_month",
    "ohlc_order",
    "positive_prices",
    "non_negative_volume",
    "volume_traded",
)
HOW_UNLIKE: Final = frozenset({"volume_conserved", "aligned", "not_empty", *_BARS})
"""The rules that say how an aggregate differs from what its raw file gives, if it does.

An aggregate that equals that is not put to them. Of a raw file they are rules like any other.
"""
EQUAL: Final = "the file equals, bar for bar, what its raw file gives: what holds of that holds of it"
"""Why the rules that say how an aggregate differs are not put to one that does not."""


def _check(
    name: str, question: str, *rules: str, blocking: bool = False, asks_vendor: bool = False, decisive: str = ""
) -> Check:
    of = tuple(_RULES[rule] for rule in rules)
    return Check(name, question, of, blocking, asks_vendor, _RULES[decisive] if decisive else of[0])


_INTACT: Final = _check(
    "intact",
    "Is the file the one that was written, in exact form?",
    "readable",
    "as_recorded",
    "exact_form",
    "volume_type",
    "volume_precision",
    blocking=True,
)
_OF_RAW: Final = (
    _INTACT,
    _check("valid", "Is every bar a bar?", *_BARS, blocking=True),
    _check(
        "complete",
        "Is the month all there, by the exchange calendar?",
        "not_empty",
        "sessions_present",
        "minute_occupancy",
        "session_edges",
        "largest_gap",
        "trading_hours",
        decisive="sessions_present",
    ),
    _check("plausible", "Are there no bad prints?", "spikes", "wicks", "open_jumps", "stale_prices"),
    _check(
        "current", "Is this the vendor's final word, on today's basis of splits?", "settled", "revised", "split_basis"
    ),
)
_OF_AGGREGATES: Final = (
    _INTACT,
    _check(
        "matches_raw",
        "Does it equal, bar for bar, what a second engine makes of the raw file?",
        "equals_recomputation",
        "volume_conserved",
        "aligned",
        "not_empty",
        *_BARS,
        blocking=True,
    ),
)
_OF_MINUTES: Final = (
    *_OF_AGGREGATES,
    _check(
        "matches_vendor",
        "Does it agree with the vendor's own minutes?",
        "vendor_minutes",
        "volume_ladder",
        asks_vendor=True,
    ),
)


def checks_for(timeframe: Timeframe) -> tuple[Check, ...]:
    """The checks of files of `timeframe`, in the order of the dashboard."""
    if timeframe == RAW:
        return _OF_RAW
    return _OF_MINUTES if timeframe == MINUTE else _OF_AGGREGATES


@cache
def check_of(timeframe: Timeframe, rule: str) -> Check:
    """The check of files of `timeframe` that has a rule.

    Raises:
        KeyError: none has it.
    """
    for check in checks_for(timeframe):
        if rule in {each.name for each in check.rules}:
            return check
    raise KeyError(rule)


@dataclass(frozen=True)
class Answer:
    """What the rules of a check say of a file.

    Attributes:
        check: which check.
        findings: of its rules that were judged, in its order.
        not_judged: its rules that were not, each with the reason.
    """

    check: Check
    findings: tuple[Finding, ...]
    not_judged: tuple[tuple[Rule, str], ...]

    @property
    def failing(self) -> tuple[Finding, ...]:
        """What failed, errors first, otherwise in the check's order."""
        failed = (finding for finding in self.findings if not finding.passed)
        return tuple(sorted(failed, key=lambda finding: finding.severity is not Severity.ERROR))

    @property
    def is_given(self) -> bool:
        """Whether the question is answered: a rule failed, or the decisive one was judged. Else say nothing."""
        return bool(self.failing) or any(finding.rule == self.check.decisive for finding in self.findings)

    @property
    def passed(self) -> bool:
        """Whether the question is answered and no rule failed."""
        return self.is_given and not self.failing

    @property
    def severity(self) -> Severity:
        """The worst of the failing rules; where none fails, a warning."""
        return self.failing[0].severity if self.failing else Severity.WARN

    @property
    def holds_back(self) -> bool:
        """Whether a rule failed that keeps what is downstream from being made."""
        return self.check.blocking and any(finding.holds_back for finding in self.findings)


def answers(
    checks: Iterable[Check], findings: Iterable[Finding], not_judged: Iterable[tuple[Rule, str]]
) -> list[Answer]:
    """What was found of a file, by check; checks of which no rule was put to it are left out."""
    found = {finding.rule: finding for finding in findings}
    reasons = dict(not_judged)
    made = [
        Answer(
            check,
            tuple(found[rule] for rule in check.rules if rule in found),
            tuple((rule, reasons[rule]) for rule in check.rules if rule in reasons),
        )
        for check in checks
    ]
    return [answer for answer in made if answer.findings or answer.not_judged]
