"""The charts of a month and of all months, as the UI shows them in both themes.

Runs after `test_a_day`, which counts stored months: here SPY is fetched, and records of many more are made.
"""

import re

import dagster as dg
import numpy as np
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.browser.ui import is_dark, picture, themed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

THEMES = ("light", "dark")
LISTED = {"AAPL": "2021-01", "AMZN": "2021-01", "ARM": "2023-09", "KO": "2021-06", "MSFT": "2022-01", "TSLA": "2021-03"}
RAW = dg.AssetKey("raw_1s")
TILES = [
    "months stored",
    "good",
    "provisional",
    "warned",
    "with errors",
    "failed",
    "missing",
    "queued or running",
    "unjudged",
    "newest month",
]


@pytest.fixture(scope="module")
def stored(project):
    """SPY 2024-01, whole and right."""
    assert project.materialize("SPY").succeeded


@pytest.fixture(scope="module")
def quality(project, stored):
    """The quality asset over SPY 2024-01 and records of months of other symbols, a few with faults."""
    chance = np.random.default_rng(4)
    with project.instance() as instance:
        for symbol, first in LISTED.items():
            for month in Month.parse(first).until(Month(2024, 1)):
                record(
                    instance,
                    f"{month}|{symbol}",
                    fault=chance.random() * 0.6,
                    occupancy=0.93 if symbol == "KO" else 1.0,
                )
    project.assess()


def record(instance, partition, *, fault, occupancy):
    """What a run records of a month and a check on it: a `fault` below 0.02 is an error, one below 0.06 a warning."""
    facts = {"occupancy": occupancy, "largest_gap_minutes": 0}
    instance.report_runless_asset_event(dg.AssetMaterialization(RAW, partition=partition, metadata=facts))
    wanted = dg.AssetRecordsFilter(RAW, asset_partitions=[partition])
    [made] = instance.fetch_materializations(wanted, limit=1).records
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=RAW,
            check_name="ohlc_order" if fault < 0.02 else "volume_traded",
            passed=fault >= 0.06,
            severity=dg.AssetCheckSeverity.ERROR if fault < 0.02 else dg.AssetCheckSeverity.WARN,
            partition=partition,
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
            ),
        )
    )


def shown(page, label):
    """The picture of a metadata entry, once it is shown."""
    row = page.get_by_role("row").filter(has_text=label).filter(has_text="[Show Markdown]").last
    row.get_by_text("[Show Markdown]").click()
    image = page.get_by_role("dialog").locator("img")
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 680
    return image


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("label", "alt"),
    [
        ("price and volume by session", "SPY 2024-01: 21 of 21 sessions, "),
        ("minutes with bars", "SPY 2024-01: a minute of regular hours has a bar in 100.0% of the sessions"),
    ],
)
def test_a_materialization_shows_its_month_in_pictures(page, stored, theme, label, alt):
    themed(page, theme)
    page.goto("/assets/raw_1s?view=partitions&partition=2024-01|SPY")

    image = shown(page, label)

    assert image.get_attribute("alt").startswith(alt)
    assert is_dark(page) is (theme == "dark")
    if (theme, label) == ("light", "price and volume by session"):
        picture(page, "prices", of=page.get_by_role("dialog"))


@pytest.mark.parametrize("theme", THEMES)
def test_the_quality_asset_shows_every_month_of_every_symbol_at_once_and_the_way_to_each(page, quality, theme):
    themed(page, theme)
    page.goto("/assets/quality/coverage?view=events")

    image = page.get_by_role("img", name=" symbols, 2021-01 to 2024-0")
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 680
    tiles = page.get_by_role("table").filter(has_text="months stored").first
    assert tiles.get_by_role("columnheader").all_inner_texts() == TILES
    assert is_dark(page) is (theme == "dark")
    page.get_by_text("Show more").click()
    if theme == "light":
        page.evaluate("document.querySelector('[class*=showMoreHandle]').remove()")  # it covers the last line
        picture(page, "heat-map", of=page.locator(".dagster-markdown").filter(has=image))
    page.get_by_role("link", name="✗ 20").first.click()
    page.wait_for_url(re.compile(r"/assets/raw_1s\?.*view=checks"))
    page.get_by_role("heading", name="raw_1s").or_(page.get_by_text("raw_1s", exact=True)).first.wait_for()
