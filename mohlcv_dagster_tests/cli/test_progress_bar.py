from io import StringIO

import pytest
from rich.console import Console

from mohlcv_dagster.cli.progress_bar import ProgressBar, short
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.providers.base import FetchProgress

SPY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")


class Clock:
    """Stands still until it is told the time."""

    now = 0.0

    def __call__(self):
        return self.now


def shown(*, terminal, months=2):
    clock, screen = Clock(), StringIO()
    bar = ProgressBar(Console(file=screen, force_terminal=terminal, width=80), months, clock)
    with bar.shown(), bar.month("SPY 2024-01"):
        clock.now = 10.0
        bar.fetched(SPY, FetchProgress(windows_done=25, windows=50, bars=400_000, bytes=1, requests=25))
        bar._progress.refresh()
    return screen.getvalue()


def test_the_line_has_the_month_the_bars_the_rate_and_the_time_left_of_all_months():
    # half a month in 10 s; a month and a half to go
    assert "SPY 2024-01 " in shown(terminal=True)
    assert "1/2 400k bars 40k/s 30 s left" in shown(terminal=True)


def test_nothing_is_shown_where_there_is_no_terminal():
    assert shown(terminal=False) == ""


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (950, "950"), (1000, "1k"), (209_600, "210k"), (1.25e6, "1.2M")])
def test_counts_are_short(count, text):
    assert short(count) == text
