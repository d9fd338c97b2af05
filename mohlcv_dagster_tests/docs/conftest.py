"""One project for all pages: what a page makes, the next ones find."""

import pytest

from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.docs.reader import Project, QuietMarket


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a small archive, and a sandbox in place of the vendor."""
    with Sandbox(QuietMarket()) as sandbox:
        variables = {"MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "sandbox", "MOHLCV_PARQUET": "true"}
        made = Project(tmp_path_factory.mktemp("project"), variables)
        made.fill()
        yield made
