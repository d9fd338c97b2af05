import re
from pathlib import Path

from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus


def row(symbol, month, **facts):
    return MonthQuality(symbol=symbol, month=Month.parse(month), **facts)


def test_the_worst_is_told_of_what_was_judged_alone():
    assert row("SPY", "2024-01", errors=1, warnings=1, judged=2).worst == "error"
    assert row("SPY", "2024-01", warnings=1, judged=2).worst == "warn"
    assert row("SPY", "2024-01", judged=2).worst == "ok"
    assert row("SPY", "2024-01", not_judged=2).worst is None


def test_months_are_ordered_by_symbol_or_by_what_needs_a_look_first():
    fine, sparse = row("A", "2024-01", judged=1, occupancy=1.0), row("A", "2024-02", judged=1, occupancy=0.5)
    unchecked, stale = row("B", "2024-01"), row("B", "2024-02", judged=1, stale=("x",))
    warns, fails = row("C", "2024-01", judged=1, warnings=3), row("C", "2024-02", judged=1, errors=1)

    failed, missing = row("D", "2024-01", status=MonthStatus.FAILED), row("D", "2024-02", status=MonthStatus.MISSING)
    partly = row("D", "2024-03", judged=8, not_judged=1, occupancy=0.4)

    worst = [failed, fails, warns, missing, stale, partly, unchecked, sparse, fine]
    assert quality_rows.worst_first(reversed(worst)) == worst
    assert quality_rows.by_symbol(worst) == [fine, sparse, unchecked, stale, warns, fails, failed, missing, partly]


def test_the_page_on_quality_tells_every_column_with_its_meaning():
    page = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page, re.MULTILINE)

    assert told == [(name, column.meaning) for name, column in quality_rows.COLUMNS.items()]
