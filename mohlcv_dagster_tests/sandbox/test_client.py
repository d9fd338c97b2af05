"""The vendor's own client talks to the sandbox as to the vendor."""

from datetime import date

import pytest
from massive import RESTClient

from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.sandbox import Sandbox, Synthetic


@pytest.fixture(scope="module")
def served():
    with Sandbox(Synthetic()) as sandbox:
        yield sandbox


@pytest.fixture
def client(served):
    rest = RESTClient(api_key="k", base=served.url, retries=0)
    yield rest
    rest.client.clear()


def test_a_day_of_spy_through_the_client_s_iterator_is_the_synthetic_day(served, client):
    bars = list(client.list_aggs("SPY", 1, "second", "2024-01-17", "2024-01-17", adjusted=False, limit=5000))
    table = Synthetic().bars("SPY", date(2024, 1, 17), RAW, adjusted=False)
    for name in ("open", "high", "low", "close", "volume"):
        assert [getattr(bar, name) for bar in bars] == table[name].to_pylist()
    assert [bar.timestamp for bar in bars] == [int(t.timestamp()) * 1000 for t in table["ts_event"].to_pylist()]
    assert len(served.requests) == -(-len(bars) // 5000)


def test_the_client_sees_the_same_day_in_minutes(client):
    bars = list(client.list_aggs("SPY", 1, "minute", "2024-01-17", "2024-01-17", adjusted=False, limit=50_000))
    table = Synthetic().bars("SPY", date(2024, 1, 17), RAW, adjusted=False)
    assert sum(bar.volume for bar in bars) == sum(table["volume"].to_pylist())
    assert len(bars) <= 960
