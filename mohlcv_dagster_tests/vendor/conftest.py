"""The scripted vendor, closed again after each test, and what asks it."""

import pytest

from mohlcv_dagster.vendor.massive import MassiveVendor
from mohlcv_dagster_tests.vendor.scripted import BARS, KEY, FakeTime, ScriptedVendor, faithful


@pytest.fixture
def server():
    vendor = ScriptedVendor(faithful(BARS))
    yield vendor
    vendor.close()


@pytest.fixture
def fake():
    return FakeTime()


@pytest.fixture
def vendor(server, fake):
    """It asks for each window by itself, however few bars there are."""
    with MassiveVendor(KEY, server.url, clock=fake.clock, fill=1) as vendor:
        yield vendor
