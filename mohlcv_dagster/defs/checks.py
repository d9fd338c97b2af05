"""The asset checks: every rule as a check on the file as written, partition by partition.

One step an asset reads its file once and evaluates all of its rules (see `judging`). That a check carries its asset's
partitions is a preview feature of Dagster (1.13), used in this module only. Checks that ask the vendor are in
`vendor_checks`.
"""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.rules import Rule
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.resources import ArchiveResource


def file_checks(timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetChecksDefinition:
    """The checks of the asset of `timeframe`; those of error severity block what is downstream.

    In a run of one or several partitions their files are judged. In a run without any (*Execute all* on the checks tab,
    where the UI cannot name one) every stored partition is, and one more evaluation sums up.
    """
    specs = specs_of(rules.for_timeframe(timeframe), timeframe, partitions)
    name = "_".join([*asset_key(timeframe).path, "checks"])

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, archive: ArchiveResource) -> Iterator[Any]:
        from mohlcv_dagster.defs import judging  # noqa: PLC0415 - see the first lines of this package

        yield from judging.evaluated(context, archive.open(), judging.of_files(context.instance, archive), specs)

    return checks


def specs_of(
    chosen: Iterable[Rule], timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition
) -> list[dg.AssetCheckSpec]:
    """The rules as checks of the asset of `timeframe`, which carry its partitions."""
    return [_spec(rule, timeframe, partitions) for rule in chosen]


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
