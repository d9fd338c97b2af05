"""Months lived through day by day with a moved clock, from the sandbox over HTTP."""

from datetime import date, time
from pathlib import Path

import pytest

from mohlcv_dagster.bars import csv_codec, resample
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import parse
from mohlcv_dagster_tests.defs.life import AGGREGATE_KEY, Life, Row
from mohlcv_dagster_tests.defs.life_table import SPANS, page

PAGE = Path(__file__).parents[2] / "docs" / "life-of-a-month.md"


def as_market_has_it(life, *months):
    for month in months:
        whole = life.whole("ABC", Month.parse(month))
        assert life.stored(f"{month}|ABC") == csv_codec.encode(whole)
        assert life.stored(f"{month}|ABC", AGGREGATE_KEY) == csv_codec.encode(resample.resample(whole, parse("15s")))


def test_a_month_that_ends_in_a_winter_evening_is_completed_final_and_followed_by_the_next(tmp_path):
    with Life(tmp_path) as life:
        rows = list(life.through("2024-01|ABC", date(2024, 1, 31), date(2024, 2, 1)))
        told = [(row.day.day, row.partition, row.asked, row.requests, row.state, row.warnings) for row in rows]

        assert told == [
            (31, "2024-01|ABC", "all", 2, "provisional", ("settled",)),
            (1, "2024-01|ABC", "from 01-30 20:00Z", 2, "settled", ()),
            (1, "2024-02|ABC", "all", 1, "provisional", ("settled",)),
        ]
        as_market_has_it(life, "2024-01", "2024-02")
        text = PAGE.read_text(encoding="utf-8")
        assert all(str(row) in text for row in rows[1:])
        january = life.stored("2024-01|ABC").splitlines()
        february = life.stored("2024-02|ABC").splitlines()
        assert january[-1].startswith(b"2024-01-31 23:30:00+00:00,")
        # 19:00, 19:30 and 19:59:59 of January 31st in New York
        assert [line[:19] for line in february[1:4]] == [
            b"2024-02-01 00:00:00",
            b"2024-02-01 00:30:00",
            b"2024-02-01 00:59:59",
        ]


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """What was lived through in each span; at its end every month is as the market has it."""
    lived = []
    for partition, first, last in SPANS:
        with Life(tmp_path_factory.mktemp("life")) as life:
            lived.append(list(life.through(partition, first, last)))
            as_market_has_it(life, *{row.partition[:7] for row in lived[-1] if isinstance(row, Row)})
    return lived


@pytest.mark.slow
@pytest.mark.timeout(600)  # a hundred days, lived through for the first of the slow tests
def test_the_page_in_the_docs_is_what_was_lived_through(lives):
    assert PAGE.read_text(encoding="utf-8") == page(lives)


@pytest.mark.slow
def test_a_day_costs_at_most_two_requests(lives):
    rows = [row for days in lives for row in days if isinstance(row, Row)]

    assert len(rows) > 80
    assert max(row.requests for row in rows) == 2


@pytest.mark.slow
def test_every_month_settles_once_is_then_left_alone_and_warns_until_then(lives):
    for days in lives:
        rows = [row for row in days if isinstance(row, Row)]
        for partition in {row.partition for row in rows}:
            states = [row.state for row in rows if row.partition == partition]
            assert set(states[:-1]) <= {"provisional"}
            in_progress = partition == max(row.partition for row in rows)
            assert states[-1] == ("provisional" if in_progress else "settled")
        assert all(("settled" in row.warnings) is (row.state == "provisional") for row in rows)
        assert not any("revised" in row.warnings for row in rows)


@pytest.mark.slow
def test_on_days_that_bring_nothing_new_nothing_is_asked_for(lives):
    idle = [day for days in lives for day in days if isinstance(day, date)]

    assert date(2024, 2, 4) in idle  # a Sunday
    assert date(2024, 2, 19) in idle  # Presidents' Day, a Monday
    assert date(2024, 3, 30) in idle  # behind Good Friday
    assert date(2024, 12, 1) in idle  # a Sunday behind the early close


def test_forcing_a_final_month_downloads_it_whole_and_finds_nothing_changed(tmp_path):
    with Life(tmp_path) as life:
        life.move(date(2024, 2, 2), time(12))
        first = life.fetch("2024-01|ABC", "raw_1s")
        again = life.fetch("2024-01|ABC", "raw_1s", tags={"mohlcv/force": "true"})

        assert (first.asked, first.requests, first.state) == ("all", 2, "settled")
        assert (again.asked, again.requests, again.warnings) == ("all", 2, ())
