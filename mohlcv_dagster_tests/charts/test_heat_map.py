import re

import numpy as np
import pytest

from mohlcv_dagster.charts import heat_map
from mohlcv_dagster.charts.heat_map import Level
from mohlcv_dagster.charts.svg import AMBER, BLUE, RED
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus
from mohlcv_dagster_tests.charts.drawn import NAMESPACE, Drawn

JANUARY = Month(2024, 1)


def runs(picture, colour, opacity="1"):
    """The runs of cells of a colour, each as (x, y of the middle, width)."""
    return [cell for d in picture.paths(stroke=colour, stroke_opacity=opacity) for cell in parsed(d)]


def cells_of(picture):
    """All runs of cells, of whatever colour."""
    return [cell for d in picture.paths(fill="none") for cell in parsed(d)]


def parsed(d):
    return [tuple(map(float, each)) for each in re.findall(r"M(\S+) (\S+?)h([^M]+)", d)]


def drawn(levels):
    return Drawn(heat_map.draw(levels).markdown)


def many(symbols, first, last, *, noise=0.02):
    """Months of many symbols, most of them full; `noise` of them of any level."""
    rng = np.random.default_rng(5)
    return {
        (f"S{n:03d}", month): Level(int(rng.integers(2, len(Level)))) if rng.random() < noise else Level.FULL
        for n in range(symbols)
        for month in first.until(last)
    }


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"status": MonthStatus.FAILED, "errors": 1, "judged": 9}, Level.FAILED),
        ({"status": MonthStatus.MISSING}, Level.MISSING),
        ({"status": MonthStatus.IN_PROGRESS}, Level.IN_PROGRESS),
        ({"state": "provisional", "judged": 9, "occupancy": 1.0}, Level.PROVISIONAL),
        ({"state": "settled", "judged": 9, "occupancy": 1.0}, Level.FULL),
        ({"errors": 1, "warnings": 2, "judged": 9, "occupancy": 1.0}, Level.ERROR),
        ({"warnings": 1, "judged": 9, "occupancy": 1.0}, Level.WARNING),
        ({"stale": ("aggregated/15s was folded from an earlier raw_1s",), "judged": 9}, Level.WARNING),
        ({"occupancy": 1.0, "not_judged": 9}, Level.NOT_CHECKED),
        ({"occupancy": 1.0, "judged": 9, "not_judged": 1}, Level.NOT_CHECKED),
        ({"judged": 9}, Level.UNMEASURED),
        ({"judged": 9, "occupancy": 0.8999}, Level.SPARSE),
        ({"judged": 9, "occupancy": 0.9}, Level.PARTLY),
        ({"judged": 9, "occupancy": 0.99}, Level.FULL),
    ],
)
def test_a_month_is_drawn_by_the_worst_that_is_known_of_it(facts, level):
    assert heat_map.level_of(MonthQuality(symbol="SPY", month=JANUARY, **facts)) is level


def test_symbols_go_down_in_order_of_name_and_months_across_in_order_of_time():
    picture = drawn(
        {
            ("SPY", Month(2023, 12)): Level.FULL,
            ("SPY", Month(2024, 1)): Level.FULL,
            ("SPY", Month(2024, 3)): Level.WARNING,
            ("AAPL", Month(2024, 2)): Level.ERROR,
        }
    )

    # cells of 18 from 92 on; rows of 15 from 78 on, 13 of them drawn: full, three bars of 3, or the lower 7
    assert runs(picture, RED) == [(92 + 2 * 18, y, 18) for y in (79.5, 84.5, 89.5)]
    assert runs(picture, BLUE) == [(92, 99.5, 36)]
    assert runs(picture, AMBER) == [(92 + 3 * 18, 102.5, 18)]
    assert picture.place("AAPL")[1] < picture.place("SPY")[1]
    assert picture.place("2024")[0] == 92 + 18
    assert "2023" not in picture.words  # its one month leaves no room for both
    assert {"12", "01", "02", "03"} <= set(picture.words)
    assert picture.alt == (
        "2 symbols, 2023-12 to 2024-03: 4 months, 2 pass every check, 1 with a warning, 1 with an error, "
        "0 failed, 0 missing, 0 not checked, 0 queued or running, 0 provisional"
    )


def test_no_two_levels_look_alike_to_who_sees_no_colours():
    """Of levels that pass the shades of one shape differ, of all others the shape."""
    looks = {
        level: (
            sorted(y for _, y, _ in cells),
            picture.root.findall(f".//{NAMESPACE}path")[-1].get("stroke-width"),
            picture.root.findall(f".//{NAMESPACE}path")[-1].get("stroke-opacity"),
        )
        for level in Level
        if level is not Level.ABSENT
        for picture in [drawn({("SPY", JANUARY): level})]
        for cells in [cells_of(picture)]
    }
    shapes = {level: (str(ys), width) for level, (ys, width, _) in looks.items()}

    passing = {Level.FULL, Level.PARTLY, Level.SPARSE}
    assert len({looks[level][2] for level in passing}) == 3
    assert len({shape for level, shape in shapes.items() if level not in passing}) == 8
    assert shapes[Level.FULL] not in {shape for level, shape in shapes.items() if level not in passing}


def test_the_legend_names_every_level():
    words = drawn({("SPY", JANUARY): Level.FULL}).words

    assert {
        "99 % of minutes or more",
        "90 % or more",
        "less",
        "not measured",
        "provisional",
        "queued or running",
        "not checked",
        "missing",
        "warning or stale",
        "error",
        "failed",
    } <= set(words)


def test_twenty_years_of_fifty_symbols_are_drawn_month_by_month():
    picture = drawn(many(50, Month(2004, 1), Month(2023, 12)))

    assert "A cell is a month" in picture.words
    assert {f"S{n:03d}" for n in range(50)} <= set(picture.words)
    assert {"2004", "2023"} <= set(picture.words)
    assert 760 / 240 >= 3  # pixels a month
    assert picture.size < 33_000


def test_where_months_would_be_too_large_to_keep_a_cell_is_a_year_and_shows_its_worst_month():
    levels = many(50, Month(2004, 1), Month(2023, 12), noise=0.9)
    levels |= {("S000", month): Level.FULL for month in Month(2010, 1).until(Month(2011, 12))}
    levels[("S000", Month(2010, 6))] = Level.ERROR

    picture = drawn(levels)

    assert "A cell is a year (its worst month)" in picture.words
    assert picture.size < 33_000
    # 2010 is the seventh of twenty years: error; 2011 is full
    row = {x: width for x, y, width in runs(picture, RED) if y == 84.5}
    assert any(x <= 92 + 6 * 18 < x + width for x, width in row.items())
    assert [x for x, y, _ in runs(picture, BLUE) if y == 84.5] == [92 + 7 * 18]


def test_of_more_symbols_than_fit_the_worst_are_drawn_and_the_rest_is_counted():
    levels = many(100, JANUARY, Month(2024, 6), noise=0)
    levels[("S097", JANUARY)] = Level.ERROR
    levels[("S098", JANUARY)] = Level.WARNING
    levels[("S099", JANUARY)] = Level.NOT_CHECKED

    picture = drawn(levels)

    names = [word for word in picture.words if re.fullmatch(r"S\d{3}", word)]
    assert names == [f"S{n:03d}" for n in range(57)] + ["S097", "S098", "S099"]
    assert "40 more symbols in the table, none of them worse" in picture.words


def test_a_long_name_is_cut_and_nothing_stored_is_said():
    assert "ABCDEFGHI…" in drawn({("ABCDEFGHIJK", JANUARY): Level.FULL}).words
    assert drawn({}).words == ["No month is stored."]
