"""The lab that faults are struck in, one for all tests: its observations are made once."""

import dagster as dg
import pytest

from mohlcv_dagster_tests.defs.fault_lab import Lab
from mohlcv_dagster_tests.defs.fault_table import Board


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("faults")) as lab:
        yield lab


@pytest.fixture(scope="session")
def board(lab):
    return Board(lab)


@pytest.fixture
def instance():
    """A Dagster that forgets."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
