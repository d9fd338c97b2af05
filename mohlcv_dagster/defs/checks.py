"""The asset checks: every rule as a check on the file as written, partition by partition.

One step an asset reads its file once and evaluates all of its rules. That a check carries its asset's partitions is a
preview feature of Dagster (1.13), used in this module only.
"""

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.rules import Finding, Rule, Severity
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import asset_key, file_of
from mohlcv_dagster.defs.resources import ArchiveResource

if TYPE_CHECKING:
    import pyarrow as pa


SAMPLE: Final = 20
"""How many offending bars an evaluation shows: each is kept in the event log for ever."""

_SEVERITY: Final = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARN: dg.AssetCheckSeverity.WARN}


def file_checks(timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetChecksDefinition:
    """The checks of the asset of `timeframe`; those of error severity block what is downstream."""
    key = asset_key(timeframe)

    @dg.multi_asset_check(
        name="_".join([*key.path, "checks"]),
        specs=[_spec(rule, timeframe, partitions) for rule in rules.for_timeframe(timeframe)],
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, archive: ArchiveResource) -> Iterator[dg.AssetCheckResult]:
        selected = {check.name for check in context.selected_asset_check_keys}
        with told_to_dagster():
            file = file_of(key, context.partition_key)
            findings = archive.reader().judge(file, records.latest(context.instance, file))
        for finding in findings:
            if finding.rule.name in selected:
                yield _result(finding, key)

    return checks


def _spec(rule: Rule, timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name=rule.name,
            asset=asset_key(timeframe),
            additional_deps=[] if timeframe == RAW else [asset_key(RAW)],
            description=f"{rule.sentence} Allowed: {rule.threshold}.",
            blocking=rule.severity is Severity.ERROR,
            partitions_def=partitions,
        )


def _result(finding: Finding, key: dg.AssetKey) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {
        "offending bars": dg.MetadataValue.int(finding.count),
        "bars looked at": dg.MetadataValue.int(finding.of),
        "threshold": dg.MetadataValue.text(finding.threshold),
    }
    if finding.bars.num_rows:
        metadata["first offending bars"] = dg.MetadataValue.table(_sample(finding.bars))
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=finding.rule.name,
        passed=finding.passed,
        severity=_SEVERITY[finding.severity],
        description=finding.message,
        metadata=metadata,
    )


def _sample(bars: "pa.Table") -> list[dg.TableRecord]:
    rows = bars.slice(0, SAMPLE).to_pylist()
    return [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows]


def _cell(value: object) -> str | int | float | bool | None:
    """A value that JSON can carry: times, and numbers that are not finite, as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)
