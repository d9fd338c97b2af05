import re
from datetime import UTC, datetime

import numpy as np
import pytest

from mohlcv_dagster.bars import sessions
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.charts import minutes_of_day
from mohlcv_dagster.charts.svg import BLUE
from mohlcv_dagster_tests.charts.drawn import Drawn

JANUARY, NOVEMBER = Month(2024, 1), Month(2024, 11)


def second(text):
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def every_minute(month):
    """A bar in each minute of the extended hours of each session, as far as they are in the month."""
    days = sessions.sessions_overlapping(month)
    spans = [np.arange(int(d.extended_open.timestamp()), int(d.extended_close.timestamp()), 60) for d in days]
    starts = np.concatenate(spans)
    return starts[(starts >= month.start_second) & (starts < month.end_second)]


def heights(picture):
    """The outline's height at each corner, as a share, by minute."""
    [d] = picture.paths(fill=BLUE)
    [element] = [each for each in picture.root.iter() if each.get("d") == d]
    scale = float(re.match(r"matrix\(\S+ 0 0 (\S+) ", element.get("transform"))[1])
    levels = round(100 / -scale)
    first, steps = re.fullmatch(r"M0 0V(\d+)l(.*)h1V0z", d).groups()
    numbers = [int(each) for each in re.findall(r"-?\d+", steps)]
    minute, height = 0, int(first)
    corners = {0: height / levels}
    for across, up in zip(numbers[::2], numbers[1::2], strict=True):
        minute, height = minute + across, height + up
        corners[minute] = height / levels
    return corners


def test_a_full_month_has_every_minute_in_every_session_though_some_close_early_and_one_ends_in_the_next_month():
    # 29 November 2024 closes early; on the 3rd the clocks change
    for month in (JANUARY, NOVEMBER):
        assert (minutes_of_day.occupancy(every_minute(month), month, month.end) == 1).all()


def test_a_minute_that_is_missing_in_some_sessions_is_lower_by_their_share():
    starts = every_minute(JANUARY)
    # 15:00 Eastern is 20:00Z: taken from 3 of the 21 sessions
    gone = [second(f"2024-01-{day} 20:00:00") for day in ("02", "03", "04")]

    shares = minutes_of_day.occupancy(starts[~np.isin(starts, gone)], JANUARY, JANUARY.end)

    assert shares[11 * 60] == pytest.approx(18 / 21)
    assert (np.delete(shares, 11 * 60) == 1).all()


def test_a_session_that_was_not_over_counts_as_far_as_bars_were_asked_for():
    through = datetime(2024, 1, 3, 15, 0, tzinfo=UTC)  # 10:00 Eastern of the second session
    starts = every_minute(JANUARY)

    shares = minutes_of_day.occupancy(starts[starts < int(through.timestamp())], JANUARY, through)

    assert (shares == 1).all()
    assert minutes_of_day.occupancy(starts[:1], JANUARY, through)[0] == 0.5


def test_minutes_that_no_session_has_had_are_unknown():
    through = datetime(2024, 1, 2, 10, 0, tzinfo=UTC)  # 05:00 Eastern of the first session

    shares = minutes_of_day.occupancy(every_minute(JANUARY)[:60], JANUARY, through)

    assert (shares[:60] == 1).all()
    assert np.isnan(shares[60:]).all()


def test_bars_outside_every_session_count_nowhere():
    saturday = np.array([second("2024-01-06 15:00:00")])

    assert not minutes_of_day.occupancy(saturday, JANUARY, JANUARY.end).any()


def test_the_outline_drops_at_the_missing_minute_and_nowhere_else():
    starts = every_minute(JANUARY)
    gone = [second(f"2024-01-{day:02d} 20:00:00") for day in range(1, 32)]

    picture = Drawn(minutes_of_day.draw("SPY", JANUARY, starts[~np.isin(starts, gone)], JANUARY.end).markdown)

    assert heights(picture) == {0: 1, 659: 1, 660: 0, 661: 1, 959: 1}
    assert picture.alt == (
        "SPY 2024-01: a minute of regular hours has a bar in 99.7% of the sessions on average, "
        "one before or after in 100.0%"
    )
    assert {"04:00", "09:30", "12:00", "16:00", "20:00", "regular hours"} <= set(picture.words)
    # 330 of 960 minutes along the 614 pixels from 58
    assert picture.place("09:30")[0] == pytest.approx(58 + 614 * 330 / 960, abs=0.06)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_quiet_month_is_small_to_keep(share):
    starts = every_minute(JANUARY)
    some = starts[np.random.default_rng(3).random(starts.size) < share]

    picture = minutes_of_day.draw("LONGESTSYMBOL.PRA", JANUARY, some, JANUARY.end)

    assert len(picture.markdown) < 6_000
    assert Drawn(picture.markdown).words
