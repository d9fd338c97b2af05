"""What a step of checks does: each partition's file judged, and what was found told to Dagster and to its passport.

Which checks there are is in `checks`; how a finding looks in the UI is in `evaluations`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from logging import Logger
from typing import Any, TypeAlias

import dagster as dg

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import Finding
from mohlcv_dagster.defs import evaluations, passports, records, run_tags
from mohlcv_dagster.defs.failures import told_to_dagster
from mohlcv_dagster.defs.partitions import file_of, files_of
from mohlcv_dagster.defs.records import Record
from mohlcv_dagster.defs.resources import ArchiveResource

Judge: TypeAlias = Callable[[BarFile, Record | None], Iterable[Finding]]
"""Gives what was found of a file, told what was recorded when it was written."""


def of_files(instance: dg.DagsterInstance, archive: ArchiveResource) -> Judge:
    """What judges a file as it stands."""

    def judge(file: BarFile, record: Record | None) -> Iterable[Finding]:
        return archive.reader().judge(file, record, records.beside(instance, file, record))

    return judge


def evaluated(
    context: dg.AssetCheckExecutionContext, archive: Archive, judge: Judge, specs: Iterable[dg.AssetCheckSpec]
) -> Iterator[Any]:
    """What a step of checks on one asset yields: an evaluation a partition and selected check, and its outputs.

    An output of each check, though no step waits for those that do not block: without it Dagster writes into the run's
    log that the step did not give what is expected of it, which reads like a fault.

    Args:
        context: of the step.
        archive: keeps the passports, which are told the verdicts.
        judge: called once a partition.
        specs: the checks of the step, of one asset.
    """
    run_tags.mark(context)
    selected = {check.name for check in context.selected_asset_check_keys}
    chosen = [spec for spec in specs if spec.name in selected]
    with told_to_dagster():
        # evaluations as they are, not as AssetCheckResult: that one cannot say which partition it is about
        yield from _evaluations(context, noting(archive, judge, selected, context.log), chosen[0].asset_key)
    yield from (dg.Output(None, output_name=spec.get_python_identifier()) for spec in chosen)


def noting(archive: Archive, judge: Judge, selected: Collection[str], log: Logger) -> Judge:
    """`judge` on the `selected` checks alone, after which the file's passport has their verdicts."""

    def noted(file: BarFile, record: Record | None) -> list[Finding]:
        found = [finding for finding in judge(file, record) if finding.rule.name in selected]
        passports.note(archive, file, record, found, log)
        return found

    return noted


def _evaluations(
    context: dg.AssetCheckExecutionContext, judge: Judge, key: dg.AssetKey
) -> Iterator[dg.AssetCheckEvaluation]:
    if context.has_partition_key:
        yield from judged(context.instance, judge, file_of(key, context.partition_key))
    elif context.has_partition_key_range:
        # one broken month must not hold back the others: an aggregate looks at its own raw month before it is folded
        for partition in context.partition_keys:
            yield from judged(context.instance, judge, file_of(key, partition), blocking=False)
    else:
        yield from _sweep(context, judge, key)


def _sweep(context: dg.AssetCheckExecutionContext, judge: Judge, key: dg.AssetKey) -> Iterator[dg.AssetCheckEvaluation]:
    """Judge every stored partition, then sum up."""
    stored = files_of(key, sorted(context.instance.get_materialized_partitions(key)))
    failing: dict[str, list[dg.AssetCheckEvaluation]] = {check.name: [] for check in context.selected_asset_check_keys}
    for done, file in enumerate(stored.values(), start=1):
        for evaluation in judged(context.instance, judge, file):
            yield evaluation
            if not evaluation.passed:
                failing[evaluation.check_name].append(evaluation)
        context.log.info("%s: %d of %d stored partitions judged", key.to_user_string(), done, len(stored))
    for name, found in failing.items():
        yield evaluations.sum_up(dg.AssetCheckKey(key, name), found, len(stored))


def judged(
    instance: dg.DagsterInstance, judge: Judge, file: BarFile, *, blocking: bool = True
) -> Iterator[dg.AssetCheckEvaluation]:
    """The evaluations of a file, for its partition.

    Args:
        instance: knows what was recorded of it.
        judge: called once.
        file: which file.
        blocking: whether a failure of error severity holds back what is downstream in the run.
    """
    record = records.latest(instance, file)
    for finding in judge(file, record):
        yield evaluations.evaluation(finding, file, record, blocking=blocking)
