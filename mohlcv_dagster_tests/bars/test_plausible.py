"""The rules that look for bad prints: each finds what it is for, at any place, and is quiet on the next thing to it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import csv_codec, schema
from mohlcv_dagster.bars.rules import PLAUSIBLE, RULES, Evidence
from mohlcv_dagster.bars.rules.plausible.jumps import split_like
from mohlcv_dagster.bars.rules.plausible.medians import typical_mad
from mohlcv_dagster.bars.rules.rule import evaluate
from mohlcv_dagster_tests.bars import plausibility, whole_months
from mohlcv_dagster_tests.bars.bad_prints import BAD_PRINTS, places, seeded_with
from mohlcv_dagster_tests.bars.clean_files import PLAUSIBLE_RULES
from mohlcv_dagster_tests.real import REAL, needs_real

DOCS = Path(__file__).parents[2] / "docs"
QUIET_PENNY_STOCK, LIQUID = ("IR", "2016-08"), ("XLE", "2013-05")
WEDNESDAY = datetime(2024, 7, 10, 14, tzinfo=UTC)  # 10:00 Eastern, regular hours


def second(moment):
    return int(moment.timestamp())


def made(start, close, *, every=1, **prices):
    """Bars from a moment on, all four prices the close but for those given."""
    close = np.asarray(close, dtype=float)
    columns = {name: np.asarray(prices.get(name, close), dtype=float) for name in schema.PRICES}
    starts = second(start) + every * np.arange(close.size)
    return schema.from_arrays(starts, columns, np.full(close.size, 100))


def told(rule, bars, **more):
    month = f"{bars['ts_event'][0].as_py():%Y-%m}"
    (rule,) = [one for one in PLAUSIBLE if one.name == rule]
    return evaluate(rule, whole_months.evidence("SPY", month, bars, **more))


def wiggling(size, at=100.0):
    """Prices that go up and down by a cent or two, so that their MAD is a cent."""
    return at + 0.01 * np.resize([0, 1, 0, -1, 2, 1, -1, -2, 0, 1, -2], size)


def changed(prices, changes):
    prices = np.array(prices, dtype=float)
    for at, price in changes.items():
        prices[at] = price
    return prices


def test_the_family_warns_of_raw_files_and_holds_nothing_back():
    assert tuple(rule.name for rule in PLAUSIBLE) == PLAUSIBLE_RULES
    assert {(rule.scope, rule.severity, rule.holds_back, rule.blocking) for rule in PLAUSIBLE} == {
        ("raw files", "warn", False, False)
    }
    assert [rule for rule in RULES if rule in PLAUSIBLE] == list(PLAUSIBLE)


# On whole months


@pytest.mark.parametrize(("symbol", "month"), [QUIET_PENNY_STOCK, LIQUID])
def test_every_bad_print_put_into_a_smooth_month_is_found_and_nothing_else_is_warned_of(symbol, month):
    tally = plausibility.measure([(symbol, month)], whole_months.smooth)

    assert tally.missed == []
    assert tally.put.total() >= 60
    assert tally.alarms.total() == 0
    assert {kind.rule for kind in BAD_PRINTS if tally.put[str(kind)]} >= {"spikes", "wicks", "open_jumps"}
    assert [str(kind) for kind in BAD_PRINTS if kind.named and not tally.named[str(kind)]] == []


def test_several_bad_prints_in_one_month_are_all_found():
    symbol, month = LIQUID
    bars = whole_months.smooth(symbol, month)
    chance = np.random.default_rng(11)
    spikes = [kind for kind in BAD_PRINTS if kind.rule == "spikes"]
    puts = [(spikes[n % len(spikes)], at) for n in range(6) for at in set(places(bars, chance).values())]
    puts = sorted({at // 200: (kind, at) for kind, at in puts}.values(), key=lambda put: put[1])
    wrong = np.unique(np.concatenate([np.arange(at, at + kind.bars) for kind, at in puts]))
    wrong = wrong[wrong < bars.num_rows]
    found = plausibility.judged(symbol, month, seeded_with(bars, puts), "spikes")

    assert len(puts) > 12
    assert schema.seconds(found.bars).tolist() == schema.seconds(bars)[wrong].tolist()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_of_figures_is_what_is_measured():
    assert (DOCS / "plausibility.md").read_text() == plausibility.page()


@needs_real
def test_real_sessions_of_spy_are_believed():
    bars = csv_codec.decode((REAL / "second" / "SPY_2013_10.csv").read_bytes())
    findings = [evaluate(rule, whole_months.evidence("SPY", "2013-10", bars)) for rule in PLAUSIBLE]

    assert [finding.message for finding in findings if not finding.passed] == []


@needs_real
def test_of_a_real_day_round_the_clock_one_second_is_asked_about():
    bars = csv_codec.decode((REAL / "fractional" / "second.csv").read_bytes())
    findings = [evaluate(rule, whole_months.evidence("X", "2016-10", bars)) for rule in PLAUSIBLE]

    assert [(finding.rule.name, finding.count) for finding in findings if not finding.passed] == [("spikes", 1)]
    (spike,) = findings[0].bars.to_pylist()
    assert spike["ts_event"] == datetime(2016, 10, 7, 17, 5, 14, tzinfo=UTC)
    assert (spike["close"], spike["median"]) == (613.95, 614.99)  # 615.42 before it, 615.07 after


# Spikes


def test_a_spike_is_told_with_its_median_and_what_was_allowed():
    close = changed(wiggling(101), {50: 1000.0})
    finding = told("spikes", made(WEDNESDAY, close, high=np.maximum(close, 100)))

    assert finding.message == (
        "1 of 101 bars has an open or close more than 10 MAD + 2 ticks off the prices around, back within 3 bars; "
        "first at 2024-07-10 14:00:50Z (open 1000.0, close 1000.0, median 100.0, allowed 0.12). "
        "Compare SPY 2024-07 at that time with another source, such as the vendor's minute bars: "
        "a real move needs nothing; report a bad print to the vendor, and delete no bar."
    )
    (bar,) = finding.bars.to_pylist()
    assert (bar["median"], bar["deviation"], bar["allowed"]) == (100.0, 900.0, 0.12)  # a MAD of a cent, two cents


@pytest.mark.parametrize(("off", "spike"), [(0.12, False), (0.13, True), (-0.12, False), (-0.13, True)])
def test_ten_mads_and_two_ticks_are_allowed(off, spike):
    finding = told("spikes", made(WEDNESDAY, changed(wiggling(101), {50: round(100 + off, 2)})))
    assert finding.passed is not spike


@pytest.mark.parametrize("at", [0, 1, 2, 50, 98, 99, 100])
def test_a_spike_is_found_wherever_in_the_file_it_is(at):
    finding = told("spikes", made(WEDNESDAY, changed(wiggling(101), {at: 105.0})))
    assert schema.seconds(finding.bars).tolist() == [second(WEDNESDAY) + at]


def test_an_open_alone_is_a_spike_too_and_its_own_median_is_shown():
    opens = changed(wiggling(101, at=50.0), {60: 500.0})
    close = wiggling(101, at=50.0)
    finding = told("spikes", made(WEDNESDAY, close, open=opens))
    assert [(bar["open"], bar["median"]) for bar in finding.bars.to_pylist()] == [(500.0, 50.0)]


def test_three_bars_off_are_a_spike_and_six_are_a_level():
    three = told("spikes", made(WEDNESDAY, changed(wiggling(201), dict.fromkeys(range(100, 103), 105.0))))
    six = told("spikes", made(WEDNESDAY, changed(wiggling(201), dict.fromkeys(range(100, 106), 105.0))))
    assert (three.count, six.count) == (3, 0)


def test_a_price_that_jumps_and_stays_is_no_spike():
    close = np.concatenate([wiggling(80), wiggling(80, at=104.0)])
    assert told("spikes", made(WEDNESDAY, close)).passed


def test_the_other_side_of_a_wide_spread_is_no_spike():
    chance = np.random.default_rng(5)
    close = np.where(chance.random(2000) < 0.2, 20.05, 20.00)
    assert told("spikes", made(WEDNESDAY, close)).passed
    assert not told("spikes", made(WEDNESDAY, changed(close, {1000: 21.50}))).passed


def test_a_price_that_stands_still_allows_seven_ticks():
    """Ten MADs of half a tick, and two ticks."""
    still = np.full(101, 54.2)
    assert told("spikes", made(WEDNESDAY, changed(still, {50: 54.26}))).passed
    assert not told("spikes", made(WEDNESDAY, changed(still, {50: 54.28}))).passed


@pytest.mark.parametrize(("off", "typical"), [(4, 0.0), (5, 0.02), (24, 0.02)])
def test_the_typical_mad_is_that_of_prices_off_their_median_where_five_of_fifty_are(off, typical):
    block = [100.0] * (50 - off) + [102.0] * off
    assert typical_mad(np.array(block * 3)) == pytest.approx(typical)


def test_a_month_of_less_than_fifty_bars_has_no_typical_mad():
    assert typical_mad(wiggling(49)) == 0.0


def test_at_a_dollar_a_tick_is_much_and_four_percent_are_allowed():
    """Ten times 0.2 %, and two ticks of 1 %."""
    still = np.full(101, 1.0)
    assert told("spikes", made(WEDNESDAY, changed(still, {50: 1.03}))).passed
    assert not told("spikes", made(WEDNESDAY, changed(still, {50: 1.05}))).passed


def test_below_a_dollar_a_tick_is_a_ten_thousandth():
    still = np.full(101, 0.5)
    assert told("spikes", made(WEDNESDAY, changed(still, {50: 0.5006}))).passed
    assert not told("spikes", made(WEDNESDAY, changed(still, {50: 0.5008}))).passed


def test_the_first_bar_of_a_session_is_held_against_its_own_day():
    """The night moves the price from 100 to 110; a first bar of 120 has nothing but the bars after it to be back at."""
    evening = made(datetime(2024, 7, 10, 19, tzinfo=UTC), wiggling(80))
    close = changed(wiggling(80, at=110.0), {0: 120.0})
    morning = made(datetime(2024, 7, 11, 13, tzinfo=UTC), close)
    finding = told("spikes", pa.concat_tables([evening, morning]))
    assert schema.seconds(finding.bars).tolist() == [second(datetime(2024, 7, 11, 13, tzinfo=UTC))]


# Wicks


@pytest.mark.parametrize(
    ("name", "price", "wick"),
    [("high", 103.0, False), ("high", 103.01, True), ("low", 97.0, False), ("low", 96.99, True)],
)
def test_a_wick_is_more_than_three_percent_beyond_open_and_close(name, price, wick):
    close = np.full(9, 100.0)
    finding = told("wicks", made(WEDNESDAY, close, **{name: changed(close, {4: price})}))
    assert finding.passed is not wick


def test_a_wick_is_told_with_how_far_it_is():
    close = np.full(9, 100.0)
    finding = told("wicks", made(WEDNESDAY, close, high=changed(close, {4: 105.0})))
    assert finding.message.startswith(
        "1 of 9 bars has a high or low more than 3 % beyond open and close, with both neighbours within 0.5 %; "
        "first at 2024-07-10 14:00:04Z (open 100.0, high 105.0, low 100.0, close 100.0). Compare SPY 2024-07 "
    )
    assert finding.bars["beyond_percent"].to_pylist() == [5.0]


@pytest.mark.parametrize(("neighbour", "wick"), [(100.4, True), (100.6, False), (99.6, True), (99.4, False)])
def test_a_wick_between_neighbours_that_move_is_believed(neighbour, wick):
    close = changed(np.full(9, 100.0), {5: neighbour})
    high = changed(close, {4: 105.0})
    assert told("wicks", made(WEDNESDAY, close, high=high)).passed is not wick


def test_a_body_of_its_own_length_is_no_wick():
    close = np.full(9, 100.0)
    opens = changed(close, {4: 104.0})
    assert told("wicks", made(WEDNESDAY, close, open=opens, high=np.maximum(opens, close))).passed


@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_bar_with_one_neighbour_is_judged_by_that_one(at):
    close = np.full(9, 100.0)
    assert not told("wicks", made(WEDNESDAY, close, low=changed(close, {at: 94.0}))).passed


def test_the_other_day_is_no_neighbour():
    evening = made(datetime(2024, 7, 10, 19, tzinfo=UTC), np.full(9, 90.0))
    close = np.full(9, 100.0)
    morning = made(datetime(2024, 7, 11, 13, tzinfo=UTC), close, high=changed(close, {0: 105.0}))
    assert told("wicks", pa.concat_tables([evening, morning])).count == 1


# Open jumps


def night(before, after, **more):
    evening = made(datetime(2024, 7, 10, 23, 59, tzinfo=UTC), [before, before])
    morning = made(datetime(2024, 7, 11, 8, 0, 3, tzinfo=UTC), [after, after])
    return told("open_jumps", pa.concat_tables([evening, morning]), **more)


@pytest.mark.parametrize(("after", "jump"), [(109.9, False), (110.1, True), (90.1, False), (89.9, True)])
def test_a_night_may_move_a_price_by_ten_percent(after, jump):
    assert night(100.0, after).passed is not jump


def test_a_jump_is_told_with_both_its_ends():
    finding = night(100.0, 112.0)
    assert finding.message == (
        "1 of 1 session opens jump more than 10 % from the close before; first at 2024-07-11 08:00:03Z "
        "(open 112.0, close 100.0 of 2024-07-10 23:59:01Z: +12.0 %). Look for a split, a dividend or news of that day: "
        "a real move needs nothing. Else compare SPY 2024-07 with another source, report a bad print to the vendor, "
        "and delete no bar."
    )
    (bar,) = finding.bars.to_pylist()
    assert bar["previous_ts_event"] == datetime(2024, 7, 10, 23, 59, 1, tzinfo=UTC)
    assert (bar["previous_close"], bar["jump_percent"], bar["looks_like"]) == (100.0, 12.0, "")


@pytest.mark.parametrize(
    ("adjusted", "basis"),
    [
        (False, "prices are recorded as unadjusted, so that a split shows like this and nothing is wrong"),
        (True, "prices are recorded as adjusted for splits, so that none should show: fetched before it was known?"),
        (None, "whether prices are adjusted is not recorded"),
    ],
)
def test_a_jump_near_the_ratio_of_a_split_says_so_and_on_which_basis_prices_are(adjusted, basis):
    finding = night(499.23, 127.58, adjusted=adjusted)  # AAPL at its split of 31 August 2020
    assert f"It looks like a 4-for-1 split at 2024-07-11 08:00:03Z; {basis}" in finding.message
    assert finding.bars["looks_like"].to_pylist() == ["4-for-1 split"]


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
        (100.0, 53.0, None),
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


def test_a_weekend_is_a_night():
    bars = pa.concat_tables(
        [made(datetime(2024, 7, 12, 20, tzinfo=UTC), [100.0]), made(WEDNESDAY + timedelta(5), [80.0])]
    )
    assert told("open_jumps", bars).count == 1


def test_the_first_session_is_held_against_the_close_before_the_month_where_it_is_known():
    bars = made(datetime(2024, 7, 1, 8, tzinfo=UTC), [100.0, 100.0])
    finding = told("open_jumps", bars, previous_close=200.0)

    assert told("open_jumps", bars).passed
    assert told("open_jumps", bars, previous_close=99.0).passed
    assert "first at 2024-07-01 08:00:00Z (open 100.0, close 200.0 of the previous month: -50.0 %)" in finding.message
    assert finding.bars["previous_ts_event"].to_pylist() == [None]
    assert finding.bars["looks_like"].to_pylist() == ["2-for-1 split"]


# Stale prices


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
    finding = told("stale_prices", busy(still={1004: 150, 2006: 121}))
    assert finding.message.startswith(
        "2 runs of 120 or more bars at an unchanged price, 271 of 4,000 bars in regular hours; "
        "first from 2024-07-10 14:53:45Z to 2024-07-10 15:06:10Z (150 bars at 99.99). Compare SPY 2024-07 "
    )
    assert finding.count == 271
    assert finding.bars["run_length"].to_pylist() == [150, 121]


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


@pytest.mark.parametrize(("every", "stale"), [(12, True), (13, False)])
def test_liquid_is_five_bars_a_regular_minute(every, stale):
    """A bar every 12 seconds is five a minute, one every 13 is not."""
    close = wiggling(23_400 // every)
    close[501:651] = close[500]
    bars = made(datetime(2024, 7, 10, 13, 30, tzinfo=UTC), close, every=every)
    assert told("stale_prices", bars).passed is not stale


def test_a_month_that_no_calendar_covers_has_no_regular_hours():
    bars = made(datetime(1970, 1, 5, 15, tzinfo=UTC), np.full(400, 100.0))
    assert told("stale_prices", bars).passed


# Any bars at all


@pytest.mark.parametrize("size", [0, 1, 2, 3, 11])
def test_a_few_bars_are_judged(size):
    evidence = whole_months.evidence("SPY", "2024-07", made(WEDNESDAY, np.full(size, 100.0)))
    assert [finding.message for finding in map(evaluate, PLAUSIBLE, [evidence] * 4) if not finding.passed] == []


odd = st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0, 1e-300, 1e300, 99.99, 100.0, 100.0, 100.01, 1000.0])


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(st.none() | st.integers(0, 2 * 10**6), odd, odd, odd, odd), max_size=40), data=st.data())
def test_any_bars_at_all_are_judged_without_an_exception(rows, data):
    columns = list(zip(*rows, strict=True)) or [()] * 5
    starts = [None if offset is None else second(datetime(2024, 7, 1, tzinfo=UTC)) + offset for offset in columns[0]]
    prices = [pa.array(column, pa.float64()) for column in columns[1:]]
    moments, volume = pa.array(starts, pa.int64()).cast(schema.TIME_TYPE), pa.array([1] * len(rows), pa.int64())
    table = pa.table([moments, *prices, volume], schema=schema.bar_schema(whole_volume=True))
    known = data.draw(odd)
    evidence: Evidence = whole_months.evidence("SPY", "2024-07", table, previous_close=known)
    for rule in PLAUSIBLE:
        finding = evaluate(rule, evidence)
        assert finding.passed == (finding.count == 0)
        assert finding.bars.num_rows <= len(rows)
