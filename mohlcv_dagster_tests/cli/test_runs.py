import dagster as dg
import pytest

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli import runs
from mohlcv_dagster_tests.defs.location import HandedVendor, location

SPY = BarFile("SPY", RAW, Month(2024, 1))


def test_an_interrupted_run_ends_at_once_and_says_so_instead_of_fetching_on(tmp_path, monkeypatch):
    def interrupted(self, symbol, month, *, on_progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(HandedVendor, "fetch_month", interrupted)
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(KeyboardInterrupt):
            runs.materialize(location(tmp_path, {}), instance, SPY, [RAW])

        [run] = instance.get_runs()
        types = {entry.dagster_event.event_type for entry in instance.all_logs(run.run_id) if entry.dagster_event}
        assert instance.get_dynamic_partitions("symbol") == []
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in types
    assert not list(tmp_path.rglob("*"))


def test_a_symbol_that_was_kept_before_stays_when_its_month_fails(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("symbol", ["SPY"])

        assert not runs.materialize(location(tmp_path, {}), instance, SPY, [RAW]).succeeded

        assert instance.get_dynamic_partitions("symbol") == ["SPY"]
