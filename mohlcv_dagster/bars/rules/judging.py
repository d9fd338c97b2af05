"""The judgement on a file: each rule that applies, put to the evidence. What the rules are is in `catalogue`."""

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.rules.catalogue import RULES, for_timeframe
from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.rule import Finding, Ground, Outcome, Rule, Severity
from mohlcv_dagster.bars.rules.wording import plural


def judge(evidence: Evidence, among: tuple[Rule, ...] = RULES) -> list[Finding]:
    """What every rule that applies says of the evidence; a rule whose ground is missing fails and says so."""
    rules = for_timeframe(evidence.file.timeframe, among)
    if among is RULES:
        evidence.begin()
    findings = [evaluate(rule, evidence) for rule in reversed(rules)]  # what was begun, the first ones ask for
    return findings[::-1]


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
