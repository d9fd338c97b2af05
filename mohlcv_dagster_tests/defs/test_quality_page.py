"""What the page of quality/coverage shows first: counts, the heat map, and the way to each month."""

import re

import dagster as dg
import pytest

from mohlcv_dagster.charts.heat_map import Level
from mohlcv_dagster.defs import quality_page
from mohlcv_dagster.defs.quality_rows import CheckedAssets, QualityRow
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus
from mohlcv_dagster_tests.charts.drawn import Drawn

RUN = "0b1d6f0a-0000-4000-8000-000000000000"
VALID = dg.AssetCheckKey(dg.AssetKey("raw_1s"), "valid")
CHECKED = CheckedAssets((), {VALID: ("ohlc_order", "volume_traded")})
GOOD = {"judged": 12, "occupancy": 1.0, "state": "settled"}


def row(symbol, month, *, run="", stored=True, **facts):
    quality = MonthQuality(symbol=symbol, month=Month.parse(month), **facts)
    return QualityRow(quality, None, measured=True, event=1 if stored else None, run_id=run)


def links(page):
    return dict(re.findall(r"(?<!!)\[([^\[\]]* [\d-]{7})\]\(([^)]+)\)", page))


ROWS = [
    row("AAPL", "2024-01", **GOOD),
    row("AAPL", "2024-02", **{**GOOD, "state": "provisional"}),
    row("BRK.B", "2024-03", **GOOD, errors=1, failing=("raw_1s: ohlc_order",)),
    row("BRK.B", "2024-04", **GOOD, warnings=1, failing=("raw_1s: volume_traded",)),
    row("MSFT", "2024-01", run=RUN, status=MonthStatus.FAILED, stored=False),
    row("MSFT", "2024-02", run=RUN, status=MonthStatus.MISSING, stored=False),
    row("MSFT", "2024-03", run=RUN, status=MonthStatus.IN_PROGRESS, stored=False),
    row("MSFT", "2024-05", not_judged=3),
]


def test_each_month_is_counted_once_and_no_two_counts_are_told_apart_by_colour_alone():
    head, _, counts = quality_page.overview(ROWS, CHECKED).splitlines()[:3]

    assert head.strip("| ").split(" | ") == [
        "months stored", "good", "provisional", "warned", "with errors", "failed", "missing", "queued or running",
        "unjudged", "newest month",
    ]  # fmt: skip
    assert counts.strip("| ").split(" | ") == [
        "**5**", "✓ 1", "… 1", "! 1", "✗ 1", "✗ 1", "∅ 1", "≡ 1", "? 1", "2024-05"
    ]  # fmt: skip


def test_every_level_of_the_heat_map_is_counted():
    counted = [level for _, _, levels in quality_page._TILES for level in levels]

    assert sorted(counted) == [level for level in Level if level is not Level.ABSENT]


@pytest.mark.parametrize(
    ("month", "address"),
    [
        ("✓ 2024-01", "/assets/raw_1s?view=partitions&partition=2024-01%7CAAPL"),
        ("… 2024-02", "/assets/raw_1s?view=partitions&partition=2024-02%7CAAPL"),
        ("✗ 2024-03", "/assets/raw_1s?view=checks&checkDetail=valid"),
        ("! 2024-04", "/assets/raw_1s?view=checks&checkDetail=valid"),
        ("✗ 2024-01", f"/runs/{RUN}"),
        ("∅ 2024-02", f"/runs/{RUN}"),
        ("≡ 2024-03", f"/runs/{RUN}"),
        ("? 2024-05", "/assets/raw_1s?view=partitions&partition=2024-05%7CMSFT"),
    ],
)
def test_a_month_leads_to_its_run_its_check_or_its_file(month, address):
    assert links(quality_page.overview(ROWS, CHECKED))[month] == address


def test_the_heat_map_is_in_the_page_itself():
    page = quality_page.overview(ROWS, CHECKED)

    assert Drawn(page).alt.startswith("3 symbols, 2024-01 to 2024-05: 8 months, 1 pass every check, ")
    assert Drawn(page).alt.endswith(" 1 queued or running, 1 provisional")


def test_of_many_months_the_worst_are_linked_and_the_others_counted():
    months = list(Month(2010, 1).until(Month(2019, 12)))
    rows = [row("SPY", str(month), **GOOD, warnings=int(month.year > 2012)) for month in months[:-1]]
    rows.append(row("SPY", str(months[-1]), **GOOD, errors=1, failing=("raw_1s: ohlc_order",)))

    page = quality_page.overview(rows, CHECKED)

    assert len(links(page)) == 60
    assert "✗ 2019-12" in links(page)
    assert not any(month.startswith("✓") for month in links(page))
    assert "60 more months, none of them worse: [by month and symbol](/assets/raw_1s?view=partitions)." in page
    assert len(page) < 20_000
