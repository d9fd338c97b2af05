"""A location of the twelve checks, their evaluations in the form that the quality asset reads. No test.

It makes no file: what it records of a month, and what its checks say, is what a test hands it.
"""

import warnings
from dataclasses import dataclass, field

import dagster as dg

from mohlcv_dagster.defs.partitions import asset_key, months_by_symbol
from mohlcv_dagster.defs.quality_asset import coverage_asset
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW

AGGREGATES = tuple(map(timeframes.parse, ("15s", "30s", "1min")))
RULES = {
    "raw_1s": {
        "intact": ("readable", "as_recorded", "exact_form"),
        "valid": ("no_missing_values", "ohlc_order", "volume_traded"),
        "complete": ("not_empty", "sessions_present"),
        "plausible": ("spikes", "wicks"),
        "current": ("settled", "revised"),
    },
    **{
        f"aggregated/{name}": {"intact": ("readable",), "matches_raw": ("equals_recomputation",)}
        for name in ("15s", "30s", "1min")
    },
}
RULES["aggregated/1min"]["matches_vendor"] = ("vendor_minutes", "volume_ladder")

CHECKS = {
    dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name): rules
    for asset, checks in RULES.items()
    for name, rules in checks.items()
}
"""The rules of each of the twelve checks."""

PARTITIONS = months_by_symbol(Month(2003, 9))


@dataclass
class Said:
    """What the next run is to record.

    Attributes:
        facts: of the raw month.
        results: of rules that do not pass, by (asset, rule): `warning`, `error` or `not judged`.
        left_out: checks that say nothing, by (asset, check).
        fails: the asset (key string) whose step fails; `None`: none does.
        kinds: minutes that differ, by kind, in the evaluation of matches_vendor.
    """

    facts: dict = field(default_factory=dict)
    results: dict = field(default_factory=dict)
    left_out: set = field(default_factory=set)
    fails: str | None = None
    kinds: dict | None = None


def evaluation(check, said, partition=None, target=None):
    """The evaluation of one of the twelve checks, as `said` has it."""
    asset = check.asset_key.to_user_string()
    rows = [(rule, said.results.get((asset, rule), "passed")) for rule in CHECKS[check]]
    failing = [rule for rule, result in rows if result in {"warning", "error"}]
    error = any(result == "error" for _, result in rows)
    table = [
        dg.TableRecord(
            {"rule": rule, "result": result, "count": 1 if rule in failing else 0, "what was found": "made up"}
        )
        for rule, result in rows
    ]
    kinds = (
        {"minutes that differ, by kind": said.kinds}
        if check.name == "matches_vendor" and said.kinds is not None
        else {}
    )
    return dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=not failing,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description=f"{failing[0]}: made up" if failing else "all rules pass",
        metadata={"rules": dg.MetadataValue.table(table), **kinds},
        partition=partition,
        target_materialization_data=target,
    )


def location(folder, said, *, quality=True):
    """Definitions of raw_1s, the aggregates, their checks and the quality asset."""
    with warnings.catch_warnings():  # partitioned checks are a preview of Dagster's, as the project's own are
        warnings.simplefilter("ignore")
        return _location(folder, said, quality=quality)


def _location(folder, said, *, quality):

    def made(key):
        specs = [
            dg.AssetCheckSpec(check.name, asset=key, partitions_def=PARTITIONS)
            for check in CHECKS
            if check.asset_key == key
        ]
        deps = [] if key == asset_key(RAW) else [asset_key(RAW)]

        @dg.asset(
            key=key,
            deps=deps,
            partitions_def=PARTITIONS,
            check_specs=specs,
            backfill_policy=dg.BackfillPolicy.multi_run(12),
        )
        def asset():
            if said.fails == key.to_user_string():
                raise dg.Failure("the vendor knows no symbol ZZ", allow_retries=False)
            digest = {"sha256" if key == asset_key(RAW) else "raw_sha256": said.facts.get("sha256", "digest")}
            results = [
                dg.AssetCheckResult(
                    check_name=each.check_name,
                    passed=each.passed,
                    severity=each.severity,
                    description=each.description,
                    metadata=each.metadata,
                )
                for check in CHECKS
                if check.asset_key == key and (key.to_user_string(), check.name) not in said.left_out
                for each in [evaluation(check, said)]
            ]
            return dg.MaterializeResult(
                metadata={**digest, **(said.facts if key == asset_key(RAW) else {})}, check_results=results
            )

        return asset

    return dg.Definitions(
        assets=[
            *(made(asset_key(each)) for each in (RAW, *AGGREGATES)),
            *([coverage_asset(AGGREGATES, CHECKS, adjusted=False)] if quality else []),
        ],
        resources={"archive": ArchiveResource(data_dir=str(folder))},
    )
