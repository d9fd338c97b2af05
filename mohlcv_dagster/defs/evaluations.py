"""How a finding looks in the UI: a sentence, count and threshold, and a table of the first offending bars."""

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import Finding, Ground, Severity
from mohlcv_dagster.defs import rows
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.defs.records import Record

SAMPLE: Final = 20
"""How many offending bars or partitions an evaluation shows: each is kept in the event log for ever."""

_SEVERITY: Final = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARN: dg.AssetCheckSeverity.WARN}


def evaluation(
    finding: Finding, file: BarFile, record: Record | None, *, blocking: bool = True
) -> dg.AssetCheckEvaluation:
    """What a rule found of a file, as the evaluation of its check for the file's partition.

    Args:
        finding: what was found.
        file: the file that was judged.
        record: the materialization that wrote it; `None` where this instance saw none.
        blocking: whether a failure of error severity holds back what is downstream in the run.
    """
    metadata: dict[str, dg.MetadataValue] = {
        # text: as a number, the UI would plot it, one symbol's months beside another's
        "bars looked at": dg.MetadataValue.text(f"{finding.of:,}"),
        **({} if finding.passed else _offence(finding)),
        **{name: _fact(value) for name, value in finding.facts.items()},
    }
    if finding.bars.num_rows:
        metadata[f"first offending {finding.rule.counts}"] = dg.MetadataValue.table(
            rows.of(finding.bars.slice(0, SAMPLE))
        )
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(file.timeframe),
        check_name=finding.rule.name,
        passed=finding.passed,
        severity=_SEVERITY[finding.severity],
        description=finding.message,
        metadata=metadata,
        blocking=blocking and finding.rule.blocking,
        partition=partition_key(file.symbol, file.month),
        target_materialization_data=record.materialization if record else None,
    )


def _offence(finding: Finding) -> dict[str, dg.MetadataValue]:
    """What is told of a failure alone; of what passes it would be the same for ever, and that is most of the log."""
    told: dict[str, dg.MetadataValue] = {"threshold": dg.MetadataValue.text(finding.threshold)}
    if finding.count:  # else the file as a whole is at fault, and a 0 would say that nothing is
        told[f"offending {finding.rule.counts}"] = dg.MetadataValue.int(finding.count)
    if finding.rule.ground is Ground.CALENDAR:
        told["calendar"] = dg.MetadataValue.text(sessions.provenance())
    return told


def sum_up(check: dg.AssetCheckKey, failing: Sequence[dg.AssetCheckEvaluation], stored: int) -> dg.AssetCheckEvaluation:
    """The evaluation of a check over all stored partitions; without any, it warns that there was nothing to judge.

    It blocks nothing: the evaluations it sums up do.

    Args:
        check: which check.
        failing: those that did not pass, one a partition.
        stored: how many partitions were judged.
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


def _fact(value: str | float | Mapping[str, int]) -> dg.MetadataValue:
    if isinstance(value, str):
        return dg.MetadataValue.text(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value) if isinstance(value, float) else dg.MetadataValue.json(dict(value))
