"""The event log that remembers what checks said answers as Dagster's own does, whatever happened."""

import logging

import pytest

from mohlcv_dagster_tests.dagster_patches.compared import on_sqlite
from mohlcv_dagster_tests.dagster_patches.situations import IN_TURN
from mohlcv_dagster_tests.dagster_patches.storages import SQLITE


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    logging.disable(logging.ERROR)  # runs that are told to fail say so
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def instances(tmp_path_factory):
    """One history, which the situations go on with in turn."""
    instances = on_sqlite(tmp_path_factory.mktemp("compared"), SQLITE)
    yield instances
    instances.dispose()


@pytest.mark.parametrize("situation", IN_TURN, ids=lambda situation: situation.__name__)
def test_the_answers_are_dagsters_own_after(situation, instances):
    situation(instances)
    assert not instances.differences()
