"""What a newcomer sees in the UI, page by page; the pictures of the README are taken on the way.

In their order: the month that fails its check is made after the pages where all is well have been looked at.
"""

import csv
from pathlib import Path

import pytest

from mohlcv_dagster_tests.bars.clean_files import RAW_CHECKS
from mohlcv_dagster_tests.browser.conftest import picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AGGREGATES = ("15s", "30s", "1min")
MONTHS_OF_2024 = "[2024-01...2024-12]"


@pytest.fixture(scope="module")
def bad_bar(project):
    """A month of QQQ with one bar that the vendor got wrong: the bar, as text by column."""
    outcome = project.materialize("QQQ")
    assert not outcome.succeeded
    with Path(project.settings.data_dir, "raw_1s/QQQ/QQQ_2024_01.csv").open(newline="") as text:
        return next(row for row in csv.DictReader(text) if float(row["high"]) < float(row["low"]))


def shown(page, *texts):
    """Wait until each of these texts is seen, as the whole text of an element."""
    for text in texts:
        page.get_by_text(text, exact=True).first.wait_for()


def drag(page, right, down):
    """Move the graph, which is cut at the top, by some pixels."""
    page.mouse.move(300, 760)
    page.mouse.down()
    page.mouse.move(300 + right, 760 + down, steps=5)
    page.mouse.up()


def graph_of(page, *groups):
    """The lineage of all assets, with these groups unfolded."""
    page.goto("/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in groups))
    for group in ("raw", "aggregated"):
        # the first is in the list on the left, where groups stay folded; what follows is the graph
        page.get_by_text(group, exact=True).nth(1).wait_for(state="attached")


def test_the_first_visit_shows_the_product_and_no_dialog(page):
    page.goto("/")

    shown(page, "Timeline")
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("dialog").count() == 0
    assert page.request.post("/graphql", data={"query": "{shouldShowNux}"}).json() == {"data": {"shouldShowNux": False}}


def test_the_lineage_shows_raw_bars_and_three_aggregates_in_their_groups(page):
    graph_of(page)
    assert not any(page.get_by_text(name, exact=True).count() for name in ("raw_1s", *AGGREGATES))
    graph_of(page, "raw")
    shown(page, "raw_1s")
    assert not any(page.get_by_text(name, exact=True).count() for name in AGGREGATES)

    graph_of(page, "raw", "aggregated")

    shown(page, "raw_1s", *AGGREGATES, "25 / 25 Passed", "19 / 19 Passed")
    page.get_by_text("17 / 17 Passed").nth(1).wait_for()
    page.get_by_placeholder("Jump to…").locator("xpath=following::button[1]").click()
    drag(page, right=140, down=35)
    picture(page, "asset-graph")


def test_the_catalogue_tells_what_raw_bars_are_and_what_each_column_means(page):
    page.goto("/assets/raw_1s?view=overview")

    shown(page, "1-second OHLCV bars of one symbol in one UTC month, downloaded from Massive.com.")
    columns = {
        "ts_event": "start of the bar (inclusive), UTC, whole seconds",
        "open": "price of the first trade in the bar, US dollars a share",
        "high": "highest price traded in the bar, US dollars a share",
        "low": "lowest price traded in the bar, US dollars a share",
        "close": "price of the last trade in the bar, US dollars a share",
        "volume": "shares traded in the bar; whole numbers where every volume of the month is whole",
    }
    for name, meaning in columns.items():
        page.get_by_role("row").filter(has_text=name).filter(has_text=meaning).wait_for()
    shown(page, "raw", "market-data", "massive", "timeframe: 1s")


def test_the_partitions_are_months_by_symbols(page):
    page.goto("/assets/raw_1s?view=partitions&partition=2024-01|SPY")

    shown(page, "Materialized (1)", "2024-01|SPY", "2024-01", "2024-02", "SPY")
    for fact in ("vendor", "dagster/partition_row_count", "sha256", "first_bar"):
        shown(page, fact)


def test_the_launch_dialog_takes_a_range_of_months_and_symbols_and_adds_a_symbol(page):
    graph_of(page, "raw", "aggregated")
    shown(page, "25 / 25 Passed")
    page.get_by_text("17 / 17 Passed").nth(1).wait_for()
    page.get_by_text("Materialize all…").click()
    dialog = page.get_by_role("dialog")

    months = dialog.get_by_placeholder("2024-01, 2024-02")
    months.fill(MONTHS_OF_2024)
    months.press("Enter")
    dialog.get_by_text("All", exact=True).nth(1).click()
    shown(dialog, "12 partitions", "Backfill only failed and missing partitions within selection")
    picture(page, "launch")
    dialog.get_by_text("Add a partition", exact=True).click()
    shown(page, "Add a partition for symbol", "Partition name")


def test_a_check_that_fails_says_what_where_and_how_much_is_allowed(page, bad_bar):
    page.goto("/assets/raw_1s?view=checks")
    shown(page, *RAW_CHECKS)

    page.get_by_text("ohlc_order", exact=True).first.click()

    shown(page, "High is the highest and low the lowest of open, high, low and close. Threshold: 0 bars, no tolerance.")
    shown(page, "Failed", "2024-01|QQQ", "0 bars, no tolerance")
    page.get_by_text("bars has high below open, low or close, or low above open or close; first at").wait_for()
    offending = page.get_by_role("row").filter(has_text="first offending bars")
    shown(offending, *bad_bar.values())
    page.get_by_role("row").filter(has_text="offending bars1").first.wait_for()
    plot = page.locator("canvas").first
    plot.wait_for()
    page.get_by_text("Plots", exact=True).click()
    plot.wait_for(state="hidden")
    picture(page, "checks")


def test_the_partitions_of_a_check_show_which_month_of_which_symbol_fails(page, bad_bar):
    page.goto("/assets/raw_1s?view=checks&checkDetail=ohlc_order")

    # the first is the asset's, the second the check's
    page.get_by_role("tab", name="Partitions").nth(1).click()

    shown(page, "Failed (1)", "Passed (1)", "2024-01", "SPY", "QQQ")
