"""The heat map: symbols down, months across, each month drawn by its worst known result.

Levels differ in shape too, for readers who see no colours: a month that passes is a full cell, a warning its lower
half, an error three bars, a failed run two; a month that was not checked is two thin lines, a missing one is one line.

Twenty years of sixty symbols are drawn month by month. Where that would be too large to store, a cell is a year and
shows its worst month; of more symbols the sixty worst are drawn, with a note of how many were left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.charts import svg
from mohlcv_dagster.charts.svg import AMBER, BLUE, INK, RED, Picture
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.finality import Finality
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus

MOST_ROWS: Final = 60
LARGEST: Final = 24_000
"""Characters of a picture drawn month by month."""

_LEFT, _TOP, _PITCH, _BAR = 92, 78, 15, 13.0
_WIDEST_CELL, _PLOT = 18.0, 760.0
_GAP_FROM: Final = 5.0
"""Cells narrower than this have no gap between them."""
_LABEL: Final = 34
_LONGEST_NAME: Final = 10
_FULL, _PARTLY = 0.99, 0.9
"""Occupancies from which on a month counts as such; the legend shows them."""
_WIDTH: Final = 880


class Level(IntEnum):
    """What is known of a month, rising from nothing to the worst."""

    ABSENT = 0
    """Not stored, and no run was to make it."""
    FULL = 1
    """All rules pass; the minutes of regular hours have bars."""
    PARTLY = 2
    """All rules pass; some minutes had no trade."""
    SPARSE = 3
    """All rules pass; many minutes had no trade."""
    UNMEASURED = 4
    """All rules pass; how many minutes have bars was not recorded."""
    PROVISIONAL = 5
    """All rules pass; it was fetched before its bars were final."""
    IN_PROGRESS = 6
    """A run that is queued or running is to make it."""
    NOT_CHECKED = 7
    """A rule was not checked on the files as they are, or none was."""
    MISSING = 8
    """A run was to make it, and it does not exist."""
    WARNING = 9
    """A rule warns, or something is out of date."""
    ERROR = 10
    """A rule of error severity fails."""
    FAILED = 11
    """The latest run that was to make it failed."""


@dataclass(frozen=True)
class _Style:
    """How a level is drawn.

    Attributes:
        colour: of the bars.
        opacity: of the bars, 0 to 1.
        bars: the top and the height of each, pixels from the top of the cell.
        words: its text in the legend.
    """

    colour: str
    opacity: str
    bars: tuple[tuple[float, float], ...]
    words: str


_WHOLE: Final = ((0.0, _BAR),)
_STYLES: Final = {
    Level.FULL: _Style(BLUE, "1", _WHOLE, "99 % of minutes or more"),
    Level.PARTLY: _Style(BLUE, ".65", _WHOLE, "90 % or more"),
    Level.SPARSE: _Style(BLUE, ".38", _WHOLE, "less"),
    Level.UNMEASURED: _Style(INK, ".4", ((0.0, 6.0), (7.0, 6.0)), "not measured"),
    Level.PROVISIONAL: _Style(BLUE, "1", ((0.0, 5.0),), "provisional"),
    Level.IN_PROGRESS: _Style(INK, "1", ((0.0, 2.0), (5.5, 2.0), (11.0, 2.0)), "queued or running"),
    Level.NOT_CHECKED: _Style(INK, "1", ((2.5, 2.0), (8.5, 2.0)), "not checked"),
    Level.MISSING: _Style(INK, "1", ((5.5, 2.0),), "missing"),
    Level.WARNING: _Style(AMBER, "1", ((6.0, 7.0),), "warning or stale"),
    Level.ERROR: _Style(RED, "1", ((0.0, 3.0), (5.0, 3.0), (10.0, 3.0)), "error"),
    Level.FAILED: _Style(RED, "1", ((0.0, 4.5), (8.5, 4.5)), "failed"),
}
_LEGEND_AT: Final = (
    *((x, 20) for x in (0, 152, 246, 296, 400)),
    *((x, 37) for x in (0, 134, 230, 304, 420, 478)),
)
"""Where each level stands in the legend, in their order: pixels from the first cell and from the top."""

_UNMADE: Final = {
    MonthStatus.FAILED: Level.FAILED,
    MonthStatus.MISSING: Level.MISSING,
    MonthStatus.IN_PROGRESS: Level.IN_PROGRESS,
}


def level_of(month: MonthQuality) -> Level:
    """The level of a month by what was recorded of it."""
    if month.status is not MonthStatus.STORED:
        return _UNMADE[month.status]
    if month.errors:
        return Level.ERROR
    if month.warnings or month.stale:
        return Level.WARNING
    if not month.is_checked:
        return Level.NOT_CHECKED
    return Level.PROVISIONAL if month.state == Finality.PROVISIONAL else _occupancy_level(month.occupancy)


def _occupancy_level(occupancy: float | None) -> Level:
    if occupancy is None:
        return Level.UNMEASURED
    return Level.FULL if occupancy >= _FULL else Level.PARTLY if occupancy >= _PARTLY else Level.SPARSE


def draw(levels: Mapping[tuple[str, Month], Level]) -> Picture:
    """The heat map of these months, by symbol and month; months that are not given are blank."""
    if not levels:
        return svg.picture(_WIDTH, 40, "No month is stored", [svg.text(_LEFT, 24, "No month is stored.")])
    names = sorted({symbol for symbol, _ in levels})
    months = list(min(month for _, month in levels).until(max(month for _, month in levels)))
    grid = _grid(levels, names, months)
    shown = worst_rows(grid)
    names_shown, alt = [names[row] for row in shown], _alt_text(levels, len(names), months)
    left_out = len(names) - len(shown)
    by_month = _picture(grid[shown], names_shown, [str(month) for month in months], alt, left_out)
    if len(by_month.svg) <= LARGEST:
        return by_month
    years, by_year = _by_year(grid[shown], months)
    return _picture(by_year, names_shown, years, alt, left_out)


def worst_rows(grid: npt.NDArray[np.int8]) -> list[int]:
    """The rows to draw, rising: all, or the `MOST_ROWS` with the most errors, then warnings, then lesser levels."""
    counts = [-(grid == level).sum(axis=1) for level in Level if level is not Level.ABSENT]
    order = np.lexsort(counts)[:MOST_ROWS]  # the last key, errors, comes first; equals stay in order of name
    return sorted(order.tolist())


def _grid(levels: Mapping[tuple[str, Month], Level], names: list[str], months: list[Month]) -> npt.NDArray[np.int8]:
    rows = {name: row for row, name in enumerate(names)}
    columns = {month: column for column, month in enumerate(months)}
    grid = np.zeros((len(names), len(months)), np.int8)
    for (symbol, month), level in levels.items():
        grid[rows[symbol], columns[month]] = level
    return grid


def _by_year(grid: npt.NDArray[np.int8], months: list[Month]) -> tuple[list[str], npt.NDArray[np.int8]]:
    years = [month.year for month in months]
    firsts = [at for at, year in enumerate(years) if at == 0 or year != years[at - 1]]
    return [str(years[at]) for at in firsts], np.maximum.reduceat(grid, firsts, axis=1)


def _alt_text(levels: Mapping[tuple[str, Month], Level], symbols: int, months: list[Month]) -> str:
    count = Counter(levels.values())
    passed = sum(count[level] for level in (Level.FULL, Level.PARTLY, Level.SPARSE, Level.UNMEASURED))
    return (
        f"{quantity(symbols, 'symbol')}, {months[0]} to {months[-1]}: {quantity(len(levels), 'month')}, "
        f"{passed:,} pass every check, {count[Level.WARNING]:,} with a warning, {count[Level.ERROR]:,} with an error, "
        f"{count[Level.FAILED]:,} failed, {count[Level.MISSING]:,} missing, {count[Level.NOT_CHECKED]:,} not checked, "
        f"{count[Level.IN_PROGRESS]:,} queued or running, {count[Level.PROVISIONAL]:,} provisional"
    )


def _picture(
    grid: npt.NDArray[np.int8], names: Sequence[str], columns: Sequence[str], alt: str, left_out: int
) -> Picture:
    cell = min(_WIDEST_CELL, _PLOT / len(columns))
    unit = "month" if "-" in columns[0] else "year (its worst month)"
    bottom = _TOP + len(names) * _PITCH
    more = f"{quantity(left_out, 'more symbol')} in the table, none of them worse" if left_out else ""
    elements = [
        svg.text(_LEFT, 13, f"A cell is a {unit}", bold=True),
        *_legend(),
        *_column_names(columns, cell),
        *(svg.text(_LEFT - 8, _TOP + row * _PITCH + 11, _short(name), anchor="end") for row, name in enumerate(names)),
        *(_cells(grid == level, style, cell) for level, style in _STYLES.items()),
        *([svg.text(_LEFT, bottom + 14, more)] if more else []),
    ]
    return svg.picture(_WIDTH, bottom + (22 if more else 8), alt, elements)


def _legend() -> list[str]:
    elements = []
    for (x, y), style in zip(_LEGEND_AT, _STYLES.values(), strict=True):
        boxes = [svg.box(_LEFT + x, y + top, 11, height) for top, height in style.bars]
        swatch = svg.path(boxes, fill=style.colour, fill_opacity=style.opacity)
        elements += [swatch, svg.text(_LEFT + x + 16, y + 11, style.words)]
    return elements


def _column_names(columns: Sequence[str], cell: float) -> list[str]:
    """The year at its first column, the newest first, so that no two touch; the month below where it fits."""
    elements, free = [], float("inf")
    for at in reversed(range(len(columns))):
        x, year = _LEFT + at * cell, columns[at][:4]
        if (at == 0 or columns[at - 1][:4] != year) and x + _LABEL <= free:
            elements.append(svg.text(x, _TOP - 14, year))
            free = x
        if columns[at][5:] and cell >= _WIDEST_CELL:
            elements.append(svg.text(x + 2, _TOP - 3, columns[at][5:]))
    return elements


def _cells(mask: npt.NDArray[np.bool_], style: _Style, cell: float) -> str:
    """The bars of all cells of a level: a line for each run of them, dashed so that each cell is visible."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    rows, begins = np.nonzero(np.diff(padded, axis=1) == 1)
    _, ends = np.nonzero(np.diff(padded, axis=1) == -1)
    runs = list(zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True))
    gaps = {"stroke_dasharray": f"{svg.number(cell - 1)} 1"} if cell >= _GAP_FROM else {}
    height = style.bars[0][1]  # all bars of a style are equally high
    lines = [
        f"M{svg.number(_LEFT + begin * cell)} {_TOP + row * _PITCH + top + height / 2:g}"
        f"h{svg.number((end - begin) * cell)}"
        for top, _ in style.bars
        for row, begin, end in runs
    ]
    return svg.path(
        lines, stroke=style.colour, stroke_opacity=style.opacity, stroke_width=f"{height:g}", fill="none", **gaps
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
