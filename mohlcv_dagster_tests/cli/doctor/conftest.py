"""The vendor that the doctor asks."""

import pytest

from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.cli.quiet_spy import QuietSpy


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(QuietSpy()) as sandbox:
        yield sandbox
