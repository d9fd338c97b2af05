"""When `quality/coverage` is asked for: after runs, however they ended, and not while some are under way."""

import time
from unittest import mock

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from mohlcv_dagster.definitions import defs
from mohlcv_dagster.defs import quality_asset
from mohlcv_dagster.defs.quality_asset import KEY
from mohlcv_dagster_tests.defs.twelve_checks import Said, location

PARTITION = "2024-01|SPY"


@pytest.fixture
def asked(instance, tmp_path):
    """What a look asks for: the runs that its run keys name; a run key that was asked for before counts once."""
    repository = location(tmp_path, Said()).get_repository_def()
    sensor, seen = quality_asset.after_runs_sensor(), set()

    def look():
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        data = sensor.evaluate_tick(context)
        new = [each for each in data.run_requests if each.run_key not in seen]
        seen.update(each.run_key for each in new)
        assert all(each.asset_selection == [KEY] for each in new)
        return len(new)

    return look


@pytest.fixture
def make(instance, tmp_path):
    """Make assets of a partition, or the table."""

    def run(*assets, fails=None):
        job = location(tmp_path, Said(fails=fails)).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=instance,
            partition_key=None if assets == ("quality/coverage",) else PARTITION,
            asset_selection=[dg.AssetKey.from_user_string(each) for each in assets],
            raise_on_error=False,
        )

    instance.add_dynamic_partitions("symbol", ["SPY"])
    return run


def test_it_is_on_where_nobody_turned_it_off():
    [sensor] = [each for each in defs.sensors if each.name == "quality_after_runs"]

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_table_is_made_after_a_run_that_failed_and_once(asked, make):
    assert asked() == 0
    assert not make("raw_1s", fails="raw_1s").success

    assert asked() == 1
    assert asked() == 0  # though the run that was asked for never came to an end

    assert make("quality/coverage").success
    assert asked() == 0

    assert make("raw_1s").success
    assert asked() == 1


def test_the_table_made_by_hand_answers_the_runs_before_it(asked, make):
    make("raw_1s")
    make("quality/coverage")

    assert asked() == 0


def test_runs_and_backfills_under_way_are_waited_for_a_quarter_of_an_hour(asked, make, instance):
    make("raw_1s")
    waiting = instance.create_run_for_job(job_def=_another(), status=dg.DagsterRunStatus.STARTED)
    assert asked() == 0

    with mock.patch.object(time, "time", return_value=time.time() + 901):
        assert asked() == 1

    instance.report_run_canceled(waiting)
    backfill = PartitionBackfill(
        backfill_id="long",
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={},
        backfill_timestamp=time.time(),
    )
    instance.add_backfill(backfill)
    assert asked() == 0

    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_FAILED))
    assert asked() == 1


def test_while_the_table_is_being_made_it_is_not_asked_for_again(asked, make, instance, tmp_path):
    make("raw_1s")
    job = location(tmp_path, Said()).resolve_implicit_global_asset_job_def()
    instance.create_run_for_job(job_def=job, status=dg.DagsterRunStatus.STARTED, asset_selection=frozenset({KEY}))

    with mock.patch.object(time, "time", return_value=time.time() + 901):
        assert asked() == 0


def _another():
    @dg.op
    def nothing():
        pass

    @dg.job
    def another():
        nothing()

    return another
