"""The scripted vendor, closed again after each test, and what asks it."""

import pytest

from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster_tests.providers.massive.scripted import BARS, KEY, FakeTime, ScriptedVendor, faithful


@pytest.fixture
def server():
    vendor = ScriptedVendor(faithful(BARS))
    yield vendor
    vendor.close()


@pytest.fixture
def fake():
    return FakeTime()


@pytest.fixture
def joining(server, fake):
    """A provider as it comes: windows of few bars are joined."""
    with MassiveProvider(KEY, server.url, clock=fake.clock) as provider:
        yield provider


@pytest.fixture
def vendor(server, fake):
    """It asks for each window by itself, however few bars there are."""
    with MassiveProvider(KEY, server.url, clock=fake.clock, fill=1) as vendor:
        yield vendor
