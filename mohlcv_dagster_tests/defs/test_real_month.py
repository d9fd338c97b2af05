"""Real bars, the whole way: replayed over HTTP, fetched by the real client, stored, checked, resampled by Dagster."""

import dagster as dg
import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.defs.location import (
    evaluation_of,
    failing_rules,
    materializations_of,
    passed_by_rule,
    rules_of,
    run,
)
from mohlcv_dagster_tests.real import REAL, needs_real


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The data folder and the run of SPY 2013-10, of which the recording holds two sessions."""
    data = tmp_path_factory.mktemp("real")
    with Sandbox(ReplayedMarket(REAL)) as sandbox, pytest.MonkeyPatch.context() as patch:
        environment = {
            "MOHLCV_START": "2003-09",
            "MASSIVE_API_KEY": "a-key-that-no-word-holds",
            "MASSIVE_BASE_URL": sandbox.url,
            "MOHLCV_DATA_DIR": str(data),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        definitions = build(Settings.from_environment(environment))
        with dg.DagsterInstance.ephemeral() as instance:
            assets = ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")
            yield data, run(definitions, instance, "2013-10|SPY", *assets)


@needs_real
def test_the_raw_file_is_the_recording_byte_for_byte(month):
    data, _ = month
    assert (data / "raw_1s/SPY/SPY_2013_10.csv").read_bytes() == (REAL / "second/SPY_2013_10.csv").read_bytes()


@needs_real
@pytest.mark.parametrize("timeframe", ["15s", "30s", "1min"])
def test_each_aggregate_is_the_expected_one_byte_for_byte(month, timeframe):
    data, _ = month
    expected = REAL / f"expected/SPY_2013_10_{timeframe}.csv"
    assert (data / f"aggregated/{timeframe}/SPY_2013_10_{timeframe}.csv").read_bytes() == expected.read_bytes()


@needs_real
def test_every_rule_passes_but_the_one_that_misses_the_sessions_the_recording_does_not_hold(month):
    # October 2013 had 23 sessions; the recording has the 7th and the 8th
    _, result = month
    assert failing_rules(result) == [("raw_1s", "sessions_present", "2013-10|SPY")]
    failed = evaluation_of(result, "raw_1s", "complete")
    assert (failed.passed, failed.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert failed.description.startswith(
        "sessions_present: raw_1s/SPY/SPY_2013_10.csv has no bar in the regular hours of 21 of 23 sessions: "
        "2013-10-01, 2013-10-02, 2013-10-03 and 18 more. "
    )
    assert rules_of(failed)["sessions_present"]["count"] == 21
    assert len(result.get_asset_check_evaluations()) == 12
    assert len(passed_by_rule(result)) == 32 + 3 * 6 + 4  # aggregates that equal the recomputation: six


@needs_real
def test_the_two_sessions_that_are_there_are_those_of_a_liquid_symbol_and_whole(month):
    _, result = month
    rules = rules_of(evaluation_of(result, "raw_1s", "complete"))
    assert rules["minute_occupancy"]["what was found"] == "100 % of the 780 regular minutes of 2 sessions"
    assert rules["session_edges"]["what was found"] == "both of 2 sessions"


@needs_real
def test_a_month_that_did_not_come_from_the_vendor_says_where_it_came_from(month):
    _, result = month
    [made] = materializations_of(result, "raw_1s")
    assert made.metadata["vendor"].value.startswith("stand-in at http://127.0.0.1:")
    assert all(mark.startswith("sandbox-") for mark in made.metadata["request_ids"].value)
