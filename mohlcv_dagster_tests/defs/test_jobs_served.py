"""The jobs and alerts under the real webserver, daemon and run processes: launched from the launchpad, one story."""

import pytest
import yaml

from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster_tests.defs.served import serve, until
from mohlcv_dagster_tests.defs.test_dagster_dev import SECONDS, Stage, files_of, text_of
from mohlcv_dagster_tests.test_alerting import webhook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MONTHS = ("2024-01", "2024-02")
BOTH = {f"{month}|ABC" for month in MONTHS}
SENSORS = ("alert_on_failing_check", "alert_on_failed_run")


@pytest.fixture(scope="module")
def told():
    with webhook() as (url, bodies):
        yield url, bodies


@pytest.fixture(scope="module")
def stage(tmp_path_factory, told):
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "replay" / "second").mkdir(parents=True)
    for month in MONTHS:
        served = folder / "replay" / "second" / f"ABC_{month.replace('-', '_')}.csv"
        served.write_text(text_of(SECONDS, "ABC", month))
    with (
        Sandbox(ReplayedMarket(folder / "replay")) as sandbox,
        serve(folder, sandbox.url, MOHLCV_ALERT_URL=told[0]) as webserver,
    ):
        yield Stage(webserver, sandbox, folder / "data")


def test_the_launchpad_shows_the_config_with_its_defaults(stage):
    assert yaml.safe_load(stage.webserver.launchpad("re_verify_a_range")) == {
        "symbols": [],
        "first_month": "",
        "last_month": "",
        "ask_the_vendor": False,
    }


def test_a_symbol_is_backfilled_from_the_launchpad_and_its_runs_are_found_by_symbol_and_month(stage):
    asked = stage.webserver.launch_job("backfill_a_symbol", symbol="ABC", first_month=MONTHS[0], last_month=MONTHS[1])
    assert stage.ended(asked) == {asked: "SUCCESS"}
    [backfill] = stage.webserver.backfills()

    assert stage.complete(backfill) == "COMPLETED_SUCCESS"
    assert stage.tree() == files_of(BOTH)
    [run] = stage.webserver.runs(backfill=backfill)
    assert run.span == ("2024-01|ABC", "2024-02|ABC")
    assert stage.webserver.found(symbol="ABC") == ["__ASSET_JOB", "backfill_a_symbol"]
    range_of_both = "2024-01...2024-02"
    assert stage.webserver.found(symbol="ABC", month=range_of_both) == ["__ASSET_JOB", "backfill_a_symbol"]
    assert stage.webserver.found(symbol="XYZ") == []


def test_a_range_is_checked_again_and_what_is_broken_is_told_to_the_webhook_once(stage, told):
    _, bodies = told
    for name in SENSORS:
        stage.webserver.turn_on(name)
    for name in SENSORS:
        until(lambda name=name: stage.webserver.sensor(name)["ticks"], f"{name} has looked once")
    broken = stage.data / "raw_1s/ABC/ABC_2024_02.csv"
    broken.write_text(broken.read_text().replace("10.25,10.75,", "10.25,1.75,"))

    run_id = stage.webserver.launch_job("re_verify_a_range", symbols=["ABC"], first_month="2024-02")
    assert stage.ended(run_id) == {run_id: "FAILURE"}

    [latest, *_] = stage.webserver.evaluations("raw_1s", "valid", "2024-02|ABC")
    assert (latest["runId"], latest["evaluation"]["success"]) == (run_id, False)
    assert latest["evaluation"]["description"].startswith("ohlc_order: ")
    alerts = until(
        lambda: len(bodies) == 2 and [each for body in bodies for each in body["alerts"]], "both are told", 150
    )
    about = {(alert["what"], alert["asset"], alert["symbol"], alert["month"]) for alert in alerts}
    assert about >= {
        ("ohlc_order", "raw_1s", "ABC", "2024-02"),
        ("as_recorded", "raw_1s", "ABC", "2024-02"),
        ("run", "judge_stored_months", "ABC", "2024-02"),
    }
    assert {alert["link"] for alert in alerts} == {f"{stage.webserver.url}/runs/{run_id}"}
    assert stage.webserver.found(symbol="ABC", month="2024-02") == ["re_verify_a_range"]
