"""A run over a symbol's year is killed: what was recorded before stays true, and the next run does the rest."""

import signal
import subprocess
import sys

import dagster as dg
import pytest

from mohlcv_dagster.checks.registry import checks_for
from mohlcv_dagster.model.timeframes import RAW, parse
from mohlcv_dagster_tests.defs.location import HandedVendor, location, run
from mohlcv_dagster_tests.defs.year_run import ASSETS, MONTHS, PARTITIONS, content, instance

pytestmark = pytest.mark.slow

BEFORE, AFTER = PARTITIONS[:6], PARTITIONS[6:]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The home and the data folder of a run that was killed in its seventh month."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "home").mkdir()
    command = [sys.executable, "-m", "mohlcv_dagster_tests.defs.year_run", folder / "home", folder / "data", MONTHS[6]]
    ended = subprocess.run(command, check=False, capture_output=True, timeout=100)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    return folder


def evaluated(opened, asset, check):
    key = dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), check)
    history = opened.event_log_storage.get_asset_check_execution_history(key, limit=100)
    found = (record.evaluation for record in history)  # what was planned only is in the history, too
    return {each.partition for each in found if isinstance(each, dg.AssetCheckEvaluation)}


def test_the_months_before_are_stored_recorded_and_checked_and_nothing_of_the_others_is(killed):
    with instance(killed / "home") as opened:
        for asset, timeframe in zip(ASSETS, (RAW, parse("15s")), strict=True):
            assert opened.get_materialized_partitions(dg.AssetKey.from_user_string(asset)) == set(BEFORE)
            for check in checks_for(timeframe):
                assert evaluated(opened, asset, check.name) == set(BEFORE), (asset, check.name)
    stored = sorted(path.name for path in (killed / "data" / "raw_1s").rglob("*.csv"))
    assert stored == [f"SPY_2023_{number:02d}.csv" for number in range(1, 7)]
    for month in MONTHS[:6]:
        assert (killed / "data/raw_1s/SPY" / f"SPY_{month.replace('-', '_')}.csv").read_bytes() == content(month)


def test_a_run_over_the_months_that_are_missing_completes_the_year(killed):
    vendor = HandedVendor({("SPY", month): content(month) for month in MONTHS})
    definitions = location(killed / "data", vendor, start="2023-01")
    with instance(killed / "home") as opened:
        run(definitions, opened, AFTER[0], *ASSETS, until=AFTER[-1])

        assert [month for _, month, timeframe, _ in vendor.asked if timeframe == "second"] == list(MONTHS[6:])
        for asset in ASSETS:
            assert opened.get_materialized_partitions(dg.AssetKey.from_user_string(asset)) == set(PARTITIONS)
    assert not list((killed / "data").rglob("*.part"))
