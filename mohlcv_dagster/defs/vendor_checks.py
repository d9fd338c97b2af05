"""The checks of minutes that ask the vendor: ours beside its own, one request a month, in a step of their own.

Not among the checks of a stored file, which need no network. The vendor's silence fails them, as a warning that says
why; it never fails a run.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from mohlcv_dagster.bars import rules
from mohlcv_dagster.bars.rules import AGAINST_VENDOR
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.defs import checks
from mohlcv_dagster.defs.assets import POOL
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.resources import ArchiveResource, MassiveResource


def vendor_checks(timeframe: Timeframe, partitions: dg.MultiPartitionsDefinition) -> dg.AssetChecksDefinition:
    """The checks that hold the asset of `timeframe` against the vendor's own bars of that length; they block nothing.

    They share the pool of the fetches: a plan's limit of requests counts theirs too.
    """
    specs = checks.specs_of(rules.for_timeframe(timeframe, AGAINST_VENDOR), timeframe, partitions)
    name = "_".join([*asset_key(timeframe).path, "vendor_checks"])

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True, pool=POOL)
    def against_vendor(
        context: dg.AssetCheckExecutionContext, massive: MassiveResource, archive: ArchiveResource
    ) -> Iterator[Any]:
        from mohlcv_dagster.defs import judging  # noqa: PLC0415 - see the first lines of this package
        from mohlcv_dagster.defs.asking import Asking  # noqa: PLC0415 - as above

        with Asking(massive, archive.reader()) as asking:
            yield from judging.evaluated(context, archive.open(), asking.judge, specs)

    return against_vendor
