"""The rule `price_precision`: decimals that no market has, and none of those that it has."""

import numpy as np
import pyarrow as pa
import pytest

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.checks.file_form import price_precision
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster_tests.checks import made_months
from mohlcv_dagster_tests.checks.made_months import WEDNESDAY, changed, input_of, made, wiggling
from mohlcv_dagster_tests.real import REAL, needs_real

BUSY, CHEAP, QUIET, SPLIT = ("XLE", "2013-05"), ("IR", "2016-08"), ("GE", "2015-11"), ("KO", "2020-03")


def checked(bars: pa.Table, *, month: str = "2024-07", adjusted: bool | None = False):
    return evaluate(price_precision, input_of("SPY", month, bars, adjusted=adjusted))


def bars_with(prices: dict[int, float], size: int = 400) -> pa.Table:
    return made(WEDNESDAY, changed(wiggling(size), prices))


@pytest.mark.parametrize("month", [BUSY, CHEAP, QUIET, SPLIT], ids=str)
@pytest.mark.parametrize("kind", [made_months.smooth, made_months.rough], ids=["smooth", "rough"])
def test_no_price_of_a_made_month_has_too_many_decimals(month, kind):
    assert evaluate(price_precision, input_of(*month, kind(*month), adjusted=False)).passed


@needs_real
@pytest.mark.parametrize("name", ["second/SPY_2013_10.csv", "fractional/second.csv"])
def test_no_price_of_real_bars_has_too_many_decimals(name):
    bars = csv_codec.decode((REAL / name).read_bytes())

    assert checked(bars, month="2013-10").passed


@pytest.mark.parametrize(
    ("price", "decimals"),
    [(49.180000001, 9), (49.1800001, 7), (0.1 + 0.2, 17), (1e-7, 7), (0.12345678, 8)],
)
def test_one_price_with_more_decimals_than_the_tape_has_is_an_error(price, decimals):
    result = checked(bars_with({7: price}))

    assert (result.passed, result.severity, result.count) == (False, "error", 1)
    assert result.bars["decimals"].to_pylist() == [decimals]


@pytest.mark.parametrize("price", [49.18, 49.1875, 0.0001, 123456.7891, 4e15 + 0.5, 1e300, 250000.0])
def test_a_price_with_four_decimals_or_fewer_passes(price):
    assert checked(bars_with({7: price})).passed


def test_a_few_prices_with_six_decimals_are_a_warning_and_many_an_error():
    few, many = (bars_with(dict.fromkeys(range(size), 101.123456), 1_000) for size in (10, 11))

    assert (checked(few).severity, checked(few).count) == ("warn", 10)
    assert (checked(many).severity, checked(many).count) == ("error", 11)


def test_adjusted_prices_and_fractions_of_a_dollar_are_not_judged_and_an_unrecorded_basis_is_a_warning():
    bars = bars_with({7: 49.180000001})

    assert "not judged" in checked(bars, adjusted=True).message
    assert "not judged" in checked(bars, month="2001-04").message
    assert checked(bars, adjusted=None).severity == "warn"
    assert "adjusted for splits" in checked(bars, adjusted=None).message


def test_every_price_of_a_month_multiplied_by_a_float_is_told_with_the_share():
    result = checked(made(WEDNESDAY, np.round(wiggling(400) + 1e-9, 9)))

    assert (result.severity, result.count) == ("error", 400)
    assert "400 of 400 bars have a price with more than 4 decimals (100 % of the bars, up to 9)" in result.message


@pytest.mark.parametrize(("decimals", "seen"), [(0, True), (1, True), (2, False)])
def test_prices_that_are_rounded_throughout_are_a_warning(decimals, seen):
    rising = 48 + np.arange(400) / 100
    result = checked(made(WEDNESDAY, np.round(rising, decimals)))

    assert result.passed is not seen
    assert ("not one of the prices of 400 bars has more than one decimal" in result.message) is seen


@pytest.mark.parametrize(
    "close", [np.full(400, 48.5), 48 + np.arange(100) / 10, 2_000 + np.arange(400) / 10], ids=["still", "few", "dear"]
)
def test_round_prices_that_may_be_by_chance_pass(close):
    assert checked(made(WEDNESDAY, np.round(close, 1))).passed
