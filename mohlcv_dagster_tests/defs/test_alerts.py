"""What is told of failed runs and failing checks, once each, at looks of the sensors by hand."""

import json

import dagster as dg
import pytest

from mohlcv_dagster.dagster_patches import unexported
from mohlcv_dagster.definitions import defs
from mohlcv_dagster.defs import alerts
from mohlcv_dagster.defs.alerts import EndedRunsCursor
from mohlcv_dagster.errors import AlertError
from mohlcv_dagster_tests.checks.clean_files import HEADER
from mohlcv_dagster_tests.defs.location import UNLOGGED, location, run
from mohlcv_dagster_tests.test_alerting import webhook

GOOD = HEADER + b"2024-02-05 14:30:01+00:00,10.0,11.0,9.0,10.5,7\n"
BROKEN = GOOD.replace(b"11.0", b"8.0")
FEBRUARY = "2024-02|SPY"


@pytest.fixture(scope="module")
def home():
    """A Dagster that remembers which sensors are on; what an earlier test left is not told to a later one."""
    with dg.instance_for_test(overrides=UNLOGGED) as instance:
        yield instance


class Looking:
    """A sensor that looks when it is told to, and keeps its cursor as the daemon does."""

    def __init__(self, definitions, instance, name):
        self._repository = definitions.get_repository_def()
        self._sensor = self._repository.get_sensor_def(name)
        self._instance = instance
        self.cursor = None

    def look(self):
        context = dg.build_sensor_context(self._instance, self.cursor, repository_def=self._repository)
        tick = self._sensor.evaluate_tick(context)
        self.cursor = tick.cursor
        return tick.skip_message


@pytest.fixture
def told(monkeypatch):
    """The alerts that a webhook got, message by message."""
    with webhook() as (url, bodies):
        monkeypatch.setenv("MOHLCV_ALERT_URL", url)
        monkeypatch.setenv("MOHLCV_UI_URL", "http://127.0.0.1:3000/")
        yield bodies


def fetch(tmp_path, instance, content, **options):
    return run(location(tmp_path, {("SPY", "2024-02"): content}), instance, FEBRUARY, "raw_1s", **options)


def test_both_sensors_are_off_until_they_are_turned_on_and_say_where_they_tell():
    sensors = {sensor.name: sensor for sensor in defs.sensors}

    assert set(sensors) == {
        "keep_current",
        "quality_after_runs",
        "fail_dead_runs",
        "alert_on_failed_run",
        "alert_on_failing_check",
    }
    off = {name for name, sensor in sensors.items() if sensor.default_status is dg.DefaultSensorStatus.STOPPED}
    assert off == {"keep_current", "alert_on_failed_run", "alert_on_failing_check"}
    assert "MOHLCV_ALERT_URL" in sensors["alert_on_failing_check"].description


def test_a_failing_check_is_reported_once_with_symbol_month_asset_check_sentence_cure_and_link(
    tmp_path, instance, told
):
    sensor = Looking(location(tmp_path, {}), instance, "alert_on_failing_check")
    assert sensor.look() == "Alerts start now; earlier failures are not reported."
    run_id = fetch(tmp_path, instance, BROKEN, expect=False).run_id

    assert sensor.look() == "1 alert sent to the webhook at 127.0.0.1; no run is needed."
    assert sensor.look() == "Nothing new is wrong."
    [[alert]] = [body["alerts"] for body in told]
    sentence = alert.pop("sentence")
    assert alert == {
        "what": "ohlc_order",
        "severity": "error",
        "asset": "raw_1s",
        "symbol": "SPY",
        "month": "2024-02",
        "run_id": run_id,
        "link": f"http://127.0.0.1:3000/runs/{run_id}",
    }
    assert sentence.startswith("1 of 1 bar has high below open, low or close")
    assert "Re-materialize raw_1s for SPY 2024-02" in sentence


def test_warnings_are_told_where_that_is_wanted_and_each_evaluation_of_its_own(tmp_path, instance, told, monkeypatch):
    sensor = Looking(location(tmp_path, {}), instance, "alert_on_failing_check")
    sensor.look()
    fetch(tmp_path, instance, GOOD)
    before = sensor.cursor
    assert sensor.look() == "Nothing new is wrong."

    monkeypatch.setenv("MOHLCV_ALERT_WARNINGS", "true")
    sensor.cursor = before
    sensor.look()
    assert [(alert["what"], alert["severity"]) for alert in told[0]["alerts"]] == [("sessions_present", "warning")]
    fetch(tmp_path, instance, GOOD)
    sensor.look()
    assert len(told) == 2


@pytest.mark.slow
def test_what_failed_before_a_sensor_began_is_not_told(tmp_path, home, told):
    fetch(tmp_path, home, BROKEN, expect=False)
    for name in ("alert_on_failing_check", "alert_on_failed_run"):
        sensor = Looking(location(tmp_path, {}), home, name)
        sensor.look()
        assert sensor.look() == "Nothing new is wrong."
    assert told == []


def test_a_webhook_that_is_away_fails_the_tick_and_is_told_at_the_next(tmp_path, instance, monkeypatch):
    sensor = Looking(location(tmp_path, {}), instance, "alert_on_failing_check")
    sensor.look()
    before = sensor.cursor
    fetch(tmp_path, instance, BROKEN, expect=False)
    with webhook(503) as (url, refused):
        monkeypatch.setenv("MOHLCV_ALERT_URL", url)
        with pytest.raises(AlertError, match="refused the alert with status 503"):
            sensor.look()
    assert (len(refused), sensor.cursor) == (1, before)

    with webhook() as (url, bodies):
        monkeypatch.setenv("MOHLCV_ALERT_URL", url)
        sensor.look()
    assert len(bodies) == 1


def test_a_failed_run_is_reported_once_with_its_sentence_and_not_again_when_it_is_tagged_later(tmp_path, home, told):
    sensor = Looking(location(tmp_path, {}), home, "alert_on_failed_run")
    sensor.look()
    failed = run(location(tmp_path, {}), home, FEBRUARY, "raw_1s", expect=False)

    assert sensor.look() == "1 alert sent to the webhook at 127.0.0.1; no run is needed."
    home.add_run_tags(failed.run_id, {"looked": "at"})
    assert sensor.look() == "Nothing new is wrong."
    [[alert]] = [body["alerts"] for body in told]
    assert (alert["what"], alert["asset"], alert["symbol"], alert["month"]) == ("run", "raw_1s", "SPY", "2024-02")
    assert alert["sentence"] == "SPY has no trades in 2024-02"
    assert alert["run_id"] == failed.run_id


@pytest.mark.slow
def test_a_run_that_failed_of_its_checks_is_told_where_the_other_sensor_is_off(tmp_path, home, told):
    sensor = Looking(location(tmp_path, {}), home, "alert_on_failed_run")
    sensor.look()
    fetch(tmp_path, home, BROKEN, expect=False)
    sensor.look()

    [[alert]] = [body["alerts"] for body in told]
    assert alert["sentence"].startswith("nothing is made from raw_1s/SPY/SPY_2024_02.csv, which breaks 1 rule")
    assert "ohlc_order: 1 of 1 bar" in alert["sentence"]


def test_a_run_that_failed_of_its_checks_is_left_to_the_other_sensor_while_that_is_on(
    tmp_path, instance, told, monkeypatch
):
    monkeypatch.setattr(unexported, "is_sensor_on", lambda _, name: name == "alert_on_failing_check")
    sensor = Looking(location(tmp_path, {}), instance, "alert_on_failed_run")
    sensor.look()
    fetch(tmp_path, instance, BROKEN, expect=False)

    assert sensor.look() == "Nothing new is wrong."
    assert told == []


@pytest.mark.slow
def test_more_runs_than_one_look_takes_are_left_to_the_next_and_none_is_lost(tmp_path, home, told, monkeypatch):
    monkeypatch.setattr(alerts, "MOST_RUNS", 1)
    sensor = Looking(location(tmp_path, {}), home, "alert_on_failed_run")
    sensor.look()
    failed = [run(location(tmp_path, {}), home, FEBRUARY, "raw_1s", expect=False).run_id for _ in range(2)]
    for _ in range(3):
        sensor.look()

    assert [alert["run_id"] for body in told for alert in body["alerts"]] == failed


def test_the_cursor_keeps_the_runs_of_the_last_two_minutes_and_no_more():
    class Record:
        def __init__(self, run_id, end):
            self.dagster_run = type("Run", (), {"run_id": run_id})
            self.end_time = end

    seen = EndedRunsCursor(1000.0, {})
    for number in range(10):
        seen = seen.advanced([Record(f"run-{number}", 1000.0 + 60 * number)])

    assert json.loads(seen.encode()) == {"since": 1420.0, "runs": {"run-8": 1480.0, "run-9": 1540.0}}
    assert EndedRunsCursor.parse(seen.encode()) == seen
