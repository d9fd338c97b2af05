"""The asset checks: every rule as a check on the file as written, partition by partition.

One step an asset reads its file once and evaluates all of its rules. That a check carries its asset's partitions is a
preview feature of Dagster (1.13), used in this module only. How a finding looks in the UI is in `evaluations`.
"""

import warnings
from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg

from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import Rule
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs import evaluations, records
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import asset_key, file_of
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.reader import Reader


def file_checks(timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetChecksDefinition:
    """The checks of the asset of `timeframe`; those of error severity block what is downstream.

    In a run of one or several partitions their files are judged. In a run without any (*Execute all* on the checks tab,
    where the UI cannot name one) every stored partition is, and one more evaluation sums up.
    """
    key = asset_key(timeframe)
    specs = {rule.name: _spec(rule, timeframe, partitions) for rule in rules.for_timeframe(timeframe)}

    @dg.multi_asset_check(name="_".join([*key.path, "checks"]), specs=list(specs.values()), can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, archive: ArchiveResource) -> Iterator[Any]:
        selected = {check.name for check in context.selected_asset_check_keys}
        with told_to_dagster():
            # evaluations as they are, not as AssetCheckResult: that one cannot say which partition it is about
            yield from _evaluations(context, archive.reader(), key, selected)
        yield from (dg.Output(None, output_name=specs[name].get_python_identifier()) for name in selected)

    return checks


def _evaluations(
    context: dg.AssetCheckExecutionContext, reader: Reader, key: dg.AssetKey, selected: Collection[str]
) -> Iterator[dg.AssetCheckEvaluation]:
    if context.has_partition_key:
        yield from _judge(context.instance, reader, file_of(key, context.partition_key), selected)
    elif context.has_partition_key_range:
        # one broken month must not hold back the others: an aggregate looks at its own raw month before it is folded
        for partition in context.partition_keys:
            yield from _judge(context.instance, reader, file_of(key, partition), selected, blocking=False)
    else:
        yield from _sweep(context, reader, key, selected)


def _sweep(
    context: dg.AssetCheckExecutionContext, reader: Reader, key: dg.AssetKey, selected: Collection[str]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Judge every stored partition, then sum up."""
    stored = sorted(context.instance.get_materialized_partitions(key))
    failing: dict[str, list[dg.AssetCheckEvaluation]] = {name: [] for name in selected}
    for done, partition in enumerate(stored, start=1):
        for evaluation in _judge(context.instance, reader, file_of(key, partition), selected):
            yield evaluation
            if not evaluation.passed:
                failing[evaluation.check_name].append(evaluation)
        context.log.info("%s: %d of %d stored partitions judged", key.to_user_string(), done, len(stored))
    for name, found in failing.items():
        yield evaluations.sum_up(dg.AssetCheckKey(key, name), found, len(stored))


def _judge(
    instance: dg.DagsterInstance, reader: Reader, file: BarFile, selected: Collection[str], *, blocking: bool = True
) -> Iterator[dg.AssetCheckEvaluation]:
    record = records.latest(instance, file)
    beside = records.neighbours(instance, file) if file.timeframe == RAW else None
    for finding in reader.judge(file, record, beside):
        if finding.rule.name in selected:
            yield evaluations.evaluation(finding, file, record, blocking=blocking)


def _spec(rule: Rule, timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name=rule.name,
            asset=asset_key(timeframe),
            additional_deps=[] if timeframe == RAW else [asset_key(RAW)],
            description=f"{rule.sentence} Threshold: {rule.threshold}.",
            blocking=rule.blocking,
            partitions_def=partitions,
        )
