"""The asset checks: their specs, and their evaluations as the UI shows them.

An evaluation is a sentence that names the rule, a table of the rules and the first offending bars. That checks carry
partitions is a preview feature of Dagster 1.13, used in this module only.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.checks.registry import Check
from mohlcv_dagster.checks.rule import Requires, RuleResult, Severity
from mohlcv_dagster.checks.runner import EQUALS_RAW, CheckResult
from mohlcv_dagster.defs.metadata import convert, table_rows
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import Timeframe

if TYPE_CHECKING:
    from mohlcv_dagster.defs.records import Record

SAMPLE: Final = 20
"""How many offending bars or partitions an evaluation shows: each is kept in the event log for ever."""
RULES: Final = "rules"
"""The metadata that has the table of the rules: *rule | result | count | what was found*."""
WARNING: Final = "warning"
ERROR: Final = "error"
PASSED: Final = "passed"
NOT_JUDGED: Final = "not judged"

_SEVERITY: Final = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARN: dg.AssetCheckSeverity.WARN}
_RESULT: Final = {Severity.ERROR: ERROR, Severity.WARN: WARNING}
_COLUMNS: Final = ("rule", "result", "count", "what was found")
_SCHEMA: Final = dg.TableSchema([dg.TableColumn(name, "int" if name == "count" else "string") for name in _COLUMNS])


@dataclass(frozen=True)
class FailedRule:
    """A rule that failed in an evaluation.

    Attributes:
        name: such as `ohlc_order`.
        is_error: whether it failed as an error; else it warns.
        message: what was found, with the cure.
    """

    name: str
    is_error: bool
    message: str


def spec(check: Check, timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetCheckSpec:
    """The check of the asset of `timeframe`; its description is its question and what its rules allow."""
    allowed = (f"- `{rule.name}`: {rule.sentence} Allowed: {rule.threshold}." for rule in check.rules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name=check.name,
            asset=asset_key(timeframe),
            description="\n".join([f"{check.question}\n", *allowed]),
            blocking=check.blocking,
            partitions_def=partitions,
        )


def evaluation(answer: CheckResult, file: BarFile, record: "Record | None") -> dg.AssetCheckEvaluation:
    """What the rules of a check say of a file, as the evaluation of its partition.

    It blocks nothing by itself: Dagster would fail the step with a text that names neither the month nor the rule.

    Args:
        answer: an answer that is given.
        file: the file that was checked.
        record: the materialization that wrote it; `None` where this instance saw none.
    """
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(file.timeframe),
        check_name=answer.check.name,
        passed=answer.passed,
        severity=_SEVERITY[answer.severity],
        description=_sentence(answer),
        metadata=_metadata(answer),
        blocking=False,
        partition=partition_key(file.symbol, file.month),
        target_materialization_data=record.materialization if record else None,
    )


def failed_rules(evaluation: dg.AssetCheckEvaluation) -> list[FailedRule]:
    """The rules that failed in an evaluation, in the order of its table.

    One that was made before rules were in a table is about the one rule that it is named after.
    """
    if evaluation.passed:
        return []
    table = evaluation.metadata.get(RULES)
    if not isinstance(table, dg.TableMetadataValue):
        is_error = evaluation.severity is dg.AssetCheckSeverity.ERROR
        return [FailedRule(evaluation.check_name, is_error, evaluation.description or "")]
    return [
        FailedRule(str(row.data["rule"]), row.data["result"] == ERROR, str(row.data["what was found"]))
        for row in table.records
        if row.data["result"] in {ERROR, WARNING}
    ]


def rule_results(evaluation: dg.AssetCheckEvaluation) -> dict[str, str]:
    """What an evaluation says of each rule: `passed`, `warning`, `error` or `not judged`, in the order of its table.

    One that was made before rules were in a table is about the one rule that it is named after.
    """
    table = evaluation.metadata.get(RULES)
    if isinstance(table, dg.TableMetadataValue):
        return {str(row.data["rule"]): str(row.data["result"]) for row in table.records}
    if isinstance(table, dg.MarkdownMetadataValue):
        cells = (line.split("|") for line in (table.md_str or "").splitlines()[2:])
        return {rule: result for _, rule, result, *_ in cells}
    failed = ERROR if evaluation.severity is dg.AssetCheckSeverity.ERROR else WARNING
    return {evaluation.check_name: PASSED if evaluation.passed else failed}


def _sentence(answer: CheckResult) -> str:
    """The first failing rule's message, headed by its name, and how many more fail; or that all passed."""
    if answer.failing:
        first, *more = answer.failing
        others = f" {len(more)} more {'rule fails' if len(more) == 1 else 'rules fail'}." if more else ""
        return f"{first.rule.name}: {first.message}{others}"
    passed = f"all {len(answer.results)} rules" if len(answer.results) > 1 else answer.results[0].rule.name
    left = [rule.name for rule, reason in answer.not_checked if reason != EQUALS_RAW]
    not_judged = f"; not judged: {', '.join(left)}" if left else ""
    return f"{quantity(max(finding.of for finding in answer.results), 'bar')}, {passed} passed{not_judged}."


def _metadata(answer: CheckResult) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {RULES: _table(answer)}
    for finding in answer.failing:
        metadata |= _offence(finding)
    for finding in answer.results:
        metadata |= convert(finding.facts)
    return metadata


def _table(answer: CheckResult) -> dg.MetadataValue:
    """The table of the rules. Where all passed it is Markdown, a third of the bytes: only people read it."""
    rows = list(_rows(answer))
    if answer.failing:
        return dg.MetadataValue.table([dg.TableRecord(dict(zip(_COLUMNS, row, strict=True))) for row in rows], _SCHEMA)
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    return dg.MetadataValue.md("\n".join(f"|{'|'.join(_cell(value) for value in line)}|" for line in lines))


def _cell(value: str | int) -> str:
    """A cell of a Markdown table: what the vendor named may hold what would end it."""
    return str(value).replace("|", r"\|").replace("\n", " ")


def _rows(answer: CheckResult) -> Iterator[tuple[str, str, int, str]]:
    """A row for each rule, failing ones first. One that passed says little: every month would repeat it."""
    passed = [finding for finding in answer.results if finding.passed]
    for finding in (*answer.failing, *passed):
        result = PASSED if finding.passed else _RESULT[finding.severity]
        note = finding.message.removeprefix(finding.rule.sentence).strip(" ()")
        found = note.removesuffix(quantity(finding.of, "bar")) if finding.passed else finding.message
        yield finding.rule.name, result, finding.count, found
    for rule, reason in answer.not_checked:
        if reason != EQUALS_RAW:
            yield rule.name, NOT_JUDGED, 0, f"{reason}."


def _offence(finding: RuleResult) -> dict[str, dg.MetadataValue]:
    """What is said of a failing rule only; of one that passed it would be the same in every month.

    The UI shows metadata in the order of their names: these come after the table `rules`.
    """
    name, rule = finding.rule.name, finding.rule
    facts: dict[str, object] = {f"threshold of {name}": finding.threshold}
    if rule.requires is Requires.CALENDAR:
        facts["trading calendar"] = exchange_calendar.source()
    if finding.bars.num_rows:
        shown = table_rows(finding.bars.slice(0, SAMPLE))
        facts[f"the first offending {rule.counts} of {name}"] = dg.MetadataValue.table(shown)
    return dict(convert(facts))


def summary_evaluation(
    check: dg.AssetCheckKey, failing: Sequence[dg.AssetCheckEvaluation], stored: int
) -> dg.AssetCheckEvaluation:
    """The evaluation of a check over all stored partitions; without any, it warns that there was nothing to check.

    Args:
        check: which check.
        failing: those that did not pass, one a partition.
        stored: how many partitions were checked.
    """
    errors = any(found.severity == dg.AssetCheckSeverity.ERROR for found in failing)
    fail = "fails" if len(failing) == 1 else "fail"
    nothing = "No partition is stored: materialize one."
    first = [dg.TableRecord({"partition": found.partition, "found": found.description}) for found in failing[:SAMPLE]]
    return dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=stored > 0 and not failing,
        severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
        description=f"{len(failing):,} of {stored:,} stored partitions {fail}." if stored else nothing,
        metadata={"first failing partitions": dg.MetadataValue.table(first)} if first else {},
        blocking=False,
    )
