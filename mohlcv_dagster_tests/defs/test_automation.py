"""What is asked for by itself, at moments of a moved clock; nothing is while the sensor is off, as it is at first."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from mohlcv_dagster.definitions import defs
from mohlcv_dagster_tests.checks.clean_files import HEADER
from mohlcv_dagster_tests.defs.location import HandedVendor, location, run

QUALITY = dg.AssetKey(["quality", "coverage"])
RAW, AGGREGATE = dg.AssetKey("raw_1s"), dg.AssetKey(["aggregated", "15s"])
BAR = HEADER + b"2024-01-16 15:00:00+00:00,10.0,11.0,9.0,10.5,7\n"
JANUARY, FEBRUARY = "2024-01|SPY", "2024-02|SPY"


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Daemon:
    """Evaluates the conditions one moment after the other, as the sensor does."""

    def __init__(self, definitions, instance, *keys):
        self._definitions = definitions
        self._keys = keys or (RAW, AGGREGATE)
        self._instance = instance
        self._cursor = None

    def at(self, moment):
        """The partitions asked for at `moment` (UTC), by asset."""
        found = dg.evaluate_automation_conditions(
            self._definitions,
            self._instance,
            dg.AssetSelection.assets(*self._keys),
            evaluation_time=utc(moment),
            cursor=self._cursor,
        )
        self._cursor = found.cursor
        return {
            key.to_user_string(): sorted(found.get_requested_partitions(key))
            for key in self._keys
            if found.get_requested_partitions(key)
        }


DAGSTERS_OWN_TAG_KEYS = "ignore:Non-compliant tag keys:DeprecationWarning"


@pytest.fixture
def months(tmp_path, instance):
    """What fetches January of a symbol at a moment, into one folder."""

    def fetch(moment, *assets, symbol="SPY", content=BAR, expect=True):
        vendor = HandedVendor({(symbol, "2024-01"): content}, utc(moment))
        definitions = location(tmp_path, vendor, start="2024-01")
        run(definitions, instance, f"2024-01|{symbol}", *(assets or ["raw_1s"]), expect=expect)
        return definitions

    return fetch


def test_one_sensor_keeps_all_current_and_it_is_off_until_it_is_turned_on():
    sensor = next(each for each in defs.sensors if each.name == "keep_current")

    assert sensor.name == "keep_current"
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert "11:15 Eastern" in sensor.description
    graph = defs.resolve_asset_graph()
    conditions = {key.to_user_string(): graph.get(key).automation_condition for key in graph.get_all_asset_keys()}
    labels = {name: condition.get_label() for name, condition in conditions.items()}
    assert labels.pop("raw_1s") == "refreshed daily until final"
    assert labels.pop("quality/coverage") == "daily, after the months"
    assert set(labels.values()) == {"follows its raw partition"}


def test_a_provisional_month_and_its_aggregates_are_asked_for_once_a_day_after_settlement_time(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance)

    assert daemon.at("2024-01-17 16:14:30") == {}
    assert daemon.at("2024-01-17 16:15:10") == {"raw_1s": [JANUARY], "aggregated/15s": [JANUARY]}
    assert daemon.at("2024-01-17 16:15:40") == {}
    assert daemon.at("2024-01-18 16:15:10") == {"raw_1s": [JANUARY], "aggregated/15s": [JANUARY]}


def test_the_table_of_quality_is_asked_for_once_a_day_after_the_months(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance, QUALITY)

    assert daemon.at("2024-01-17 16:44:30") == {}
    assert daemon.at("2024-01-17 16:45:10") == {"quality/coverage": [None]}
    assert daemon.at("2024-01-17 16:45:40") == {}
    assert daemon.at("2024-01-18 16:45:10") == {"quality/coverage": [None]}


def test_a_daemon_that_was_away_at_the_tick_asks_as_soon_as_it_is_back(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance)
    daemon.at("2024-01-17 09:00:00")

    assert daemon.at("2024-01-17 23:00:00")["raw_1s"] == [JANUARY]


def test_eleven_fifteen_is_eastern_in_summer_too(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance)
    daemon.at("2024-07-01 15:14:30")  # 11:14:30 EDT

    assert JANUARY in daemon.at("2024-07-01 15:15:00")["raw_1s"]


def test_a_symbol_that_is_no_longer_kept_is_not_asked_for_and_does_not_hold_up_the_others(months, instance):
    months("2024-01-16 16:15", symbol="QQQ")
    daemon = Daemon(months("2024-01-16 16:15"), instance)
    instance.delete_dynamic_partition("symbol", "QQQ")
    daemon.at("2024-02-01 16:00:00")

    assert daemon.at("2024-02-01 16:15:00")["raw_1s"] == [JANUARY, FEBRUARY]


def test_a_partition_that_no_file_can_hold_does_not_hold_up_the_others(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance)
    instance.add_dynamic_partitions("symbol", ["../SPY"])
    instance.report_runless_asset_event(dg.AssetMaterialization(RAW, partition="2024-01|../SPY"))
    daemon.at("2024-01-17 16:14:30")

    assert daemon.at("2024-01-17 16:15:10")["raw_1s"] == [JANUARY]


def test_on_a_day_without_anything_new_nothing_is_asked_for(months, instance):
    daemon = Daemon(months("2024-01-13 16:15"), instance)  # a Saturday; Monday the 15th is Martin Luther King Day

    daemon.at("2024-01-14 16:00:00")
    assert daemon.at("2024-01-14 16:15:00") == {}
    assert daemon.at("2024-01-15 16:15:00") == {}
    assert daemon.at("2024-01-16 16:15:00")["raw_1s"] == [JANUARY]


def test_a_month_is_refreshed_beyond_its_end_until_it_is_final_and_then_left_alone(months, instance):
    daemon = Daemon(months("2024-01-31 16:15"), instance)
    daemon.at("2024-02-01 16:00:00")

    # final from 16:00Z on; February has had its first evening
    assert daemon.at("2024-02-01 16:15:00")["raw_1s"] == [JANUARY, FEBRUARY]
    daemon = Daemon(months("2024-02-01 16:15"), instance)
    daemon.at("2024-02-02 16:00:00")
    assert daemon.at("2024-02-02 16:15:00")["raw_1s"] == [FEBRUARY]


def test_a_month_left_provisional_while_nothing_ran_is_refreshed_half_a_year_later(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance)
    daemon.at("2024-06-05 15:00:00")

    assert daemon.at("2024-06-05 15:15:00")["raw_1s"] == [JANUARY, "2024-06|SPY"]


def test_the_month_in_progress_is_begun_for_every_symbol_that_is_kept_and_for_no_other(months, instance):
    months("2024-02-01 16:15", symbol="QQQ", content=BAR)
    definitions = months("2024-02-01 16:15")
    instance.add_dynamic_partitions("symbol", ["NEW"])
    daemon = Daemon(definitions, instance)
    daemon.at("2024-02-05 16:00:00")

    assert daemon.at("2024-02-05 16:15:00")["raw_1s"] == ["2024-02|QQQ", "2024-02|SPY"]


def test_a_symbol_that_was_removed_is_asked_for_no_longer(months, instance):
    daemon = Daemon(months("2024-01-16 16:15"), instance)
    instance.delete_dynamic_partition("symbol", "SPY")
    daemon.at("2024-01-17 16:00:00")

    assert daemon.at("2024-01-17 16:15:00") == {}


def test_an_aggregate_follows_its_raw_partition_and_no_other_is_made(months, instance):
    months("2024-02-02 16:15", symbol="QQQ")
    daemon = Daemon(months("2024-02-02 16:15"), instance)
    assert daemon.at("2024-02-06 12:00:00") == {}

    months("2024-02-06 12:01", "raw_1s")
    assert daemon.at("2024-02-06 12:02:00") == {"aggregated/15s": [JANUARY]}
    assert daemon.at("2024-02-06 12:02:30") == {}


def test_an_aggregate_made_in_the_same_run_is_not_made_again(months, instance):
    daemon = Daemon(months("2024-02-02 16:15"), instance)
    daemon.at("2024-02-06 12:00:00")
    months("2024-02-06 12:01", "raw_1s", "aggregated/15s")

    assert daemon.at("2024-02-06 12:02:00") == {}


def test_an_aggregate_waits_until_its_raw_partition_passes_the_checks_that_block(months, instance):
    daemon = Daemon(months("2024-02-02 16:15"), instance)
    daemon.at("2024-02-06 12:00:00")
    months("2024-02-06 12:01", "raw_1s", content=BAR.replace(b"11.0", b"8.0"), expect=False)
    assert daemon.at("2024-02-06 12:02:00") == {}

    months("2024-02-06 12:03", "raw_1s")
    assert daemon.at("2024-02-06 12:04:00") == {"aggregated/15s": [JANUARY]}


def test_an_empty_home_is_asked_for_nothing(tmp_path, instance):
    instance.add_dynamic_partitions("symbol", ["SPY"])
    daemon = Daemon(location(tmp_path, {}, start="2024-01"), instance)

    start = datetime(2024, 1, 17, 16, tzinfo=UTC)
    assert [daemon.at(str((start + timedelta(hours=each)).replace(tzinfo=None))) for each in range(3)] == [{}] * 3


@pytest.mark.filterwarnings(DAGSTERS_OWN_TAG_KEYS)
def test_the_sensor_itself_asks_for_raw_months_and_aggregates_together_at_the_tick_and_for_nothing_else(
    months, instance
):
    repository = months("2024-01-16 16:15").get_repository_def()
    sensor, cursor, asked = repository.get_sensor_def("keep_current"), None, []
    for moment in ("2024-01-17 16:14:40", "2024-01-17 16:15:10", "2024-01-17 16:15:40"):
        with freeze_time(utc(moment)):
            context = dg.build_sensor_context(instance=instance, repository_def=repository, cursor=cursor)
            tick = sensor.evaluate_tick(context)
            cursor = tick.cursor
            asked.append([(request.partition_key, request.asset_selection) for request in tick.run_requests])

    assert (asked[0], asked[2]) == ([], [])
    [(partition, assets)] = asked[1]
    assert (partition, set(assets)) == (JANUARY, {RAW, AGGREGATE})
