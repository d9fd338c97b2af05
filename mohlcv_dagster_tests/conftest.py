"""The closed room every test runs in: no setting of the machine reaches it, no socket leaves it."""

import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # the first example pays for imports, and machines are busy
settings.load_profile("untimed")

_SESSIONS = "mohlcv_dagster.bars.sessions"
_OURS = ("MASSIVE_", "MOHLCV_", "DAGSTER_", "POLYGON_")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, tmp_path_factory):
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True)
def _own_days_go():
    """Days that override the calendar hold for the process, so no test leaves them to the next."""
    yield
    if _SESSIONS in sys.modules:
        sys.modules[_SESSIONS].override({})
