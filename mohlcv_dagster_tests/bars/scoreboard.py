"""The two tables of docs made from the code: the checks, and which corruption each was seen to catch.

`uv run python -m mohlcv_dagster_tests.bars.scoreboard > docs/scoreboard.md` writes the second anew;
with the word `checks`, the first is printed, to be put into docs/checks.md.
"""

import sys

from mohlcv_dagster.bars.rules import FORM, RULES
from mohlcv_dagster_tests.bars.clean_files import CLEAN, clean, judge_form
from mohlcv_dagster_tests.bars.corruptions import CORRUPTIONS

_HEAD = """# Rules and the corruptions made for them

Each row is a fault put into the bytes of a clean file, of its raw file or of its record, and what the rules said of it.
The record is made after the fault unless the row is about the record: else a fault would be seen by its digest alone.
Made by `uv run python -m mohlcv_dagster_tests.bars.scoreboard`; a test holds this page equal to what the rules say.
"""


def checks() -> str:
    """The table of rules."""
    rows = [
        (f"[`{rule.name}`](#{rule.name})", rule.sentence, rule.scope, rule.severity, rule.threshold) for rule in RULES
    ]
    return _table(("check", "what holds", "of", "severity", "allowed"), rows)


def scoreboard() -> str:
    """The table of what was caught, judged anew."""
    rows = []
    order = [rule.name for rule in FORM]
    for corruption in sorted(CORRUPTIONS, key=lambda corruption: order.index(corruption.rule)):
        failed = {finding.rule.name: finding for finding in judge_form(corruption.evidence()) if not finding.passed}
        caught = failed.pop(corruption.rule, None)
        others = ", ".join(failed) if len(failed) < len(FORM) // 2 else f"all {len(failed)} others that need it"
        rows.append(
            (f"`{corruption.rule}`", corruption.what, caught.severity if caught else "**missed**", others or "nothing")
        )
    passed = sum(finding.passed for path in CLEAN for finding in judge_form(clean(path)))
    judged = sum(len(judge_form(clean(path))) for path in CLEAN)
    table = _table(("rule", "corruption", "caught as", "fails with it"), rows)
    return f"{_HEAD}\n{table}\nClean files: {passed} of {judged} judgements pass. Corruptions: {len(CORRUPTIONS)}.\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(checks() if "checks" in sys.argv[1:] else scoreboard())
