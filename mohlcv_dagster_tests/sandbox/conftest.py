"""A handmade market of six seconds, and a sandbox that serves it."""

import json

import pytest
import urllib3

from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox

SECONDS = """ts_event,open,high,low,close,volume
2024-01-02 14:30:00+00:00,184.0,184.5,183.99,184.25,1300741
2024-01-02 14:30:01+00:00,184.25,184.25,184.25,184.25,100
2024-01-02 14:30:03+00:00,184.2,184.3,184.2,184.3,250
2024-01-02 14:31:00+00:00,184.3,184.4,184.1,184.1,7
2024-01-03 00:59:59+00:00,184.0,184.0,184.0,184.0,1
2024-01-31 20:59:59+00:00,190.0,190.5,189.5,190.01,42
"""
JANUARY = "1704067200000/1706745599999"
LATER = 1_800_000_000.0


@pytest.fixture(scope="session")
def handmade(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    (folder / "second").mkdir()
    (folder / "second" / "ABC_2024_01.csv").write_text(SECONDS)
    return folder


@pytest.fixture(scope="session")
def _served(handmade):
    with Sandbox(ReplayedMarket(handmade), clock=lambda: LATER) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_served):
    yield _served
    _served.clear()


@pytest.fixture
def http():
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        yield pool


@pytest.fixture
def ask(sandbox, http):
    def ask(span=JANUARY, symbol="ABC", bar="1/second", key="k", *, gzip=False, **parameters):
        headers = {"Authorization": f"Bearer {key}"} | ({"Accept-Encoding": "gzip"} if gzip else {})
        url = f"{sandbox.url}/v2/aggs/ticker/{symbol}/range/{bar}/{span}"
        return http.request("GET", url, fields={"adjusted": "false", **parameters}, headers=headers)

    return ask


@pytest.fixture
def ask_json(ask):
    return lambda *span, **parameters: json.loads(ask(*span, **parameters).data)
