"""What the rules say of bars that are each well formed and not what was traded, and what they rightly leave alone."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.checks.bad_prints import stale_prices
from mohlcv_dagster.checks.fields_together import fields_together
from mohlcv_dagster.checks.price_jumps import level_shifts, split_like
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.checks.session_coverage import session_coverage
from mohlcv_dagster.checks.trading_hours import trading_hours
from mohlcv_dagster.checks.volume_level import volume_level
from mohlcv_dagster.model.bar_files import PRICES
from mohlcv_dagster_tests.checks.made_months import input_of
from mohlcv_dagster_tests.checks.silent_edits import DAY, HOUR, every_other_lost, exchanged, volume_times
from mohlcv_dagster_tests.checks.whole_corruptions import BUSY
from mohlcv_dagster_tests.checks.whole_months import drop, drop_all, eastern, full_days, inside, whole_month
from mohlcv_dagster_tests.real import REAL, needs_real

MONTH = "2024-01"
RULES = (fields_together, volume_level, session_coverage, level_shifts, stale_prices)
SEVENTEENTH = [date(2024, 1, 17)]


def said(rule, bars, symbol=BUSY, **more):
    return evaluate(rule, input_of(symbol, MONTH, bars, **more))


def after(seeded, symbol=BUSY, days=SEVENTEENTH):
    return seeded(days, np.random.default_rng(0))(whole_month(symbol, MONTH))


def test_volumes_on_another_level_are_told_with_the_day_the_factor_and_both_levels():
    message = said(volume_level, after(volume_times(100, DAY))).message

    assert message.startswith(
        "the volume of 2024-01-17 is on another level: on 2024-01-17 about 100 times the month's usual "
        "(the median bar has 11,300, the other bars 112)."
    )


def test_an_hour_is_told_by_its_hours():
    assert "the volume of 2024-01-17 16:00 to 17:00Z is" in said(volume_level, after(volume_times(100, HOUR))).message


def test_a_month_in_lots_of_a_hundred_is_told_by_its_digits_unless_it_is_adjusted():
    bars = after(volume_times(100))

    assert "are multiples of 100, as if multiplied by 100" in said(volume_level, bars, adjusted=False).message
    assert said(volume_level, bars, adjusted=True).passed


def test_much_is_traded_on_a_day_of_news_in_many_more_bars():
    day = inside(whole_month("ABC", MONTH), eastern(SEVENTEENTH[0], "00:00"), eastern(SEVENTEENTH[0], "24:00"))
    starts = bar_table.seconds(day)
    every = np.unique(np.concatenate([starts + late for late in range(8)]))
    at = np.searchsorted(starts, every, side="right") - 1
    prices = {name: day[name].to_numpy()[at] for name in PRICES}
    news = bar_table.from_arrays(every, prices, day["volume"].to_numpy()[at] * 60)
    bars = pa.concat_tables([drop(SEVENTEENTH[0], "00:00", "24:00")(whole_month("ABC", MONTH)), news])

    assert said(volume_level, bars.sort_by("ts_event"), "ABC").passed


def test_an_open_and_close_that_are_exchanged_are_told_by_the_pairs_of_bars():
    result = said(fields_together, after(exchanged(DAY)))

    assert str(result.severity) == "error"
    assert result.message.startswith("open and close are exchanged in 1 of 21 sessions: in 59.")
    assert result.bars["ts_event"].to_pylist() == [datetime(2024, 1, 17, 9, 0, 23, tzinfo=UTC)]


def test_of_a_quiet_symbol_what_cannot_be_told_is_said():
    assert (
        "not judged: whether each volume is its bar's own"
        in said(fields_together, whole_month("ABC", MONTH), "ABC").message
    )


def test_seconds_lost_one_by_one_are_told_by_their_half_hours():
    message = said(session_coverage, after(every_other_lost(HOUR))).message

    assert (
        "lacks bars in 2 parts of its sessions: 2024-01-17, 11:00:00 to 11:30:00 Eastern: 389 bars, of which 0 follow "
        "at once, by chance 84 would" in message
    )


@pytest.mark.parametrize(
    "lost",
    [
        drop_all(
            [(date(2024, 1, day), "00:00", "24:00") for day in range(1, 10)] + [(date(2024, 1, 10), "00:00", "11:20")]
        ),
        drop(SEVENTEENTH[0], "04:00", "10:40"),
        drop(SEVENTEENTH[0], "13:05", "13:20"),
        drop(date(2024, 1, 31), "16:00", "24:00"),
        drop_all([(day, "13:00", "24:00") for day in SEVENTEENTH]),
    ],
    ids=["first day of a listing", "halted before the opening", "halt", "last evening", "cut at one"],
)
def test_what_other_rules_tell_or_a_market_does_is_left_alone(lost):
    assert said(session_coverage, lost(whole_month(BUSY, MONTH))).passed


def test_a_month_without_extended_hours_is_told_with_what_it_has():
    days = [*full_days(MONTH), *(date(2024, 1, day) for day in (29, 30, 31))]
    lost = drop_all([(day, *span) for day in days for span in (("00:00", "09:30"), ("16:00", "24:00"))])

    assert (
        "has no bar outside regular hours in any of 21 sessions, although 320 a session"
        in said(session_coverage, lost(whole_month("ABC", MONTH)), "ABC").message
    )


@pytest.mark.parametrize(
    ("seconds", "untold"),
    [
        ((0, 57_599), ""),
        ((1, 57_599), "; not judged: whether labels are a second late, since no bar starts in the first second of"),
        ((0, 57_598), "; not judged: whether labels are a second early, since no bar starts in the last second of"),
        (
            (1, 57_598),
            "; not judged: whether labels are a second late or early, since no bar starts in the first or last",
        ),
    ],
)
def test_labels_a_second_off_show_where_a_bar_is_in_the_first_and_the_last_second(seconds, untold):
    opens = eastern(SEVENTEENTH[0], "04:00")
    starts = np.array([int((opens + timedelta(seconds=each)).timestamp()) for each in seconds])
    prices = dict.fromkeys(PRICES, np.full(2, 10.0))
    message = said(trading_hours, bar_table.from_arrays(starts, prices, np.full(2, 100))).message

    assert message.partition("(2 bars")[2].startswith(untold or ")")


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [(100, 66.7, "3-for-2 split"), (100, 151, "2-for-3 reverse split"), (100, 40, "5-for-2 split"), (100, 130, None)],
)
def test_splits_of_broken_ratios_are_named(before, after, name):
    assert split_like(before, after) == name


@needs_real
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("path", ["second/SPY_2013_10.csv", "fractional/second.csv"])
def test_nothing_is_told_of_real_bars(rule, path):
    assert evaluate(rule, input_of("SPY", "2013-10", csv_codec.decode((REAL / path).read_bytes()))).passed
