"""What the page of `quality/coverage` shows first, as Markdown: counts, the heat map, and ways to what needs a look.

Dagster's UI shows the description of an event on the asset's page at once, where it hides longer metadata behind a
link; a materialization of an asset has no description, so the step adds an observation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final
from urllib.parse import quote

from mohlcv_dagster.charts import heat_map
from mohlcv_dagster.charts.heat_map import Level
from mohlcv_dagster.defs.partitions import partition_key
from mohlcv_dagster.defs.quality_rows import CheckedAssets, QualityRow
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import quality_rows

MOST_LINKS: Final = 60
"""Months that are linked at the most: the text stays in the event log for ever."""
_PARTITIONS: Final = "/assets/raw_1s?view=partitions"
_GOOD: Final = frozenset({Level.FULL, Level.PARTLY, Level.SPARSE, Level.UNMEASURED})
_TILES: Final = (
    ("good", "✓", _GOOD),
    ("provisional", "…", frozenset({Level.PROVISIONAL})),
    ("warned", "!", frozenset({Level.WARNING})),
    ("with errors", "✗", frozenset({Level.ERROR})),
    ("failed", "✗", frozenset({Level.FAILED})),
    ("missing", "∅", frozenset({Level.MISSING})),
    ("queued or running", "≡", frozenset({Level.IN_PROGRESS})),
    ("unjudged", "?", frozenset({Level.NOT_CHECKED})),
)
"""The name, the mark and the levels of each count; every month is in one of them."""
_MARKS: Final = {level: mark for _, mark, levels in _TILES for level in levels}


def overview(months: Sequence[QualityRow], checked: CheckedAssets) -> str:
    """The page of all these months, in order of symbol and month."""
    levels = [heat_map.level_of(each.quality) for each in months]
    drawn = {(row.quality.symbol, row.quality.month): level for row, level in zip(months, levels, strict=True)}
    return "\n\n".join([_tiles(months, levels), heat_map.draw(drawn).markdown, *_ways(months, checked)])


def _tiles(months: Sequence[QualityRow], levels: Sequence[Level]) -> str:
    """The counts as a table of one row."""
    count = Counter(levels)
    stored = [each.quality.month for each in months if each.event is not None]
    cells = {"months stored": f"**{len(stored):,}**"}
    cells |= {name: f"{mark} {sum(count[each] for each in of):,}" for name, mark, of in _TILES}
    cells["newest month"] = str(max(stored)) if stored else "none"
    rows = (cells.keys(), ["---"] * len(cells), cells.values())
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _ways(months: Sequence[QualityRow], checked: CheckedAssets) -> Iterable[str]:
    """A line for each symbol with a link for each of its months, or of many months for those that need a look."""
    if not months:
        yield "Nothing is stored yet: [launch the first month](/asset-groups)."
        return
    named = months if len(months) <= MOST_LINKS else _needing_a_look(months)
    yield "Each month leads to its run, its check or its file."
    yield "\n".join(
        f"- **{symbol}** {' · '.join(_link(row, checked) for row in rows)}"
        for symbol, rows in groupby(named, key=lambda row: row.quality.symbol)
    )
    if left_out := len(months) - len(named):
        yield f"{quantity(left_out, 'more month')}, none of them worse: [by month and symbol]({_PARTITIONS})."


def _needing_a_look(months: Sequence[QualityRow]) -> list[QualityRow]:
    """The worst of those that are not good, in order of symbol and month."""
    by_place = {(each.quality.symbol, each.quality.month): each for each in months}
    bad = (each.quality for each in months if heat_map.level_of(each.quality) not in _GOOD)
    worst = quality_rows.worst_first(bad)[:MOST_LINKS]
    return [by_place[each.symbol, each.month] for each in quality_rows.by_symbol(worst)]


def _link(row: QualityRow, checked: CheckedAssets) -> str:
    mark = _MARKS[heat_map.level_of(row.quality)]
    return f"[{mark} {row.quality.month}]({_address(row, checked)})"


def _address(row: QualityRow, checked: CheckedAssets) -> str:
    """The page of the run that did not make the month; else of the first failing check; else of the month's file."""
    if row.run_id:
        return f"/runs/{row.run_id}"
    if row.quality.failing:
        asset, _, rule = row.quality.failing[0].partition(": ")
        return f"/assets/{asset}?view=checks&checkDetail={checked.check_of(asset, rule)}"
    partition = quote(partition_key(row.quality.symbol, row.quality.month), safe="")
    return f"{_PARTITIONS}&partition={partition}"
