from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import csv_codec, schema, sessions, settlement, topup
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.topup import Span
from mohlcv_dagster_tests.bars.strategies import bars

FEBRUARY = Month(2024, 2)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "fetched", "since", "unsettled", "why"),
    [
        ("2024-02", "2024-02-14 17:00", "2024-02-13 20:00", "2024-02-14 01:00", "15:00 to 20:00 EST of Tuesday"),
        ("2024-02", "2024-02-01 15:00", "2024-02-01 00:00", "2024-02-01 00:00", "nothing of the month is settled"),
        ("2024-02", "2024-02-01 17:00", "2024-02-01 00:00", "2024-02-01 01:00", "the evening of January 31st is"),
        ("2024-11", "2024-12-01 12:00", "2024-11-27 20:00", "2024-11-28 01:00", "Friday settles on Monday"),
        ("2024-11", "2024-11-30 12:00", "2024-11-27 20:00", "2024-11-28 01:00", "so it does on Saturday"),
        ("2024-07", "2024-07-05 16:00", "2024-07-03 16:00", "2024-07-03 21:00", "12:00 to 17:00 EDT of an early close"),
    ],
)
def test_asked_for_again_is_what_was_unsettled_behind_the_last_settled_closing_hour(
    month, fetched, since, unsettled, why
):
    assert topup.span(Month.parse(month), utc(fetched)) == Span(utc(since), utc(unsettled)), why


def test_of_a_settled_month_nothing_is_asked_for_again():
    assert topup.span(FEBRUARY, utc("2024-03-01 16:00")) is None
    assert topup.span(FEBRUARY, utc("2024-03-01 15:59")) is not None


def test_the_volume_of_a_joined_month_has_the_type_that_all_of_it_asks_for():
    since = utc("2024-02-05 00:00")
    whole = bars(("2024-02-02 14:30:00", 1.0, 1.0, 1.0, 1.0, 100))
    fractions = bars(("2024-02-05 14:30:00", 1.0, 1.0, 1.0, 1.0, 0.5))
    no_longer = bars(("2024-02-05 14:30:00", 1.0, 1.0, 1.0, 1.0, 2.0))

    joined = topup.join(whole, fractions, since)
    assert joined["volume"].to_pylist() == [100.0, 0.5]
    assert not schema.has_whole_volume(joined)
    assert schema.has_whole_volume(topup.join(joined, schema.settle_volume(no_longer), since))


MONTH = Month(2024, 3)  # clocks go forward on the 10th, Good Friday is the 29th
HOURS = [
    (int(s.extended_open.timestamp()), int(s.extended_close.timestamp())) for s in sessions.sessions_overlapping(MONTH)
]


@st.composite
def markets(draw):
    """A month's bars as they settle, and the seconds whose volume is another until then."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    starts = np.unique(np.concatenate([chance.integers(*hours, 12) for hours in HOURS]))
    starts = starts[(starts >= MONTH.start_second) & (starts < MONTH.end_second)]
    prices = chance.integers(100, 10_000, (4, len(starts))) / 100
    volume = chance.integers(1, 10**6, len(starts)).astype(np.float64)
    fractional = draw(st.sampled_from([0, 0, 1, 5]))
    volume[chance.integers(0, len(starts), fractional)] += 0.5
    return starts, dict(zip(schema.PRICES, prices, strict=True)), volume, chance.random(len(starts)) < 0.3


def as_seen(market, now):
    """What the vendor gives at `now`: complete seconds only; late trades are in once a bar has settled."""
    starts, prices, volume, late = market
    unsettled = starts >= int(settlement.settled_through(now).timestamp())
    seen = starts < int(now.timestamp())
    shares = np.where(unsettled & late, volume + 1, volume)
    taken = {name: column[seen] for name, column in prices.items()}
    return schema.settle_volume(schema.from_arrays(starts[seen], taken, shares[seen]))


@settings(deadline=None)  # the first look at a year loads its calendar
@given(markets(), st.lists(st.integers(0, 36 * 24 * 60), min_size=1, max_size=6))
def test_a_month_topped_up_any_number_of_times_is_byte_for_byte_the_one_fetched_whole(market, minutes):
    looks = [MONTH.start + timedelta(days=1, minutes=each) for each in sorted(minutes)]
    stored, fetched_at = as_seen(market, looks[0]), looks[0]
    for now in looks[1:]:
        span = topup.span(MONTH, fetched_at)
        if span is None:
            break
        part = schema.between(as_seen(market, now), span.since, None)
        stored, fetched_at = topup.join(stored, part, span.since), now

    assert csv_codec.encode(stored) == csv_codec.encode(as_seen(market, fetched_at))
