"""With a Dagster that no patch was tested with, months are fetched, checked and shown by Dagster's own ways."""

import json
import os
import subprocess
import sys

import pytest

from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import recorded

pytestmark = pytest.mark.slow

SCRIPT = """
import json, sys
from packaging.specifiers import SpecifierSet
from mohlcv_dagster.dagster_patches import guard
guard.TESTED = SpecifierSet("<1")

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from mohlcv_dagster import cli
sys.argv = ["mohlcv", "fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31"]
try:
    cli.main()
except SystemExit as ended:
    code = ended.code

import pyarrow.parquet as pq
from mohlcv_dagster.definitions import defs
key, partitions = dg.AssetKey("raw_1s"), defs.resolve_asset_graph().get(dg.AssetKey("raw_1s")).partitions_def
with dg.DagsterInstance.get() as instance:
    job = defs.resolve_implicit_global_asset_job_def()
    checks = job.get_subset(asset_check_selection={dg.AssetCheckKey(key, "valid")})
    again = checks.execute_in_process(instance=instance, partition_key="2024-01|ABC")
    table = job.get_subset(asset_selection={dg.AssetKey(["quality", "coverage"])}).execute_in_process(instance=instance)
    log = instance.event_log_storage
    with partition_loading_context(dynamic_partitions_store=instance):
        [state] = log.get_asset_check_state([(dg.AssetCheckKey(key, "valid"), partitions)]).values()
    passed = [status.value for status, subset in state.subsets.items() if subset.size]
    kinds = [each.__name__ for each in type(log).__mro__]
rows = pq.read_table("data/quality/coverage.parquet").to_pylist()
found = {"code": code, "again": again.success, "table": table.success, "passed": passed, "kinds": kinds}
print("FOUND", json.dumps({**found, "rows": [[row["symbol"], row["status"], row["judged"]] for row in rows]}))
"""


@pytest.mark.timeout(400)
def test_a_month_is_fetched_checked_and_in_the_quality_table(tmp_path):
    with Sandbox(ReplayedMarket(recorded(tmp_path / "recorded"))) as sandbox:
        environment = {**os.environ, "MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "a-key"}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition("FOUND ")[2])
    assert (found["code"], found["again"], found["table"]) == (0, True, True)
    assert found["passed"] == ["SUCCEEDED"]
    assert "KeptSqliteEventLogStorage" not in found["kinds"]
    [[symbol, status, judged]] = found["rows"]
    assert (symbol, status) == ("ABC", "stored")
    assert judged > 20
    for patch in ("The SQLite event log with open connections", "The cache of asset check states", "Reading only what"):
        assert patch in done.stderr
