"""A real `mohlcv up` on a new home, with a vendor that can go wrong, and a headless browser.

Without a browser or its driver every test here skips and says which is missing.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster.cli import runs
from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.definitions import build
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.browser.ui import snapshot
from mohlcv_dagster_tests.defs.served import serve

MONTH = Month(2024, 1)
BROKEN_OFF = pytest.StashKey[bool]()

_PATIENCE_MS = 40_000
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP *.example 127.0.0.1",  # an attacker's names that resolve to this machine
)


@dataclass(frozen=True)
class Project:
    """A project with its own home, data and vendor.

    Attributes:
        url: of the UI.
        home: of Dagster.
        settings: with the vendor and the data folder.
        vendor: the sandbox, for faults.
    """

    url: str
    home: Path
    settings: Settings
    vendor: Sandbox

    def materialize(self, symbol):
        """Run the month of `symbol` through all assets, in this process.

        In a thread of its own: the browser's driver runs an event loop in this one, and Dagster runs another.
        """
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._materialize, symbol).result()

    def assess(self):
        """Materialize the quality asset."""
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(self._assess).result().success

    def _materialize(self, symbol):
        assets = [RAW, *self.settings.timeframes]
        with self.instance() as instance:
            return runs.materialize(build(self.settings), instance, BarFile(symbol, RAW, MONTH), assets)

    def _assess(self):
        job = build(self.settings).resolve_implicit_global_asset_job_def()
        with self.instance() as instance:
            return job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(["quality", "coverage"])])

    @contextmanager
    def instance(self):
        """The Dagster of the home."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(self.home))
            with dg.DagsterInstance.get() as instance:
                yield instance


@pytest.fixture(scope="package")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="no driver: uv sync installs playwright")
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if path is None:
        pytest.skip("no browser: neither chromium nor google-chrome is on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def project(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ui")
    with Sandbox(SyntheticMarket()) as sandbox, pytest.MonkeyPatch.context() as patch:
        environment = {
            "MASSIVE_API_KEY": "sandbox",
            "MASSIVE_BASE_URL": sandbox.url,
            "MOHLCV_DATA_DIR": str(folder / "data"),
            "MOHLCV_START": str(MONTH),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        home = Home(folder / "home", {}).prepare().path
        with serve(folder, sandbox.url) as webserver:
            yield Project(webserver.url, home, Settings.from_environment(environment), sandbox)


@pytest.fixture
def page(chromium, project):
    """A new browser."""
    with visitor(chromium, project) as page:
        yield page


@contextmanager
def visitor(chromium, project):
    """A new browser, with the navigation collapsed to leave room for the graph."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, base_url=project.url, locale="en-US", timezone_id="UTC"
    )
    context.set_default_timeout(_PATIENCE_MS)
    context.add_init_script("localStorage.setItem('dagster-nav-collapsed', 'true')")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def album(page, tmp_path_factory):
    """Saves numbered pictures of what the browser shows, one more at the end."""
    folder, number = tmp_path_factory.mktemp("pictures"), count(1)
    yield lambda name: snapshot(page, folder / f"{next(number):02}-{name}.png")
    snapshot(page, folder / "last.png")


@pytest.fixture
def steps_before(request):
    """Skips a step once one before it has failed."""
    story = request.node.parent
    failed_before = request.session.testsfailed
    if story.stash.get(BROKEN_OFF, False):
        pytest.skip("a step before this one failed")
    yield
    story.stash[BROKEN_OFF] = request.session.testsfailed > failed_before
