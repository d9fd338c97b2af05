"""What a user of the UI does and sees: pages, the launch dialog, pictures. No test.

Functions wait for what they name, not for a time; a picture waits until the page is idle.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

BARS = ("raw_1s", "15s", "30s", "1min")
ONLY_FAILED_AND_MISSING = "Backfill only failed and missing partitions within selection"

_PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_UPDATE = bool(os.environ.get("MOHLCV_UPDATE_PICTURES"))
_SHUT_NOTES = "document.querySelectorAll('button').forEach(each => each.innerText == 'OK' && each.click())"
"""Does not wait: a dialog that is about to close may be gone."""
_LAUNCH = re.compile(r"^Launch (backfill|1 run)$")
_IDLE_TIMEOUT = 5_000
"""Milliseconds."""
_CHOICE_TIMEOUT = 5_000
"""Milliseconds."""
RUN_ID = re.compile(r"^[0-9a-f]{8}$")


def picture(page, name, of=None):
    """Write what the page shows, or `of` it alone, to docs/pictures, when MOHLCV_UPDATE_PICTURES is set."""
    if _UPDATE:
        snapshot(page, _PICTURES / f"{name}.png", of)


def snapshot(page, path, of=None):
    """Write what the page shows, or `of` it alone, once it is idle; some pages never are."""
    page.mouse.move(0, 0)
    with suppress(_timeout_error()):
        page.wait_for_load_state("networkidle", timeout=_IDLE_TIMEOUT)
    (of or page).screenshot(path=path, animations="disabled")


def themed(page, theme):
    """Show the UI in a theme, `light` or `dark`, from the next page on, whatever the machine prefers."""
    page.add_init_script(f"localStorage.setItem('dagster-theme', JSON.stringify('{theme.capitalize()}'))")


def is_dark(page):
    """Whether the page's background is."""
    return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(part => part < 64)")


def shown(page, *texts):
    """Wait until each of these texts is shown, as the whole text of an element."""
    for text in texts:
        page.get_by_text(text, exact=True).first.wait_for()


def told(page, text):
    """Wait until this text, or pattern, is shown as part of an element."""
    page.get_by_text(text).first.wait_for()


def graph_of(page, *groups):
    """The lineage of all assets, with these groups expanded."""
    page.goto("/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in groups))
    for group in ("raw", "aggregated"):
        # the first is in the list on the left, where groups stay collapsed; the next is in the graph
        page.get_by_text(group, exact=True).nth(1).wait_for(state="attached")


def drag(page, right, down):
    """Move the graph, which is cut at the top, by some pixels."""
    page.mouse.move(300, 760)
    page.mouse.down()
    page.mouse.move(300 + right, 760 + down, steps=5)
    page.mouse.up()


def launch_dialog(page, months):
    """The dialog that materializes all assets, opened in the lineage, with a range of months entered."""
    graph_of(page, "raw", "aggregated")
    page.get_by_text("Materialize all…").click()
    dialog = page.get_by_role("dialog").first
    field = dialog.get_by_placeholder("2024-01, 2024-02")
    field.fill(months)
    field.press("Enter")
    return dialog


def add_symbol(page, dialog, symbol):
    """Add a symbol in the launch dialog; it is chosen when this returns."""
    # Dagster 1.13 selects the first symbol before it has read it back, and shows an error, sometimes twice;
    # on a busy machine it then forgets the choice, which a user makes again from the list
    hasty = page.get_by_text(f"Could not find partition: {symbol}")
    page.add_locator_handler(hasty, lambda: page.evaluate(_SHUT_NOTES), no_wait_after=True)
    dialog.get_by_text("Add a partition", exact=True).click()
    shown(page, "Add a partition for symbol")
    page.get_by_placeholder("name").fill(symbol)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Add a partition for symbol").wait_for(state="hidden")
    if not _is_chosen(dialog, symbol):
        choose_symbol(dialog, symbol)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    dialog.get_by_text("month", exact=True).click()


def choose_symbol(dialog, symbol):
    """Choose a symbol that is there already."""
    dialog.get_by_text("Select a partition or create one").click()
    dialog.get_by_text(symbol, exact=True).first.click()
    dialog.get_by_text("month", exact=True).click()
    _chosen(dialog, symbol).wait_for()


def _is_chosen(dialog, symbol):
    """Whether the dialog chooses the symbol by itself within some seconds."""
    with suppress(_timeout_error()):
        _chosen(dialog, symbol).wait_for(timeout=_CHOICE_TIMEOUT)
        return True
    return False


def _timeout_error():
    from playwright.sync_api import TimeoutError as NotShown  # noqa: PLC0415 - the tests skip where it is not installed

    return NotShown


def _chosen(dialog, symbol):
    return dialog.locator("[class*=TagSelector_tagsContainer]").get_by_text(symbol, exact=True).first


def launch(page, dialog):
    """Launch by the dialog, and open the run or backfill."""
    dialog.get_by_role("button", name=_LAUNCH).click()
    page.get_by_text("View", exact=True).click()
    page.wait_for_url(re.compile(r"/runs/.+"))


def backfill_ends(page, status):
    """Wait until the backfill on the page has ended for all five assets, in this status."""
    page.get_by_text("100% completed").nth(4).wait_for()
    page.get_by_text("Status", exact=True).locator("xpath=..").get_by_text(status, exact=True).wait_for()


def partitions_in_backfill(page, asset):
    """What the page of a backfill counts of an asset: targeted, in progress, succeeded, failed."""
    row = page.get_by_text(asset, exact=True).locator("xpath=ancestor::*[count(*) = 5][1]")
    return tuple(int(figure) for figure in row.inner_text().split()[-4:])


def open_first_run(page):
    """From the page of a backfill to the first run of it."""
    page.get_by_role("tab", name="Runs").click()
    page.locator("a", has_text=RUN_ID).last.click()
    shown(page, "Hide not started steps")


def open_launchpad(page, job):
    """Open the launchpad of a job, once it shows all defaults."""
    page.goto("/jobs")
    page.get_by_text(job, exact=True).first.click()
    page.get_by_role("tab", name="Launchpad").click()
    page.get_by_text("All defaults expanded").wait_for()


def type_config(page, text):
    """Replace the config in the launchpad."""
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(text)
    page.get_by_text("No errors", exact=True).wait_for()


def launch_from_launchpad(page):
    """Launch the job, and wait until its run has succeeded."""
    page.get_by_role("button", name="Launch Run").click()
    run_ends(page, "Success")


def run_ends(page, status):
    """Wait until the run on the page has ended so."""
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    shown(page, status)


def filter_log(page, text):
    """Filter a run's log by this text."""
    page.get_by_placeholder("Filter…").fill(text)
