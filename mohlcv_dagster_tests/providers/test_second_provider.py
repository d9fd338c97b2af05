"""A provider that is registered under a name serves the real definitions: the assets, the checks and the storage."""

from datetime import UTC, datetime

import dagster as dg
import pandas as pd
import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs.resources import ProviderResource
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.providers import create
from mohlcv_dagster.sandbox.synthetic_market import SyntheticMarket
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.defs.location import run
from mohlcv_dagster_tests.providers.csv_folder import CsvFolder

SYMBOL, PARTITION = "AAC", "2024-02|AAC"
START, END = pd.Timestamp("2024-02-01", tz="UTC"), pd.Timestamp("2024-03-01", tz="UTC")
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def resampled(bars, length):
    return bars.resample(length, origin="epoch").agg(HOW).dropna().astype(bars.dtypes)


@pytest.fixture(scope="module")
def bars():
    """A month of seconds as pandas has them."""
    market = SyntheticMarket()
    days = market.days(SYMBOL, START.date(), END.date())
    found = pd.concat(market.bars(SYMBOL, day, RAW, adjusted=False).to_pandas() for day in days)
    found = found.set_index("ts_event")
    return found[(found.index >= START) & (found.index < END)]


@pytest.fixture
def folder(tmp_path, bars):
    """Both timeframes of the month as the provider's files have them."""
    for timeframe, content in (("second", bars), ("minute", resampled(bars, "1min"))):
        starts = pd.Index(
            content.index.astype("int64") // 10 ** {"s": 0, "ms": 3, "us": 6, "ns": 9}[content.index.unit]
        )
        content.set_axis(starts.rename("start")).to_csv(tmp_path / f"{SYMBOL}-2024-02-{timeframe}.csv")
    return tmp_path


@pytest.fixture
def provider(folder):
    return CsvFolder(folder)


@pytest.fixture
def definitions(provider, tmp_path, monkeypatch):
    monkeypatch.setattr(create, "_FACTORIES", dict(create._FACTORIES))
    create.register("csv_folder", lambda settings: provider)
    settings = Settings.from_environment({"MOHLCV_DATA_DIR": str(tmp_path / "data")})
    return build(settings, massive=ProviderResource.of(settings, provider="csv_folder"))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.mark.slow
def test_a_month_goes_its_whole_way_and_every_check_passes(definitions, instance, provider, tmp_path, bars):
    made = ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")
    result = run(definitions, instance, PARTITION, *made)

    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == 12
    assert [each.check_name for each in evaluations if not each.passed] == []
    assert provider.asked == [(SYMBOL, "2024-02", "second", None), (SYMBOL, "2024-02", "minute", None)]
    files = tmp_path / "data"
    assert (files / "raw_1s/AAC/AAC_2024_02.csv").read_bytes() == bars.to_csv().encode()
    for name in ("15s", "30s", "1min"):
        expected = resampled(bars, name).to_csv().encode()
        assert (files / f"aggregated/{name}/AAC_2024_02_{name}.csv").read_bytes() == expected


@pytest.mark.slow
def test_its_name_is_recorded_and_a_provisional_month_is_completed_by_what_is_missing(
    definitions, instance, provider, tmp_path, bars
):
    provider._now = datetime(2024, 2, 21, 15, 0, tzinfo=UTC)
    run(definitions, instance, PARTITION, "raw_1s")
    provider._now = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
    run(definitions, instance, PARTITION, "raw_1s")

    stored = instance.get_latest_materialization_event(dg.AssetKey("raw_1s")).asset_materialization.metadata
    assert (stored["vendor"].value, stored["requests"].value) == ("csv folder", 1)
    whole, rest = (since for *_, since in provider.asked)
    assert (whole, rest > datetime(2024, 2, 15, tzinfo=UTC)) == (None, True)
    assert (tmp_path / "data/raw_1s/AAC/AAC_2024_02.csv").read_bytes() == bars.to_csv().encode()


def test_a_month_that_it_does_not_have_fails_with_its_own_words(definitions, instance):
    result = run(definitions, instance, "2024-03|AAC", "raw_1s", expect=False)
    failures = [
        event.step_failure_data.user_failure_data.description for event in result.all_events if event.is_step_failure
    ]
    assert "AAC has no trades in 2024-03: there is no AAC-2024-03-second.csv" in failures[0]


def test_a_provider_that_nobody_registered_is_named_with_those_that_are_there():
    with pytest.raises(SettingsError, match="'other'; registered are massive"):
        create.provider(Settings.from_environment({}), "other")
