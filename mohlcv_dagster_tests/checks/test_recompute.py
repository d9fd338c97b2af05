"""The second engine is right by pandas and by hand, and it is a second one."""

import ast
import inspect
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, csv_codec, resample
from mohlcv_dagster.checks.recompute import recompute
from mohlcv_dagster.errors import BarsError, UnsortedBarsError, VolumePrecisionError
from mohlcv_dagster.model import bar_files, timeframes
from mohlcv_dagster_tests.checks.clean_files import FRACTIONAL, FRACTIONAL_15S, HEADER, WHOLE, WHOLE_15S

FIFTEEN = timeframes.parse("15s")
MIDNIGHT = 1704153600  # 2024-01-02 00:00:00Z
HOW = {"open": "first", "high": "max", "low": "min", "close": "last"}


@st.composite
def raw_bars(draw):
    starts = draw(st.lists(st.integers(0, 3 * 3600), min_size=1, max_size=40, unique=True).map(sorted))
    number = st.integers(1, 10**6)
    prices = {name: np.array([draw(number) / 100 for _ in starts]) for name in bar_files.PRICES}
    whole = np.array([draw(number) for _ in starts])
    volume = whole if draw(st.booleans()) else whole / 10**6
    return bar_table.from_arrays(np.array(starts) + MIDNIGHT, prices, volume)


def by_pandas(bars, timeframe):
    frame = bars.to_pandas().set_index(bar_files.TIME)
    groups = frame.resample(f"{timeframe.seconds}s", label="left", closed="left")
    folded = groups.agg(HOW)[groups.size() > 0]
    folded.insert(4, "volume", groups["volume"].apply(exact_sum)[groups.size() > 0])
    return folded


def exact_sum(volumes):
    return float(sum(Fraction(repr(volume)) for volume in volumes.tolist()))


@settings(max_examples=40)
@given(bars=raw_bars(), timeframe=st.sampled_from(timeframes.AGGREGATED))
def test_the_second_engine_equals_pandas_with_volumes_summed_as_fractions(bars, timeframe):
    ours = recompute(bars, timeframe).to_pandas().set_index(bar_files.TIME)
    theirs = by_pandas(bars, timeframe)
    assert ours.index.tolist() == theirs.index.tolist()
    for name in bar_files.COLUMNS[1:]:
        assert ours[name].tolist() == theirs[name].tolist(), name


@settings(max_examples=40)
@given(bars=raw_bars(), timeframe=st.sampled_from(timeframes.AGGREGATED))
def test_both_engines_make_the_same_bars(bars, timeframe):
    assert recompute(bars, timeframe).equals(resample.resample(bars, timeframe))


@pytest.mark.parametrize(("raw", "expected"), [(WHOLE, WHOLE_15S), (FRACTIONAL, FRACTIONAL_15S)])
def test_the_second_engine_makes_the_bars_worked_by_hand(raw, expected):
    assert recompute(csv_codec.decode(raw), FIFTEEN).equals(csv_codec.decode(expected))


def test_the_second_engine_shares_no_module_with_the_first_but_the_table_of_bars():
    tree = ast.parse(inspect.getsource(inspect.getmodule(recompute)))
    ours = {
        f"{node.module}.{name.name}" if node.module == "mohlcv_dagster.bars" else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mohlcv_dagster")
        for name in node.names
    }
    assert ours == {
        "mohlcv_dagster.bars.bar_table",
        "mohlcv_dagster.model.bar_files",
        "mohlcv_dagster.model.timeframes",
        "mohlcv_dagster.errors",
    }


def row(second, volume, price="1.0"):
    return f"2024-01-02 14:30:{second:02d}+00:00,{price},1.0,1.0,1.0,{volume}\n".encode()


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        (row(1, 5) + row(0, 5), UnsortedBarsError, "do not rise"),
        (row(0, 5) + row(0, 5), UnsortedBarsError, "do not rise"),
        (row(0, 5, price=""), BarsError, "missing values"),
        (row(0, 0.12345678901), VolumePrecisionError, "holds all 1 volumes"),
        (row(0, "nan"), VolumePrecisionError, "holds all 1 volumes"),
        (row(0, "inf"), VolumePrecisionError, "holds all 1 volumes"),
        (row(0, 1e308), VolumePrecisionError, "holds all 1 volumes"),
        (row(0, 8e9 + 0.5) + row(1, 8e9), VolumePrecisionError, "too large"),
        (row(0, 2**62) + row(1, 2**62), VolumePrecisionError, "too large"),
    ],
)
def test_raw_bars_that_cannot_be_folded_exactly_are_refused(rows, error, words):
    with pytest.raises(error, match=words):
        recompute(csv_codec.decode(HEADER + rows), FIFTEEN)


def test_no_raw_bars_give_no_bars():
    assert recompute(bar_table.empty(), FIFTEEN).equals(bar_table.empty())
