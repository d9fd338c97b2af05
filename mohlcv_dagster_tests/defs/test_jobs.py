"""The jobs and the schedule that people expect: what there is, and what they ask for."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from mohlcv_dagster.definitions import defs
from mohlcv_dagster_tests.checks.clean_files import EQUAL_RULES, HEADER, RAW_CHECKS
from mohlcv_dagster_tests.defs.location import UNLOGGED, HandedVendor, launch, location, passed_by_rule, run
from mohlcv_dagster_tests.defs.test_automation import DAGSTERS_OWN_TAG_KEYS
from mohlcv_dagster_tests.defs.test_partition_loop import FIRST, SECOND, THIRD, WHOLE

ALL = ("raw_1s", "aggregated/15s")


def test_the_jobs_are_those_that_people_expect_and_say_what_they_do():
    repository = defs.get_repository_def()
    jobs = {job.name: job for job in repository.get_all_jobs() if not job.name.startswith("__")}

    assert set(jobs) == {"refresh_month_in_progress", "re_verify_a_range", "backfill_a_symbol"}
    assert all(job.description for job in jobs.values())
    assert "Checks only" in jobs["re_verify_a_range"].description


@pytest.mark.slow
def test_a_month_is_completed_by_the_job_with_its_aggregates_and_checks(tmp_path, instance):
    definitions = location(tmp_path, WHOLE)
    instance.add_dynamic_partitions("symbol", ["SPY"])
    result = definitions.resolve_job_def("refresh_month_in_progress").execute_in_process(
        instance=instance, partition_key=SECOND
    )

    assert result.success
    assert sorted(str(at.relative_to(tmp_path)) for at in tmp_path.rglob("*.csv")) == [
        "aggregated/15s/SPY_2024_02_15s.csv",
        "raw_1s/SPY/SPY_2024_02.csv",
    ]
    assert passed_by_rule(result).keys() == {
        *(("raw_1s", rule, SECOND) for rule in RAW_CHECKS),
        *(("aggregated/15s", rule, SECOND) for rule in EQUAL_RULES),
    }
    assert instance.get_run_by_id(result.run_id).tags["mohlcv/month"] == "2024-02"


def asked_for(instance):
    """The one backfill asked for: its partitions by asset."""
    [backfill] = instance.get_backfills()
    assert backfill.status is BulkActionStatus.REQUESTED
    subset = backfill.asset_backfill_data.target_subset
    return {
        key.to_user_string(): sorted(subset.get_partitions_subset(key).get_partition_keys())
        for key in subset.asset_keys
    }, backfill


def test_a_symbol_that_was_never_kept_is_added_and_all_its_months_are_asked_for(tmp_path, instance):
    result = launch(
        location(tmp_path, {}), instance, "backfill_a_symbol", symbol="NEW", first_month="2024-01", last_month="2024-02"
    )

    assert result.success
    assert instance.get_dynamic_partitions("symbol") == ["NEW"]
    wanted, backfill = asked_for(instance)
    assert wanted == {asset: ["2024-01|NEW", "2024-02|NEW"] for asset in ALL}
    assert backfill.title == "NEW 2024-01 to 2024-02"


def test_only_what_failed_or_is_missing_is_asked_for_asset_by_asset(tmp_path, instance):
    broken = location(
        tmp_path, {key: bars for key, bars in WHOLE.items() if key != ("SPY", "2024-02")}, start="2024-01"
    )
    run(broken, instance, FIRST, *ALL)
    run(broken, instance, SECOND, "raw_1s", expect=False)
    run(broken, instance, THIRD, "raw_1s")
    launch(broken, instance, "backfill_a_symbol", symbol="SPY", last_month="2024-04")

    wanted, backfill = asked_for(instance)
    assert wanted == {"raw_1s": [SECOND, "2024-04|SPY"], "aggregated/15s": [SECOND, THIRD, "2024-04|SPY"]}
    assert backfill.tags == {}


@pytest.mark.slow
def test_all_is_asked_for_again_where_that_is_ordered_and_else_nothing_where_all_is_stored(tmp_path, instance):
    months = {"symbol": "SPY", "first_month": "2024-01", "last_month": "2024-03"}
    stored = location(tmp_path, WHOLE)
    run(stored, instance, FIRST, *ALL, until=THIRD)
    assert launch(stored, instance, "backfill_a_symbol", **months).success
    assert list(instance.get_backfills()) == []

    launch(stored, instance, "backfill_a_symbol", **months, only_failed_and_missing=False, force=True)
    wanted, backfill = asked_for(instance)
    assert wanted == {asset: [FIRST, SECOND, THIRD] for asset in ALL}
    assert backfill.tags == {"mohlcv/force": "true"}


JANUARY = HEADER + b"2024-01-16 15:00:00+00:00,10.0,11.0,9.0,10.5,7\n"


def tick(definitions, instance, moment):
    """What the schedule asks for at a moment, UTC: the partitions, or why none."""
    schedule = definitions.get_repository_def().get_schedule_def("refresh_month_in_progress_daily")
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.fromisoformat(moment).replace(tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
    )
    data = schedule.evaluate_tick(context)
    return [(each.partition_key, each.tags["mohlcv/symbol"]) for each in data.run_requests] or data.skip_message


@pytest.fixture(scope="module")
def home():
    """A Dagster that remembers schedules and sensors."""
    with dg.instance_for_test(overrides=UNLOGGED) as instance:
        yield instance


@pytest.fixture(scope="module")
def kept(tmp_path_factory, home):
    """January of SPY and QQQ, fetched on a Saturday."""
    months = {(symbol, "2024-01"): JANUARY for symbol in ("SPY", "QQQ")}
    definitions = location(
        tmp_path_factory.mktemp("archive"),
        HandedVendor(months, datetime(2024, 1, 27, 16, 15, tzinfo=UTC)),
        start="2024-01",
    )
    for symbol in ("SPY", "QQQ"):
        run(definitions, home, f"2024-01|{symbol}", "raw_1s")
    return definitions


def test_the_schedule_is_off_daily_after_settlement_and_eastern():
    [schedule] = defs.schedules

    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 11 * * *", "America/New_York")
    assert "Turn on this schedule or the automation keep_current, not both" in schedule.description


@pytest.mark.filterwarnings(DAGSTERS_OWN_TAG_KEYS)
def test_the_schedule_asks_for_a_run_a_symbol_and_for_the_month_before_until_it_is_final(kept, home):
    assert tick(kept, home, "2024-01-28 16:15") == "No month has anything new."
    # January settles on February 1 at 16:00Z; February has had the evening of January 31 by 01:00Z
    assert tick(kept, home, "2024-02-01 16:15") == [
        ("2024-01|QQQ", "QQQ"),
        ("2024-01|SPY", "SPY"),
        ("2024-02|QQQ", "QQQ"),
        ("2024-02|SPY", "SPY"),
    ]


@pytest.mark.filterwarnings(DAGSTERS_OWN_TAG_KEYS)
def test_a_symbol_that_is_no_longer_kept_is_not_asked_for(kept, home):
    home.delete_dynamic_partition("symbol", "QQQ")

    assert tick(kept, home, "2024-02-01 16:15") == [("2024-01|SPY", "SPY"), ("2024-02|SPY", "SPY")]


def test_the_schedule_stands_back_while_the_automation_is_on(kept, home):
    sensor = kept.get_repository_def().get_sensor_def("keep_current")
    origin = _origin(sensor.name)
    home.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING))

    assert tick(kept, home, "2024-02-01 16:15") == "The automation keep_current is on and asks for the same months."


def _origin(name):
    place = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="mohlcv_dagster.definitions"))
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), name)


def test_every_launchpad_opens_without_an_error_and_a_backfill_of_no_symbol_says_what_to_write(tmp_path, instance):
    definitions = location(tmp_path, {})
    repository = definitions.get_repository_def()

    for job in repository.get_all_jobs():  # that of the assets' launchpads is among them
        dg.validate_run_config(job, {})
    ended = launch(definitions, instance, "backfill_a_symbol")
    [failed] = [event for event in ended.all_node_events if event.is_step_failure]
    assert "the symbol is empty; write one such as SPY" in failed.step_failure_data.user_failure_data.description
