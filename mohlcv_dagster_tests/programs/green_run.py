"""A program that materializes a month with its checks, and the quality table, through Dagster. No test."""

import tempfile

import dagster as dg

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.defs.location import location, run
from mohlcv_dagster_tests.programs.quiet_month import quiet_month


def main():
    """Run it."""
    content = csv_codec.encode(quiet_month("AAC", Month(2024, 2)))
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral() as instance:
        definitions = location(folder, {("AAC", "2024-02"): content}, timeframes="15s,1min", parquet=True)
        result = run(definitions, instance, "2024-02|AAC", "raw_1s", "aggregated/15s", "aggregated/1min")
        assert run(definitions, instance, None, "quality/coverage").success
    failed = [each.check_name for each in result.get_asset_check_evaluations() if not each.passed]
    assert result.success, result
    assert not failed, failed
