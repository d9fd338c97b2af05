"""A real `mohlcv up` on a home where SPY 2024-01 is stored, and a headless browser that looks at it.

Without a browser, or without the driver for one, every test here skips and says which was missing.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.cli import runs
from mohlcv_dagster.cli.homes import Home
from mohlcv_dagster.definitions import build
from mohlcv_dagster.sandbox import Sandbox, Synthetic
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.defs.served import serve

MONTH = Month(2024, 1)

_PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_UPDATE = bool(os.environ.get("MOHLCV_UPDATE_PICTURES"))
_PATIENCE_MS = 40_000
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def picture(page, name, of=None):
    """Write what the page shows, or `of` it alone, to docs/pictures, when MOHLCV_UPDATE_PICTURES is set."""
    if _UPDATE:
        page.mouse.move(0, 0)
        page.wait_for_load_state("networkidle")
        (of or page).screenshot(path=_PICTURES / f"{name}.png", animations="disabled")


@dataclass(frozen=True)
class Project:
    """A project with its own home, data and vendor.

    Attributes:
        url: of the UI.
        home: where Dagster remembers.
        settings: what the vendor and the data folder are.
    """

    url: str
    home: Path
    settings: Settings

    def materialize(self, symbol):
        """Run the month of `symbol` through all assets, in this process.

        In a thread of its own: the driver keeps an event loop running in the tests', and Dagster runs its own.
        """
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._materialize, symbol).result()

    def assess(self):
        """Make the quality asset of what is stored."""
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
    with Sandbox(Synthetic(), faults=["bad-bar:symbol=QQQ"]) as sandbox, pytest.MonkeyPatch.context() as patch:
        environment = {
            "MASSIVE_API_KEY": "sandbox",
            "MASSIVE_BASE_URL": sandbox.url,
            "MOHLCV_DATA_DIR": str(folder / "data"),
            "MOHLCV_START": str(MONTH),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        home = Home(folder / "home", {}).prepare().path
        project = Project("", home, Settings.from_environment(environment))
        assert project.materialize("SPY").succeeded
        with serve(folder, sandbox.url) as webserver:
            yield Project(webserver.url, home, project.settings)


@pytest.fixture
def page(chromium, project):
    """A browser that was never here before, told to leave the graph as much room as there is."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, base_url=project.url, locale="en-US", timezone_id="UTC"
    )
    context.set_default_timeout(_PATIENCE_MS)
    context.add_init_script("localStorage.setItem('dagster-nav-collapsed', 'true')")
    yield context.new_page()
    context.close()
