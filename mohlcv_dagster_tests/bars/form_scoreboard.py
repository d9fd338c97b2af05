"""What the rules on form found of the corruptions made for them, and the table of all checks, as tables of docs."""

from mohlcv_dagster.bars.rules import AGAINST_VENDOR, FORM, RULES
from mohlcv_dagster_tests.bars.clean_files import judge_form
from mohlcv_dagster_tests.bars.corruptions import CORRUPTIONS
from mohlcv_dagster_tests.tables import table


def checks() -> str:
    """The table of rules, with their sentences."""
    rows = [
        (f"[`{rule.name}`](#{rule.name})", rule.sentence, rule.scope, rule.severity, rule.threshold)
        for rule in (*RULES, *AGAINST_VENDOR)
    ]
    return table(("check", "what holds", "of", "severity", "allowed"), rows)


def found() -> list[tuple[str, str, str | None, str]]:
    """For each corruption: rule, what it is, the severity given (`None` where it was missed), what fails with it."""
    rows = []
    order = [rule.name for rule in FORM]
    for corruption in sorted(CORRUPTIONS, key=lambda corruption: order.index(corruption.rule)):
        failed = {finding.rule.name: finding for finding in judge_form(corruption.evidence()) if not finding.passed}
        caught = failed.pop(corruption.rule, None)
        others = ", ".join(failed) if len(failed) < len(FORM) // 2 else f"all {len(failed)} others that need it"
        rows.append((corruption.rule, corruption.what, caught and str(caught.severity), others or "nothing"))
    return rows
