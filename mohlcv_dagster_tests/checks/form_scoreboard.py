"""What the rules on form found of the corruptions made for them, and the checks with their rules, as tables of docs."""

import re
from collections.abc import Iterator
from typing import Final

from mohlcv_dagster.checks.registry import Check, checks_for
from mohlcv_dagster.checks.rule import Rule
from mohlcv_dagster.checks.runner import check_file
from mohlcv_dagster.model.timeframes import MINUTE, RAW, parse
from mohlcv_dagster_tests.checks.clean_files import FORM
from mohlcv_dagster_tests.checks.corruptions import CORRUPTIONS
from mohlcv_dagster_tests.tables import table

_OF_RAW: Final = {check.name: check for check in checks_for(RAW)}
CHECKS: Final = _OF_RAW | {check.name: check for check in checks_for(MINUTE) if check.name not in _OF_RAW}
"""Every check on files, in the order of docs/checks.md; `intact` as raw files have it."""
RULES_OF_CHECKS: Final = {
    name: tuple(rule for rule in check.rules if name != "matches_raw" or rule not in CHECKS["valid"].rules)
    for name, check in CHECKS.items()
}
"""The rules that docs/checks.md explains under each check: each rule once."""
RULES_OF_CHECKS["matches_raw"] = tuple(
    rule for rule in RULES_OF_CHECKS["matches_raw"] if rule not in RULES_OF_CHECKS["complete"]
)
IN_ORDER: Final = tuple(rule for rules in RULES_OF_CHECKS.values() for rule in rules)
"""Every rule on files, in the order of docs/checks.md."""
_TABLE: Final = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_DEFAULT: Final = tuple(map(parse, ("15s", "30s", "1min")))


def _assets(check: Check) -> str:
    if check.name in _OF_RAW:
        others = (other.name for each in _DEFAULT for other in checks_for(each))
        return "`raw_1s`, each aggregate" if check.name in others else "`raw_1s`"
    return "each aggregate" if all(check in checks_for(each) for each in _DEFAULT) else "`aggregated/1min`"


def checks() -> str:
    """The table of checks."""
    rows = [
        (f"[`{name}`](#{name})", _assets(check), check.question, "yes" if check.blocking else "no")
        for name, check in CHECKS.items()
    ]
    return table(("check", "of", "asks", "blocks"), rows)


def rules(of: tuple[Rule, ...]) -> str:
    """A table of rules, with their sentences."""
    rows = [(f"[`{rule.name}`](#{rule.name})", rule.sentence, rule.scope, rule.severity, rule.threshold) for rule in of]
    return table(("rule", "what holds", "of", "severity", "allowed"), rows)


def filled(text: str) -> str:
    """The text of docs/checks.md with each table on checks and rules made of these, and each question above its own."""
    text = _TABLE.sub(lambda _: checks(), text, count=1)
    for name, of in RULES_OF_CHECKS.items():
        section = re.compile(rf"(^## {name}\n\n)[^\n]*\n(.*?)(?:^\|[^\n]*\n)+", re.MULTILINE | re.DOTALL)
        told = f"*{CHECKS[name].question}*"
        text, found = section.subn(lambda at, told=told, of=of: f"{at[1]}{told}\n{at[2]}{rules(of)}", text, count=1)
        assert found == 1, f"docs/checks.md has no section {name} with a table"
    return text


def found() -> Iterator[tuple[str, str, str | None, str]]:
    """For each corruption: rule, what it is, the severity given (`None` where it was missed), what fails with it."""
    order, on_form = [rule.name for rule in IN_ORDER], {rule.name for rule in FORM}
    for corruption in sorted(CORRUPTIONS, key=lambda corruption: order.index(corruption.rule)):
        failed = {each.rule.name: each for each in check_file(corruption.given()) if not each.passed}
        caught = failed.pop(corruption.rule, None)
        others = ", ".join(name for name in failed if name in on_form) or "nothing"
        yield corruption.rule, corruption.what, caught and str(caught.severity), others
