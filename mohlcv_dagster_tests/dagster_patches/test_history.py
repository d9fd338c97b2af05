"""A history made longer by copying rows reads as if its months had been made."""

import dagster as dg
import pytest
import yaml

from benchmarks.history import lengthen
from mohlcv_dagster_tests.dagster_patches.compared import answers
from mohlcv_dagster_tests.dagster_patches.twelve_checks import CHECKS, FAILING, JOB, KEYS


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    storage = {"module": "mohlcv_dagster.dagster_patches.sqlite_event_log", "class": "RememberingSqliteEventLogStorage"}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"event_log_storage": {**storage, "config": {}}}))
    return tmp_path


def test_copied_months_have_checks_materializations_and_runs_of_their_own(home):
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("symbol", ["SA"])
        assert JOB.execute_in_process(instance=instance, partition_key="2023-12|SA", tags={FAILING: "valid"}).success
        assert answers(instance)[KEYS[0][0]][0]["SUCCEEDED"] == {"2023-12|SA"}

    months = [f"2024-{month:02d}" for month in range(1, 13)] + ["2025-01"]
    assert lengthen(home, ["SA", "SB"], months) == 26
    assert lengthen(home, ["SA", "SB"], months) == 0

    every = {"2023-12|SA"} | {f"{month}|{symbol}" for month in months for symbol in ("SA", "SB")}
    with dg.DagsterInstance.get() as instance:
        for key, (by_status, in_progress) in answers(instance).items():
            assert by_status["FAILED" if key.name == "valid" else "SUCCEEDED"] == every
            assert not in_progress
        assert instance.get_runs_count() == 1 + 2 * 2  # a run has up to twelve months
        for asset in CHECKS:
            assert instance.get_materialized_partitions(asset) == every
        [latest] = instance.fetch_materializations(
            dg.AssetRecordsFilter(KEYS[0][0].asset_key, ["2024-05|SB"]), limit=1
        ).records
        assert instance.get_run_by_id(latest.run_id).status is dg.DagsterRunStatus.SUCCESS


def test_a_home_without_a_run_of_one_partition_cannot_be_lengthened(home):
    with dg.DagsterInstance.get() as instance, instance.event_log_storage.index_connection():
        instance.get_runs_count()
    with pytest.raises(ValueError, match="materialize one"):
        lengthen(home, ["SA"], ["2024-01"])
