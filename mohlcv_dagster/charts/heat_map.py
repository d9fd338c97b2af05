"""The heat map: symbols down, months across, each month coloured by the worst that is known of it.

Twenty years of sixty symbols are drawn month by month. Where that would be too large to keep, a cell is a year and
shows its worst month; of more symbols the sixty worst are drawn, and how many were left out is said.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.quality import MonthQuality
from mohlcv_dagster.charts import svg
from mohlcv_dagster.charts.svg import AMBER, BLUE, INK, RED, Picture

MOST_ROWS: Final = 60
LARGEST: Final = 24_000
"""Characters of a picture drawn month by month."""

_LEFT, _TOP, _PITCH, _BAR = 92, 62, 15, 13
_WIDEST_CELL, _PLOT = 18.0, 760.0
_GAP_FROM: Final = 5.0
"""Cells narrower than this have no gap between them."""
_LABEL: Final = 34
_LONGEST_NAME: Final = 10
_FULL, _PARTLY = 0.99, 0.9
"""Occupancies from which on a month counts as such; the legend says them."""
_WIDTH: Final = 880


class Level(IntEnum):
    """What is known of a month, from nothing to the worst; of several months the highest counts."""

    ABSENT = 0
    """Not stored."""
    FULL = 1
    """All checks pass; the minutes of regular hours are there."""
    PARTLY = 2
    """All checks pass; some minutes had no trade."""
    SPARSE = 3
    """All checks pass; many minutes had no trade."""
    UNMEASURED = 4
    """All checks pass; how many minutes are there was not recorded."""
    UNJUDGED = 5
    """No check was evaluated on the file as it is."""
    WARNING = 6
    """A check warns, or something is out of step."""
    ERROR = 7
    """A check of error severity fails."""


_LOOKS: Final = {
    Level.FULL: (BLUE, "1", "99 % of minutes or more"),
    Level.PARTLY: (BLUE, ".65", "90 % or more"),
    Level.SPARSE: (BLUE, ".38", "less"),
    Level.UNMEASURED: (INK, ".4", "passes, not measured"),
    Level.UNJUDGED: (INK, ".9", "not judged"),
    Level.WARNING: (AMBER, "1", "warning or stale"),
    Level.ERROR: (RED, "1", "error"),
}
_LEGEND_AT: Final = (0, 160, 256, 308, 450, 536, 654)


def level_of(month: MonthQuality) -> Level:
    """The level of a month of which this was recorded."""
    if month.errors:
        return Level.ERROR
    if month.warnings or month.stale:
        return Level.WARNING
    if not month.judged:
        return Level.UNJUDGED
    if month.occupancy is None:
        return Level.UNMEASURED
    return Level.FULL if month.occupancy >= _FULL else Level.PARTLY if month.occupancy >= _PARTLY else Level.SPARSE


def draw(levels: Mapping[tuple[str, Month], Level]) -> Picture:
    """The heat map of these months, by symbol and month; what is not there is blank."""
    if not levels:
        return svg.picture(_WIDTH, 40, "No month is stored", [svg.text(_LEFT, 24, "No month is stored.")])
    names = sorted({symbol for symbol, _ in levels})
    months = list(min(month for _, month in levels).until(max(month for _, month in levels)))
    grid = _grid(levels, names, months)
    shown = worst_rows(grid)
    names_shown, alt = [names[row] for row in shown], _told(levels, len(names), months)
    left_out = len(names) - len(shown)
    by_month = _drawn(grid[shown], names_shown, [str(month) for month in months], alt, left_out)
    if len(by_month.svg) <= LARGEST:
        return by_month
    years, by_year = _by_year(grid[shown], months)
    return _drawn(by_year, names_shown, years, alt, left_out)


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


def _told(levels: Mapping[tuple[str, Month], Level], symbols: int, months: list[Month]) -> str:
    held = list(levels.values())
    fine = sum(Level.ABSENT < level < Level.UNJUDGED for level in held)
    rest = {level: held.count(level) for level in (Level.UNJUDGED, Level.WARNING, Level.ERROR)}
    return (
        f"{_many(symbols, 'symbol')}, {months[0]} to {months[-1]}: {_many(len(held), 'month')} stored, "
        f"{fine:,} pass every check, {rest[Level.WARNING]:,} with a warning, {rest[Level.ERROR]:,} with an error, "
        f"{rest[Level.UNJUDGED]:,} not judged"
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _drawn(
    grid: npt.NDArray[np.int8], names: Sequence[str], columns: Sequence[str], alt: str, left_out: int
) -> Picture:
    cell = min(_WIDEST_CELL, _PLOT / len(columns))
    unit = "month" if "-" in columns[0] else "year (its worst month)"
    bottom = _TOP + len(names) * _PITCH
    more = f"{_many(left_out, 'more symbol')} in the table, none of them worse" if left_out else ""
    elements = [
        svg.text(_LEFT, 13, f"A cell is a {unit}", bold=True),
        *_legend(),
        *_column_names(columns, cell),
        *(svg.text(_LEFT - 8, _TOP + row * _PITCH + 11, _short(name), anchor="end") for row, name in enumerate(names)),
        *(_cells(grid == level, level, cell) for level in _LOOKS),
        *([svg.text(_LEFT, bottom + 14, more)] if more else []),
    ]
    return svg.picture(_WIDTH, bottom + (22 if more else 8), alt, elements)


def _legend() -> list[str]:
    elements = []
    for x, (colour, opacity, words) in zip(_LEGEND_AT, _LOOKS.values(), strict=True):
        swatch = svg.path([svg.box(_LEFT + x, 21, 11, 11)], fill=colour, fill_opacity=opacity)
        elements += [swatch, svg.text(_LEFT + x + 16, 31, words)]
    return elements


def _column_names(columns: Sequence[str], cell: float) -> list[str]:
    """The year at its first column, the newest first, so that no two touch; the month below where there is room."""
    elements, free = [], float("inf")
    for at in reversed(range(len(columns))):
        x, year = _LEFT + at * cell, columns[at][:4]
        if (at == 0 or columns[at - 1][:4] != year) and x + _LABEL <= free:
            elements.append(svg.text(x, 48, year))
            free = x
        if columns[at][5:] and cell >= _WIDEST_CELL:
            elements.append(svg.text(x + 2, 59, columns[at][5:]))
    return elements


def _cells(mask: npt.NDArray[np.bool_], level: Level, cell: float) -> str:
    """One path for all cells of a level: a line for each run of them, dashed so that each cell is seen."""
    colour, opacity, _ = _LOOKS[level]
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    rows, begins = np.nonzero(np.diff(padded, axis=1) == 1)
    _, ends = np.nonzero(np.diff(padded, axis=1) == -1)
    lines = [
        f"M{svg.number(_LEFT + begin * cell)} {_TOP + row * _PITCH + _BAR / 2:g}h{svg.number((end - begin) * cell)}"
        for row, begin, end in zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True)
    ]
    gaps = {"stroke_dasharray": f"{svg.number(cell - 1)} 1"} if cell >= _GAP_FROM else {}
    return svg.path(lines, stroke=colour, stroke_opacity=opacity, stroke_width=str(_BAR), fill="none", **gaps)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
