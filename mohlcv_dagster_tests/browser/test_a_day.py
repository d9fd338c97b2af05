"""A user's day with the UI, from the first visit until all months are green; it makes README's pictures.

Each test is a step that continues from the one before. A picture of each is saved in the temporary folder of the tests
(`--basetemp` chooses it), numbered in their order.
"""

import csv
import re
from pathlib import Path

import pytest

from mohlcv_dagster_tests.browser import ui
from mohlcv_dagster_tests.browser.conftest import visitor
from mohlcv_dagster_tests.browser.ui import shown, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("steps_before")]

COLUMNS = {
    "ts_event": "start of the bar (inclusive), UTC, whole seconds",
    "open": "price of the first trade in the bar, US dollars a share",
    "high": "highest price traded in the bar, US dollars a share",
    "low": "lowest price traded in the bar, US dollars a share",
    "close": "price of the last trade in the bar, US dollars a share",
    "volume": "shares traded in the bar; whole numbers where every volume of the month is whole",
}
SYMBOL = "MMM"
QUIET = "HD"
SLOW, ABSENT, BROKEN = "2024-02", "2024-04", "2024-05"


@pytest.fixture(scope="module")
def page(chromium, project):
    """The browser of the day."""
    with visitor(chromium, project) as page:
        yield page


def bad_bar(project):
    """The bar that is wrong, as text by column."""
    file = Path(project.settings.data_dir, f"raw_1s/{SYMBOL}/{SYMBOL}_{BROKEN.replace('-', '_')}.csv")
    with file.open(newline="") as text:
        return next(row for row in csv.DictReader(text) if float(row["high"]) < float(row["low"]))


def test_the_first_visit_shows_the_product_and_no_dialog(page, album):
    page.goto("/")

    shown(page, "Timeline", "Materialize an asset")
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("dialog").count() == 0
    assert page.request.post("/graphql", data={"query": "{shouldShowNux}"}).json() == {"data": {"shouldShowNux": False}}
    album("first-visit")


def test_the_catalogue_lists_each_asset(page, album):
    page.goto("/assets")

    shown(page, "raw_1s", "aggregated / 15s", "aggregated / 30s", "aggregated / 1min", "quality / coverage")
    shown(page, "raw", "aggregated", "quality", "massive")
    album("catalogue")


def test_the_page_of_raw_bars_describes_them_and_each_column(page, album):
    page.get_by_text("raw_1s", exact=True).first.click()

    shown(page, "1-second OHLCV bars of one symbol in one UTC month.")
    told(page, "in editor")
    for name, meaning in COLUMNS.items():
        page.get_by_role("row").filter(has_text=name).filter(has_text=meaning).filter(has_text="unit: ").wait_for()
    shown(page, "raw", "market-data", "massive", "timeframe: 1s")
    album("raw_1s")


def test_the_lineage_collapses_raw_bars_and_three_aggregates_into_their_groups(page):
    ui.graph_of(page)
    assert not any(page.get_by_text(name, exact=True).count() for name in ui.BARS)
    ui.graph_of(page, "raw")
    shown(page, "raw_1s")
    assert not any(page.get_by_text(name, exact=True).count() for name in ui.BARS[1:])
    ui.graph_of(page, "raw", "aggregated")
    shown(page, *ui.BARS)


def test_the_launch_dialog_adds_a_symbol_takes_a_range_of_months_and_launches(page, project, album):
    project.vendor.inject(f"drip:symbol={SYMBOL},month={SLOW},timespan=second,seconds=7")
    dialog = ui.launch_dialog(page, f"[2024-01...{SLOW}]")

    ui.add_symbol(page, dialog, SYMBOL)

    shown(dialog, "2 partitions", ui.ONLY_FAILED_AND_MISSING)
    album("launch")
    ui.launch(page, dialog)
    shown(page, f"2024-01|{SYMBOL}", f"{SLOW}|{SYMBOL}", "Partitions targeted")
    album("backfill-under-way")


def test_a_run_reports_its_progress(page, album):
    backfill = page.url
    ui.open_first_run(page)
    ui.filter_log(page, "windows")

    told(page, re.compile(r"\d+ of \d+ windows, [\d,]+ bars, [\d.]+ MB"))
    album("run-under-way")
    page.goto(backfill)
    ui.backfill_ends(page, "Succeeded")
    album("backfill-done")


def test_the_lineage_is_green(page, album):
    ui.graph_of(page, "raw", "aggregated")

    shown(page, "5 / 5 Passed", "3 / 3 Passed")
    page.get_by_text("2 / 2 Passed").nth(1).wait_for()
    page.get_by_placeholder("Jump to…").locator("xpath=following::button[1]").click()
    ui.drag(page, right=140, down=35)
    ui.picture(page, "asset-graph")
    album("lineage")


def test_the_partitions_are_months_by_symbols(page, project, album):
    page.goto(f"/assets/raw_1s?view=partitions&partition=2024-01|{SYMBOL}")

    shown(page, "Materialized (2)", f"2024-01|{SYMBOL}", "2024-01", "2024-02", SYMBOL)
    shown(page, "vendor", "dagster/partition_row_count", "sha256", "first_bar")
    shown(page, f"file://{project.settings.data_dir}/raw_1s/{SYMBOL}/{SYMBOL}_2024_01.csv")
    album("partition")


def test_a_backfill_stores_what_it_could_fetch_and_says_what_it_could_not(page, project, album):
    project.vendor.inject(f"not-found:symbol={SYMBOL},month={ABSENT},on=bars")
    project.vendor.inject(f"bad-bar:symbol={SYMBOL},month={BROKEN},timespan=second")
    dialog = ui.launch_dialog(page, "[2024-03...2024-06]")
    ui.choose_symbol(dialog, SYMBOL)
    shown(dialog, "4 partitions")
    ui.picture(page, "launch")

    ui.launch(page, dialog)

    ui.backfill_ends(page, "Failed")
    assert ui.partitions_in_backfill(page, "raw_1s") == (4, 0, 3, 1)
    album("backfill-failed")
    ui.open_first_run(page)
    ui.filter_log(page, "failed:")
    told(page, f"{ABSENT}|{SYMBOL} failed: the vendor answered 404: 'Data not found.'. Asking again will not help")
    album("run-failed")


def test_only_failed_and_missing_resumes_a_failed_backfill(page, project, album):
    project.vendor.clear()
    project.vendor.inject(f"bad-bar:symbol={SYMBOL},month={BROKEN},timespan=second")
    dialog = ui.launch_dialog(page, "[2024-01...2024-06]")
    ui.choose_symbol(dialog, SYMBOL)
    shown(dialog, "6 partitions")

    dialog.get_by_text(ui.ONLY_FAILED_AND_MISSING).click()

    shown(dialog, "2 partitions")  # the month that is absent, and the one of which no aggregate could be made
    album("launch-failed-and-missing")
    ui.launch(page, dialog)
    ui.backfill_ends(page, "Failed")
    album("backfill-resumed")
    ui.open_first_run(page)
    ui.filter_log(page, "ohlc_order")
    told(page, f"{BROKEN}|{SYMBOL}")
    album("run-resumed")


def test_the_checks_tab_shows_which_check_fails(page, album):
    page.goto("/assets/raw_1s?view=checks")
    shown(page, "Checks (5)", "intact", "valid", "complete", "plausible", "current")

    page.get_by_text("valid", exact=True).first.click()

    shown(page, "Is every bar a bar?", "ohlc_order")
    told(page, "High is the highest and low the lowest of open, high, low and close. Allowed: 0 bars, no tolerance.")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")  # all checks fit on the screen
    album("checks")


def test_the_partitions_of_a_check_show_which_month_of_which_symbol_fails(page, album):
    # the first is the asset's, the second the check's
    page.get_by_role("tab", name="Partitions").nth(1).click()
    shown(page, "Failed (1)", "Passed (5)")

    page.get_by_placeholder("Filter by month…").fill(BROKEN)
    page.get_by_text(BROKEN, exact=True).first.click()
    page.get_by_text(SYMBOL, exact=True).first.click()

    shown(page, f"{BROKEN}|{SYMBOL}")
    album("check-partition")
    ui.picture(page, "checks")


def test_a_check_that_fails_says_what_where_how_much_is_allowed_and_what_to_do(page, project, album):
    shown(page, "Failed", "0 bars, no tolerance")
    told(
        page,
        re.compile(r"^ohlc_order: 1 of [\d,]+ bars has high below open, low or close, or low above open or close;"),
    )
    told(page, f"Re-materialize raw_1s for {SYMBOL} {BROKEN}; if it stays, report the request")
    shown(page.get_by_role("row").filter(has_text="the first offending bars of ohlc_order"), *bad_bar(project).values())
    for rule, result in (("ohlc_order", "error"), ("rising_time", "passed"), ("volume_traded", "passed")):
        page.get_by_role("row").filter(has_text=rule).filter(has_text=result).first.wait_for()


def test_a_broken_month_that_is_materialized_again_passes(page, project, album):
    project.vendor.clear()
    dialog = ui.launch_dialog(page, BROKEN)
    ui.choose_symbol(dialog, SYMBOL)

    ui.launch(page, dialog)

    ui.run_ends(page, "Success")
    album("run-of-one-month")
    page.goto("/assets/raw_1s?view=checks&checkDetail=valid")
    page.get_by_role("tab", name="Partitions").nth(1).click()
    shown(page, "Failed (0)", "Passed (6)")


def test_a_job_checks_a_range_again_and_what_failed_runs_left_unchecked(page, album):
    ui.open_launchpad(page, "re_verify_a_range")
    ui.type_config(page, f"symbols: [{SYMBOL}]\nlast_month: 2024-06\nask_the_vendor: true\n")
    album("launchpad-re-verify")

    ui.launch_from_launchpad(page)

    ui.filter_log(page, "stored files")  # a long log is in the page only in part
    told(page, re.compile(r"\d+ stored files, \d+ checks: 0 failed with an error"))
    album("run-of-re-verify")
    ui.graph_of(page, "raw", "aggregated")
    shown(page, "3 / 3 Passed")
    page.get_by_text("2 / 2 Passed").nth(1).wait_for()
    album("lineage-at-last")


def test_a_job_backfills_a_symbol(page, album):
    ui.open_launchpad(page, "backfill_a_symbol")
    shown(page, "No errors")
    ui.type_config(page, f"symbol: {QUIET}\nfirst_month: 2024-01\nlast_month: 2024-03\n")
    album("launchpad-backfill")

    ui.launch_from_launchpad(page)

    page.goto(page.locator("a", has_text=re.compile(r"^/runs/b/\w+$")).first.get_attribute("href"))
    page.get_by_text("100% completed").nth(3).wait_for()
    assert [ui.partitions_in_backfill(page, asset) for asset in ("raw_1s", "aggregated / 1min")] == [(3, 0, 3, 0)] * 2
    album("backfill-by-job")


@pytest.mark.parametrize(("tag", "runs"), [(f"mohlcv/symbol={QUIET}", 2), (f"mohlcv/month={BROKEN}", 1)])
def test_runs_are_found_by_symbol_and_by_month(page, album, tag, runs):
    page.goto(f"/runs?q[0]=tag:{tag}")
    page.get_by_text("Show runs within backfills").click()

    page.locator("a", has_text=ui.RUN_ID).nth(runs - 1).wait_for()
    assert page.locator("a", has_text=ui.RUN_ID).count() == runs
    album("runs-by-tag")
    page.get_by_text("Show runs within backfills").click()


def test_a_run_of_the_command_looks_like_one_of_the_ui(page, project, album):
    assert project.materialize(QUIET).succeeded
    page.goto(f"/runs?q[0]=tag:mohlcv/symbol={QUIET}")

    # the second is in the column of targets, where names are shortened to its width and whole ones are hidden
    page.get_by_text(f"partition: 2024-01|{QUIET}", exact=True).nth(1).wait_for()
    page.get_by_text("aggregated / 15s", exact=True).first.wait_for(state="attached")
    album("runs-of-the-command")
    page.goto("/overview/timeline")
    shown(page, "mohlcv_dagster.definitions", "Jobless asset materializations")
    album("timeline")


def test_the_dark_theme_is_readable(page, album):
    ui.themed(page, "dark")
    for name, url in {
        "raw_1s": "/assets/raw_1s",
        "partition": f"/assets/raw_1s?view=partitions&partition={BROKEN}|{SYMBOL}",
        "checks": "/assets/raw_1s?view=checks&checkDetail=current",
    }.items():
        page.goto(url)
        shown(page, "raw_1s")
        album(f"dark-{name}")
        assert ui.is_dark(page)
