"""What must hold of a file of bars: each rule's name, sentence, threshold and severity, and the check of a file by it.

A rule is an entry in the catalogue and a plain function on evidence of the same name, without Dagster::

    evidence = Evidence.of(BarFile.parse("raw_1s/SPY/SPY_2024_01.csv"), content)
    faults = [finding.message for finding in judge(evidence) if not finding.passed]
    left = [f"{rule.name}: {reason}" for rule, reason in not_judged(evidence)]

`catalogue` has what each rule says and the module of its function. `groups` has the checks, the twelve of a month that
Dagster shows: which question each rule helps to answer, and what the answer is. `judging` puts the rules to a file and
says which could not be checked; `evidence` is all that is looked at: a file as read (`reading`) and what else is
`known`. The rules on form are in `values` (each bar), `writing` (the text) and `against_raw` (an aggregate and its raw
file; `recompute` is the second engine, `comparison` says what differs). The others: `against_calendar` whether the
month is complete, `plausible` bad prints, `basis` the splits that adjusted prices depend on, `life` when the bars were
fetched, `against_vendor` the vendor's own minutes. `rule` and `wording` have what all of them use.

The catalogue and the vocabulary need no array, so they load at once; the code location and the help of the command
need no more. What checks files stands on NumPy and Arrow and is imported when it is first asked for.
"""

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mohlcv_dagster.bars.rules.catalogue import (
    AGAINST_VENDOR,
    FORM,
    LIFE,
    OF_RECORD,
    OF_VALUES,
    PLAUSIBLE,
    RULES,
    WHOLE,
    for_timeframe,
)
from mohlcv_dagster.bars.rules.groups import Answer, Check, answers, check_of, checks_for
from mohlcv_dagster.bars.rules.known import NOTHING_BESIDE, Beside, Recorded, VendorMinutes
from mohlcv_dagster.bars.rules.rule import Finding, Ground, Rule, Scope, Severity
from mohlcv_dagster.errors import FailedRulesError
from mohlcv_dagster.model.bar_files import BarFile

if TYPE_CHECKING:
    from mohlcv_dagster.bars.rules.evidence import Evidence
    from mohlcv_dagster.bars.rules.judging import Judged, examine, judge, not_judged
    from mohlcv_dagster.bars.rules.reading import Reading

__all__ = [
    "AGAINST_VENDOR",
    "FORM",
    "LIFE",
    "NOTHING_BESIDE",
    "OF_RECORD",
    "OF_VALUES",
    "PLAUSIBLE",
    "RULES",
    "WHOLE",
    "Answer",
    "Beside",
    "Check",
    "Evidence",
    "Finding",
    "Ground",
    "Judged",
    "Reading",
    "Recorded",
    "Rule",
    "Scope",
    "Severity",
    "VendorMinutes",
    "answers",
    "check_of",
    "checks_for",
    "examine",
    "for_timeframe",
    "judge",
    "not_judged",
    "require",
]

_ON_ARRAYS: Final = {
    "Evidence": "evidence",
    "Reading": "reading",
    **dict.fromkeys(("Judged", "examine", "judge", "not_judged"), "judging"),
}
"""The names of this package that stand on NumPy and Arrow, and the module each is in."""


def __getattr__(name: str) -> object:
    """One of the names that are imported when they are first asked for."""
    if name not in _ON_ARRAYS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_ON_ARRAYS[name]}"), name)
    globals()[name] = found
    return found


def require(file: BarFile, findings: Iterable[Finding]) -> None:
    """Let `file` be used only when no rule failed that holds back what is made from it.

    Raises:
        FailedRulesError: one did; the message gives each with what it found.
    """
    broken = [finding for finding in findings if finding.holds_back]
    if broken:
        faults = " ".join(f"{finding.rule.name}: {finding.message}" for finding in broken)
        rules = "1 rule" if len(broken) == 1 else f"{len(broken)} rules"
        raise FailedRulesError(f"nothing is made from {file.path}, which breaks {rules}. {faults}")
