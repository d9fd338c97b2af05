"""Two fetches of a month compared, and joined."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, csv_codec, revision
from mohlcv_dagster.errors import BarsLostError
from mohlcv_dagster.model import bar_files, exchange_calendar, finality
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.bars.strategies import bars, tables

FILE = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
LATER = datetime(2024, 3, 1, tzinfo=UTC)
OLD = bars(
    ("2024-01-02 14:30:00", 10.0, 11.0, 9.0, 10.5, 100),
    ("2024-01-02 14:30:01", 10.5, 10.5, 10.5, 10.5, 200),
    ("2024-01-02 14:30:05", 10.5, 10.6, 10.4, 10.6, 300),
    ("2024-01-03 14:30:00", 12.0, 12.0, 12.0, 12.0, 400),
)
NEW = bars(
    ("2024-01-02 14:30:00", 10.0, 11.0, 9.0, 10.5, 100),
    ("2024-01-02 14:30:02", 10.5, 10.5, 10.5, 10.5, 7),
    ("2024-01-02 14:30:05", 10.5, 10.6, 10.4, 10.6, 301),
    ("2024-01-03 14:30:00", 12.0, 12.5, 12.0, 12.0, 400),
)


def seconds_of(count, volume=1):
    """A bar each second from 2024-01-02 14:30:00 on."""
    starts = np.arange(1704205800, 1704205800 + count)
    return bar_table.from_arrays(starts, dict.fromkeys(bar_files.PRICES, np.full(count, 10.0)), np.full(count, volume))


def test_bars_changed_gained_and_lost_are_counted_and_shown_before_and_after():
    found = revision.compare(OLD, NEW, LATER)

    assert found.counts == RevisionCounts(compared=4, changed=2, gained=1, lost=1)
    assert found.counts.total == 4
    rows = [
        (str(row["ts_event"]), row["old_high"], row["new_high"], row["old_volume"], row["new_volume"])
        for row in found.rows.to_pylist()
    ]
    assert rows == [
        ("2024-01-02 14:30:01+00:00", 10.5, None, 200, None),
        ("2024-01-02 14:30:02+00:00", None, 10.5, None, 7),
        ("2024-01-02 14:30:05+00:00", 10.6, 10.6, 300, 301),
        ("2024-01-03 14:30:00+00:00", 12.0, 12.5, 400, 400),
    ]
    assert found.rows.column_names == [
        "ts_event",
        *(f"old_{name}" for name in ("open", "high", "low", "close", "volume")),
        *(f"new_{name}" for name in ("open", "high", "low", "close", "volume")),
    ]


@pytest.mark.parametrize("name", bar_files.COLUMNS[1:])
def test_a_bar_that_differs_in_any_one_column_is_changed(name):
    at = OLD.schema.get_field_index(name)
    other = OLD.set_column(
        at, OLD.schema.field(at), pa.array([1, *OLD[name].to_pylist()[1:]], OLD.schema.field(at).type)
    )

    assert revision.compare(OLD, other, LATER).counts == RevisionCounts(compared=4, changed=1)


def test_bars_that_are_not_final_are_not_compared():
    found = revision.compare(OLD, NEW, datetime(2024, 1, 2, 14, 30, 5, tzinfo=UTC))

    assert found.counts == RevisionCounts(compared=2, changed=0, gained=1, lost=1)


def test_a_volume_is_the_same_number_whatever_its_type():
    whole = seconds_of(3)
    fractional = whole.set_column(5, "volume", whole["volume"].cast(pa.float64()))

    assert revision.compare(whole, fractional, LATER).counts.total == 0


def test_nothing_compared_with_nothing_is_no_revision():
    assert revision.compare(bar_table.empty(), bar_table.empty(), LATER).counts == RevisionCounts(0)
    assert revision.compare(bar_table.empty(), OLD, LATER).counts == RevisionCounts(0, gained=4)
    assert revision.compare(OLD, bar_table.empty(), LATER).counts == RevisionCounts(4, lost=4)


@given(tables(), st.data())
def test_a_month_is_never_a_revision_of_itself_and_each_bar_dropped_is_one_lost(month, data):
    dropped = data.draw(st.sets(st.integers(0, max(month.num_rows - 1, 0)), max_size=month.num_rows))
    rest = month.filter(pa.array([at not in dropped for at in range(month.num_rows)], pa.bool_()))

    assert revision.compare(month, month, LATER).counts == RevisionCounts(month.num_rows)
    assert revision.compare(month, rest, LATER).counts == RevisionCounts(month.num_rows, lost=len(dropped))
    back = revision.compare(rest, month, LATER)
    assert back.counts == RevisionCounts(rest.num_rows, gained=len(dropped))
    assert [row.as_py() for row in back.rows["ts_event"]] == [month["ts_event"][at].as_py() for at in sorted(dropped)]


@pytest.mark.parametrize(
    ("stored", "lost", "refused"), [(50, 10, False), (50, 11, True), (20_000, 20, False), (20_000, 21, True)]
)
def test_ten_bars_or_a_thousandth_may_be_lost_and_not_one_more(stored, lost, refused):
    found = revision.compare(seconds_of(stored), seconds_of(stored - lost), LATER)

    if not refused:
        revision.require_small_loss(FILE, found)
        return
    with pytest.raises(
        BarsLostError, match=f"{lost} of the {stored:,} final bars stored of SPY 2024-01 1s are missing"
    ):
        revision.require_small_loss(FILE, found)


def test_the_error_names_the_count_the_first_lost_bar_and_the_cure():
    with pytest.raises(BarsLostError) as caught:
        revision.require_small_loss(FILE, revision.compare(seconds_of(40, 5), seconds_of(20, 5), LATER))

    assert str(caught.value) == (
        "20 of the 40 final bars stored of SPY 2024-01 1s are missing from what the vendor gives now (at most 10 may "
        "be), the first at 2024-01-02 14:30:20Z (close 10.0, volume 5). The stored file stays as it was. Fetch again "
        "later; if it stays so, ask the vendor's support. To take what it gives now all the same, run with the tag "
        "mohlcv/accept_loss=true, or mohlcv fetch --force --accept-loss"
    )


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_volume_of_a_joined_month_has_the_type_that_all_of_it_asks_for():
    since = utc("2024-02-05 00:00")
    whole = bars(("2024-02-02 14:30:00", 1.0, 1.0, 1.0, 1.0, 100))
    fractions = bars(("2024-02-05 14:30:00", 1.0, 1.0, 1.0, 1.0, 0.5))
    no_longer = bars(("2024-02-05 14:30:00", 1.0, 1.0, 1.0, 1.0, 2.0))

    joined = revision.join(whole, fractions, since)
    assert joined["volume"].to_pylist() == [100.0, 0.5]
    assert not bar_table.has_whole_volume(joined)
    assert bar_table.has_whole_volume(revision.join(joined, bar_table.normalize_volume_dtype(no_longer), since))


MONTH = Month(2024, 3)  # clocks go forward on the 10th, Good Friday is the 29th


HOURS = [
    (int(s.extended_open.timestamp()), int(s.extended_close.timestamp()))
    for s in exchange_calendar.sessions_overlapping(MONTH)
]


@st.composite
def markets(draw):
    """A month's final bars, and the seconds that have another volume until then."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    starts = np.unique(np.concatenate([chance.integers(*hours, 12) for hours in HOURS]))
    starts = starts[(starts >= MONTH.start_second) & (starts < MONTH.end_second)]
    prices = chance.integers(100, 10_000, (4, len(starts))) / 100
    volume = chance.integers(1, 10**6, len(starts)).astype(np.float64)
    fractional = draw(st.sampled_from([0, 0, 1, 5]))
    volume[chance.integers(0, len(starts), fractional)] += 0.5
    return starts, dict(zip(bar_files.PRICES, prices, strict=True)), volume, chance.random(len(starts)) < 0.3


def as_seen(market, now):
    """What the vendor gives at `now`: complete seconds only; late trades are in once a bar is final."""
    starts, prices, volume, late = market
    provisional = starts >= int(finality.final_through(now).timestamp())
    seen = starts < int(now.timestamp())
    shares = np.where(provisional & late, volume + 1, volume)
    taken = {name: column[seen] for name, column in prices.items()}
    return bar_table.normalize_volume_dtype(bar_table.from_arrays(starts[seen], taken, shares[seen]))


@settings(deadline=None)  # the first look at a year loads its calendar
@given(markets(), st.lists(st.integers(0, 36 * 24 * 60), min_size=1, max_size=6))
def test_a_month_refreshed_any_number_of_times_is_byte_for_byte_the_one_fetched_whole(market, minutes):
    looks = [MONTH.start + timedelta(days=1, minutes=each) for each in sorted(minutes)]
    stored, fetched_at = as_seen(market, looks[0]), looks[0]
    for now in looks[1:]:
        span = finality.refresh_span(MONTH, fetched_at)
        if span is None:
            break
        part = bar_table.between(as_seen(market, now), span.since, None)
        stored, fetched_at = revision.join(stored, part, span.since), now

    assert csv_codec.encode(stored) == csv_codec.encode(as_seen(market, fetched_at))
