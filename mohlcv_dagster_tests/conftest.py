"""Isolation of every test: no setting of the machine reaches it, no socket leaves it."""

import os
import sys
from unittest import mock

import pytest
from hypothesis import Phase, settings

settings.register_profile("untimed", deadline=None)  # the first example pays for imports, and machines are busy
settings.register_profile("quick", deadline=None, max_examples=33)
settings.register_profile(
    "few", deadline=None, max_examples=12, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("untimed")

_SESSIONS = "mohlcv_dagster.model.exchange_calendar"
_OURS = ("MASSIVE_", "MOHLCV_", "DAGSTER_", "POLYGON_")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment():
    for name in list(os.environ):
        if name.startswith(_OURS):
            del os.environ[name]
    os.environ["NO_COLOR"] = "1"


def _restored_environment():
    """Changes of the environment end with the test, or the module whose fixture made them."""
    with mock.patch.dict(os.environ):
        yield


_with_the_module = pytest.fixture(_restored_environment, autouse=True, scope="module")
_with_the_test = pytest.fixture(_restored_environment, autouse=True)


@pytest.fixture(autouse=True)
def _restored_calendar():
    """Days that override the calendar are of the whole process, so they are reset after each test."""
    yield
    if _SESSIONS in sys.modules:
        sys.modules[_SESSIONS].set_overrides({})


def pytest_configure(config):
    """A property is tried with a third of Hypothesis's examples where the slow tests are left out."""
    if "slow or not slow" not in config.option.markexpr:
        settings.load_profile("quick")
