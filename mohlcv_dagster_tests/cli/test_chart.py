import json

import pytest

from mohlcv_dagster.cli import chart
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.validation.test_validation import SPY

CROOKED = WHOLE.replace(b"475.32,475.45", b"475.32,470.45", 1)  # its high is below its open


@pytest.fixture
def stored(project):
    Archive(project / "data").write(SPY, CROOKED)


@pytest.mark.usefixtures("stored")
def test_a_month_is_drawn_with_what_the_checks_found(mohlcv, project):
    said = mohlcv("chart", "SPY", "2024-01")
    page = (project / "SPY_2024-01_1min.html").read_text()

    assert said.code == 0
    assert "✓ SPY_2024-01_1min.html:" in said.out
    assert "<b>ohlc_order</b>: 1 of" in page
    assert "ohlc_order (1)" in page
    assert not (project / ".mohlcv").exists()


@pytest.mark.usefixtures("stored")
def test_a_day_is_drawn_at_one_second_and_told_as_json(mohlcv, project):
    words = ("--day", "2024-01-02", "--timeframe", "1s", "--output", "day.html", "--json")
    told = json.loads(mohlcv("chart", "SPY", "2024-01", *words).out)

    assert (told["day"], told["timeframe"], told["output"]) == ("2024-01-02", "1s", "day.html")
    assert "ohlc_order" in {each["rule"] for each in told["findings"]}
    assert (project / "day.html").exists()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("SPY", "2024-02"), 1, "SPY 2024-02 is not stored"),
        (("QQQ", "2024-01"), 1, "No raw file of QQQ is stored in"),
        (("SPY", "2024-01", "--day", "2024-02-01"), 2, "--day 2024-02-01 is not in 2024-01"),
        (("SPY", "2024-01", "--day", "soon"), 2, "--day soon is not a date; write one as 2024-01-17"),
        (("SPY", "2024-01", "--day", "2024-01-31"), 2, "SPY 2024-01-31 has no bar to draw"),
        (("SPY", "2024-01", "--timeframe", "7s"), 2, "'7s' is not offered"),
        (("SPY", "2024-01", "--output", "data"), 2, "--output data cannot be written: it is a folder"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(mohlcv, project, words, code, told):
    said = mohlcv("chart", *words)

    assert (said.code, told in said.err) == (code, True), said.err
    assert not list(project.glob("*.html"))


@pytest.mark.usefixtures("stored")
def test_more_candles_than_a_browser_draws_are_refused_with_the_cure(mohlcv, monkeypatch):
    monkeypatch.setattr("mohlcv_dagster.charts.candle_page.MOST_CANDLES", 2)
    said = mohlcv("chart", "SPY", "2024-01", "--timeframe", "1s")

    assert said.code == 2
    assert "and a page holds 2: name a --day, or a longer --timeframe" in said.err


@pytest.mark.usefixtures("stored")
def test_without_the_library_one_line_says_how_to_install_it(mohlcv, monkeypatch):
    monkeypatch.setattr(chart, "find_spec", lambda _: None)
    said = mohlcv("chart", "SPY", "2024-01")

    assert (said.code, said.err) == (
        2,
        "mohlcv: charts are drawn by plotly, which is not installed: uv sync --extra chart\n",
    )
