"""The rules on bad prints: all of them on whole months and on any bars at all; then wicks, jumps and stale prices."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.checks.price_jumps import open_jumps, split_like
from mohlcv_dagster.checks.registry import RULES
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model.listings import Split
from mohlcv_dagster_tests.checks import made_months, plausibility
from mohlcv_dagster_tests.checks.bad_prints import BAD_PRINTS, places, seeded_with
from mohlcv_dagster_tests.checks.clean_files import PLAUSIBLE, PLAUSIBLE_RULES
from mohlcv_dagster_tests.checks.made_months import WEDNESDAY, changed, input_of, made, second, told, wiggling
from mohlcv_dagster_tests.real import REAL, needs_real

DOCS = Path(__file__).parents[2] / "docs"
QUIET_PENNY_STOCK, LIQUID = ("IR", "2016-08"), ("XLE", "2013-05")


def test_the_family_warns_of_raw_files_and_does_not_block():
    assert tuple(rule.name for rule in PLAUSIBLE) == PLAUSIBLE_RULES
    assert {(rule.scope, rule.severity, rule.blocking, rule.blocking) for rule in PLAUSIBLE} == {
        ("raw files", "warn", False, False)
    }
    assert [rule for rule in RULES if rule in PLAUSIBLE] == list(PLAUSIBLE)


@pytest.mark.parametrize(("symbol", "month"), [QUIET_PENNY_STOCK, LIQUID])
def test_every_bad_print_put_into_a_smooth_month_is_found_and_nothing_else_is_warned_of(symbol, month):
    tally = plausibility.measure([(symbol, month)], made_months.smooth)

    assert tally.missed == []
    assert tally.put.total() >= 60
    assert tally.alarms.total() == 0
    assert {kind.rule for kind in BAD_PRINTS if tally.put[str(kind)]} >= {"spikes", "wicks", "open_jumps"}
    assert [str(kind) for kind in BAD_PRINTS if kind.named and not tally.named[str(kind)]] == []


def test_several_bad_prints_in_one_month_are_all_found():
    symbol, month = LIQUID
    bars = made_months.smooth(symbol, month)
    chance = np.random.default_rng(11)
    spikes = [kind for kind in BAD_PRINTS if kind.rule == "spikes"]
    puts = [(spikes[n % len(spikes)], at) for n in range(6) for at in set(places(bars, chance).values())]
    puts = sorted({at // 200: (kind, at) for kind, at in puts}.values(), key=lambda put: put[1])
    wrong = np.unique(np.concatenate([np.arange(at, at + kind.bars) for kind, at in puts]))
    wrong = wrong[wrong < bars.num_rows]
    found = plausibility.checked(symbol, month, seeded_with(bars, puts), "spikes")

    assert len(puts) > 12
    assert bar_table.seconds(found.bars).tolist() == bar_table.seconds(bars)[wrong].tolist()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_of_figures_is_what_is_measured():
    assert (DOCS / "plausibility.md").read_text() == plausibility.page()


@needs_real
def test_real_sessions_of_spy_are_believed():
    bars = csv_codec.decode((REAL / "second" / "SPY_2013_10.csv").read_bytes())
    results = [evaluate(rule, made_months.input_of("SPY", "2013-10", bars)) for rule in PLAUSIBLE]

    assert [result.message for result in results if not result.passed] == []


@needs_real
def test_of_a_real_day_round_the_clock_one_second_is_asked_about():
    bars = csv_codec.decode((REAL / "fractional" / "second.csv").read_bytes())
    results = [evaluate(rule, made_months.input_of("X", "2016-10", bars)) for rule in PLAUSIBLE]

    assert [(result.rule.name, result.count) for result in results if not result.passed] == [("spikes", 1)]
    (spike,) = results[0].bars.to_pylist()
    assert spike["ts_event"] == datetime(2016, 10, 7, 17, 5, 14, tzinfo=UTC)
    assert (spike["close"], spike["median"]) == (613.95, 614.99)  # 615.42 before it, 615.07 after


@pytest.mark.parametrize("size", [0, 1, 2, 3, 11])
def test_a_few_bars_are_checked(size):
    of = made_months.input_of("SPY", "2024-07", made(WEDNESDAY, np.full(size, 100.0)))
    assert [result.message for result in map(evaluate, PLAUSIBLE, [of] * 4) if not result.passed] == []


@pytest.mark.parametrize("ends", [(1e-300, 1e300), (5e-324, 1.7e308), (1e-5, 1e9)])
def test_prices_of_any_size_are_checked(ends):
    bars = made(WEDNESDAY, np.resize([*ends, ends[0]], 400), every=3600)
    for rule in PLAUSIBLE:
        evaluate(rule, made_months.input_of("SPY", "2024-07", bars, previous_close=ends[1]))


odd = st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0, 1e-300, 1e300, 99.99, 100.0, 100.0, 100.01, 1000.0])


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(st.none() | st.integers(0, 2 * 10**6), odd, odd, odd, odd), max_size=40), data=st.data())
def test_any_bars_at_all_are_checked_without_an_exception(rows, data):
    columns = list(zip(*rows, strict=True)) or [()] * 5
    starts = [None if offset is None else second(datetime(2024, 7, 1, tzinfo=UTC)) + offset for offset in columns[0]]
    prices = [pa.array(column, pa.float64()) for column in columns[1:]]
    moments, volume = pa.array(starts, pa.int64()).cast(bar_table.TIME_TYPE), pa.array([1] * len(rows), pa.int64())
    table = pa.table([moments, *prices, volume], schema=bar_table.bar_schema(whole_volume=True))
    known = data.draw(odd)
    of = made_months.input_of("SPY", "2024-07", table, previous_close=known)
    for rule in PLAUSIBLE:
        result = evaluate(rule, of)
        assert result.passed == (result.count == 0)
        assert result.bars.num_rows <= len(rows)


@pytest.mark.parametrize(
    ("name", "price", "wick"),
    [("high", 103.0, False), ("high", 103.01, True), ("low", 97.0, False), ("low", 96.99, True)],
)
def test_a_wick_is_more_than_three_percent_beyond_open_and_close(name, price, wick):
    close = np.full(9, 100.0)
    result = told("wicks", made(WEDNESDAY, close, **{name: changed(close, {4: price})}))
    assert result.passed is not wick


def test_a_wick_is_told_with_how_far_it_is():
    close = np.full(9, 100.0)
    result = told("wicks", made(WEDNESDAY, close, high=changed(close, {4: 105.0})))
    assert result.message.startswith(
        "1 of 9 bars has a high or low more than 3 % beyond open and close, with both neighbours within 0.5 %; "
        "first at 2024-07-10 14:00:04Z (open 100.0, high 105.0, low 100.0, close 100.0). Compare SPY 2024-07 "
    )
    assert result.bars["beyond_percent"].to_pylist() == [5.0]


@pytest.mark.parametrize(("neighbour", "wick"), [(100.4, True), (100.6, False), (99.6, True), (99.4, False)])
def test_a_wick_between_neighbours_that_move_is_believed(neighbour, wick):
    close = changed(np.full(9, 100.0), {5: neighbour})
    high = changed(close, {4: 105.0})
    assert told("wicks", made(WEDNESDAY, close, high=high)).passed is not wick


@pytest.mark.parametrize(("low", "wick"), [(91.5, False), (88.5, True)])
def test_a_wick_shorter_than_the_body_is_a_price_that_falls(low, wick):
    """From 100 to 95 within the second: the body is 5.3 % of its lower end, the wick 3.7 % or 6.8 %."""
    close = np.array([100.0, 100.0, 95.0, 95.0])
    opens, lows = np.array([100.0, 100.0, 100.0, 95.0]), np.array([100.0, 100.0, low, 95.0])
    assert told("wicks", made(WEDNESDAY, close, open=opens, high=opens, low=lows)).passed is not wick


def test_a_body_of_its_own_length_is_no_wick():
    close = np.full(9, 100.0)
    opens = changed(close, {4: 104.0})
    assert told("wicks", made(WEDNESDAY, close, open=opens, high=np.maximum(opens, close))).passed


@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_bar_with_one_neighbour_is_checked_by_that_one(at):
    close = np.full(9, 100.0)
    assert not told("wicks", made(WEDNESDAY, close, low=changed(close, {at: 94.0}))).passed


def test_the_other_day_is_no_neighbour():
    evening = made(datetime(2024, 7, 10, 19, tzinfo=UTC), np.full(9, 90.0))
    close = np.full(9, 100.0)
    morning = made(datetime(2024, 7, 11, 13, tzinfo=UTC), close, high=changed(close, {0: 105.0}))
    assert told("wicks", pa.concat_tables([evening, morning])).count == 1


def night(before, after, **more):
    evening = made(datetime(2024, 7, 10, 23, 59, tzinfo=UTC), [before, before])
    morning = made(datetime(2024, 7, 11, 8, 0, 3, tzinfo=UTC), [after, after])
    return told("open_jumps", pa.concat_tables([evening, morning]), **more)


@pytest.mark.parametrize(("after", "jump"), [(109.9, False), (110.1, True), (90.1, False), (89.9, True)])
def test_a_night_may_move_a_price_by_ten_percent(after, jump):
    assert night(100.0, after).passed is not jump


def test_a_jump_is_told_with_both_its_ends():
    result = night(100.0, 112.0)
    assert result.message == (
        "1 of 1 session open jumps more than 10 % from the close before; first at 2024-07-11 08:00:03Z "
        "(open 112.0, close 100.0 of 2024-07-10 23:59:01Z: +12.0 %). Look for a split, a dividend or news of that day: "
        "a real move needs nothing. Else compare SPY 2024-07 with another source, report a bad print to the vendor, "
        "and delete no bar."
    )
    (bar,) = result.bars.to_pylist()
    assert bar["previous_ts_event"] == datetime(2024, 7, 10, 23, 59, 1, tzinfo=UTC)
    assert (bar["previous_close"], bar["jump_percent"], bar["looks_like"]) == (100.0, 12.0, "")


@pytest.mark.parametrize(
    ("adjusted", "basis"),
    [
        (
            False,
            "prices are recorded as unadjusted, and which splits there were is not known",
        ),
        (True, "prices are recorded as adjusted for splits, so that none should show: fetched before it was known?"),
        (None, "whether prices are adjusted is not recorded"),
    ],
)
def test_a_jump_near_the_ratio_of_a_split_says_so_and_on_which_basis_prices_are(adjusted, basis):
    result = night(499.23, 127.58, adjusted=adjusted)  # AAPL at its split of 31 August 2020
    assert f"It looks like a 4-for-1 split at 2024-07-11 08:00:03Z; {basis}" in result.message
    assert result.bars["looks_like"].to_pylist() == ["4-for-1 split"]


@pytest.mark.parametrize(
    ("before", "after", "split"),
    [
        (100.0, 50.0, "2-for-1 split"),
        (100.0, 10.2, "10-for-1 split"),
        (100.0, 66.7, "3-for-2 split"),
        (100.0, 75.0, "4-for-3 split"),
        (100.0, 80.0, "5-for-4 split"),
        (1208.88, 120.88, "10-for-1 split"),  # NVDA, 10 June 2024
        (2.0, 16.3, "1-for-8 reverse split"),
        (0.5, 5.1, "1-for-10 reverse split"),
        (100.0, 88.0, None),
        (100.0, 52.0, None),
        (100.0, 51.2, "2-for-1 split"),
        (100.0, 112.0, None),
    ],
)
def test_the_ratio_of_two_prices_names_the_split(before, after, split):
    found = split_like(before, after)
    assert (found and str(found)) == split


def test_no_price_is_near_the_ratios_of_two_splits():
    """The tolerance: 3 % on either side, and every two ratios are more than 6 % apart."""
    ratios = sorted([5 / 4, 4 / 3, 3 / 2, *range(2, 9), 10, 15, 20, 25, 30, 50])
    assert np.diff(np.log(ratios)).min() > 0.06
    assert {str(split_like(ratio * np.exp(0.03 - 1e-9), 1.0)) for ratio in ratios} == {
        str(split_like(ratio * np.exp(-0.03 + 1e-9), 1.0)) for ratio in ratios
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # an evening in winter goes on beyond midnight UTC: 19:30 Eastern on Wednesday
        (datetime(2024, 1, 10, 23, 59, tzinfo=UTC), datetime(2024, 1, 11, 0, 30, tzinfo=UTC)),
        # one day's first and last minute are far apart, and are no night: 04:00 and 19:59 Eastern
        (datetime(2024, 7, 10, 8, tzinfo=UTC), datetime(2024, 7, 10, 23, 59, tzinfo=UTC)),
    ],
)
def test_a_jump_within_a_session_is_none_over_night(before, after):
    assert told("open_jumps", pa.concat_tables([made(before, [100.0]), made(after, [120.0])])).passed


EVENING, MORNING = datetime(2014, 6, 6, 23, 59, tzinfo=UTC), datetime(2014, 6, 9, 8, tzinfo=UTC)
SPLIT = Split(date(2014, 6, 9), 1, 7)


def test_a_first_bar_with_trades_on_both_sides_of_a_split_is_a_jump():
    """AAPL at its split of 9 June 2014: the first bar opens on the old basis."""
    first = made(MORNING, [92.23, 92.25], open=[645.57, 92.23], high=[645.57, 92.25])
    result = told("open_jumps", pa.concat_tables([made(EVENING, [645.57]), first]))

    assert "(open 645.57, close 645.57 of 2014-06-06 23:59:00Z, high 645.57, low 92.23; close to low: -85.71 %)" in (
        result.message
    )
    assert "It looks like a 7-for-1 split at 2014-06-09 08:00:00Z" in result.message


@pytest.mark.parametrize(
    ("prices", "of_the_last"),
    [
        ({"high": [112.0, 100.0]}, False),
        ({"low": [80.0, 100.0]}, False),
        ({"high": [112.0]}, True),
        ({"low": [80.0]}, True),
    ],
)
def test_every_price_of_the_bars_at_a_border_is_looked_at(prices, of_the_last):
    last = made(EVENING, [100.0], **(prices if of_the_last else {}))
    first = made(MORNING, [100.0, 100.0], **({} if of_the_last else prices))

    assert told("open_jumps", pa.concat_tables([last, first])).count == 1


@pytest.mark.parametrize(("adjusted", "count"), [(False, 0), (True, 1), (None, 1)])
@pytest.mark.parametrize("splits", [(SPLIT,), (Split(date(2014, 6, 6), 1, 7),), (Split(date(2014, 6, 9), 1, 5),), None])
def test_a_known_split_is_no_jump_of_unadjusted_prices(adjusted, count, splits):
    bars = pa.concat_tables([made(EVENING, [645.57]), made(MORNING, [92.7, 92.7])])
    of = input_of("AAPL", "2014-06", bars)
    of = replace(of, provenance=replace(of.provenance, adjusted=adjusted, splits=splits))
    result = evaluate(open_jumps, of)

    assert result.count == (count if splits == (SPLIT,) else 1)
    assert result.passed is ("7 for 1 on 2014-06-09" in result.message)


def test_a_weekend_is_a_night():
    bars = pa.concat_tables(
        [made(datetime(2024, 7, 12, 20, tzinfo=UTC), [100.0]), made(WEDNESDAY + timedelta(5), [80.0])]
    )
    assert told("open_jumps", bars).count == 1


def test_the_first_session_is_held_against_the_close_before_the_month_where_it_is_known():
    bars = made(datetime(2024, 7, 1, 8, tzinfo=UTC), [100.0, 100.0])
    result = told("open_jumps", bars, previous_close=200.0)

    assert told("open_jumps", bars).passed
    assert told("open_jumps", bars, previous_close=99.0).passed
    assert "first at 2024-07-01 08:00:00Z (open 100.0, close 200.0 of the previous month: -50.0 %)" in result.message
    assert result.bars["previous_ts_event"].to_pylist() == [None]
    assert result.bars["looks_like"].to_pylist() == ["2-for-1 split"]


def busy(*, start=datetime(2024, 7, 10, 13, 30, tzinfo=UTC), size=4000, still=None):
    """Bars every five seconds from the opening bell on, a moving price but from `still` on for some bars."""
    close = wiggling(size)
    for at, length in (still or {}).items():
        close[at + 1 : at + 1 + length] = close[at]
    return made(start, close, every=5)


@pytest.mark.parametrize(("length", "stale"), [(119, False), (120, True), (150, True)])
def test_a_hundred_and_twenty_unchanged_bars_are_stale(length, stale):
    assert told("stale_prices", busy(still={1000: length})).passed is not stale


def test_a_stale_run_is_told_from_its_first_bar_to_its_last():
    result = told("stale_prices", busy(still={1004: 150, 2006: 121}))
    assert result.message.startswith(
        "2 runs of 120 or more bars at an unchanged price, 271 of 4,000 bars in regular hours; "
        "first from 2024-07-10 14:53:45Z to 2024-07-10 15:06:10Z (150 bars at 99.99). Compare SPY 2024-07 "
    )
    assert result.count == 271
    assert result.bars["run_length"].to_pylist() == [150, 121]


def test_a_price_that_moves_within_its_bars_is_not_stale():
    bars = busy(still={1000: 150})
    high = bars["high"].to_numpy().copy()
    high[1000:1151] += 0.01
    moving = bars.set_column(2, "high", pa.array(high))
    assert told("stale_prices", moving).passed


@pytest.mark.parametrize(
    "start",
    [
        datetime(2024, 7, 10, 9, tzinfo=UTC),  # pre-market
        datetime(2024, 7, 10, 20, tzinfo=UTC),  # from the closing bell on
        datetime(2024, 7, 3, 17, tzinfo=UTC),  # the bell of an early close
        datetime(2024, 7, 4, 14, tzinfo=UTC),  # a holiday
    ],
)
def test_outside_regular_hours_a_price_may_stand_still(start):
    regular = busy(start=datetime(2024, 7, 9, 13, 30, tzinfo=UTC))
    bars = pa.concat_tables([regular, made(start, np.full(400, 100.0), every=5)]).sort_by("ts_event")
    assert told("stale_prices", bars).passed


def test_a_run_ends_with_its_session():
    evening = busy(size=4680, still={4579: 100})
    morning = busy(start=datetime(2024, 7, 11, 13, 30, tzinfo=UTC), size=4680)
    close = morning["close"].to_numpy().copy()
    close[:100] = evening["close"][4679].as_py()
    both = pa.concat_tables([evening, made(datetime(2024, 7, 11, 13, 30, tzinfo=UTC), close, every=5)])
    assert told("stale_prices", both).passed


@pytest.mark.parametrize(("every", "stale"), [(60, True), (66, False)])
def test_only_of_a_liquid_symbol_a_price_must_move(every, stale):
    """A bar every 60 seconds is in each regular minute, one every 66 in 91 of a hundred."""
    close = wiggling(23_400 // every)
    close[101:251] = close[100]
    bars = made(datetime(2024, 7, 10, 13, 30, tzinfo=UTC), close, every=every)
    result = told("stale_prices", bars)
    assert result.passed is not stale
    assert ("does not apply: a quiet symbol" in result.message) is not stale
