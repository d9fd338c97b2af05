"""The closed room every test runs in: no setting of the machine reaches it, no socket leaves it."""

import os
import sys
from unittest import mock

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # the first example pays for imports, and machines are busy
settings.load_profile("untimed")

_SESSIONS = "mohlcv_dagster.bars.sessions"
_OURS = ("MASSIVE_", "MOHLCV_", "DAGSTER_", "POLYGON_")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment():
    for name in list(os.environ):
        if name.startswith(_OURS):
            del os.environ[name]
    os.environ["NO_COLOR"] = "1"


def _what_is_set_goes():
    """What is put into the environment, by a test or by what its module shares, goes with it."""
    with mock.patch.dict(os.environ):
        yield


_with_the_module = pytest.fixture(_what_is_set_goes, autouse=True, scope="module")
_with_the_test = pytest.fixture(_what_is_set_goes, autouse=True)


@pytest.fixture(autouse=True)
def _own_days_go():
    """Days that override the calendar hold for the process, so no test leaves them to the next."""
    yield
    if _SESSIONS in sys.modules:
        sys.modules[_SESSIONS].override({})
