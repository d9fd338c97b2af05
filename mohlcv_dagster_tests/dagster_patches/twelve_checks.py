"""A code location with the shape of the project's: four assets by month × symbol, twelve checks, no work in them."""

import warnings

import dagster as dg

from mohlcv_dagster.defs.partitions import months_by_symbol
from mohlcv_dagster.model.months import Month

PARTITIONS = months_by_symbol(Month(2003, 9))
CHECKS = {
    dg.AssetKey("raw_1s"): ("intact", "valid", "complete", "plausible", "current"),
    dg.AssetKey(["aggregated", "15s"]): ("intact", "matches_raw"),
    dg.AssetKey(["aggregated", "30s"]): ("intact", "matches_raw"),
    dg.AssetKey(["aggregated", "1min"]): ("intact", "matches_raw", "matches_vendor"),
}
KEYS = [(dg.AssetCheckKey(asset, name), PARTITIONS) for asset, names in CHECKS.items() for name in names]
FAILING = "test/failing"
"""A tag of a run: names of checks that fail in it."""


def _asset(key):
    @dg.asset(key=key, partitions_def=PARTITIONS, deps=[] if key.path == ["raw_1s"] else [dg.AssetKey("raw_1s")])
    def bars():
        return dg.MaterializeResult(metadata={"rows": 1000})

    return bars


def _checks(key, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        specs = [dg.AssetCheckSpec(name, asset=key, partitions_def=PARTITIONS) for name in names]

    @dg.multi_asset_check(specs=specs, can_subset=True, name="check_" + "_".join(key.path))
    def checks(context):
        failing = context.run.tags.get(FAILING, "").split(",")
        for check in sorted(context.selected_asset_check_keys):
            yield dg.AssetCheckResult(
                passed=check.name not in failing, check_name=check.name, asset_key=key, metadata={"rows": 1000}
            )

    return checks


defs = dg.Definitions(
    assets=[_asset(key) for key in CHECKS],
    asset_checks=[_checks(key, names) for key, names in CHECKS.items()],
    jobs=[dg.define_asset_job("all_of_it", selection=dg.AssetSelection.all())],
)
JOB = defs.resolve_implicit_global_asset_job_def()
