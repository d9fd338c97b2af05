"""How far a run has come, in its log and in its tag, at moments of a clock moved by hand."""

import dagster as dg
import pytest

from mohlcv_dagster.defs.progress import RunProgress
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.providers.base import FetchProgress
from mohlcv_dagster_tests.defs.location import HandedVendor, location, run
from mohlcv_dagster_tests.defs.test_partition_loop import BROKEN, FIRST, THIRD, WHOLE

FILE = BarFile.parse("raw_1s/SPY/SPY_2024_03.csv")


class Stage:
    def __init__(self, months):
        self.now = 100.0
        self.lines = []
        self.figures = []
        self.progress = RunProgress("raw_1s", months, self.lines.append, self.figures.append, lambda: self.now)

    def fetch(self, seconds, windows, *, of=None):
        """A fetch in which so many windows, of all or of more to come, come evenly over so many seconds."""
        told = self.progress.fetching(FILE)
        for done in range(1, windows + 1):
            self.now += seconds / windows
            told(FetchProgress(done, of or windows, 1000 * done, 1_000_000 * done, done))


@pytest.mark.parametrize(("seconds", "lines"), [(4, 0), (60, 3), (600, 6), (1200, 7)])
def test_a_month_adds_a_handful_of_lines_however_long_it_takes(seconds, lines):
    stage = Stage(1)
    stage.fetch(seconds, 4 * seconds)

    assert len(stage.lines) == lines


def test_a_line_says_windows_bars_bytes_requests_and_seconds_left():
    stage = Stage(1)
    stage.fetch(60, 12)

    assert stage.lines[0] == "SPY 2024-03 1s: 1 of 12 windows, 1,000 bars, 1.0 MB in 1 request, about 55 s left"


def test_the_figure_says_which_month_of_how_many_and_how_long_the_rest_will_take():
    stage = Stage(12)
    for _ in range(2):
        stage.fetch(20, 10)
        stage.progress.finished(10_000)
    stage.fetch(10, 5, of=10)

    # two months and a half in 50 s: 9.5 more at 20 s each
    assert stage.progress.status == "raw_1s: month 3 of 12, 5 of 10 windows, 25,000 bars, 25.0 MB, about 3 min left"
    stage.progress.finished(5_000)
    # three in 50 s: 9 more at 16.7 s each
    assert stage.progress.summary == "3 of 12 months done, about 2 min left"


def test_months_that_are_tried_again_are_not_done_until_they_are():
    stage = Stage(3)
    stage.fetch(20, 10)
    stage.progress.finished(10_000)
    for _ in range(2):
        stage.progress.finished(None)
    assert stage.progress.summary == "1 of 3 months done, 2 failed"
    stage.progress.retry(2)

    # one of three in 20 s
    assert stage.progress.summary == "1 of 3 months done, about 40 s left"


def test_the_figure_is_written_every_five_seconds_at_most_and_at_the_end():
    stage = Stage(1)
    stage.fetch(60, 240)
    stage.progress.finished(240_000)
    stage.progress.end()

    assert len(stage.figures) == 13
    assert stage.figures[-1] == "raw_1s: 1 of 1 months, 240,000 bars, 240.0 MB, done in 60 s"


def test_a_quick_month_alone_has_no_figure_and_no_line():
    stage = Stage(1)
    stage.fetch(2, 54)
    stage.progress.finished(54_000)
    stage.progress.end()

    assert (stage.figures, stage.lines) == ([], [])


class Telling(HandedVendor):
    """Says at each window how far it has come, and looks at the run's tag afterwards."""

    def fetch_month(self, symbol, month, *, on_progress=None, **options):
        if on_progress is not None:
            for done in range(1, 55):
                on_progress(FetchProgress(done, 54, done, 100 * done, done))
        return super().fetch_month(symbol, month, **options)


def test_a_run_of_several_months_adds_one_event_a_month_and_says_in_its_tag_what_came_of_it(tmp_path, instance):
    result = run(location(tmp_path, Telling(WHOLE)), instance, FIRST, "raw_1s", until=THIRD)

    entries = [entry for entry in instance.all_logs(result.run_id) if entry.dagster_event is None]
    stored = [entry.user_message for entry in entries if "months done" in entry.user_message]
    assert [line.partition(", about")[0] for line in stored] == [
        "2024-01|SPY done, 1 of 3 months done",
        "2024-02|SPY done, 2 of 3 months done",
        "2024-03|SPY done, 3 of 3 months done",
    ]
    assert [entry for entry in entries if "windows" in entry.user_message] == []
    [run_now] = instance.get_runs(dg.RunsFilter(run_ids=[result.run_id]))
    assert run_now.tags["mohlcv/progress"].startswith("raw_1s: 3 of 3 months, 3 bars, 0.0 MB, done in ")


def test_a_month_that_failed_is_told_as_failed_and_not_as_done(tmp_path, instance):
    result = run(location(tmp_path, BROKEN), instance, FIRST, "raw_1s", until=THIRD, expect=False)

    lines = [entry.user_message for entry in instance.all_logs(result.run_id) if entry.dagster_event is None]
    assert lines[0].startswith("2024-01|SPY done, 1 of 3 months done, about ")
    assert lines[1].startswith("2024-02|SPY failed: nothing is made from raw_1s/SPY/SPY_2024_02.csv")
    assert lines[2] == "2024-03|SPY done, 2 of 3 months done, 1 failed"
    tag = instance.get_run_by_id(result.run_id).tags["mohlcv/progress"]
    assert tag.startswith("raw_1s: 2 of 3 months, 1 failed, 2 bars, done in ")
