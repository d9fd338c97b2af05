"""Runs the rules on a file, and sums up their results by check.

A rule whose requirements are missing is not checked: of a file that cannot be read only `readable` fails. An aggregate
that equals what the second engine gives for its raw file is not checked by the rules that show how it differs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.registry import DIFFERENCE_RULES, PROVENANCE_RULES, RULES, Check, for_timeframe
from mohlcv_dagster.checks.rule import CHANGED, Rule, RuleOutcome, RuleResult, Severity, fill_in
from mohlcv_dagster.errors import FailedRulesError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import BarFile

EQUALS_RAW: Final = "the file equals, bar for bar, what its raw file gives: the results for that apply"
"""Why the rules that show how an aggregate differs were not checked."""


@dataclass(frozen=True)
class RuleRun:
    """The results of running rules on a file.

    Attributes:
        results: of the rules that were checked, in the order they were given.
        not_checked: the others, each with the reason: a sentence without its full stop.
    """

    results: tuple[RuleResult, ...]
    not_checked: tuple[tuple[Rule, str], ...]


def run_rules(given: CheckInput, rules: tuple[Rule, ...] = RULES) -> RuleRun:
    """Run every one of `rules` that applies to the file."""
    if rules is RULES:
        given.begin()
    results: list[RuleResult] = []
    not_checked: list[tuple[Rule, str]] = []
    for rule in reversed(for_timeframe(given.file.timeframe, rules)):  # the first ones wait for what was begun
        reason = _skip_reason(rule, given)
        if reason is None:
            results.append(evaluate(rule, given))
        else:
            not_checked.append((rule, reason))
    return RuleRun(tuple(results[::-1]), tuple(not_checked[::-1]))


def check_file(given: CheckInput, rules: tuple[Rule, ...] = RULES) -> list[RuleResult]:
    """The results of `run_rules`."""
    return list(run_rules(given, rules).results)


def _skip_reason(rule: Rule, given: CheckInput) -> str | None:
    reason = given.skip_reason(rule.requires)
    return EQUALS_RAW if reason is None and rule in DIFFERENCE_RULES and given.equals_raw else reason


def evaluate(rule: Rule, given: CheckInput) -> RuleResult:
    """The result of one rule on an input that has what the rule requires."""
    outcome = rule(given)
    bars = bar_table.empty() if outcome.bars is None else outcome.bars
    if outcome.fault is None:
        message = f"{rule.sentence} ({outcome.note or quantity(outcome.of, 'bar')})"
        return RuleResult(rule, True, rule.severity, 0, outcome.of, message, bars, outcome.facts)
    cure = _cure(rule, outcome, given)
    return RuleResult(
        rule=rule,
        passed=False,
        severity=outcome.severity or rule.severity,
        count=bars.num_rows if outcome.count is None else outcome.count,
        of=outcome.of,
        message=f"{outcome.fault}. {cure}",
        bars=bars,
        facts=outcome.facts,
        cure=cure,
    )


def _cure(rule: Rule, outcome: RuleOutcome, given: CheckInput) -> str:
    if given.is_raw and given.has_changed and rule.name not in PROVENANCE_RULES:
        return fill_in(CHANGED, given.file)
    return rule.cure_for(given.file) if outcome.cure is None else fill_in(outcome.cure, given.file)


@dataclass(frozen=True)
class CheckResult:
    """What the rules of a check found in a file.

    Attributes:
        check: which check.
        results: of its rules that were checked, in its order.
        not_checked: its other rules, each with the reason.
    """

    check: Check
    results: tuple[RuleResult, ...]
    not_checked: tuple[tuple[Rule, str], ...]

    @property
    def failing(self) -> tuple[RuleResult, ...]:
        """What failed, errors first, otherwise in the check's order."""
        failed = (result for result in self.results if not result.passed)
        return tuple(sorted(failed, key=lambda result: result.severity is not Severity.ERROR))

    @property
    def is_conclusive(self) -> bool:
        """Whether the question is answered: a rule failed, or the decisive one was checked."""
        return bool(self.failing) or any(result.rule is self.check.decisive for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether the question is answered and no rule failed."""
        return self.is_conclusive and not self.failing

    @property
    def severity(self) -> Severity:
        """The worst of the failing rules; where none fails, a warning."""
        return self.failing[0].severity if self.failing else Severity.WARN

    @property
    def blocking(self) -> bool:
        """Whether a rule failed that keeps downstream files from being made."""
        return any(result.blocking for result in self.results)


def check_results(
    checks: Iterable[Check], results: Iterable[RuleResult], not_checked: Iterable[tuple[Rule, str]]
) -> list[CheckResult]:
    """Group by check; checks without any result or reason are left out."""
    by_rule = {result.rule: result for result in results}
    reasons = dict(not_checked)
    made = [
        CheckResult(
            check,
            tuple(by_rule[rule] for rule in check.rules if rule in by_rule),
            tuple((rule, reasons[rule]) for rule in check.rules if rule in reasons),
        )
        for check in checks
    ]
    return [each for each in made if each.results or each.not_checked]


def require(file: BarFile, results: Iterable[RuleResult]) -> None:
    """Let `file` be used only when no blocking rule failed.

    Raises:
        FailedRulesError: one did; the message gives each with what it found.
    """
    broken = [result for result in results if result.blocking]
    if broken:
        faults = " ".join(f"{result.rule.name}: {result.message}" for result in broken)
        raise FailedRulesError(
            f"nothing is made from {file.path}, which breaks {quantity(len(broken), 'rule')}. {faults}"
        )
