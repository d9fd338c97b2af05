"""The judgement on a file: each rule that applies, put to the evidence. What the rules are is in `catalogue`.

What could not be looked at is not judged: with a file that cannot be read only `readable` fails. An aggregate that
equals what the second engine makes of its raw file is not put to the other rules of `matches_raw`.
"""

from dataclasses import dataclass

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.rules.catalogue import RULES, for_timeframe
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.groups import EQUAL, HOW_UNLIKE
from mohlcv_dagster.bars.rules.rule import Finding, Rule, told_of
from mohlcv_dagster.bars.rules.wording import plural


@dataclass(frozen=True)
class Judged:
    """What came of putting rules to a file.

    Attributes:
        findings: what the rules say that could be judged, in the order they were given.
        not_judged: the others, each with the reason: a sentence without its full stop.
    """

    findings: tuple[Finding, ...]
    not_judged: tuple[tuple[Rule, str], ...]


def examine(evidence: Evidence, among: tuple[Rule, ...] = RULES) -> Judged:
    """Put every rule among these that applies to the evidence: what was found, and what was not judged and why."""
    if among is RULES:
        evidence.begin()
    findings: list[Finding] = []
    left: list[tuple[Rule, str]] = []
    for rule in reversed(for_timeframe(evidence.file.timeframe, among)):  # what was begun, the first ones ask for
        reason = obstacle(rule, evidence)
        if reason is None:
            findings.append(evaluate(rule, evidence))
        else:
            left.append((rule, reason))
    return Judged(tuple(findings[::-1]), tuple(left[::-1]))


def judge(evidence: Evidence, among: tuple[Rule, ...] = RULES) -> list[Finding]:
    """What every rule that applies and can be judged says of the evidence; `examine` tells of the others too."""
    return list(examine(evidence, among).findings)


def not_judged(evidence: Evidence, among: tuple[Rule, ...] = RULES) -> list[tuple[Rule, str]]:
    """The rules that apply and cannot or need not be judged, each with the reason, a sentence without its full stop."""
    reasons = ((rule, obstacle(rule, evidence)) for rule in for_timeframe(evidence.file.timeframe, among))
    return [(rule, reason) for rule, reason in reasons if reason is not None]


def obstacle(rule: Rule, evidence: Evidence) -> str | None:
    """Why `rule` is not judged; `None` where it is."""
    reason = evidence.obstacle(rule.ground)
    if reason is None and rule.name in HOW_UNLIKE and evidence.equals_raw:
        return EQUAL
    return reason


def evaluate(rule: Rule, evidence: Evidence) -> Finding:
    """What `rule` says of evidence that has its ground."""
    outcome = rule.check(evidence)
    bars = bar_table.empty() if outcome.bars is None else outcome.bars
    if outcome.fault is None:
        message = f"{rule.sentence} ({outcome.note or f'{outcome.of:,} {plural(outcome.of)}'})"
        return Finding(rule, True, rule.severity, 0, outcome.of, message, bars, outcome.facts)
    cure = rule.cure_of(evidence.file) if outcome.cure is None else told_of(evidence.file, outcome.cure)
    return Finding(
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
