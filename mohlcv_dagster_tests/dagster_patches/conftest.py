"""What tests of several modules here begin with."""

import dagster as dg
import pytest


@pytest.fixture
def instance():
    """A Dagster that forgets."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
