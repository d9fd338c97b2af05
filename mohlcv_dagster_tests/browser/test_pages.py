"""The pages that commands write, opened from the disk in a real browser."""

import pytest

from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.cli.conftest import mohlcv, project  # noqa: F401 - fixtures
from mohlcv_dagster_tests.validation.test_validation import SPY

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(chromium, tmp_path):
    """Open a file; the network is away, and an error of a script fails the test."""
    context = chromium.new_context(offline=True)
    errors = []

    def open_file(path):
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_file
    context.close()
    assert errors == []


def test_a_chart_is_drawn_without_a_network(mohlcv, tmp_path, opened):  # noqa: F811 - as above
    Archive(tmp_path / "data").write(SPY, WHOLE.replace(b"475.32,475.45", b"475.32,470.45", 1))
    assert mohlcv("chart", "SPY", "2024-01").code == 0
    page = opened(tmp_path / "SPY_2024-01_1min.html")

    page.wait_for_selector(".cartesianlayer .trace.boxes path")  # the candles
    assert page.locator(".cartesianlayer .barlayer .point").count() > 0  # the volume
    page.locator(".legendtext", has_text="ohlc_order (1)").wait_for()
    assert page.locator(".scatterlayer .point").count() > 0
    assert page.locator("li.error", has_text="ohlc_order").count() == 1


def test_the_report_of_a_validation_is_searched_without_a_network(mohlcv, tmp_path, opened):  # noqa: F811 - as above
    archive = Archive(tmp_path / "data")
    archive.write(SPY, WHOLE)
    archive.write(BarFile.parse("raw_1s/QQQ/QQQ_2024_01.csv"), WHOLE.replace(b"475.32,475.45", b"475.32,470.45", 1))
    mohlcv("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s", "--report", "report.html")
    page = opened(tmp_path / "report.html")

    assert page.locator("tr.found td:first-child").all_inner_texts() == ["QQQ", "SPY"]  # errors first
    page.fill("#search", "ohlc_order")
    assert page.locator("tr.found:visible td:first-child").all_inner_texts() == ["QQQ"]
    assert page.locator("section.found:visible").count() == 1
    assert page.locator("#found").inner_text() == "1 found"
    page.fill("#search", "")
    page.click('.map a[title="QQQ 2024-01: error"]')
    assert page.url.endswith("#QQQ-2024-01")
