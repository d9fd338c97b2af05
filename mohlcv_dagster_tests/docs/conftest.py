"""A reader's project with a small archive, shared by the tests of a module: what one page makes, the next ones find."""

import os
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from mohlcv_dagster import cli
from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.cli import dagster_home, runs
from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs.quality_asset import KEY
from mohlcv_dagster.model import bar_files, exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster.sandbox.synthetic_market import SandboxListing

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
EXAMPLES = Path(__file__).parents[2] / "docs/examples"

STORED = (Month(2024, 1), Month(2024, 2))
"""The months of SPY in the archive."""
FRACTIONAL_FROM = date(2024, 2, 1)
"""From here on volumes have fractions, so that several months have both types."""


class QuietMarket:
    """Every symbol has two bars in each half hour of regular hours, in every session."""

    def days(self, symbol, first, last):
        return [session.date for session in exchange_calendar.sessions_between(first, last)]

    def listing(self, symbol):
        return SandboxListing(symbol, 1.0, 100.0)

    def bars(self, symbol, day, timeframe, *, adjusted):
        [session] = exchange_calendar.sessions_between(day, day)
        opens, closes = (int(moment.timestamp()) for moment in (session.regular_open, session.regular_close))
        half_hours = np.arange(opens, closes, 1800)
        starts = np.sort(np.concatenate([half_hours + 17, half_hours + 37 + half_hours // 1800 % 7]))
        prices = dict.fromkeys(bar_files.PRICES, self.prices(symbol, day, starts))
        seconds = bar_table.from_arrays(starts, prices, self.volumes(day, starts))
        return seconds if timeframe == RAW else resample.resample(seconds, timeframe)

    def prices(self, symbol, day, starts):
        """The price of each bar."""
        return 100.0 + day.day / 4 + starts // 1800 % 7

    def volumes(self, day, starts):
        """The volume of each bar."""
        return 100 + starts // 1800 % 5 + (0.5 if day >= FRACTIONAL_FROM else 0)


@dataclass(frozen=True)
class Project:
    """A project's folder, and the variables with which its commands use the sandbox."""

    folder: Path
    variables: dict[str, str]

    def call(self, words):
        """Run a command of ours in this process; its exit code."""
        with self.entered(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", list(words))
            with pytest.raises(SystemExit) as exited:
                cli.main()
        return exited.value.code

    @contextmanager
    def entered(self):
        """The folder as working folder and the variables in the environment, for the block."""
        with mock.patch.dict(os.environ, self.variables), chdir(self.folder), pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(EXAMPLES)  # as if they had been copied into the folder
            yield

    def fill(self):
        """Materialize the months of SPY, their aggregates and the table of quality, checks included."""
        (self.folder / "watchlist.txt").write_text("SPY\nQQQ\n")
        with self.entered():
            home = Home.real(self.folder).prepare()
            settings = home.settings()
            definitions = build(settings)
            with dagster_home.open_instance() as instance:
                for month in STORED:
                    timeframes = [RAW, *settings.timeframes]
                    outcome = runs.materialize(definitions, instance, BarFile("SPY", RAW, month), timeframes)
                    assert outcome.succeeded, outcome.reasons
                job = definitions.resolve_implicit_global_asset_job_def()
                done = job.execute_in_process(instance=instance, asset_selection=[KEY], run_config=QUIET)
                assert done.success


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a small archive, and the sandbox as vendor."""
    with Sandbox(QuietMarket()) as sandbox:
        variables = {"MASSIVE_BASE_URL": sandbox.url, "MASSIVE_API_KEY": "sandbox", "MOHLCV_PARQUET": "true"}
        made = Project(tmp_path_factory.mktemp("project"), variables)
        made.fill()
        yield made
